//! One step of the walk: what lies directly above or below hundreds of things at once.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use stemma_api::types::DatasetVersion;
use stemma_core::{
    Digest, Problem, Timestamp,
    id::RunId,
    lineage::{Certainty, Direction, Edge, EdgeKind, Node, NodeKind, completeness::RAW, origin::FileUse},
    name::{DatasetName, ModelName, ProjectName},
};
use stemma_ledger::{Access, RunFile, Side};

use super::{
    folders::Folders,
    place::{FileNote, Reach, unwritten, version_name, written},
    trace::{Traced, weaker},
};
use crate::{
    Known,
    lineage::{
        folders::{files_in, folder_writers, folders_above, folders_of, folders_with, is_folder},
        trace::{dataset_versions_with, trace, version_writers},
    },
    problem::ledger_problem,
};

/// Edges of facts read at most in one step.
const EDGES_MAX: usize = 20_000;
/// Files of runs looked at in one step.
const FILES_MAX: usize = 300_000;
/// Files that one run shares with another and that are drawn one by one; more are drawn as one.
const FILES_DRAWN: usize = 16;

/// What one step found.
#[derive(Debug, Default)]
pub(super) struct Step {
    pub edges: BTreeSet<Edge>,
    pub next: BTreeMap<Node, Reach>,
    pub files: HashMap<Node, FileNote>,
    pub raw: HashSet<Node>,
    pub cut: BTreeSet<String>,
}

/// What a step starts from, sorted.
struct Frontier {
    runs: Vec<RunId>,
    files: HashSet<Node>,
    contents: Vec<Digest>,
    /// Versions as a whole, by name.
    datasets: HashMap<String, DatasetVersion>,
    /// Dataset and model versions that are only names of files that go their own way.
    names: HashSet<Node>,
    models: HashMap<Node, Digest>,
}

pub(crate) async fn step(
    known: &Known,
    project: &ProjectName,
    nodes: &[(Node, Reach)],
    direction: Direction,
    notes: &HashMap<Node, FileNote>,
    folders: &mut Folders,
) -> Result<Step, Problem> {
    let mut step = Step::default();
    let frontier = frontier(known, project, nodes).await?;
    step_along_facts(known, project, nodes, direction, &frontier, notes, &mut step).await?;
    match direction {
        Direction::Up => step_up(known, project, &frontier, notes, &mut step, folders).await?,
        Direction::Down => step_down(known, project, &frontier, notes, &mut step, folders).await?,
    }
    Ok(step)
}

async fn frontier(known: &Known, project: &ProjectName, nodes: &[(Node, Reach)]) -> Result<Frontier, Problem> {
    let of = |kind: NodeKind| nodes.iter().map(|(node, _)| node).filter(move |node| node.kind == kind);
    let is_name = |node: &&(Node, Reach)| node.1 == Reach::Name;
    let mut frontier = Frontier {
        runs: of(NodeKind::Run).filter_map(|node| node.key.parse().ok()).collect(),
        files: of(NodeKind::File).cloned().collect(),
        contents: of(NodeKind::Content).filter_map(|node| node.key.parse().ok()).collect(),
        datasets: HashMap::new(),
        names: nodes.iter().filter(is_name).map(|(node, _)| node.clone()).collect(),
        models: HashMap::new(),
    };
    let names: BTreeSet<&str> =
        of(NodeKind::DatasetVersion).filter_map(|node| Some(node.key.rsplit_once('@')?.0)).collect();
    for name in names.into_iter().filter_map(|name| DatasetName::new(name).ok()) {
        for version in known.dataset_versions_if_any(project, &name).await? {
            if nodes.iter().any(|(node, _)| node.kind == NodeKind::DatasetVersion && node.key == version_name(&version))
            {
                frontier.datasets.insert(version_name(&version), version);
            }
        }
    }
    let names: BTreeSet<&str> =
        of(NodeKind::ModelVersion).filter_map(|node| Some(node.key.rsplit_once('@')?.0)).collect();
    for name in names.into_iter().filter_map(|name| ModelName::new(name).ok()) {
        for version in known.versions_if_any(project, &name).await?.unwrap_or_default() {
            let node = Node::new(NodeKind::ModelVersion, version.name());
            if nodes.iter().any(|(one, _)| *one == node) {
                frontier.models.insert(node, version.digest);
            }
        }
    }
    Ok(frontier)
}

