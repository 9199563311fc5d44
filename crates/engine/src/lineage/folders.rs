//! Dataset versions of folders and the files in them: a file below a folder belongs to the version that holds its bytes
//! at that place.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use stemma_api::types::DatasetVersion;
use stemma_core::{
    Digest, Problem,
    lineage::{Certainty, origin::FileUse},
    name::ProjectName,
};
use stemma_ledger::{Access, RunFile};
use stemma_store::{StoreError, TreeEntry};

use super::place::version_name;
use crate::{
    Known,
    problem::{internal, ledger_problem, store_problem},
};

/// Files of folders that one walk looks at, of all folders together.
const MEMBERS_MAX: usize = 1_000_000;
/// Reads and writes below folders that one walk looks at.
const FILES_MAX: usize = 500_000;

/// Path below the folder → content.
type Members = HashMap<String, Digest>;

/// What a walk has learned of the project's folders.
#[derive(Default)]
pub(super) struct Folders {
    /// Every dataset version by its path, once they were asked for.
    by_path: Option<HashMap<String, Vec<DatasetVersion>>>,
    /// `None` for what is no folder, or not here.
    members: HashMap<Digest, Option<Arc<Members>>>,
    looked_at: usize,
    /// What could not be looked at.
    pub cut: Option<String>,
}

/// A version of a folder that holds a file, at which place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holder {
    pub version: DatasetVersion,
    pub certainty: Certainty,
}

/// Who wrote the files of a folder: run → how surely.
pub(super) type FolderWriters = BTreeMap<stemma_core::id::RunId, Certainty>;

/// For each use the folder versions that hold the file at its path: of each dataset the one that holds most of what
/// the same run read below it, and of equals the newest that was there already.
pub(crate) async fn folders_of(
    known: &Known,
    project: &ProjectName,
    uses: &[FileUse],
    folders: &mut Folders,
) -> Result<Vec<Vec<Holder>>, Problem> {
    let mut holding: Vec<Vec<DatasetVersion>> = Vec::with_capacity(uses.len());
    // (reader, dataset, number) → files
    let mut counts: HashMap<(Option<_>, String), usize> = HashMap::new();
    for used in uses {
        let mut held_by = Vec::new();
        for (folder, below) in parents(&used.path) {
            for version in versions_at(known, project, folder, folders).await? {
                let members = members(known, version.digest, folders).await?;
                if members.is_some_and(|members| members.get(below) == Some(&used.digest)) {
                    *counts.entry((used.run, version_name(&version))).or_default() += 1;
                    held_by.push(version);
                }
            }
        }
        holding.push(held_by);
    }
    let best = |used: &FileUse, versions: Vec<DatasetVersion>| {
        let mut of_datasets: BTreeMap<String, Vec<DatasetVersion>> = BTreeMap::new();
        for version in versions {
            of_datasets.entry(version.dataset.to_string()).or_default().push(version);
        }
        let rank = |version: &DatasetVersion| {
            let files = counts.get(&(used.run, version_name(version))).copied().unwrap_or(0);
            let was_there = version.added.time <= used.until;
            // of those that came later the first is nearest
            (files, was_there, if was_there { i64::from(version.number) } else { -i64::from(version.number) })
        };
        let chosen = of_datasets.into_values().filter_map(|versions| versions.into_iter().max_by_key(rank));
        chosen.map(|version| Holder { version, certainty: Certainty::Observed }).collect()
    };
    Ok(uses.iter().zip(holding).map(|(used, versions)| best(used, versions)).collect())
}

/// Folder versions that hold a file of the same name and bytes somewhere: a folder may have been put elsewhere.
pub(crate) async fn folders_holding(
    known: &Known,
    project: &ProjectName,
    used: &FileUse,
    folders: &mut Folders,
) -> Result<Vec<Holder>, Problem> {
    let mut newest: BTreeMap<String, DatasetVersion> = BTreeMap::new();
    for version in all_versions(known, project, folders).await? {
        let Some(members) = members(known, version.digest, folders).await? else { continue };
        let is_it = |(below, digest): (&String, &Digest)| {
            *digest == used.digest && (used.path == *below || used.path.ends_with(&format!("/{below}")))
        };
        if members.iter().any(is_it) {
            newest.insert(version.dataset.to_string(), version);
        }
    }
    Ok(newest.into_values().map(|version| Holder { version, certainty: Certainty::Inferred }).collect())
}

/// Folder versions that hold some bytes, at whatever place.
pub(crate) async fn folders_with(
    known: &Known,
    project: &ProjectName,
    digest: &Digest,
    folders: &mut Folders,
) -> Result<Vec<DatasetVersion>, Problem> {
    let mut found = Vec::new();
    for version in all_versions(known, project, folders).await? {
        let members = members(known, version.digest, folders).await?;
        if members.is_some_and(|members| members.values().any(|member| member == digest)) {
            found.push(version);
        }
    }
    Ok(found)
}

/// Whether a dataset version is a folder that is here.
pub(crate) async fn is_folder(known: &Known, version: &DatasetVersion, folders: &mut Folders) -> Result<bool, Problem> {
    Ok(members(known, version.digest, folders).await?.is_some())
}

