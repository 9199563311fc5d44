//! From what a person typed to nodes of the tree.

use std::collections::BTreeSet;

use stemma_api::types::DeployedRevision;
use stemma_core::{
    Digest, ErrorKind, Problem,
    endpoint::prediction::{NodeRecord, PredictionId, PredictionRecord},
    id::RunId,
    lineage::{Node, NodeKind},
    name::{EndpointName, ProjectName},
    redact::redact_text,
};
use stemma_ledger::{Access, Side};

use super::place::{FileNote, unwritten, version_name, written};
use crate::{
    Known, Reference,
    problem::ledger_problem,
    resolve::{newest_file_at, resolve, run_like, version_at},
};

/// Fewest digits by which a commit is found.
const COMMIT_DIGITS_MIN: usize = 7;
/// Longest name of something outside.
const EXTERNAL_CHARS_MAX: usize = 2_000;

/// Where a walk begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The thing's full name.
    pub name: String,
    pub nodes: Vec<Node>,
    /// Of a prediction: what answered; its versions are the nodes.
    pub revision: Option<Node>,
    /// Of a file: where it lies, and its bytes.
    pub file: Option<FileNote>,
}

impl Start {
    /// The versions that had a part in an answer; or what would have answered, if none was asked. What was reported was
    /// answered by no revision of ours.
    pub fn answer(id: &PredictionId, record: &PredictionRecord, revision: Option<&DeployedRevision>) -> Self {
        let version = |version| Node::new(NodeKind::ModelVersion, version);
        let versions = record.nodes.iter().filter_map(NodeRecord::model_version);
        let versions: BTreeSet<Node> = versions.map(version).collect();
        let revision = revision.map(|revision| Node::new(NodeKind::Revision, revision.name()));
        match revision {
            Some(revision) if versions.is_empty() => Self { name: id.to_string(), ..Self::of(revision) },
            revision => Self { name: id.to_string(), nodes: versions.into_iter().collect(), revision, file: None },
        }
    }

    fn file(node: Node, path: &str, digest: Digest) -> Self {
        let note = FileNote { path: path.to_owned(), digest: Some(digest), files: 1 };
        Self { name: path.to_owned(), nodes: vec![node], revision: None, file: Some(note) }
    }

    fn one(kind: NodeKind, name: impl std::fmt::Display) -> Self {
        Self::of(Node::new(kind, name))
    }

    /// A thing that is one node.
    pub fn of(node: Node) -> Self {
        Self { name: node.key.clone(), nodes: vec![node], revision: None, file: None }
    }
}

/// Finds a thing of a project by what a person typed.
pub async fn find_thing(known: &Known, project: &ProjectName, text: &str) -> Result<Start, Problem> {
    if let Ok(Reference::Source(source)) = text.parse() {
        return find_external(known, project, &source).await;
    }
    if let Some((endpoint, number)) = text.split_once('#') {
        return find_revision(known, project, endpoint, number).await;
    }
    if let Some(start) = find_code(known, project, text).await? {
        return Ok(start);
    }
    match text.strip_prefix("run_").unwrap_or(text).parse()? {
        Reference::Prediction(id) => Err(Problem::invalid(format!("`{id}` is an answer, and nothing is made from it"))
            .hint("name the version or the revision that gave it")),
        Reference::Run(run) => find_by_id(known, project, run).await,
        Reference::Content(_) | Reference::ShortContent(_) => {
            let digest = resolve(known, project, text).await?.digest;
            let mut start = Start::one(NodeKind::Content, digest);
            let environment = Node::new(NodeKind::Environment, digest);
            if has_edges(known, project, &environment).await? {
                start.nodes.push(environment);
            }
            Ok(start)
        }
        Reference::ContentAt { digest, path } => match version_at(known, project, &path, Some(digest)).await? {
            Some(version) => Ok(Start::one(NodeKind::DatasetVersion, version_name(&version))),
            None => find_file(known, project, &path, Some(digest)).await,
        },
        Reference::WrittenBy { run, path } => {
            let file = resolve(known, project, text).await?;
            Ok(Start::file(written(run, &path), &path, file.digest))
        }
        Reference::Source(source) => find_external(known, project, &source).await,
        Reference::Name(_) | Reference::Versioned { .. } => find_named(known, project, text).await,
    }
}

async fn find_named(known: &Known, project: &ProjectName, text: &str) -> Result<Start, Problem> {
    let problem = match resolve(known, project, text).await {
        Ok(found) if found.kind == "model" => return Ok(Start::one(NodeKind::ModelVersion, found.name)),
        Ok(found) if found.kind == "content" => return find_file(known, project, text, None).await,
        Ok(found) => return Ok(Start::one(NodeKind::DatasetVersion, found.name)),
        Err(problem) if !matches!(problem.kind, ErrorKind::NotFound | ErrorKind::Invalid) => return Err(problem),
        Err(problem) => problem,
    };
    if let Some(run) = run_like(known, project, text).await? {
        return Ok(Start::one(NodeKind::Run, run));
    }
    if let Ok(endpoint) = EndpointName::new(text)
        && let Some(found) = known.endpoint_if_any(&endpoint).await?
        && found.project == *project
    {
        // also one that was taken down: what it answered is still asked about
        if let Some(revision) = known.last_live_revision(&endpoint).await? {
            return Ok(Start::one(NodeKind::Revision, revision.name()));
        }
    }
    Err(problem)
}

