//! Many versions at once, by what the ledger kept of their evaluations; a few of them also row by row.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use stemma_api::types::{ComparedMetric, ComparedVersion, ModelVersion, Several, VersionTable};
use stemma_core::{
    Problem,
    event::{EvidenceKind, EvidenceRecorded},
    metric::MetricKind,
    name::{ModelName, ProjectName},
    version::VersionNumber,
};
use stemma_ledger::Recorded;

use super::beside::{Judged, beside_first};
use crate::{Known, model::evaluate::is_by_command, problem::ledger_problem, resolve::find_model_reference};

/// Versions in one table.
const VERSIONS_MAX: usize = 1000;
/// Versions that are compared row by row with the first, it included.
const PAIRED_MAX: usize = 10;
/// So many versions of a model are looked up one by one; of more, all of the model are read at once.
const ONE_BY_ONE_MAX: usize = 20;

/// A version with its newest evaluation.
struct Entry {
    version: ModelVersion,
    evaluation: Option<EvidenceRecorded>,
}

impl Known {
    /// Compares versions by their newest evaluations, asking no model anything.
    pub async fn compare_several(&self, project: &ProjectName, asked: &Several) -> Result<VersionTable, Problem> {
        let (versions, mut notes) = versions(self, project, asked).await?;
        let entries = with_evaluations(self, project, versions).await?;
        let primary = primary(self, project, &entries, &mut notes).await?;
        let data = most_used(&entries);
        let beside_first = match entries.len() {
            ..=PAIRED_MAX => beside_first(self, entries.iter().map(Entry::judged).collect()).await?,
            many => {
                notes.push(format!(
                    "no tests on the same rows: they are made of at most {PAIRED_MAX} versions, not {many}"
                ));
                Vec::new()
            }
        };
        notes.extend(told_of_others(&entries, data.as_deref()));
        Ok(VersionTable {
            metrics: metrics(&entries, data.as_deref()),
            versions: entries.into_iter().map(Entry::told).collect(),
            primary,
            data,
            beside_first,
            notes,
        })
    }
}

/// Those that are named, each once, and those of a model; of more than can be shown the newest.
async fn versions(
    known: &Known,
    project: &ProjectName,
    asked: &Several,
) -> Result<(Vec<ModelVersion>, Vec<String>), Problem> {
    let too_many = |count: usize| {
        Problem::invalid(format!("{count} versions are too many: at most {VERSIONS_MAX} can be compared at once"))
    };
    if asked.of.len() > VERSIONS_MAX {
        return Err(too_many(asked.of.len()));
    }
    let mut found = named(known, project, &asked.of).await?;
    let mut notes = Vec::new();
    if let Some(model) = &asked.model {
        let Some(of_model) = known.versions_if_any(project, model).await? else {
            // says what is near
            find_model_reference(known, project, model.as_str()).await?;
            return Err(Problem::not_found(format!("there is no model `{model}` in project `{project}`")));
        };
        let room = VERSIONS_MAX - found.len().min(VERSIONS_MAX);
        let older = of_model.len().saturating_sub(room);
        if older > 0 {
            notes.push(format!("the {older} oldest versions of `{model}`: the newest {room} are shown"));
        }
        found.extend(of_model.into_iter().skip(older));
    }
    let mut seen = BTreeSet::new();
    found.retain(|version| seen.insert((version.model.clone(), version.number)));
    if found.len() < 2 {
        let message =
            format!("{} can be compared with nothing else", found.first().map_or("nothing".into(), ModelVersion::name));
        return Err(Problem::invalid(message).hint("name two versions or more, as in `credit-score@1.0.0`, or a model"));
    }
    Ok((found, notes))
}

/// The versions that references name, in their order.
async fn named(known: &Known, project: &ProjectName, references: &[String]) -> Result<Vec<ModelVersion>, Problem> {
    let mut by_model: BTreeMap<&str, usize> = BTreeMap::new();
    for reference in references {
        *by_model.entry(model_part(reference)).or_default() += 1;
    }
    let mut read: HashMap<(String, VersionNumber), ModelVersion> = HashMap::new();
    for (model, _) in by_model.iter().filter(|(_, count)| **count > ONE_BY_ONE_MAX) {
        let versions = known.versions_if_any(project, &ModelName::new(*model)?).await?.unwrap_or_default();
        read.extend(versions.into_iter().map(|version| (((*model).to_owned(), version.number), version)));
    }
    let mut found = Vec::with_capacity(references.len());
    for reference in references {
        let number = reference.split_once('@').and_then(|(_, number)| number.parse().ok());
        let at_hand = number.and_then(|number| read.get(&(model_part(reference).to_owned(), number)));
        found.push(match at_hand {
            Some(version) => version.clone(),
            None => find_model_reference(known, project, reference).await?,
        });
    }
    Ok(found)
}

fn model_part(reference: &str) -> &str {
    reference.split_once('@').map_or(reference, |(model, _)| model)
}

