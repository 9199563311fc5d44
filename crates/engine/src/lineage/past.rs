//! A family tree as it was: without what runs did that were not over yet. Facts of that moment have been read as such.

use std::collections::{HashMap, HashSet};

use stemma_core::{
    Problem,
    id::RunId,
    lineage::{Node, NodeKind},
    name::ProjectName,
};

use super::{start::Start, walk::Walk};
use crate::Known;

/// Leaves out later runs, what they wrote, and what only they lead to.
pub(super) async fn keep_earlier(
    known: &Known,
    project: &ProjectName,
    start: &Start,
    walk: &mut Walk,
) -> Result<(), Problem> {
    let runs: Vec<RunId> = walk.of_kind(NodeKind::Run).filter_map(|node| node.key.parse().ok()).collect();
    if runs.is_empty() {
        return Ok(());
    }
    let over: HashSet<String> =
        known.runs_over_by_then(project, &runs).await?.iter().map(|record| record.id.to_string()).collect();
    let is_later = |node: &Node| match node.kind {
        NodeKind::Run => !over.contains(&node.key),
        // a file that a run wrote is named after it
        NodeKind::File => match node.key.split_once(':') {
            Some((run, _)) => run.parse::<RunId>().is_ok() && !over.contains(run),
            None => false,
        },
        _ => false,
    };
    if let Some(later) = start.nodes.iter().find(|node| is_later(node)) {
        return Err(Problem::not_found(format!("`{}` was not there yet", later.key)));
    }
    walk.edges.retain(|edge| !is_later(&edge.from) && !is_later(&edge.to));
    let reached = reached(start, walk);
    walk.edges.retain(|edge| reached.contains(&edge.from) && reached.contains(&edge.to));
    walk.nodes.retain(|node| reached.contains(node));
    walk.files.retain(|node, _| reached.contains(node));
    Ok(())
}

fn reached(start: &Start, walk: &Walk) -> HashSet<Node> {
    let mut beside: HashMap<&Node, Vec<&Node>> = HashMap::new();
    for edge in &walk.edges {
        beside.entry(&edge.from).or_default().push(&edge.to);
        beside.entry(&edge.to).or_default().push(&edge.from);
    }
    let mut reached: HashSet<Node> = start.nodes.iter().cloned().collect();
    let mut queue: Vec<&Node> = start.nodes.iter().collect();
    while let Some(node) = queue.pop() {
        for far in beside.get(node).into_iter().flatten() {
            if reached.insert((*far).clone()) {
                queue.push(far);
            }
        }
    }
    reached
}