/// Governed facts, what people declared, code and environments.
async fn step_along_facts(
    known: &Known,
    project: &ProjectName,
    nodes: &[(Node, Reach)],
    direction: Direction,
    frontier: &Frontier,
    notes: &HashMap<Node, FileNote>,
    step: &mut Step,
) -> Result<(), Problem> {
    let side = match direction {
        Direction::Up => Side::To,
        Direction::Down => Side::From,
    };
    let mut asked: Vec<Node> = nodes.iter().map(|(node, _)| node.clone()).collect();
    // what is said of bytes holds for everything that has them
    let mut bearers: HashMap<Node, Vec<Node>> = HashMap::new();
    for (node, digest) in frontier.bytes(notes) {
        bearers.entry(Node::new(NodeKind::Content, digest)).or_default().push(node);
    }
    asked.extend(bearers.keys().filter(|content| !nodes.iter().any(|(node, _)| node == *content)).cloned());
    let found = known.facts().edges(project, &asked, side, None, EDGES_MAX).await;
    let (edges, cut) = found.map_err(ledger_problem)?;
    if cut {
        step.cut.insert(format!("one step has more than {EDGES_MAX} connections"));
    }
    for edge in edges {
        let (near, far) = match direction {
            Direction::Up => (&edge.to, &edge.from),
            Direction::Down => (&edge.from, &edge.to),
        };
        let is_start = nodes.iter().any(|(node, _)| node == near);
        // versions are told by path and time; bytes alone lead to them only from bytes
        if edge.kind == EdgeKind::VersionOf && (direction == Direction::Up || !is_start) {
            continue;
        }
        let is_said =
            matches!(edge.kind, EdgeKind::SourceOf | EdgeKind::Derived) || edge.certainty == Certainty::Declared;
        let is_of_version = matches!(edge.kind, EdgeKind::EvaluatedOn);
        if frontier.names.contains(near) && !is_said && !(is_of_version && direction == Direction::Down) {
            continue;
        }
        if !is_start {
            for bearer in bearers.get(near).into_iter().flatten() {
                step.connect(near, bearer, EdgeKind::VersionOf, None, Certainty::Observed);
            }
            step.reach(near, Reach::Name);
        }
        step.reach(far, Reach::Whole);
        step.edges.insert(edge);
    }
    Ok(())
}

async fn step_up(
    known: &Known,
    project: &ProjectName,
    frontier: &Frontier,
    notes: &HashMap<Node, FileNote>,
    step: &mut Step,
    folders: &mut Folders,
) -> Result<(), Problem> {
    let ledger = known.ledger();
    let found = ledger.files_of_runs(project, &frontier.runs, &[Access::Input, Access::Code], FILES_MAX).await;
    let (used, cut) = found.map_err(ledger_problem)?;
    step.note_cut(cut);
    let traced = trace(known, project, used, folders).await?;
    step.add_uses(&traced, Direction::Up);
    step_up_from_versions(known, project, frontier, step, folders).await?;
    step_up_from_files(known, project, frontier, notes, step, folders).await?;
    let starts: Vec<Digest> =
        frontier.contents.iter().filter(|digest| !frontier.is_name(NodeKind::Content, digest)).copied().collect();
    let found = ledger.files_with(project, &starts, &[Access::Output], FILES_MAX).await;
    let (written, cut) = found.map_err(ledger_problem)?;
    step.note_cut(cut);
    for file in written {
        step.wrote(file.run, &Node::new(NodeKind::Content, file.digest), file.certainty);
    }
    Ok(())
}