/// What the home's runs did with files at the places of a folder's version, before or after it was added.
pub(crate) async fn files_in(
    known: &Known,
    project: &ProjectName,
    version: &DatasetVersion,
    accesses: &[Access],
    folders: &mut Folders,
) -> Result<Vec<RunFile>, Problem> {
    let Some(members) = members(known, version.digest, folders).await? else {
        return Ok(Vec::new());
    };
    let found = known.ledger().files_below(project, &version.path, accesses, FILES_MAX).await;
    let (mut files, cut) = found.map_err(ledger_problem)?;
    if cut {
        folders.cut = Some(format!("runs used files below `{}` more than {FILES_MAX} times", version.path));
    }
    let start = version.path.len() + 1;
    files.retain(|file| file.path.get(start..).and_then(|below| members.get(below)) == Some(&file.digest));
    Ok(files)
}

/// The runs whose writes a folder's version is made of: of each file the newest write to its place before.
pub(crate) async fn folder_writers(
    known: &Known,
    project: &ProjectName,
    version: &DatasetVersion,
    folders: &mut Folders,
) -> Result<FolderWriters, Problem> {
    let mut writes = files_in(known, project, version, &[Access::Output], folders).await?;
    writes.retain(|write| write.ended <= version.added.time);
    writes.sort_by_key(|write| (write.ended, write.run));
    let newest: HashMap<&str, &RunFile> = writes.iter().map(|write| (write.path.as_str(), write)).collect();
    let mut writers = FolderWriters::new();
    for write in newest.into_values() {
        let is_here = version.workspace.is_some() && version.workspace == write.workspace;
        let certainty = if is_here { write.certainty } else { Certainty::Inferred };
        writers.entry(write.run).and_modify(|known| *known = (*known).min(certainty)).or_insert(certainty);
    }
    Ok(writers)
}

/// Versions of folders above some paths.
pub(crate) async fn folders_above(
    known: &Known,
    project: &ProjectName,
    paths: impl Iterator<Item = &str>,
    folders: &mut Folders,
) -> Result<Vec<DatasetVersion>, Problem> {
    let mut above: Vec<&str> = paths.flat_map(|path| parents(path).map(|(folder, _)| folder)).collect();
    above.sort_unstable();
    above.dedup();
    let mut found = Vec::new();
    for folder in above {
        for version in versions_at(known, project, folder, folders).await? {
            if is_folder(known, &version, folders).await? {
                found.push(version);
            }
        }
    }
    Ok(found)
}

async fn versions_at(
    known: &Known,
    project: &ProjectName,
    path: &str,
    folders: &mut Folders,
) -> Result<Vec<DatasetVersion>, Problem> {
    Ok(index(known, project, folders).await?.get(path).cloned().unwrap_or_default())
}

async fn all_versions(
    known: &Known,
    project: &ProjectName,
    folders: &mut Folders,
) -> Result<Vec<DatasetVersion>, Problem> {
    let mut all: Vec<_> = index(known, project, folders).await?.values().flatten().cloned().collect();
    all.sort_by_key(|version| version.added.seq);
    Ok(all)
}

async fn index<'a>(
    known: &Known,
    project: &ProjectName,
    folders: &'a mut Folders,
) -> Result<&'a HashMap<String, Vec<DatasetVersion>>, Problem> {
    if folders.by_path.is_none() {
        let mut by_path: HashMap<String, Vec<DatasetVersion>> = HashMap::new();
        let here = |version: &DatasetVersion| version.external.is_none();
        for version in known.all_dataset_versions(project).await?.into_iter().filter(here) {
            by_path.entry(version.path.clone()).or_default().push(version);
        }
        folders.by_path = Some(by_path);
    }
    Ok(folders.by_path.get_or_insert_default())
}

/// The files of a folder, read once in a walk; `None` for what is no folder.
async fn members(known: &Known, digest: Digest, folders: &mut Folders) -> Result<Option<Arc<Members>>, Problem> {
    if let Some(known) = folders.members.get(&digest) {
        return Ok(known.clone());
    }
    let room = MEMBERS_MAX.saturating_sub(folders.looked_at);
    let store = known.store().clone();
    let read = tokio::task::spawn_blocking(move || read_members(&store, &digest, room));
    let members = match read.await.map_err(internal)?.map_err(store_problem)? {
        Read::Members(members) => Some(Arc::new(members)),
        Read::NoFolder => None,
        Read::TooMany => {
            folders.cut = Some(format!("the folders hold more than {MEMBERS_MAX} files together"));
            None
        }
    };
    folders.looked_at += members.as_ref().map_or(0, |members| members.len());
    folders.members.insert(digest, members.clone());
    Ok(members)
}

enum Read {
    Members(Members),
    NoFolder,
    TooMany,
}

fn read_members(store: &stemma_store::Store, digest: &Digest, most: usize) -> Result<Read, StoreError> {
    let Some(summary) = store.tree_summary(digest)? else {
        return Ok(Read::NoFolder);
    };
    if summary.entries > most as u64 {
        return Ok(Read::TooMany);
    }
    let Some(entries) = store.tree_entries(digest)? else {
        return Ok(Read::NoFolder);
    };
    let mut members = Members::new();
    for entry in entries {
        if let (path, TreeEntry::File { digest, .. }) = entry? {
            members.insert(path.to_string(), digest);
        }
    }
    Ok(Read::Members(members))
}

/// The folders above a path, and the path as seen from each.
fn parents(path: &str) -> impl Iterator<Item = (&str, &str)> {
    path.match_indices('/').filter(|(at, _)| *at > 0).map(|(at, _)| (&path[..at], &path[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_lies_below_all_its_folders() {
        let above = |path| parents(path).collect::<Vec<_>>();
        assert_eq!(above("a/b/c.csv"), [("a", "b/c.csv"), ("a/b", "c.csv")]);
        assert_eq!(above("/data/x"), [("/data", "x")]);
        assert_eq!(above("x"), []);
    }
}
