//! When a family tree may be called complete: only if it was shown to be. Whatever could not be seen is a reason.
//!
//! Shown to be complete means: every run of the tree has its record and was captured fully; every file that a run read
//! was written by a run of the tree, or is a dataset version with a stated source, or is declared to be raw data; every
//! model version has the run that made it; and no connection rests on somebody's word or on equal bytes alone.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt,
};

use super::{Certainty, Edge, EdgeKind, Node, NodeKind};

/// The role in `stemma.toml` by which a file is declared to be raw data: nothing made it that could be recorded.
pub const RAW: &str = "raw";

/// Why a tree is not known to be complete.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gap {
    /// A bound that was hit.
    Cut(String),
    /// A run of the tree without a record.
    AbsentRun(String),
    /// A run that may have read more than its record says.
    WeakRun { run: String, why: String },
    /// A file that a run read.
    UnknownWriter(String),
    /// A dataset version that nobody said the source of, and no run is known that wrote it.
    NoSource(String),
    /// A dataset version that is a reference: its bytes were never looked at.
    NotHashed(String),
    /// A model version without the run that made it.
    NoRun(String),
    /// Connections that nobody observed.
    Unsure(Certainty, usize),
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut(why) => f.write_str(why),
            Self::AbsentRun(run) => write!(f, "the record of run {run} is not here"),
            Self::WeakRun { run, why } => write!(f, "run {run} may have read more: {why}"),
            Self::UnknownWriter(file) => write!(
                f,
                "who wrote `{file}` is not known: no run did that is recorded here, and it is no dataset version with a \
                 stated source"
            ),
            Self::NoSource(version) => {
                write!(f, "`{version}` has no stated source, and no run is known that wrote it")
            }
            Self::NotHashed(version) => write!(f, "`{version}` is kept elsewhere, and its bytes were never looked at"),
            Self::NoRun(version) => write!(f, "no run is known that made `{version}`"),
            Self::Unsure(certainty, 1) => write!(f, "1 connection is only {}", certainty.as_str()),
            Self::Unsure(certainty, count) => write!(f, "{count} connections are only {}", certainty.as_str()),
        }
    }
}

/// What is known of the things in a tree besides their connections.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Runs with a record, and why each may have read more than it says, if it may.
    pub runs: BTreeMap<String, Option<String>>,
    /// Files that a role declares to be raw data.
    pub raw: HashSet<Node>,
    /// Dataset versions that are references to data kept elsewhere.
    pub not_hashed: HashSet<Node>,
}

/// What is weak in any tree: its runs, and connections that were not observed.
pub fn weak_parts(nodes: &[Node], edges: &[Edge], known: &Known) -> BTreeSet<Gap> {
    let mut gaps = BTreeSet::new();
    for node in nodes.iter().filter(|node| node.kind == NodeKind::Run) {
        match known.runs.get(&node.key) {
            None => _ = gaps.insert(Gap::AbsentRun(node.key.clone())),
            Some(Some(why)) => _ = gaps.insert(Gap::WeakRun { run: node.key.clone(), why: why.clone() }),
            Some(None) => {}
        }
    }
    for certainty in [Certainty::Declared, Certainty::Inferred, Certainty::Imported] {
        let unsure =
            |edge: &&Edge| edge.certainty == certainty && !is_stated_source(edge) && !is_confirmed(edge, edges);
        match edges.iter().filter(unsure).count() {
            0 => {}
            count => _ = gaps.insert(Gap::Unsure(certainty, count)),
        }
    }
    gaps
}