/// Who left files there, and the folders that others are part of.
async fn step_up_from_files(
    known: &Known,
    project: &ProjectName,
    frontier: &Frontier,
    notes: &HashMap<Node, FileNote>,
    step: &mut Step,
    folders: &mut Folders,
) -> Result<(), Problem> {
    let now = Timestamp(i64::MAX);
    let (mut files, mut uses) = (Vec::new(), Vec::new());
    for file in &frontier.files {
        if let Some((run, _)) = writer_of(file) {
            step.wrote(run, file, Certainty::Observed);
        } else if let Some(FileNote { path, digest: Some(digest), .. }) = notes.get(file)
            && !frontier.names.contains(file)
        {
            let (path, digest) = (path.clone(), *digest);
            files.push(file);
            uses.push(FileUse { path, digest, workspace: None, since: now, until: now, run: None });
        }
    }
    for (file, holders) in files.into_iter().zip(folders_of(known, project, &uses, folders).await?) {
        for holder in holders {
            step.connect(file, &version_node(&holder.version), EdgeKind::PartOf, None, holder.certainty);
            step.reach(&version_node(&holder.version), Reach::Whole);
        }
    }
    Ok(())
}

/// Who wrote what was added as a version.
async fn step_up_from_versions(
    known: &Known,
    project: &ProjectName,
    frontier: &Frontier,
    step: &mut Step,
    folders: &mut Folders,
) -> Result<(), Problem> {
    let whole =
        frontier.datasets.values().filter(|version| !frontier.is_name(NodeKind::DatasetVersion, version_name(version)));
    let (mut files, mut of_folders) = (Vec::new(), Vec::new());
    for version in whole.filter(|version| version.external.is_none()) {
        if is_folder(known, version, folders).await? { &mut of_folders } else { &mut files }.push(version.clone());
    }
    let writers = version_writers(known, project, &files).await?;
    for version in &files {
        if let Some((write, certainty)) = writers.get(&version_name(version)) {
            let file = written(write.run, &write.path);
            step.note(&file, &write.path, Some(version.digest), 1);
            step.wrote(write.run, &file, Certainty::Observed);
            step.connect(&file, &version_node(version), EdgeKind::VersionOf, None, *certainty);
            step.reach(&file, Reach::Whole);
        }
    }
    for version in &of_folders {
        for (run, certainty) in folder_writers(known, project, version, folders).await? {
            step.wrote(run, &version_node(version), certainty);
        }
    }
    Ok(())
}

async fn step_down(
    known: &Known,
    project: &ProjectName,
    frontier: &Frontier,
    notes: &HashMap<Node, FileNote>,
    step: &mut Step,
    folders: &mut Folders,
) -> Result<(), Problem> {
    let ledger = known.ledger();
    let found = ledger.files_of_runs(project, &frontier.runs, &[Access::Output], FILES_MAX).await;
    let (outputs, cut) = found.map_err(ledger_problem)?;
    step.note_cut(cut);
    let mut digests: BTreeSet<Digest> = outputs.iter().map(|file| file.digest).collect();
    let whole = frontier.bytes(notes).filter(|(node, _)| !frontier.names.contains(node));
    digests.extend(whole.map(|(_, digest)| digest));
    digests.extend(&frontier.contents);
    let digests: Vec<Digest> = digests.into_iter().collect();
    let found = ledger.files_with(project, &digests, &[Access::Input, Access::Code], FILES_MAX).await;
    let (mut used, cut) = found.map_err(ledger_problem)?;
    step.note_cut(cut);
    for version in frontier.datasets.values() {
        used.extend(files_in(known, project, version, &[Access::Input, Access::Code], folders).await?);
    }
    used.sort_by(|a, b| (a.run, a.access, &a.path).cmp(&(b.run, b.access, &b.path)));
    used.dedup();
    step_down_from_content(known, project, frontier, &used, step, folders).await?;
    let mut traced = trace(known, project, used, folders).await?;
    traced.retain(|one| frontier.leads_to(one));
    for one in traced.iter_mut().filter(|one| frontier.files.contains(&one.file)) {
        // it was asked for itself, not as a part of a folder
        one.names.retain(|name| name.kind != EdgeKind::PartOf);
    }
    step.add_uses(&traced, Direction::Down);
    step_down_to_versions(known, project, frontier, &outputs, &digests, step, folders).await?;
    step.add_leaves(&outputs);
    Ok(())
}

