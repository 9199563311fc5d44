//! The family tree around a thing, and what depends on it.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use stemma_core::{
    Timestamp,
    event::DeclaredEdge,
    id::RunId,
    lineage::{Certainty, Direction, Edge, EdgeKind, Node, NodeKind},
    name::{EndpointName, PrincipalName},
    policy::Stage,
};

use crate::act::Query;

/// A picture's worth of lineage: nodes in layers, edges the way data flows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct FamilyTree {
    pub nodes: Vec<TreeNode>,
    pub edges: Vec<Edge>,
    /// It was shown to be complete; false if there is any reason to doubt it.
    pub complete: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TreeNode {
    pub node: Node,
    /// Short, for the picture.
    pub label: String,
    /// One more line, for the picture; may be empty.
    pub detail: String,
    /// Page of the thing, if it has one.
    pub href: Option<String>,
}

/// `GET …/lineage?of=…&direction=…&depth=…&kind=…` answers with this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lineage {
    /// The thing, as in `credit-score@1.1.0`.
    pub of: String,
    pub direction: Direction,
    /// Where the walk began; more than one if what was asked for has several faces, as content that is an environment.
    pub starts: Vec<Node>,
    pub tree: FamilyTree,
    /// Why the tree is not complete; empty if it is.
    pub reasons: Vec<String>,
}

