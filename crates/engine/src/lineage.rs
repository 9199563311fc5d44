//! Lineage: the family tree around a thing, up to what it was made from or down to what was made from it.

mod describe;
mod start;
mod walk;

use stemma_api::types::{FamilyTree, Lineage};
use stemma_core::{
    Problem,
    lineage::{Certainty, Direction, Edge, EdgeKind, Node, NodeKind},
    name::ProjectName,
};

pub(crate) use self::{
    start::Start,
    walk::{Bounds, DEPTH_MAX, Walk},
};
use crate::{Caller, Engine};

/// What is asked of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AskLineage {
    /// As people type it: a version, a run, an endpoint's revision, a prediction, content, a commit.
    pub of: String,
    pub direction: Direction,
    /// Steps to walk at most; all if absent.
    pub depth: Option<u32>,
    /// Only nodes of these kinds; all if empty.
    pub kinds: Vec<NodeKind>,
}

impl Engine {
    pub async fn lineage(&self, caller: &Caller, project: &ProjectName, ask: &AskLineage) -> Result<Lineage, Problem> {
        let bounds = Bounds { depth: depth(ask.depth)?, ..Bounds::default() };
        let start = self.find_thing(caller, project, &ask.of).await?;
        let mut walk = self.walk(project, &start.nodes, ask.direction, bounds).await?;
        let starts = begin(&start, ask.direction, &mut walk);
        let (nodes, weak) = self.describe(project, &walk.nodes).await?;
        let mut reasons = walk.reasons();
        reasons.extend(weak);
        let mut tree = FamilyTree { nodes, edges: walk.edges, complete: reasons.is_empty() };
        if !ask.kinds.is_empty() {
            keep_kinds(&mut tree, &ask.kinds, &starts);
        }
        Ok(Lineage { of: start.name, direction: ask.direction, starts, tree, reasons })
    }
}

fn depth(asked: Option<u32>) -> Result<u32, Problem> {
    match asked {
        None => Ok(DEPTH_MAX),
        Some(depth) if (1..=DEPTH_MAX).contains(&depth) => Ok(depth),
        Some(depth) => Err(Problem::invalid(format!("the depth is {depth}, expected a number from 1 to {DEPTH_MAX}"))),
    }
}

/// A prediction's revision stands before the versions that answered: others that it serves had no part in it.
fn begin(start: &Start, direction: Direction, walk: &mut Walk) -> Vec<Node> {
    let (Some(revision), Direction::Up) = (&start.revision, direction) else {
        return start.nodes.clone();
    };
    walk.nodes.insert(0, revision.clone());
    let serves = |version: &Node| Edge {
        from: version.clone(),
        to: revision.clone(),
        kind: EdgeKind::Serves,
        role: None,
        certainty: Certainty::Observed,
    };
    walk.edges.extend(start.nodes.iter().map(serves));
    vec![revision.clone()]
}

fn keep_kinds(tree: &mut FamilyTree, kinds: &[NodeKind], starts: &[Node]) {
    let kept = |node: &Node| kinds.contains(&node.kind) || starts.contains(node);
    tree.nodes.retain(|node| kept(&node.node));
    tree.edges.retain(|edge| kept(&edge.from) && kept(&edge.to));
}