/// Bytes as such lead to everything that read them, and to the folders that hold them.
async fn step_down_from_content(
    known: &Known,
    project: &ProjectName,
    frontier: &Frontier,
    used: &[RunFile],
    step: &mut Step,
    folders: &mut Folders,
) -> Result<(), Problem> {
    let contents: HashSet<&Digest> =
        frontier.contents.iter().filter(|digest| !frontier.is_name(NodeKind::Content, digest)).collect();
    for file in used.iter().filter(|file| contents.contains(&file.digest)) {
        let (content, run) = (Node::new(NodeKind::Content, file.digest), Node::new(NodeKind::Run, file.run));
        step.connect(&content, &run, kind_of(file), file.role.as_ref(), file.certainty);
        step.reach(&run, Reach::Whole);
    }
    for digest in contents {
        for version in folders_with(known, project, digest, folders).await? {
            step.connect(
                &Node::new(NodeKind::Content, digest),
                &version_node(&version),
                EdgeKind::PartOf,
                None,
                Certainty::Observed,
            );
            step.reach(&version_node(&version), Reach::Whole);
        }
    }
    Ok(())
}

/// Versions that were added from what runs of the frontier wrote.
async fn step_down_to_versions(
    known: &Known,
    project: &ProjectName,
    frontier: &Frontier,
    outputs: &[RunFile],
    digests: &[Digest],
    step: &mut Step,
    folders: &mut Folders,
) -> Result<(), Problem> {
    let runs: HashSet<RunId> = frontier.runs.iter().copied().collect();
    let mut versions = Vec::new();
    for version in dataset_versions_with(known, project, digests).await? {
        if !is_folder(known, &version, folders).await? {
            versions.push(version);
        }
    }
    let writers = version_writers(known, project, &versions).await?;
    for version in &versions {
        let Some((write, certainty)) = writers.get(&version_name(version)) else { continue };
        let file = written(write.run, &write.path);
        if runs.contains(&write.run) || frontier.files.contains(&file) {
            step.note(&file, &write.path, Some(version.digest), 1);
            if runs.contains(&write.run) {
                step.connect(&Node::new(NodeKind::Run, write.run), &file, EdgeKind::Wrote, None, Certainty::Observed);
                step.reach(&file, Reach::Name);
            }
            step.connect(&file, &version_node(version), EdgeKind::VersionOf, None, *certainty);
            step.reach(&version_node(version), Reach::Name);
        }
    }
    let models = known.facts().model_versions_with(project, digests).await.map_err(ledger_problem)?;
    for model in models.into_iter().map(|row| row.value) {
        let made = outputs.iter().find(|file| Some(file.run) == model.run && file.digest == model.digest);
        if let Some(made) = made {
            let file = written(made.run, &made.path);
            let node = Node::new(NodeKind::ModelVersion, format!("{}@{}", model.model, model.number));
            step.note(&file, &made.path, Some(made.digest), 1);
            step.connect(&Node::new(NodeKind::Run, made.run), &file, EdgeKind::Wrote, None, made.certainty);
            step.connect(&file, &node, EdgeKind::VersionOf, None, Certainty::Observed);
            step.reach(&file, Reach::Name);
        }
    }
    for version in folders_above(known, project, outputs.iter().map(|file| file.path.as_str()), folders).await? {
        for (run, certainty) in folder_writers(known, project, &version, folders).await? {
            if runs.contains(&run) {
                step.connect(&Node::new(NodeKind::Run, run), &version_node(&version), EdgeKind::Wrote, None, certainty);
                step.reach(&version_node(&version), Reach::Name);
            }
        }
    }
    Ok(())
}

impl Frontier {
    fn is_name(&self, kind: NodeKind, key: impl std::fmt::Display) -> bool {
        self.names.contains(&Node::new(kind, key))
    }

