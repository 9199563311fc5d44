//! Versions of a model that were made alike, by the facts that they share.

use std::collections::{BTreeSet, HashMap};

use stemma_api::types::{ModelVersion, SimilarVersion};
use stemma_core::{Problem, id::RunId, name::ProjectName, record::RunRecord};
use stemma_stats::{Fact, Similarity};

use crate::Known;

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
    let own = facts_of(version, run_of(version));
    let without = others.iter().filter(|other| run_of(other).is_none()).count();
    if run_of(version).is_none() {
        left_out.push("no run of this version is known: its parameters and data are not compared".to_owned());
    } else if without > 0 {
        left_out.push(format!("of {without} others no run is known: they may share more than is told"));
    }
    let mut similar: Vec<SimilarVersion> =
        others.iter().filter_map(|other| compared(&own, other, run_of(other))).collect();
    // of equals the newest first, as they are
    similar.sort_by(|a, b| b.share.total_cmp(&a.share));
    similar.truncate(SHOWN);
    Ok((similar, left_out))
}

fn compared(own: &BTreeSet<Fact>, other: &ModelVersion, run: Option<&RunRecord>) -> Option<SimilarVersion> {
    let facts = facts_of(other, run);
    let similarity = Similarity::of(own, &facts);
    let (shared, all) = (similarity.shared.len(), own.union(&facts).count());
    Some(SimilarVersion {
        version: other.name(),
        share: similarity.share().filter(|share| *share > 0.0)?,
        shared: shared as u64,
        all: all as u64,
        only_there: similarity.only_other.iter().take(FACTS_SHOWN).map(|fact| fact.to_string()).collect(),
    })
}

/// What is compared: contract, format, and of its run parameters and what it read.
fn facts_of(version: &ModelVersion, run: Option<&RunRecord>) -> BTreeSet<Fact> {
    let signature = version.known_signature();
    let inputs = signature.iter().flat_map(|known| &known.inputs).map(|field| ("input", field));
    let outputs = signature.iter().flat_map(|known| &known.outputs).map(|field| ("output", field));
    let fields = inputs
        .chain(outputs)
        .map(|(kind, field)| (kind, field.name.clone(), format!("{}{:?}", field.datatype, field.shape)));
    let params = run.iter().flat_map(|run| &run.params).map(|(name, value)| ("param", name.clone(), value.clone()));
    let data = run.iter().flat_map(|run| &run.inputs).map(|file| ("data", file.path.clone(), file.digest.to_string()));
    let format = [("format", "file".to_owned(), version.format.clone())];
    let all = fields.chain(params).chain(data).chain(format);
    // a name with `=` is no name of a fact
    all.filter_map(|(kind, name, value)| Fact::new(kind, &name.replace('=', "≡"), &value).ok()).collect()
}
