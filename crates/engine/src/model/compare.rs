//! Compare: two versions side by side, and which one to prefer.

mod performance;
mod recipe;
mod tables;

use stemma_api::types::{ModelVersion, VersionComparison};
use stemma_core::{
    Problem,
    name::ProjectName,
    recommend::{CompareFacts, recommend},
    record::RunRecord,
    signature::ContractChange,
};
use tokio::sync::Semaphore;

use crate::{
    Engine, Known,
    model::compare::{
        performance::compare_performance,
        recipe::{compare_code, compare_environments},
        tables::compare_tables,
    },
    problem::internal,
    resolve::find_model_reference,
};

/// Comparisons at once: each holds two models and some tables in memory.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

impl Engine {
    /// Compares two versions that were called so at the moment that is asked about. What they are has not changed since; what
    /// is measured, is measured now.
    pub async fn compare_versions_of(
        &self,
        known: &Known,
        project: &ProjectName,
        a: &str,
        b: &str,
    ) -> Result<VersionComparison, Problem> {
        let a = find_model_reference(known, project, a).await?;
        let b = find_model_reference(known, project, b).await?;
        known.leave_out("what was measured then: it is measured now, by the evaluation that is declared now");
        let found = self.compare_versions(project, &a.name(), &b.name()).await?;
        Ok(VersionComparison { a, b, ..found })
    }

    /// Compares two versions, `model@version` each; what can't be compared is noted and left out.
    pub async fn compare_versions(
        &self,
        project: &ProjectName,
        a: &str,
        b: &str,
    ) -> Result<VersionComparison, Problem> {
        let _slot = AT_ONCE.acquire().await.map_err(internal)?;
        let a = find_model_reference(self.known(), project, a).await?;
        let b = find_model_reference(self.known(), project, b).await?;
        let mut notes = Vec::new();
        let runs = [run_of(self.known(), project, &a).await?, run_of(self.known(), project, &b).await?];
        let measured = compare_performance(self, project, [&a, &b], [runs[0].as_ref(), runs[1].as_ref()]).await;
        let (performance, leaky_rows) = match measured {
            Ok(measured) => (Ok(measured.found), measured.leaky_rows),
            Err(problem) => (Err(problem.message), [0, 0]),
        };
        let signature = contract_changes(&a, &b);
        let slices = performance.as_ref().map_or(&[][..], |found| &found.slices);
        let shown = |is: fn(&[f64; 2]) -> bool| {
            let some = slices.iter().filter(move |slice| slice.interval.as_ref().is_some_and(is));
            some.map(|slice| format!("{} = {}", slice.column, slice.value)).collect()
        };
        let facts = CompareFacts {
            performance: performance.as_ref().map(|found| found.primary.clone()).map_err(String::clone),
            breaking: signature.iter().filter(|change| change.breaking).map(|change| change.what.clone()).collect(),
            leaky_rows,
            worse_slices: shown(|[_, high]| *high < 0.0),
            better_slices: shown(|[low, _]| *low > 0.0),
            capture: [0, 1].map(|at| runs[at].as_ref().map(|run: &RunRecord| run.capture.level)),
        };
        let mut found = VersionComparison {
            recommendation: recommend(&facts),
            performance: performance.ok(),
            parameters: Vec::new(),
            files: Vec::new(),
            signature,
            environment: Vec::new(),
            code: Vec::new(),
            data: Vec::new(),
            notes: Vec::new(),
            a,
            b,
        };
        if let [Some(one), Some(two)] = &runs {
            found.parameters = recipe::parameters(one, two);
            found.files = recipe::files(one, two);
            found.environment = compare_environments(self.known(), one, two, &mut notes).await;
            found.code = compare_code(self.known(), one, two, &mut notes).await;
            found.data = compare_tables(self.known(), &found.files, &mut notes).await;
        }
        found.notes = notes;
        Ok(found)
    }
}

/// How the contract of one differs from that of another; that it can't be told counts as [`decide`] counts it.
///
/// [`decide`]: stemma_core::version::decide
fn contract_changes(a: &ModelVersion, b: &ModelVersion) -> Vec<ContractChange> {
    let unknown = |breaking: bool, what: String| vec![ContractChange { breaking, what }];
    match (a.known_signature(), b.known_signature()) {
        (Some(one), Some(other)) => one.changes_to(other),
        (None, None) => unknown(false, "neither contract is known".to_owned()),
        (None, Some(_)) => unknown(true, format!("the contract of {} is unknown", a.name())),
        (Some(_), None) => unknown(true, format!("the contract of {} is unknown", b.name())),
    }
}

async fn run_of(known: &Known, project: &ProjectName, version: &ModelVersion) -> Result<Option<RunRecord>, Problem> {
    match version.run {
        Some(run) => known.run_record(project, run).await.map(Some),
        None => Ok(None),
    }
}
