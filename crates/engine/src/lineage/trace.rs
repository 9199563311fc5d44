//! Traces each use of a file to the write it goes back to, and to the names that the file has.
//!
//! The rules are in `core::lineage::origin`; here are the facts they need, fetched for hundreds of uses at once.

use std::collections::{BTreeSet, HashMap};

use stemma_api::types::DatasetVersion;
use stemma_core::{
    Digest, Problem, Timestamp,
    event::VersionRegistered,
    id::{RunId, WorkspaceId},
    lineage::{
        Certainty, EdgeKind, Node, NodeKind,
        completeness::RAW,
        origin::{Candidates, FileUse, FileWrite},
    },
    name::ProjectName,
};
use stemma_ledger::{Access, RunFile};

use super::{
    folders::{Folders, Holder},
    place::{Reach, unwritten, version_name, written},
};
use crate::{
    Known,
    known::data::dataset_version,
    lineage::folders::{folders_holding, folders_of, is_folder},
    problem::ledger_problem,
};

/// Uses of the bytes of versions that are looked at.
const FILES_MAX: usize = 100_000;

/// A file as a run used it, and where it comes from.
#[derive(Debug, Clone)]
pub(super) struct Traced {
    pub used: RunFile,
    pub file: Node,
    /// Who left it there.
    pub writer: Option<RunId>,
    /// How surely this is the file that was used.
    pub certainty: Certainty,
    pub names: Vec<Name>,
}

/// A version that the file is, or is a part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub version: Node,
    pub kind: EdgeKind,
    pub certainty: Certainty,
    /// Only the name, if the file has a history of its own: one that is known, or one before somebody wrote the version.
    pub reach: Reach,
}

/// What is known of some contents.
struct Named {
    datasets: HashMap<Digest, Vec<DatasetVersion>>,
    /// Each with when it was registered.
    models: HashMap<Digest, Vec<(VersionRegistered, Timestamp)>>,
    /// `name@number` → who wrote the file that was added.
    writers: HashMap<String, (FileWrite, Certainty)>,
}

pub(super) async fn trace(
    known: &Known,
    project: &ProjectName,
    files: Vec<RunFile>,
    folders: &mut Folders,
) -> Result<Vec<Traced>, Problem> {
    let uses: Vec<FileUse> = files.iter().map(RunFile::as_use).collect();
    let candidates = known.ledger().candidates(project, &uses).await.map_err(ledger_problem)?;
    let named = named(known, project, &uses, folders).await?;
    let holders = folders_of(known, project, &uses, folders).await?;
    let mut traced = Vec::with_capacity(files.len());
    for (((used, asked), candidates), holders) in files.into_iter().zip(&uses).zip(&candidates).zip(holders) {
        let mut one = by_path(used, asked, candidates, &named);
        one.names.extend(holders.iter().map(part_of));
        if one.writer.is_none() && one.names.is_empty() && one.used.access == Access::Input {
            by_bytes(&mut one, asked, candidates, &named);
            if one.writer.is_none() && one.names.is_empty() {
                let holders = folders_holding(known, project, asked, folders).await?;
                one.names.extend(holders.iter().map(part_of));
            }
        }
        traced.push(one);
    }
    Ok(traced)
}

/// Who wrote the files that were added as these versions, where somebody is known who did. Only files, not folders.
pub(crate) async fn version_writers(
    known: &Known,
    project: &ProjectName,
    versions: &[DatasetVersion],
) -> Result<HashMap<String, (FileWrite, Certainty)>, Problem> {
    let uses: Vec<FileUse> = versions.iter().map(added).collect();
    let candidates = known.ledger().candidates(project, &uses).await.map_err(ledger_problem)?;
    let mut writers = HashMap::new();
    let mut unknown = Vec::new();
    for (version, (used, candidates)) in versions.iter().zip(uses.iter().zip(&candidates)) {
        match candidates.by_path(used) {
            Some((write, certainty)) => _ = writers.insert(version_name(version), (write.clone(), certainty)),
            None => unknown.extend(version.run.map(|run| (version, run))),
        }
    }
    let digests: Vec<Digest> = unknown.iter().map(|(version, _)| version.digest).collect();
    let accesses = [Access::Input, Access::Output];
    let (files, _) =
        known.ledger().files_with(project, &digests, &accesses, FILES_MAX).await.map_err(ledger_problem)?;
    for (version, run) in unknown {
        writers.extend(as_recorded(version, run, &files).map(|found| (version_name(version), found)));
    }
    Ok(writers)
}

