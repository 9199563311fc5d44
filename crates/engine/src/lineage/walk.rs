//! One breadth-first walk over the edges of runs and of facts, with bounds.

use std::collections::{BTreeSet, HashSet};

use stemma_core::{
    Problem,
    lineage::{Certainty, Direction, Edge, EdgeKind, Node, NodeKind},
    name::ProjectName,
};
use stemma_ledger::Side;

use crate::{Engine, facts::ledger_problem};

/// Most steps of a walk.
pub(crate) const DEPTH_MAX: u32 = 32;
const NODES_MAX: usize = 2_000;
/// Edges read at most in one step.
const STEP_EDGES_MAX: usize = 20_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
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
pub(crate) struct Walk {
    /// Nearest first, the starts included.
    pub nodes: Vec<Node>,
    pub edges: Vec<Edge>,
    /// What stopped it before the end.
    cut: Option<String>,
}

impl Walk {
    pub fn is_cut(&self) -> bool {
        self.cut.is_some()
    }

    pub fn of_kind(&self, kind: NodeKind) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(move |node| node.kind == kind)
    }

    /// Why it does not tell everything for sure.
    pub fn reasons(&self) -> Vec<String> {
        let mut reasons: Vec<String> = self.cut.iter().cloned().collect();
        for certainty in [Certainty::Declared, Certainty::Inferred, Certainty::Imported] {
            let count = self.edges.iter().filter(|edge| edge.certainty == certainty).count();
            let connections = if count == 1 { "connection is" } else { "connections are" };
            if count > 0 {
                reasons.push(format!("{count} {connections} only {}", certainty.as_str()));
            }
        }
        reasons
    }

    /// The nodes that can be reached from the starts without the edges of some kind.
    pub fn without(&self, starts: &[Node], kind: EdgeKind) -> HashSet<Node> {
        let mut seen: HashSet<Node> = starts.iter().cloned().collect();
        let mut queue: Vec<&Node> = starts.iter().collect();
        while let Some(node) = queue.pop() {
            for edge in self.edges.iter().filter(|edge| edge.kind != kind) {
                let far = match (&edge.from == node, &edge.to == node) {
                    (true, _) => &edge.to,
                    (_, true) if edge.kind == EdgeKind::VersionOf => &edge.from,
                    _ => continue,
                };
                if seen.insert(far.clone()) {
                    queue.push(far);
                }
            }
        }
        seen
    }
}

impl Engine {
    /// Walks from some nodes. Content and the versions that it is are the same thing: the walk goes between them in
    /// both directions.
    pub(crate) async fn walk(
        &self,
        project: &ProjectName,
        starts: &[Node],
        direction: Direction,
        bounds: Bounds,
    ) -> Result<Walk, Problem> {
        let mut walk = Walk { nodes: starts.to_vec(), ..Walk::default() };
        let mut seen: HashSet<Node> = starts.iter().cloned().collect();
        let mut edges = BTreeSet::new();
        let mut frontier = starts.to_vec();
        for step in 0..=bounds.depth {
            if frontier.is_empty() {
                break;
            }
            let (found, cut) = self.step(project, &frontier, direction).await?;
            if cut {
                walk.cut = Some(format!("one step has more than {STEP_EDGES_MAX} connections"));
            }
            let mut next = BTreeSet::new();
            for edge in &found {
                let ends = [&edge.from, &edge.to];
                next.extend(ends.into_iter().filter(|node| !seen.contains(*node)).cloned());
            }
            if step == bounds.depth && !next.is_empty() {
                walk.cut = Some(format!("it goes on beyond {} steps", bounds.depth));
                next.clear();
            }
            let room = bounds.nodes.saturating_sub(walk.nodes.len());
            if next.len() > room {
                walk.cut = Some(format!("there are more than {} things", bounds.nodes));
            }
            frontier = next.into_iter().take(room).collect();
            seen.extend(frontier.iter().cloned());
            walk.nodes.extend(frontier.iter().cloned());
            edges.extend(found);
        }
        edges.retain(|edge| seen.contains(&edge.from) && seen.contains(&edge.to));
        walk.edges = edges.into_iter().collect();
        Ok(walk)
    }

    /// The edges that lead away from some nodes.
    async fn step(
        &self,
        project: &ProjectName,
        nodes: &[Node],
        direction: Direction,
    ) -> Result<(Vec<Edge>, bool), Problem> {
        let (ahead, back) = match direction {
            Direction::Up => (Side::To, Side::From),
            Direction::Down => (Side::From, Side::To),
        };
        let ledger = self.ledger();
        let (mut found, cut) =
            ledger.edges(project, nodes, ahead, None, STEP_EDGES_MAX).await.map_err(ledger_problem)?;
        let faces = |node: &&Node| match direction {
            Direction::Up => node.kind == NodeKind::Content,
            Direction::Down => matches!(node.kind, NodeKind::DatasetVersion | NodeKind::ModelVersion),
        };
        let faces: Vec<Node> = nodes.iter().filter(faces).cloned().collect();
        if faces.is_empty() {
            return Ok((found, cut));
        }
        let same = ledger.edges(project, &faces, back, Some(EdgeKind::VersionOf), STEP_EDGES_MAX).await;
        let (same, cut_too) = same.map_err(ledger_problem)?;
        found.extend(same);
        Ok((found, cut || cut_too))
    }
}