    /// Things of the frontier that are bytes, with these.
    fn bytes<'a>(&'a self, notes: &'a HashMap<Node, FileNote>) -> impl Iterator<Item = (Node, Digest)> + 'a {
        let datasets = self.datasets.values().map(|version| (version_node(version), version.digest));
        let models = self.models.iter().map(|(node, digest)| (node.clone(), *digest));
        let files = self.files.iter().filter_map(|file| Some((file.clone(), notes.get(file)?.digest?)));
        datasets.chain(models).chain(files)
    }

    /// Whether a use goes back to something here.
    fn leads_to(&self, one: &Traced) -> bool {
        let by_name = one.names.iter().any(|name| {
            let is_here = self.models.contains_key(&name.version) || self.datasets.contains_key(&name.version.key);
            // what only bears the name of a file goes its own way
            let is_whole = !self.names.contains(&name.version);
            is_here && (is_whole || (one.writer.is_none() && name.kind == EdgeKind::PartOf))
        });
        by_name
            || one.writer.is_some_and(|writer| self.runs.contains(&writer))
            || self.files.contains(&one.file) && !self.names.contains(&one.file)
    }
}

impl Step {
    fn note_cut(&mut self, cut: bool) {
        if cut {
            self.cut.insert(format!("one step has more than {FILES_MAX} files"));
        }
    }

    fn reach(&mut self, node: &Node, reach: Reach) {
        let known = self.next.entry(node.clone()).or_insert(reach);
        *known = (*known).max(reach);
    }

    fn connect(&mut self, from: &Node, to: &Node, kind: EdgeKind, role: Option<&String>, certainty: Certainty) {
        let (from, to, role) = (from.clone(), to.clone(), role.cloned());
        self.edges.insert(Edge { from, to, kind, role, certainty });
    }

    fn note(&mut self, file: &Node, path: &str, digest: Option<Digest>, files: usize) {
        self.files.insert(file.clone(), FileNote { path: path.to_owned(), digest, files });
    }

    fn wrote(&mut self, run: RunId, what: &Node, certainty: Certainty) {
        let run = Node::new(NodeKind::Run, run);
        self.connect(&run, what, EdgeKind::Wrote, None, certainty);
        self.reach(&run, Reach::Whole);
    }

    /// Connects runs with what they used. Many files that go the same way are drawn as one.
    fn add_uses(&mut self, traced: &[Traced], direction: Direction) {
        let mut groups: BTreeMap<_, Vec<&Traced>> = BTreeMap::new();
        for one in traced {
            let names: Vec<(&Node, EdgeKind, Certainty)> =
                one.names.iter().map(|name| (&name.version, name.kind, name.certainty)).collect();
            let used = &one.used;
            let way = (used.run, used.access, one.writer, names, &used.role, one.certainty);
            groups.entry(way).or_default().push(one);
        }
        for group in groups.into_values() {
            let [first, ..] = group.as_slice() else { continue };
            if group.len() <= FILES_DRAWN {
                for one in &group {
                    self.note(&one.file, &path_in_key(&one.file), Some(one.used.digest), 1);
                    self.add_use(one, &one.file, direction);
                }
            } else {
                let paths: Vec<String> = group.iter().map(|one| path_in_key(&one.file)).collect();
                let folder = common_folder(&paths);
                let file = match first.writer {
                    Some(run) => written(run, &folder),
                    None => unwritten(first.used.digest, &folder),
                };
                self.note(&file, &folder, None, group.len());
                self.add_use(first, &file, direction);
            }
        }
    }