/// The run that wrote a file that is added or registered now, and how surely. All that is recorded happened before.
pub(crate) async fn writer_now(
    known: &Known,
    project: &ProjectName,
    digest: Digest,
    path: Option<&str>,
    workspace: Option<WorkspaceId>,
) -> Result<Option<(RunId, Certainty)>, Problem> {
    let now = Timestamp(i64::MAX);
    let path = path.unwrap_or_default().to_owned();
    let used = FileUse { path, digest, workspace, since: now, until: now, run: None };
    let found = writers_now(known, project, std::slice::from_ref(&used)).await?;
    Ok(found.into_iter().next().flatten().map(|(write, certainty)| (write.run, certainty)))
}

/// The same of many files at once, in their order.
pub(crate) async fn writers_now(
    known: &Known,
    project: &ProjectName,
    uses: &[FileUse],
) -> Result<Vec<Option<(FileWrite, Certainty)>>, Problem> {
    let found = known.ledger().candidates(project, uses).await.map_err(ledger_problem)?;
    let chosen = |(candidates, used): (&Candidates, &FileUse)| {
        let found = candidates.by_path(used).or_else(|| candidates.by_bytes());
        found.map(|(write, certainty)| (write.clone(), certainty))
    };
    Ok(found.iter().zip(uses).map(chosen).collect())
}

async fn named(
    known: &Known,
    project: &ProjectName,
    uses: &[FileUse],
    folders: &mut Folders,
) -> Result<Named, Problem> {
    let digests: Vec<Digest> = uses.iter().map(|used| used.digest).collect::<BTreeSet<_>>().into_iter().collect();
    let versions = dataset_versions_with(known, project, &digests).await?;
    let writers = version_writers(known, project, &versions).await?;
    let mut named = Named { datasets: HashMap::new(), models: HashMap::new(), writers };
    for version in versions {
        if !is_folder(known, &version, folders).await? {
            named.datasets.entry(version.digest).or_default().push(version);
        }
    }
    for row in known.facts().model_versions_with(project, &digests).await.map_err(ledger_problem)? {
        named.models.entry(row.value.digest).or_default().push((row.value, row.fact.time));
    }
    Ok(named)
}

pub(crate) async fn dataset_versions_with(
    known: &Known,
    project: &ProjectName,
    digests: &[Digest],
) -> Result<Vec<DatasetVersion>, Problem> {
    let rows = known.facts().dataset_versions_with(project, digests).await.map_err(ledger_problem)?;
    Ok(rows.into_iter().map(dataset_version).filter(|version| version.external.is_none()).collect())
}

/// The run that was told when a version was added, if its write can have been the one.
fn as_recorded(version: &DatasetVersion, run: RunId, files: &[RunFile]) -> Option<(FileWrite, Certainty)> {
    let of = |access: Access| files.iter().filter(move |file| file.access == access && file.digest == version.digest);
    let mut writes: Vec<&RunFile> = of(Access::Output).filter(|file| file.run == run).collect();
    writes.sort_by_key(|file| file.path != version.path);
    let write = *writes.first()?;
    if write.path == version.path {
        let is_here = version.workspace.is_some() && version.workspace == write.workspace;
        return Some((write_of(write), if is_here { write.certainty } else { Certainty::Inferred }));
    }
    // who wrote the same bytes elsewhere did not make what was there before, or came from outside
    let was_there = of(Access::Input).any(|read| read.path == version.path && read.started < write.ended);
    let copied = of(Access::Input).any(|read| read.run == run);
    let guess = version.source.is_none() && !was_there && !copied;
    guess.then(|| (write_of(write), Certainty::Inferred))
}

fn write_of(file: &RunFile) -> FileWrite {
    FileWrite {
        run: file.run,
        path: file.path.clone(),
        digest: file.digest,
        workspace: file.workspace,
        started: file.started,
        ended: file.ended,
    }
}

