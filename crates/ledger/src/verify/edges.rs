//! The edges that runs brought, and the nodes at their ends.

use std::collections::{BTreeMap, BTreeSet};

use stemma_core::audit::{Check, Fault};

use super::runs::{Runs, text_of};
use crate::{
    LedgerError,
    sql::{Session, Value},
};

/// By edge: how many too many are there, and the run that it belongs to.
type Surplus = BTreeMap<String, (i64, String)>;

pub async fn check(live: &mut Session, runs: &Runs) -> Result<Check, LedgerError> {
    let mut check = Check::new("edges", "edges and nodes follow from the records of runs");
    let mut surplus = found(live).await?;
    let (mut nodes, mut seals) = (BTreeSet::new(), BTreeMap::new());
    for (project, edge, place) in &runs.edges {
        check.looked_at += 1;
        let values = [
            project.to_string(),
            edge.from.kind.as_str().to_owned(),
            edge.from.key.clone(),
            edge.kind.as_str().to_owned(),
            edge.to.kind.as_str().to_owned(),
            edge.to.key.clone(),
            edge.role.clone().unwrap_or_default(),
            edge.certainty.as_str().to_owned(),
        ];
        let text = text_of(values.map(Value::Text).iter());
        surplus.entry(text).or_insert_with(|| (0, edge.to.key.clone())).0 -= 1;
        nodes.extend([&edge.from, &edge.to].map(|node| (node.kind.as_str().to_owned(), node.key.clone())));
        seals.insert(edge.to.key.clone(), runs.sealed_by(*place));
    }
    for (edge, (surplus, run)) in surplus.into_iter().filter(|(_, (surplus, _))| *surplus != 0) {
        let what = if surplus > 0 { "there is an edge that its record does not prove" } else { "an edge is missing" };
        let seq = seals.get(&run).copied().flatten();
        check.fault(Fault { seq, place: Some(format!("run {run}")), what: format!("{what}: {edge}") });
    }
    check_nodes(live, nodes, &mut check).await?;
    Ok(check)
}

async fn found(live: &mut Session) -> Result<Surplus, LedgerError> {
    let sql = "SELECT e.project AS project, s.kind AS from_kind, s.key AS from_key, e.kind AS kind, t.kind AS to_kind, \
               t.key AS to_key, e.role AS role, e.certainty AS certainty \
               FROM edge e LEFT JOIN node s ON s.id = e.source LEFT JOIN node t ON t.id = e.target";
    let mut surplus = Surplus::new();
    for row in live.rows(sql, &[]).await? {
        let run = row.optional_text("to_key").ok().flatten().unwrap_or_else(|| "unknown".to_owned());
        surplus.entry(text_of(row.values())).or_insert((0, run)).0 += 1;
    }
    Ok(surplus)
}

/// Nodes are made with edges, each once.
async fn check_nodes(
    live: &mut Session,
    mut missing: BTreeSet<(String, String)>,
    check: &mut Check,
) -> Result<(), LedgerError> {
    for row in live.rows("SELECT id, kind, key FROM node", &[]).await? {
        let node = (row.text("kind")?, row.text("key")?);
        if row.int("id").is_err() || !missing.remove(&node) {
            let place = format!("node {} {}", node.0, node.1);
            check.fault(Fault::at(place, "no record of a run has it, or it is there twice"));
        }
    }
    for (kind, key) in missing {
        check.fault(Fault::at(format!("node {kind} {key}"), "it is missing"));
    }
    Ok(())
}
