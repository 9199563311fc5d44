//! One breadth-first walk over what runs and facts tell, with bounds.

use std::collections::{BTreeSet, HashMap, HashSet};

use stemma_core::{
    Problem,
    lineage::{Certainty, Direction, Edge, EdgeKind, Node, NodeKind, completeness::Gap},
    name::ProjectName,
};

use super::{
    folders::Folders,
    place::{FileNote, Reach},
    start::Start,
    step::Step,
};
use crate::{Known, lineage::step::step};

/// Most steps of a walk.
pub(crate) const DEPTH_MAX: u32 = 100;
const NODES_MAX: usize = 2_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    pub nodes: usize,
    pub depth: u32,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { nodes: NODES_MAX, depth: DEPTH_MAX }
    }
}

/// What a walk found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Walk {
    /// Nearest first, the starts included.
    pub nodes: Vec<Node>,
    pub edges: Vec<Edge>,
    pub files: HashMap<Node, FileNote>,
    /// Files and versions that a role declares to be raw data.
    pub raw: HashSet<Node>,
    /// What stopped it before the end.
    cut: BTreeSet<String>,
}

impl Walk {
    pub fn is_cut(&self) -> bool {
        !self.cut.is_empty()
    }

    pub fn of_kind(&self, kind: NodeKind) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(move |node| node.kind == kind)
    }

    /// What it could not look at.
    pub fn cuts(&self) -> impl Iterator<Item = Gap> {
        self.cut.iter().cloned().map(Gap::Cut)
    }

    /// The nodes that can be reached from the starts without the edges of some kind.
    pub fn without(&self, starts: &[Node], kind: EdgeKind) -> HashSet<Node> {
        let mut beside: HashMap<&Node, Vec<&Node>> = HashMap::new();
        for edge in self.edges.iter().filter(|edge| edge.kind != kind) {
            beside.entry(&edge.from).or_default().push(&edge.to);
            if edge.kind.is_name() {
                beside.entry(&edge.to).or_default().push(&edge.from);
            }
        }
        let mut seen: HashSet<Node> = starts.iter().cloned().collect();
        let mut queue: Vec<&Node> = starts.iter().collect();
        while let Some(node) = queue.pop() {
            for far in beside.get(node).into_iter().flatten() {
                if seen.insert((*far).clone()) {
                    queue.push(far);
                }
            }
        }
        seen
    }
}

/// Walks from some nodes. A file that was used leads to the one write that it goes back to, not to all that have the
/// same bytes.
pub async fn walk(
    known: &Known,
    project: &ProjectName,
    start: &Start,
    direction: Direction,
    bounds: Bounds,
) -> Result<Walk, Problem> {
    let starts = &start.nodes;
    let notes = starts.iter().cloned().zip(start.file.clone());
    let mut walk = Walk { nodes: starts.clone(), files: notes.collect(), ..Walk::default() };
    let mut folders = Folders::default();
    let mut seen: HashMap<Node, Reach> = starts.iter().map(|node| (node.clone(), Reach::Whole)).collect();
    let mut frontier: Vec<(Node, Reach)> = starts.iter().map(|node| (node.clone(), Reach::Whole)).collect();
    let mut edges = BTreeSet::new();
    for depth in 0..=bounds.depth {
        if frontier.is_empty() {
            break;
        }
        let Step { edges: found, next, files, raw, cut } =
            step(known, project, &frontier, direction, &walk.files, &mut folders).await?;
        walk.cut.extend(cut);
        walk.files.extend(files);
        walk.raw.extend(raw);
        let mut ahead: Vec<(Node, Reach)> =
            next.into_iter().filter(|(node, reach)| seen.get(node).is_none_or(|known| known < reach)).collect();
        if depth == bounds.depth && !ahead.is_empty() {
            walk.cut.insert(format!("it goes on beyond {} steps", bounds.depth));
            ahead.clear();
        }
        let room = bounds.nodes.saturating_sub(walk.nodes.len());
        let is_new = |(node, _): &&(Node, Reach)| !seen.contains_key(node);
        if ahead.iter().filter(is_new).count() > room {
            walk.cut.insert(format!("there are more than {} things", bounds.nodes));
            ahead.truncate(room);
        }
        for (node, reach) in &ahead {
            if seen.insert(node.clone(), *reach).is_none() {
                walk.nodes.push(node.clone());
            }
        }
        frontier = ahead;
        edges.extend(found);
    }
    walk.cut.extend(folders.cut);
    edges.retain(|edge: &Edge| seen.contains_key(&edge.from) && seen.contains_key(&edge.to));
    walk.edges = strongest(edges);
    Ok(walk)
}

/// Of connections that differ only in how they are known, the surest.
fn strongest(edges: BTreeSet<Edge>) -> Vec<Edge> {
    let mut kept: Vec<Edge> = Vec::with_capacity(edges.len());
    let same = |a: &Edge, b: &Edge| (&a.from, &a.to, a.kind, &a.role) == (&b.from, &b.to, b.kind, &b.role);
    // sorted by everything else before the certainty, observed first
    for edge in edges {
        if !kept.last().is_some_and(|last| same(last, &edge)) {
            kept.push(edge);
        }
    }
    debug_assert!(Certainty::Observed < Certainty::Declared);
    kept
}