/// What the path says: the write to it, and the versions that were added from it.
fn by_path(used: RunFile, asked: &FileUse, candidates: &Candidates, named: &Named) -> Traced {
    let versions = named.datasets.get(&used.digest).into_iter().flatten();
    let versions: Vec<&DatasetVersion> = versions.filter(|version| version.path == used.path).collect();
    let names = versions.iter().map(|version| named.name(version, asked, Certainty::Observed)).collect();
    let (path, digest, declared) = (used.path.clone(), used.digest, used.certainty);
    let mut traced = Traced { used, file: unwritten(digest, &path), writer: None, certainty: declared, names };
    let mut written = candidates.by_path(asked);
    if written.is_none() {
        // it was fetched as the version that it is, and that was written before
        let of_versions = versions.iter().filter_map(|version| named.writers.get(&version_name(version)));
        let before = of_versions.filter(|(write, _)| write.ended <= asked.since);
        written = before.map(|(write, certainty)| (write, *certainty)).next();
    }
    if let Some((write, certainty)) = written {
        traced.wrote(write, certainty);
    }
    let models = named.models.get(&digest).into_iter().flatten();
    let made = models.map(|(model, _)| model).filter(|model| traced.writer.is_some() && model.run == traced.writer);
    let made: Vec<Name> = made.map(|model| model_name(model, Certainty::Observed)).collect();
    traced.names.extend(made);
    traced
}

/// What the bytes say, when the path says nothing: never more than a guess. What was written or registered only later is
/// not what was read, and of raw data nothing is to be guessed.
fn by_bytes(traced: &mut Traced, asked: &FileUse, candidates: &Candidates, named: &Named) {
    if traced.used.role.as_deref() == Some(RAW) {
        return;
    }
    if let Some((write, certainty)) = candidates.by_bytes() {
        traced.wrote(write, certainty);
    }
    let digest = traced.used.digest;
    for (model, registered) in named.models.get(&digest).into_iter().flatten() {
        let is_it = if traced.writer.is_none() { *registered <= asked.until } else { model.run == traced.writer };
        if is_it {
            traced.names.push(model_name(model, Certainty::Inferred));
        }
    }
    if traced.writer.is_none() {
        let versions = named.datasets.get(&digest).into_iter().flatten();
        let versions = versions.map(|version| named.name(version, asked, Certainty::Inferred));
        traced.names.extend(versions.filter(|name| name.reach == Reach::Whole));
    }
}

impl Named {
    fn name(&self, version: &DatasetVersion, asked: &FileUse, certainty: Certainty) -> Name {
        let was_later = self.writers.get(&version_name(version)).is_some_and(|(write, _)| write.ended > asked.since);
        Name { reach: if was_later { Reach::Name } else { Reach::Whole }, ..name(version, certainty) }
    }
}

impl Traced {
    /// How much of a name this use is after.
    pub fn reach(&self, name: &Name) -> Reach {
        if self.writer.is_some() { Reach::Name } else { name.reach }
    }

    fn wrote(&mut self, write: &FileWrite, certainty: Certainty) {
        self.file = written(write.run, &write.path);
        self.writer = Some(write.run);
        self.certainty = weaker(self.certainty, certainty);
    }
}

pub(super) fn weaker(one: Certainty, other: Certainty) -> Certainty {
    match (one, other) {
        (Certainty::Observed, other) => other,
        (one, _) => one,
    }
}

/// Adding a version is a use of the file that it was added from.
fn added(version: &DatasetVersion) -> FileUse {
    FileUse {
        path: version.path.clone(),
        digest: version.digest,
        workspace: version.workspace,
        since: version.added.time,
        until: version.added.time,
        run: None,
    }
}

fn name(version: &DatasetVersion, certainty: Certainty) -> Name {
    let node = Node::new(NodeKind::DatasetVersion, version_name(version));
    Name { version: node, kind: EdgeKind::VersionOf, certainty, reach: Reach::Whole }
}

fn model_name(model: &VersionRegistered, certainty: Certainty) -> Name {
    let node = Node::new(NodeKind::ModelVersion, format!("{}@{}", model.model, model.number));
    Name { version: node, kind: EdgeKind::VersionOf, certainty, reach: Reach::Whole }
}

fn part_of(holder: &Holder) -> Name {
    Name { kind: EdgeKind::PartOf, ..name(&holder.version, holder.certainty) }
}