/// Each version with its newest evaluation; of a model with many all are read at once.
async fn with_evaluations(
    known: &Known,
    project: &ProjectName,
    versions: Vec<ModelVersion>,
) -> Result<Vec<Entry>, Problem> {
    let mut by_model: BTreeMap<ModelName, usize> = BTreeMap::new();
    for version in &versions {
        *by_model.entry(version.model.clone()).or_default() += 1;
    }
    let mut newest: HashMap<(ModelName, VersionNumber), Vec<EvidenceRecorded>> = HashMap::new();
    let mut take = |rows: Vec<Recorded<EvidenceRecorded>>| {
        for Recorded { value, .. } in rows {
            newest.entry((value.model.clone(), value.version)).or_default().push(value);
        }
    };
    for (model, _) in by_model.iter().filter(|(_, count)| **count > ONE_BY_ONE_MAX) {
        let rows = known.facts().evidence_of_model(project, model, EvidenceKind::Evaluation).await;
        take(rows.map_err(ledger_problem)?);
    }
    for version in versions.iter().filter(|version| by_model[&version.model] <= ONE_BY_ONE_MAX) {
        let rows = known.facts().evidence(project, &version.model, version.number).await;
        take(rows.map_err(ledger_problem)?);
    }
    let entry = |version: ModelVersion| {
        let of_version = newest.remove(&(version.model.clone(), version.number)).unwrap_or_default();
        let is_its = |one: &EvidenceRecorded| one.kind == EvidenceKind::Evaluation && one.subject == version.digest;
        Entry { evaluation: of_version.into_iter().rfind(is_its), version }
    };
    Ok(versions.into_iter().map(entry).collect())
}

/// The metric by which all their models are judged, if it is one.
async fn primary(
    known: &Known,
    project: &ProjectName,
    entries: &[Entry],
    notes: &mut Vec<String>,
) -> Result<Option<String>, Problem> {
    let models: BTreeSet<&ModelName> = entries.iter().map(|entry| &entry.version.model).collect();
    let mut primaries = BTreeSet::new();
    for model in models {
        match known.policy_or_default(project, model).await?.evaluation {
            Some(spec) => _ = primaries.insert(spec.primary),
            None => notes.push(format!("model `{model}` declares no evaluation")),
        }
    }
    if primaries.len() > 1 {
        let names: Vec<String> = primaries.iter().cloned().collect();
        notes.push(format!("which is the best: their models are judged by {}", names.join(", ")));
        return Ok(None);
    }
    Ok(primaries.pop_first())
}

/// The data of most evaluations, of equals that of the newest.
fn most_used(entries: &[Entry]) -> Option<String> {
    let mut counts: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    for entry in entries {
        if let Some(data) = entry.data() {
            let count = counts.entry(data).or_default();
            *count = (count.0 + 1, count.1.max(entry.version.registered.seq));
        }
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(data, _)| data.to_owned())
}

/// All metrics that some version has, those of most versions first, with the best of each on one set of rows.
fn metrics(entries: &[Entry], data: Option<&str>) -> Vec<ComparedMetric> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in entries.iter().flat_map(|entry| entry.metrics().keys()) {
        *counts.entry(name).or_default() += 1;
    }
    let mut names: Vec<(&str, usize)> = counts.into_iter().collect();
    names.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let compared = |(name, _): (&str, usize)| {
        let higher_is_better = MetricKind::of(name)?.higher_is_better;
        let on_data = entries.iter().filter(|entry| entry.data() == data && !entry.is_leaky());
        let values: Vec<f64> = on_data.filter_map(|entry| entry.metrics().get(name).copied()).collect();
        // one alone is the best of nothing
        let several = Some(values).filter(|values| values.len() > 1).unwrap_or_default();
        let best = several.into_iter().reduce(if higher_is_better { f64::max } else { f64::min });
        Some(ComparedMetric { metric: name.to_owned(), higher_is_better, best })
    };
    names.into_iter().filter_map(compared).collect()
}

/// What was judged on other rows, or not at all.
fn told_of_others(entries: &[Entry], data: Option<&str>) -> Vec<String> {
    let count = |is: &dyn Fn(&&Entry) -> bool| entries.iter().filter(is).count();
    let (others, none, leaky) = (
        count(&|entry| entry.data().is_some() && entry.data() != data),
        count(&|entry| entry.evaluation.is_none()),
        count(&|entry| entry.is_leaky()),
    );
    let told = [
        (others, format!("judged on other data than {}: not drawn, and never the best", data.unwrap_or("none"))),
        (none, "never evaluated".to_owned()),
        (leaky, "judged on fewer rows, because training had read the others: never the best".to_owned()),
    ];
    let some = told.into_iter().filter(|(count, _)| *count > 0);
    some.map(|(count, what)| format!("{count} {what}")).collect()
}

impl Entry {
    fn data(&self) -> Option<&str> {
        self.evaluation.as_ref()?.data.as_deref()
    }

    fn is_leaky(&self) -> bool {
        self.evaluation.as_ref().is_some_and(|evaluation| evaluation.leaky)
    }

    fn metrics(&self) -> &BTreeMap<String, f64> {
        static NONE: BTreeMap<String, f64> = BTreeMap::new();
        self.evaluation.as_ref().and_then(|evaluation| evaluation.metrics.as_ref()).unwrap_or(&NONE)
    }

    fn judged(&self) -> Judged {
        Judged { version: self.version.name(), report: self.evaluation.as_ref().map(|evaluation| evaluation.report) }
    }

    fn doubt(&self) -> Option<String> {
        let name = self.version.name();
        let again = |why: &str| format!("{why}; `stemma evaluate {name}` does it");
        match &self.evaluation {
            None => Some(again("it was never evaluated")),
            Some(evaluation) if evaluation.metrics.is_none() => {
                Some(again("it was evaluated before the ledger was told metrics"))
            }
            Some(evaluation) if evaluation.leaky => Some("rows that training had read were left out".to_owned()),
            Some(_) => None,
        }
    }

    fn told(self) -> ComparedVersion {
        ComparedVersion {
            version: self.version.name(),
            data: self.data().map(str::to_owned),
            metrics: self.metrics().clone(),
            by_command: self.evaluation.as_ref().is_some_and(is_by_command),
            doubt: self.doubt(),
            model: self.version.model,
            number: self.version.number,
            stage: self.version.stage,
            aliases: self.version.aliases,
            registered: self.version.registered,
        }
    }
}
