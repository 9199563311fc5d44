//! What was made from a dataset by way of others: found by walking down the family tree, not by the bytes alone.

use std::collections::{HashMap, HashSet};

use stemma_core::{
    Problem,
    lineage::{Direction, Node, NodeKind},
    name::{DatasetName, ProjectName},
    search::Term,
};
use stemma_ledger::Descendants;

use super::question::Question;
use crate::{
    Known,
    lineage::{Bounds, Start, Walk, walk},
};

/// Datasets that a query may name.
const DATASETS_MAX: usize = 5;

/// The runs below each dataset that a query names, and what could not be walked through.
pub async fn of(known: &Known, question: &Question) -> Result<(Vec<Descendants>, Vec<String>), Problem> {
    let mut wanted: Vec<(&DatasetName, Option<u32>)> = Vec::new();
    for term in question.query.iter().flat_map(|query| query.terms()) {
        if let Term::TrainedOn { dataset, number } = term
            && !wanted.contains(&(dataset, *number))
        {
            wanted.push((dataset, *number));
        }
    }
    if wanted.len() > DATASETS_MAX {
        let message = format!("{} datasets are named by `trained_on:`; at most {DATASETS_MAX} can be", wanted.len());
        return Err(Problem::invalid(message));
    }
    let (mut descendants, mut reasons) = (Vec::new(), Vec::new());
    for (dataset, number) in wanted {
        let (mut runs, mut is_there) = (Vec::new(), false);
        for project in &question.projects {
            let versions = known.dataset_versions_if_any(project, dataset).await?;
            let versions = versions.into_iter().filter(|version| number.is_none_or(|number| version.number == number));
            let nodes: Vec<Node> = versions
                .map(|version| Node::new(NodeKind::DatasetVersion, format!("{dataset}@{}", version.number)))
                .collect();
            if nodes.is_empty() {
                continue;
            }
            is_there = true;
            let start = Start { name: dataset.to_string(), nodes: nodes.clone(), revision: None, file: None };
            let walk = walk(known, project, &start, Direction::Down, Bounds::default()).await?;
            reasons.extend(walk.cuts().map(|cut| format!("what was made from `{dataset}` in `{project}`: {cut}")));
            runs.extend(runs_below(&walk, &nodes).into_iter().map(|run| (project.clone(), run)));
        }
        if !is_there {
            reasons.push(no_such(dataset, number, &question.projects));
        }
        descendants.push(Descendants { dataset: dataset.clone(), number, runs });
    }
    Ok((descendants, reasons))
}

fn no_such(dataset: &DatasetName, number: Option<u32>, projects: &[ProjectName]) -> String {
    let name = number.map_or(dataset.to_string(), |number| format!("{dataset}@{number}"));
    match projects {
        [only] => format!("there is no dataset `{name}` in project `{only}`"),
        _ => format!("there is no dataset `{name}` in any of the {} projects", projects.len()),
    }
}

/// The runs that data flowed into. What models answered is no part of what they were trained on.
fn runs_below(walk: &Walk, starts: &[Node]) -> Vec<String> {
    let mut beside: HashMap<&Node, Vec<&Node>> = HashMap::new();
    for edge in &walk.edges {
        beside.entry(&edge.from).or_default().push(&edge.to);
        if edge.kind.is_name() {
            beside.entry(&edge.to).or_default().push(&edge.from);
        }
    }
    let mut seen: HashSet<&Node> = starts.iter().collect();
    let mut queue: Vec<&Node> = starts.iter().collect();
    while let Some(node) = queue.pop() {
        let is_data =
            !matches!(node.kind, NodeKind::ModelVersion | NodeKind::Revision | NodeKind::Evidence | NodeKind::Approval);
        for far in beside.get(node).into_iter().flatten().filter(|_| is_data) {
            if seen.insert(far) {
                queue.push(far);
            }
        }
    }
    let mut runs: Vec<String> =
        seen.into_iter().filter(|node| node.kind == NodeKind::Run).map(|node| node.key.clone()).collect();
    runs.sort();
    runs
}