/// The file that lies at a path: the last write to it, else as it was last read.
async fn find_file(known: &Known, project: &ProjectName, path: &str, digest: Option<Digest>) -> Result<Start, Problem> {
    let newest = newest_file_at(known, project, path).await?;
    match (newest, digest) {
        (Some(file), digest) if digest.is_none_or(|digest| digest == file.digest) => {
            let node = match file.access {
                Access::Output => written(file.run, path),
                Access::Input | Access::Code => unwritten(file.digest, path),
            };
            Ok(Start::file(node, path, file.digest))
        }
        (_, Some(digest)) => Ok(Start::one(NodeKind::Content, known.readable_content(project, digest).await?.digest)),
        (_, None) => Err(Problem::not_found(format!("no run of project `{project}` used `{path}`"))),
    }
}

async fn find_revision(known: &Known, project: &ProjectName, endpoint: &str, number: &str) -> Result<Start, Problem> {
    let endpoint = EndpointName::new(endpoint)?;
    let bad = || Problem::invalid(format!("`{number}` is not a revision")).hint(format!("as in `{endpoint}#1`"));
    let number = number.parse().map_err(|_| bad())?;
    let unknown = || {
        Problem::not_found(format!("there is no revision `{endpoint}#{number}` in project `{project}`"))
            .hint("`stemma endpoints NAME` lists them")
    };
    let found = known.revision(&endpoint, number).await.map_err(|problem| match problem.kind {
        ErrorKind::NotFound => unknown(),
        _ => problem,
    })?;
    if found.revision.project != *project {
        return Err(unknown());
    }
    Ok(Start::one(NodeKind::Revision, found.name()))
}

/// 32 digits: a run, a piece of evidence or an approval.
async fn find_by_id(known: &Known, project: &ProjectName, id: RunId) -> Result<Start, Problem> {
    for kind in [NodeKind::Evidence, NodeKind::Approval] {
        if has_edges(known, project, &Node::new(kind, id)).await? {
            return Ok(Start::one(kind, id));
        }
    }
    known.run_record(project, id).await?;
    Ok(Start::one(NodeKind::Run, id))
}

/// A commit by its first digits, with and without uncommitted changes.
async fn find_code(known: &Known, project: &ProjectName, text: &str) -> Result<Option<Start>, Problem> {
    let commit = text.split('+').next().unwrap_or(text);
    let digits = commit.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if !digits || commit.len() < COMMIT_DIGITS_MIN || commit.len() > 64 {
        return Ok(None);
    }
    let keys = known.ledger().code_versions(project, text).await.map_err(ledger_problem)?;
    let commits: BTreeSet<&str> = keys.iter().map(|key| key.split('+').next().unwrap_or(key)).collect();
    if commits.len() > 1 {
        let problem = Problem::invalid(format!("{} commits begin with `{text}`", commits.len()));
        return Err(problem.hint("give more digits"));
    }
    let Some(commit) = commits.first() else {
        return Ok(None);
    };
    let nodes = keys.iter().map(|key| Node::new(NodeKind::CodeVersion, key)).collect();
    Ok(Some(Start { name: format!("commit {commit}"), nodes, revision: None, file: None }))
}

async fn find_external(known: &Known, project: &ProjectName, text: &str) -> Result<Start, Problem> {
    let start = Start::external(text)?;
    if has_edges(known, project, &start.nodes[0]).await? {
        return Ok(start);
    }
    Err(Problem::not_found(format!("nothing in project `{project}` comes from `{}`", start.name))
        .hint("sources are declared with `stemma add --source` or `stemma link`"))
}

async fn has_edges(known: &Known, project: &ProjectName, node: &Node) -> Result<bool, Problem> {
    for side in [Side::From, Side::To] {
        let found = known.facts().edges(project, std::slice::from_ref(node), side, None, 1).await;
        if !found.map_err(ledger_problem)?.0.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Start {
    /// Something that was never hashed: a URL, a table, a host.
    pub(crate) fn external(text: &str) -> Result<Self, Problem> {
        let name = text.strip_prefix("external:").unwrap_or(text).trim();
        if name.is_empty() || name.chars().count() > EXTERNAL_CHARS_MAX || name.chars().any(char::is_control) {
            return Err(Problem::invalid("something outside has a name of 1 to 2000 printable characters"));
        }
        // as the ledger will know it
        Ok(Self::one(NodeKind::External, redact_text(name).text))
    }
}