/// `GET …/impact?of=…` answers with this: everything that depends on a thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Impact {
    pub of: String,
    /// Environments, for a package; else the thing.
    pub starts: Vec<Node>,
    pub runs: Vec<ImpactedRun>,
    /// `name@number`
    pub datasets: Vec<String>,
    pub versions: Vec<ImpactedVersion>,
    pub revisions: Vec<ImpactedRevision>,
    /// Answers of the impacted versions, in all revisions.
    pub predictions: u64,
    pub complete: bool,
    /// Why it is not complete; empty if it is.
    pub reasons: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImpactedRun {
    pub run: RunId,
    pub command: String,
    pub by: PrincipalName,
    pub started: Timestamp,
    pub succeeded: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImpactedVersion {
    /// As in `credit-score@1.1.0`.
    pub version: String,
    pub stage: Stage,
    /// False if it was only evaluated on the thing, not made from it.
    pub made_from: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImpactedRevision {
    pub endpoint: EndpointName,
    /// 0: of none here; the answers were reported.
    pub number: u32,
    /// It answers now.
    pub live: bool,
    /// The impacted versions that it asks.
    pub versions: Vec<String>,
    /// How many answers they had a part in.
    pub predictions: u64,
}

/// `POST …/links` and `POST …/links/withdraw`: things as people type them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    /// Data flows from here.
    pub from: String,
    pub to: String,
    pub kind: EdgeKind,
    /// Must be said of a new link.
    #[serde(default)]
    pub why: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Linked {
    pub edge: DeclaredEdge,
    /// It was like this before.
    pub unchanged: bool,
}

/// A node under the one through which it was first reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached<'a> {
    pub node: &'a TreeNode,
    /// The edge that led here; absent at the start.
    pub edge: Option<&'a Edge>,
    pub below: Vec<Reached<'a>>,
    /// Nodes that hang elsewhere too.
    pub repeated: Vec<(&'a TreeNode, &'a Edge)>,
}

impl Lineage {
    /// As people read it: content that has a name is drawn as the named version.
    pub fn merged(&self) -> Self {
        let names = self.tree.names();
        let mut starts: Vec<Node> = Vec::new();
        for node in &self.starts {
            let node = names.get(node).map_or(node, |name| *name);
            if !starts.contains(node) {
                starts.push(node.clone());
            }
        }
        Self { starts, tree: self.tree.merged(), ..self.clone() }
    }
}

impl FamilyTree {
    /// File or content → the version that it is drawn as. Where several files have the same name they stay apart: they
    /// have the same bytes, but not the same history.
    fn names(&self) -> BTreeMap<&Node, &Node> {
        let is_name = |edge: &&Edge| edge.kind == EdgeKind::VersionOf && edge.certainty == Certainty::Observed;
        let mut bearers: HashMap<&Node, usize> = HashMap::new();
        for edge in self.edges.iter().filter(|edge| edge.kind == EdgeKind::VersionOf) {
            *bearers.entry(&edge.to).or_default() += 1;
        }
        let mut names: BTreeMap<&Node, &Node> = BTreeMap::new();
        for edge in self.edges.iter().filter(is_name).filter(|edge| bearers.get(&edge.to) == Some(&1)) {
            let first = names.entry(&edge.from).or_insert(&edge.to);
            *first = (*first).min(&edge.to);
        }
        names
    }

    /// As people read it: a file that has a name is drawn as the named version.
    pub fn merged(&self) -> FamilyTree {
        let names = self.names();
        let named = |node: &Node| names.get(node).map_or(node, |name| *name).clone();
        let produced: HashSet<(&Node, &Node)> = self
            .edges
            .iter()
            .filter(|edge| edge.kind == EdgeKind::Produced)
            .map(|edge| (&edge.from, &edge.to))
            .collect();
        let mut edges: Vec<Edge> = Vec::with_capacity(self.edges.len());
        let mut seen = HashSet::new();
        for edge in &self.edges {
            let edge = Edge { from: named(&edge.from), to: named(&edge.to), ..edge.clone() };
            let doubled = edge.kind == EdgeKind::Wrote && produced.contains(&(&edge.from, &edge.to));
            if edge.from != edge.to && !doubled && seen.insert(edge.clone()) {
                edges.push(edge);
            }
        }
        let nodes = self.nodes.iter().filter(|node| !names.contains_key(&node.node)).cloned().collect();
        FamilyTree { nodes, edges, complete: self.complete }
    }

    /// Hangs every node below the one through which it is reached first, from the starts on.
    pub fn branches<'a>(&'a self, starts: &[Node], direction: Direction) -> Vec<Reached<'a>> {
        let nodes: HashMap<&Node, &TreeNode> = self.nodes.iter().map(|node| (&node.node, node)).collect();
        let mut beside: HashMap<&Node, Vec<(&Node, &Edge)>> = HashMap::new();
        for edge in &self.edges {
            let (near, far) = ends(edge, direction);
            beside.entry(near).or_default().push((far, edge));
            if edge.kind.is_name() {
                beside.entry(far).or_default().push((near, edge));
            }
        }
        let mut queue: VecDeque<&Node> =
            starts.iter().filter_map(|node| nodes.get_key_value(node)).map(|(n, _)| *n).collect();
        let roots: Vec<&Node> = queue.iter().copied().collect();
        let mut seen: HashSet<&Node> = roots.iter().copied().collect();
        let mut below: HashMap<&Node, Vec<(&Node, &Edge, bool)>> = HashMap::new();
        while let Some(node) = queue.pop_front() {
            let mut here: HashSet<&Node> = HashSet::new();
            for (far, edge) in beside.get(node).into_iter().flatten() {
                if !nodes.contains_key(far) || !here.insert(far) {
                    continue;
                }
                let new = seen.insert(far);
                // the way back from a thing to its own other name says nothing
                if new || !edge.kind.is_name() {
                    below.entry(node).or_default().push((far, edge, new));
                }
                if new {
                    queue.push_back(far);
                }
            }
        }
        roots.into_iter().filter_map(|root| hang(root, None, &nodes, &below)).collect()
    }

    /// The tree in Graphviz' language. Labels are only text there.
    pub fn dot(&self) -> String {
        let index: HashMap<&Node, usize> = self.nodes.iter().enumerate().map(|(at, node)| (&node.node, at)).collect();
        let mut text = "digraph lineage {\n  rankdir=LR;\n  node [shape=box];\n".to_owned();
        for (at, node) in self.nodes.iter().enumerate() {
            let detail = if node.detail.is_empty() { String::new() } else { format!("\\n{}", dot_text(&node.detail)) };
            text.push_str(&format!("  n{at} [label=\"{}{detail}\"];\n", dot_text(&node.label)));
        }
        for edge in &self.edges {
            if let (Some(from), Some(to)) = (index.get(&edge.from), index.get(&edge.to)) {
                let dashed = if edge.certainty == Certainty::Observed { "" } else { ", style=dashed" };
                text.push_str(&format!("  n{from} -> n{to} [label=\"{}\"{dashed}];\n", edge.kind.as_str()));
            }
        }
        text.push_str("}\n");
        text
    }
}

/// Where a walk stands, and where an edge leads it.
fn ends(edge: &Edge, direction: Direction) -> (&Node, &Node) {
    match direction {
        Direction::Up => (&edge.to, &edge.from),
        Direction::Down => (&edge.from, &edge.to),
    }
}

fn hang<'a>(
    node: &Node,
    edge: Option<&'a Edge>,
    nodes: &HashMap<&Node, &'a TreeNode>,
    below: &HashMap<&Node, Vec<(&Node, &'a Edge, bool)>>,
) -> Option<Reached<'a>> {
    let mut reached = Reached { node: nodes.get(node)?, edge, below: Vec::new(), repeated: Vec::new() };
    for (far, edge, new) in below.get(node).into_iter().flatten() {
        match new {
            true => reached.below.extend(hang(far, Some(edge), nodes, below)),
            false => reached.repeated.extend(nodes.get(far).map(|node| (*node, *edge))),
        }
    }
    Some(reached)
}