/// Where a tree of ancestors ends without having shown that this is the beginning.
pub fn open_ends(nodes: &[Node], edges: &[Edge], known: &Known) -> BTreeSet<Gap> {
    let mut gaps = BTreeSet::new();
    let leads_to = |node: &Node, kinds: &[EdgeKind]| {
        edges.iter().any(|edge| edge.to == *node && kinds.contains(&edge.kind) && edge.from != *node)
    };
    let made = [EdgeKind::Wrote, EdgeKind::Produced, EdgeKind::SourceOf, EdgeKind::Derived];
    // a version of a file that some run wrote was written by it
    let is_written = |node: &Node| {
        leads_to(node, &made)
            || edges
                .iter()
                .any(|edge| edge.to == *node && edge.kind == EdgeKind::VersionOf && leads_to(&edge.from, &made))
    };
    for node in nodes {
        match node.kind {
            NodeKind::DatasetVersion if known.not_hashed.contains(node) => {
                gaps.insert(Gap::NotHashed(node.key.clone()));
            }
            NodeKind::DatasetVersion if !is_written(node) && !is_raw(node, edges, known) => {
                gaps.insert(Gap::NoSource(node.key.clone()));
            }
            NodeKind::ModelVersion if !is_written(node) => _ = gaps.insert(Gap::NoRun(node.key.clone())),
            NodeKind::File | NodeKind::Content if is_input(node, edges) && !is_written(node) => {
                // what it is a version or a part of is judged itself
                let has_name = edges.iter().any(|edge| edge.from == *node && edge.kind.is_name());
                if !has_name && !known.raw.contains(node) {
                    let name = node.key.split_once(':').map_or(node.key.as_str(), |(_, rest)| rest);
                    let path =
                        name.split_once(':').filter(|_| node.key.starts_with("b3:")).map_or(name, |(_, path)| path);
                    gaps.insert(Gap::UnknownWriter(path.to_owned()));
                }
            }
            _ => {}
        }
    }
    gaps
}

fn is_input(node: &Node, edges: &[Edge]) -> bool {
    edges.iter().any(|edge| edge.from == *node && edge.kind == EdgeKind::Read)
}

/// A file of the version is declared to be raw.
fn is_raw(version: &Node, edges: &[Edge], known: &Known) -> bool {
    known.raw.contains(version)
        || edges
            .iter()
            .any(|edge| edge.to == *version && edge.kind == EdgeKind::VersionOf && known.raw.contains(&edge.from))
}

/// Where data comes from can only be said, never be observed.
fn is_stated_source(edge: &Edge) -> bool {
    edge.kind == EdgeKind::SourceOf && edge.certainty == Certainty::Declared
}

