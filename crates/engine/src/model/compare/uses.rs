//! How often a dataset version was used to judge models: the more often, the less its rows say of the next one.

use std::collections::{BTreeMap, BTreeSet};

use stemma_api::types::{DataUses, ModelUses};
use stemma_core::{
    Problem,
    event::{EvidenceKind, EvidenceRecorded},
    name::{ModelName, ProjectName},
    version::VersionNumber,
};

use crate::{Known, problem::ledger_problem};

#[derive(Default)]
struct Uses {
    versions: BTreeSet<VersionNumber>,
    evaluations: u64,
    checks: u64,
    comparisons: u64,
}

/// Counts what the ledger of a project tells; what it can't tell is named.
pub async fn uses(known: &Known, project: &ProjectName, data: &str) -> Result<DataUses, Problem> {
    let evidence = known.facts().evidence_on(project, data).await.map_err(ledger_problem)?;
    let mut models: BTreeMap<ModelName, Uses> = BTreeMap::new();
    for one in evidence {
        models.entry(one.model.clone()).or_default().count(&one);
    }
    let mut untold = 0;
    for (model, uses) in &mut models {
        let versions = known.versions_if_any(project, model).await?.unwrap_or_default();
        for version in versions.iter().filter(|version| uses.versions.contains(&version.number)) {
            match &version.comparison {
                Some(comparison) => uses.comparisons += u64::from(comparison.data == data),
                None => untold += u64::from(version.improvement().is_some()),
            }
        }
    }
    let sum = |of: fn(&Uses) -> u64| models.values().map(of).sum();
    Ok(DataUses {
        data: data.to_owned(),
        evaluations: sum(|uses| uses.evaluations),
        checks: sum(|uses| uses.checks),
        comparisons: sum(|uses| uses.comparisons),
        unseen: unseen(known, project, data, untold).await?,
        models: models.into_iter().map(|(model, uses)| uses.of(model)).collect(),
    })
}

impl Uses {
    fn count(&mut self, one: &EvidenceRecorded) {
        self.versions.insert(one.version);
        match one.kind {
            EvidenceKind::Evaluation => self.evaluations += 1,
            EvidenceKind::Gate | EvidenceKind::Validation | EvidenceKind::Reproduction | EvidenceKind::Behaviour => {
                self.checks += 1
            }
        }
    }

    fn of(self, model: ModelName) -> ModelUses {
        let Self { versions, evaluations, checks, comparisons } = self;
        ModelUses { model, versions: versions.len() as u64, evaluations, checks, comparisons }
    }
}

/// What is not counted: what left no trace, or one that does not say what it rests on.
async fn unseen(known: &Known, project: &ProjectName, data: &str, untold: u64) -> Result<Vec<String>, Problem> {
    let mut unseen = vec!["comparisons that were only looked at, as this one: they leave no trace".to_owned()];
    if untold > 0 {
        let versions = if untold == 1 { "1 version was" } else { &format!("{untold} versions were") };
        unseen.push(format!("{versions} compared before it was kept on what data"));
    }
    let version = known.find_dataset(project, data).await?;
    let same = known.facts().dataset_versions_of(project, version.digest).await.map_err(ledger_problem)?;
    let named = same.into_iter().map(|one| format!("{}@{}", one.value.dataset, one.value.number));
    let others: Vec<String> = named.filter(|name| name != data).collect();
    if !others.is_empty() {
        unseen.push(format!("uses of the same bytes under other names: {}", others.join(", ")));
    }
    unseen.push("uses in other projects, and outside of this home".to_owned());
    Ok(unseen)
}
