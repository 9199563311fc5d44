//! Lineage: the family tree around a thing, up to what it was made from or down to what was made from it.

mod describe;
mod folders;
mod link;
mod past;
mod place;
mod start;
mod step;
pub(crate) mod trace;
mod walk;

use std::collections::BTreeSet;

use stemma_api::types::{AskLineage, FamilyTree, Lineage};
use stemma_core::{
    Problem,
    lineage::{
        Certainty, Direction, Edge, EdgeKind, Node, NodeKind,
        completeness::{Gap, open_ends, weak_parts},
    },
    name::ProjectName,
};

pub use self::{
    describe::describe,
    start::{Start, find_thing},
    walk::{Bounds, Walk, walk},
};
use self::{past::keep_earlier, walk::DEPTH_MAX};
use crate::Known;

/// The family tree around a thing.
pub async fn lineage(known: &Known, project: &ProjectName, start: Start, ask: &AskLineage) -> Result<Lineage, Problem> {
    let bounds = Bounds { depth: depth(ask.depth)?, ..Bounds::default() };
    let mut walk = walk(known, project, &start, ask.direction, bounds).await?;
    if known.is_past() {
        keep_earlier(known, project, &start, &mut walk).await?;
    }
    let starts = begin(&start, ask.direction, &mut walk);
    let (mut tree, reasons) = draw(known, project, walk, ask.direction).await?;
    if !ask.kinds.is_empty() {
        keep_kinds(&mut tree, &ask.kinds, &starts);
    }
    Ok(Lineage { of: start.name, direction: ask.direction, starts, tree, reasons })
}

/// The tree of a walk, and why it may not tell everything.
async fn draw(
    known: &Known,
    project: &ProjectName,
    walk: Walk,
    direction: Direction,
) -> Result<(FamilyTree, Vec<String>), Problem> {
    let (nodes, seen) = describe(known, project, &walk).await?;
    let mut gaps: BTreeSet<Gap> = walk.cuts().collect();
    gaps.extend(weak_parts(&walk.nodes, &walk.edges, &seen));
    if direction == Direction::Up {
        gaps.extend(open_ends(&walk.nodes, &walk.edges, &seen));
    }
    let tree = FamilyTree { nodes, edges: walk.edges, complete: gaps.is_empty() };
    Ok((tree, gaps.iter().map(Gap::to_string).collect()))
}

/// All that made a prediction what it is.
pub async fn draw_above(
    known: &Known,
    project: &ProjectName,
    start: &Start,
) -> Result<(FamilyTree, Vec<String>), Problem> {
    let mut walk = walk(known, project, start, Direction::Up, Bounds::default()).await?;
    begin(start, Direction::Up, &mut walk);
    draw(known, project, walk, Direction::Up).await
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