/// What was declared is also shown by what was observed: the one leads to the other over runs.
fn is_confirmed(declared: &Edge, edges: &[Edge]) -> bool {
    if declared.certainty != Certainty::Declared {
        return false;
    }
    let mut seen: HashSet<&Node> = HashSet::from([&declared.to]);
    let mut queue = vec![&declared.to];
    while let Some(node) = queue.pop() {
        for edge in edges.iter().filter(|edge| edge.to == *node && edge.certainty == Certainty::Observed) {
            if edge.from == declared.from {
                return true;
            }
            if seen.insert(&edge.from) {
                queue.push(&edge.from);
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> Node {
        let (kind, key) = text.split_once(' ').unwrap();
        Node::new(NodeKind::parse(kind).unwrap(), key)
    }

    fn edge((from, kind, to, certainty): (&str, EdgeKind, &str, Certainty)) -> Edge {
        Edge { from: node(from), to: node(to), kind, role: None, certainty }
    }

    /// What is not shown of a tree; `weak` are runs with a reason, `none` without a record.
    fn gaps(edges: &[(&str, EdgeKind, &str, Certainty)], known: &Known) -> Vec<String> {
        let edges: Vec<Edge> = edges.iter().copied().map(edge).collect();
        let nodes: BTreeSet<Node> = edges.iter().flat_map(|edge| [edge.from.clone(), edge.to.clone()]).collect();
        let nodes: Vec<Node> = nodes.into_iter().collect();
        let mut all = weak_parts(&nodes, &edges, known);
        all.extend(open_ends(&nodes, &edges, known));
        all.iter().map(Gap::to_string).collect()
    }

    #[test]
    fn only_what_was_shown_is_complete() {
        use Certainty::{Declared, Imported, Inferred, Observed};
        use EdgeKind::{Derived, PartOf, Produced, Read, SourceOf, VersionOf, Wrote};
        let known = Known {
            runs: [("r1", None), ("r2", None), ("weak", Some("it was captured at level 1 of 4".to_owned()))]
                .map(|(run, why)| (run.to_owned(), why))
                .into(),
            raw: [node("file b3:1:raw.csv")].into(),
            not_hashed: [node("dataset_version lake@1")].into(),
        };
        let source = ("external https://x", SourceOf, "dataset_version raw@1", Declared);
        let made = ("run r1", Produced, "model_version m@1.0.0", Observed);
        for (what, edges, expected) in [
            ("raw data with a source", vec![source, ("dataset_version raw@1", Read, "run r1", Observed), made], ""),
            (
                "a file that a run wrote",
                vec![
                    source,
                    ("dataset_version raw@1", Read, "run r2", Observed),
                    ("run r2", Wrote, "file r2:clean.csv", Observed),
                    ("file r2:clean.csv", Read, "run r1", Observed),
                    made,
                ],
                "",
            ),
            (
                "a file of a version with a source",
                vec![
                    source,
                    ("file b3:2:raw.csv", VersionOf, "dataset_version raw@1", Observed),
                    ("file b3:2:raw.csv", Read, "run r1", Observed),
                ],
                "",
            ),
            ("declared raw", vec![("file b3:1:raw.csv", Read, "run r1", Observed)], ""),
            ("code has no writer", vec![("file b3:3:train.py", EdgeKind::RanCode, "run r1", Observed)], ""),
            (
                "a file from nowhere",
                vec![("file b3:2:x/y.csv", Read, "run r1", Observed)],
                "who wrote `x/y.csv` is not known: no run did that is recorded here, and it is no dataset version with a stated source",
            ),
            (
                "no source",
                vec![("dataset_version raw@1", Read, "run r1", Observed)],
                "`raw@1` has no stated source, and no run is known that wrote it",
            ),
            (
                "part of a folder without a source",
                vec![
                    ("file b3:2:d/x.csv", PartOf, "dataset_version d@1", Observed),
                    ("file b3:2:d/x.csv", Read, "run r1", Observed),
                ],
                "`d@1` has no stated source, and no run is known that wrote it",
            ),
            (
                "a reference",
                vec![("dataset_version lake@1", Read, "run r1", Observed)],
                "`lake@1` is kept elsewhere, and its bytes were never looked at",
            ),
            (
                "no run",
                vec![("model_version m@1.0.0", EdgeKind::Serves, "revision e#1", Observed)],
                "no run is known that made `m@1.0.0`",
            ),
            (
                "a weak run",
                vec![("run weak", Produced, "model_version m@1.0.0", Observed)],
                "run weak may have read more: it was captured at level 1 of 4",
            ),
            (
                "a run without a record",
                vec![("run r9", Produced, "model_version m@1.0.0", Observed)],
                "the record of run r9 is not here",
            ),
            ("only inferred", vec![("run r1", Wrote, "file r1:x", Inferred)], "1 connection is only inferred"),
            (
                "only imported",
                vec![("run r1", Produced, "model_version m@1.0.0", Imported)],
                "1 connection is only imported",
            ),
            (
                "only declared",
                vec![source, ("dataset_version raw@1", Derived, "dataset_version t@1", Declared)],
                "1 connection is only declared",
            ),
            (
                "declared and observed",
                vec![
                    source,
                    ("dataset_version raw@1", Derived, "dataset_version t@1", Declared),
                    ("dataset_version raw@1", Read, "run r1", Observed),
                    ("run r1", Wrote, "file r1:t.csv", Observed),
                    ("file r1:t.csv", VersionOf, "dataset_version t@1", Observed),
                ],
                "",
            ),
        ] {
            assert_eq!(gaps(&edges, &known).join("; "), expected, "{what}");
        }
    }
}