    fn add_use(&mut self, one: &Traced, file: &Node, direction: Direction) {
        let run = Node::new(NodeKind::Run, one.used.run);
        let (kind, role) = (kind_of(&one.used), one.used.role.as_ref());
        if one.used.role.as_deref() == Some(RAW) {
            self.raw.insert(file.clone());
            self.raw.extend(one.names.iter().map(|name| name.version.clone()));
        }
        let folders = || one.names.iter().filter(|name| name.kind == EdgeKind::PartOf);
        let is_only_part = one.writer.is_none() && folders().count() == one.names.len() && !one.names.is_empty();
        if is_only_part {
            // the folder is what was used; its files lead nowhere else
            for name in folders() {
                self.connect(&name.version, &run, kind, role, weaker(one.certainty, name.certainty));
                self.reach(&name.version, Reach::Whole);
            }
        } else {
            self.connect(file, &run, kind, role, one.certainty);
            self.reach(file, Reach::Name);
            for name in &one.names {
                self.connect(file, &name.version, name.kind, None, name.certainty);
                if direction == Direction::Up {
                    self.reach(&name.version, one.reach(name));
                }
            }
        }
        if let Some(writer) = one.writer {
            let writer = Node::new(NodeKind::Run, writer);
            self.connect(&writer, file, EdgeKind::Wrote, None, Certainty::Observed);
            if direction == Direction::Up {
                self.reach(&writer, Reach::Whole);
            }
        }
        if direction == Direction::Down {
            self.reach(&run, Reach::Whole);
        }
    }

    /// What runs wrote and nothing is known to have used.
    fn add_leaves(&mut self, outputs: &[RunFile]) {
        let mut unused: BTreeMap<RunId, Vec<&RunFile>> = BTreeMap::new();
        for output in outputs {
            if !self.files.contains_key(&written(output.run, &output.path)) {
                unused.entry(output.run).or_default().push(output);
            }
        }
        for (run, files) in unused {
            let leaves: Vec<(Node, String, Option<Digest>, usize)> = if files.len() <= FILES_DRAWN {
                let leaf = |file: &&RunFile| (written(run, &file.path), file.path.clone(), Some(file.digest), 1);
                files.iter().map(leaf).collect()
            } else {
                let paths: Vec<String> = files.iter().map(|file| file.path.clone()).collect();
                let folder = common_folder(&paths);
                vec![(written(run, &folder), folder, None, files.len())]
            };
            for (file, path, digest, count) in leaves {
                if !self.files.contains_key(&file) {
                    self.note(&file, &path, digest, count);
                }
                self.connect(&Node::new(NodeKind::Run, run), &file, EdgeKind::Wrote, None, Certainty::Observed);
                self.reach(&file, Reach::Name);
            }
        }
    }
}

fn version_node(version: &DatasetVersion) -> Node {
    Node::new(NodeKind::DatasetVersion, version_name(version))
}

fn kind_of(file: &RunFile) -> EdgeKind {
    if file.access == Access::Code { EdgeKind::RanCode } else { EdgeKind::Read }
}

/// The run in the key of a file that it wrote, and the path.
pub(super) fn writer_of(file: &Node) -> Option<(RunId, &str)> {
    let (run, path) = file.key.split_once(':')?;
    Some((run.parse().ok()?, path))
}

/// The path in the key of a file.
fn path_in_key(file: &Node) -> String {
    match writer_of(file) {
        Some((_, path)) => path.to_owned(),
        None => file.key.splitn(3, ':').nth(2).unwrap_or(&file.key).to_owned(),
    }
}

/// The folder that all paths lie below, with a `/` at its end.
fn common_folder(paths: &[String]) -> String {
    let Some((first, rest)) = paths.split_first() else {
        return String::new();
    };
    let mut folder = first.rsplit_once('/').map_or("", |(folder, _)| folder);
    while !folder.is_empty()
        && !rest.iter().all(|path| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
    {
        folder = folder.rsplit_once('/').map_or("", |(folder, _)| folder);
    }
    if folder.is_empty() { "./".to_owned() } else { format!("{folder}/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_files_have_a_folder_in_common() {
        for (paths, folder) in [
            (&["a/b/1", "a/b/2"][..], "a/b/"),
            (&["a/b/1", "a/c/2"], "a/"),
            (&["a/b/1", "a/bc/2"], "a/"),
            (&["a/1", "2"], "./"),
        ] {
            let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
            assert_eq!(common_folder(&paths), folder, "{paths:?}");
        }
    }
}
