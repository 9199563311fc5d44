//! Says what nodes are, hundreds at a time.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt::Display,
    str::FromStr,
};

use stemma_api::types::TreeNode;
use stemma_core::{
    Digest, Problem,
    event::EvidenceKind,
    lineage::{Node, NodeKind, completeness},
    name::{DatasetName, ProjectName},
    record::RunRecord,
};

use super::{place::FileNote, walk::Walk};
use crate::{Known, problem::ledger_problem};

/// Characters of a command in a label.
const COMMAND_CHARS: usize = 120;

/// A label and one more line.
type Words = (String, String);

/// The nodes of a walk with labels; and what decides whether the tree is complete.
pub async fn describe(
    known: &Known,
    project: &ProjectName,
    walk: &Walk,
) -> Result<(Vec<TreeNode>, completeness::Known), Problem> {
    let nodes = &walk.nodes;
    let mut words: HashMap<Node, Words> = walk.files.iter().map(|(node, note)| (node.clone(), of_file(note))).collect();
    let mut seen = completeness::Known { raw: walk.raw.clone(), ..completeness::Known::default() };
    for run in known.ledger().runs_by_id(project, &ids(nodes, NodeKind::Run)).await.map_err(ledger_problem)? {
        seen.runs.insert(run.id.to_string(), run.weakness());
        words.insert(Node::new(NodeKind::Run, run.id), of_run(&run));
    }
    for one in known.facts().evidence_by_id(project, &ids(nodes, NodeKind::Evidence)).await.map_err(ledger_problem)? {
        let label = match (&one.kind, &one.gate) {
            (EvidenceKind::Gate, Some(gate)) => format!("gate {gate}"),
            (kind, _) => kind.as_str().to_owned(),
        };
        let verdict = if one.passed { "passed" } else { "failed" };
        words.insert(Node::new(NodeKind::Evidence, one.evidence), (label, format!("{verdict}: {}", one.summary)));
    }
    for one in known.facts().approvals_by_id(project, &ids(nodes, NodeKind::Approval)).await.map_err(ledger_problem)? {
        let label = format!("approval for {}", one.stage);
        words.insert(Node::new(NodeKind::Approval, one.approval), (label, one.reason));
    }
    seen.not_hashed = describe_external(known, project, nodes, &mut words).await?;
    let node = |node: &Node| {
        let (label, detail) = words.remove(node).unwrap_or_else(|| plain(node));
        TreeNode { href: None, node: node.clone(), label, detail }
    };
    Ok((nodes.iter().map(node).collect(), seen))
}

/// Marks dataset versions that are kept elsewhere, and returns them.
async fn describe_external(
    known: &Known,
    project: &ProjectName,
    nodes: &[Node],
    words: &mut HashMap<Node, Words>,
) -> Result<HashSet<Node>, Problem> {
    let mut elsewhere = HashSet::new();
    let datasets = nodes.iter().filter(|node| node.kind == NodeKind::DatasetVersion);
    let names: BTreeSet<&str> = datasets.filter_map(|node| Some(node.key.rsplit_once('@')?.0)).collect();
    for name in names.into_iter().filter_map(|name| DatasetName::new(name).ok()) {
        for version in known.dataset_versions_if_any(project, &name).await? {
            if let Some(external) = version.external {
                let key = format!("{name}@{}", version.number);
                let node = Node::new(NodeKind::DatasetVersion, &key);
                if nodes.contains(&node) {
                    elsewhere.insert(node.clone());
                }
                words.insert(node, (key, external.to_string()));
            }
        }
    }
    Ok(elsewhere)
}

fn ids<T: FromStr>(nodes: &[Node], kind: NodeKind) -> Vec<T> {
    nodes.iter().filter(|node| node.kind == kind).filter_map(|node| node.key.parse().ok()).collect()
}

fn of_run(run: &RunRecord) -> Words {
    // a script on the command line has lines of its own
    let command = run.command.iter().flat_map(|word| word.split_whitespace()).collect::<Vec<_>>().join(" ");
    let label = match command.char_indices().nth(COMMAND_CHARS) {
        Some((end, _)) => format!("{}…", &command[..end]),
        None => command,
    };
    (label, format!("by {}", run.actor.principal))
}

fn of_file(note: &FileNote) -> Words {
    let detail = match note.digest {
        Some(digest) => format!("b3:{}", digest.short()),
        None => format!("{} files", note.files),
    };
    (note.path.clone(), detail)
}

/// Nodes whose key says enough.
fn plain(node: &Node) -> Words {
    let short = |what: &str, key: &dyn Display| (format!("{what} {key}"), String::new());
    match node.kind {
        NodeKind::CodeVersion => {
            let (commit, diff) =
                node.key.split_once('+').map_or((node.key.as_str(), ""), |(commit, diff)| (commit, diff));
            let commit: String = commit.chars().take(12).collect();
            (format!("code {commit}"), if diff.is_empty() { "" } else { "with uncommitted changes" }.to_owned())
        }
        NodeKind::Environment | NodeKind::Content => {
            let what = if node.kind == NodeKind::Content { "content" } else { "environment" };
            let short_key =
                node.key.parse::<Digest>().map_or(node.key.clone(), |digest| format!("b3:{}", digest.short()));
            (what.to_owned(), short_key)
        }
        NodeKind::File => short("file", &node.key),
        NodeKind::Run => short("run", &node.key),
        NodeKind::Evidence => short("evidence", &node.key),
        NodeKind::Approval => short("approval", &node.key),
        NodeKind::DatasetVersion => (node.key.clone(), "dataset".to_owned()),
        NodeKind::ModelVersion => (node.key.clone(), "model".to_owned()),
        NodeKind::Revision => (node.key.clone(), "revision".to_owned()),
        NodeKind::External => (node.key.clone(), "outside".to_owned()),
    }
}
