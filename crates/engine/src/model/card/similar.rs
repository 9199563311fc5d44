//! Versions of a model that were made alike, by the facts that they share.

use std::collections::{BTreeSet, HashMap};

use stemma_api::types::{ModelVersion, SimilarVersion};
use stemma_core::{Problem, id::RunId, name::ProjectName, record::RunRecord};
use stemma_stats::{Fact, Similarity};

use crate::{Known, model::compare::facts::Facts, problem::internal};

/// The newest other versions that are compared.
const COMPARED_MAX: usize = 50;
const SHOWN: usize = 5;
/// Facts of another version that are named.
const FACTS_SHOWN: usize = 5;

/// The versions that share most facts with one, and what was left out.
pub async fn similar_to(
    known: &Known,
    project: &ProjectName,
    version: &ModelVersion,
) -> Result<(Vec<SimilarVersion>, Vec<String>), Problem> {
    let all = known.versions_if_any(project, &version.model).await?.unwrap_or_default();
    let others: Vec<&ModelVersion> = all.iter().rev().filter(|other| other.number != version.number).collect();
    let mut left_out = Vec::new();
    if others.len() > COMPARED_MAX {
        left_out.push(format!("{} older versions were not compared", others.len() - COMPARED_MAX));
    }
    let others = &others[..others.len().min(COMPARED_MAX)];
    let ids: Vec<RunId> = others.iter().copied().chain([version]).filter_map(|one| one.run).collect();
    let records = known.runs_by_id(project, &ids).await?;
    let runs: HashMap<RunId, &RunRecord> = records.iter().map(|run| (run.id, run)).collect();
    let run_of = |one: &ModelVersion| one.run.and_then(|run| runs.get(&run).copied());
    let own = Facts::of(version, run_of(version)).map_err(internal)?;
    let without = others.iter().filter(|other| run_of(other).is_none()).count();
    if run_of(version).is_none() {
        left_out.push("no run of this version is known: its parameters and data are not compared".to_owned());
    } else if without > 0 {
        left_out.push(format!("of {without} others no run is known: they may share more than is told"));
    }
    left_out.push("packages are not compared".to_owned());
    let (mut similar, mut unnamed) = (Vec::new(), own.unnamed);
    for other in others {
        let facts = Facts::of(other, run_of(other)).map_err(internal)?;
        unnamed += facts.unnamed;
        similar.extend(compared(&own.found, other, &facts.found));
    }
    if unnamed > 0 {
        left_out.push(format!("{unnamed} things whose name is empty or has a `=` in it are not compared"));
    }
    // of equals the newest first, as they are
    similar.sort_by(|a, b| b.share.total_cmp(&a.share));
    similar.truncate(SHOWN);
    Ok((similar, left_out))
}

fn compared(own: &BTreeSet<Fact>, other: &ModelVersion, facts: &BTreeSet<Fact>) -> Option<SimilarVersion> {
    let similarity = Similarity::of(own, facts);
    let (shared, all) = (similarity.shared.len(), own.union(facts).count());
    Some(SimilarVersion {
        version: other.name(),
        share: similarity.share().filter(|share| *share > 0.0)?,
        shared: shared as u64,
        all: all as u64,
        only_there: similarity.only_other.iter().take(FACTS_SHOWN).map(|fact| fact.to_string()).collect(),
    })
}