/// Text inside a quoted string of Graphviz.
fn dot_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// What is asked of the family tree.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct AskLineage {
    /// As people type it: a version, a run, an endpoint's revision, a prediction, content, a commit.
    #[serde(deserialize_with = "something")]
    pub of: String,
    #[serde(default, deserialize_with = "direction")]
    pub direction: Direction,
    /// Steps to walk at most; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth: Option<u32>,
    /// Only things of these kinds, with commas between them; all if absent.
    #[serde(default, rename = "kind", with = "kinds", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<String>")]
    pub kinds: Vec<NodeKind>,
}

impl Query for AskLineage {
    const EXAMPLE: &'static str = "of=credit-score@1.0.0&direction=down";
}

/// What something must be known to depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AskImpact {
    /// As people type it, or a package as in `numpy==2.1.0`.
    #[serde(deserialize_with = "something")]
    pub of: String,
}

impl Query for AskImpact {
    const EXAMPLE: &'static str = "of=credit-score@1.0.0";
}

fn something<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Err(D::Error::custom("expected the name of a thing")) } else { Ok(text) }
}

fn direction<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Direction, D::Error> {
    let text = String::deserialize(deserializer)?;
    Direction::parse(&text).ok_or_else(|| D::Error::custom("expected `up` or `down`"))
}

/// Kinds as one text.
mod kinds {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use stemma_core::lineage::NodeKind;

    pub fn serialize<S: Serializer>(kinds: &[NodeKind], serializer: S) -> Result<S::Ok, S::Error> {
        let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
        serializer.serialize_str(&kinds.join(","))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<NodeKind>, D::Error> {
        let known = || NodeKind::ALL.map(NodeKind::as_str).join(", ");
        let kind = |text: &str| {
            NodeKind::parse(text)
                .ok_or_else(|| D::Error::custom(format!("and there is no kind `{text}`: kinds are {}", known())))
        };
        String::deserialize(deserializer)?.split(',').map(kind).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(kind: NodeKind, key: &str) -> TreeNode {
        TreeNode { node: Node::new(kind, key), label: key.into(), detail: String::new(), href: None }
    }

    fn edge(from: &TreeNode, to: &TreeNode, kind: EdgeKind) -> Edge {
        Edge { from: from.node.clone(), to: to.node.clone(), kind, role: None, certainty: Certainty::Observed }
    }

    /// A table that is a dataset version, a run that read it and wrote a model.
    fn tree() -> FamilyTree {
        let table = node(NodeKind::Content, "b3:1");
        let (dataset, run) = (node(NodeKind::DatasetVersion, "train@1"), node(NodeKind::Run, "r"));
        let version = node(NodeKind::ModelVersion, "score@1.0.0");
        let edges = vec![
            edge(&table, &dataset, EdgeKind::VersionOf),
            edge(&table, &run, EdgeKind::Read),
            edge(&run, &version, EdgeKind::Produced),
        ];
        FamilyTree { nodes: vec![version, run, table, dataset], edges, complete: true }
    }

    fn lines(reached: &[Reached<'_>], indent: usize, out: &mut Vec<String>) {
        for one in reached {
            out.push(format!("{}{}", " ".repeat(indent), one.node.label));
            lines(&one.below, indent + 1, out);
        }
    }

    #[test]
    fn content_with_a_name_is_drawn_under_it_in_both_directions() {
        let merged = tree().merged();
        let mut up = Vec::new();
        lines(&merged.branches(&[Node::new(NodeKind::ModelVersion, "score@1.0.0")], Direction::Up), 0, &mut up);
        assert_eq!(up, ["score@1.0.0", " r", "  train@1"]);
        let mut down = Vec::new();
        lines(&merged.branches(&[Node::new(NodeKind::DatasetVersion, "train@1")], Direction::Down), 0, &mut down);
        assert_eq!(down, ["train@1", " r", "  score@1.0.0"]);
    }

    #[test]
    fn a_cycle_in_damaged_data_still_draws() {
        let mut tree = tree();
        tree.edges.push(edge(&tree.nodes[0], &tree.nodes[1], EdgeKind::Read));
        let reached = tree.branches(&[tree.nodes[0].node.clone()], Direction::Up);
        assert_eq!(reached[0].below[0].repeated.len(), 1);
    }

    #[test]
    fn hostile_labels_stay_inside_their_quotes() {
        let hostile = node(NodeKind::External, "a\"]; evil [label=\"\\\n");
        let dot = FamilyTree { nodes: vec![hostile], edges: vec![], complete: true }.dot();
        assert!(dot.contains("n0 [label=\"a\\\"]; evil [label=\\\"\\\\ \"];"), "{dot}");
    }
}
