//! Compare: two versions side by side, and which one to take.

mod at_once;
mod beside;
mod delta;
mod environment;
mod evaluations;
pub(super) mod facts;
mod importance;
mod performance;
mod recipe;
mod several;
mod significance;
mod standing;
mod tables;
mod uses;
mod verdict;

use stemma_api::types::{ModelVersion, PairedTest, SliceComparison, VersionComparison};
use stemma_core::{
    Problem,
    name::ProjectName,
    recommend::{CompareFacts, recommend},
    record::RunRecord,
    signature::ContractChange,
};

use crate::{
    Engine, Known,
    model::compare::{
        at_once::AT_ONCE,
        environment::Environment,
        importance::importance,
        performance::{Measured, compare_performance},
        recipe::compare_code,
        standing::{Standing, standing},
        tables::compare_tables,
        uses::uses,
        verdict::measured,
    },
    problem::internal,
    resolve::find_model_reference,
};

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
        let known = self.known();
        let a = find_model_reference(known, project, a).await?;
        let b = find_model_reference(known, project, b).await?;
        let runs = [run_of(known, project, &a).await?, run_of(known, project, &b).await?];
        let standings = [standing(known, project, &a).await?, standing(known, project, &b).await?];
        let performance = compare_performance(self, project, [&a, &b], [runs[0].as_ref(), runs[1].as_ref()]).await;
        let mut performance = performance.map_err(|problem| problem.message);
        let mut notes = performance.as_mut().map(|found| std::mem::take(&mut found.notes)).unwrap_or_default();
        if let Ok(Measured { found, .. }) = &mut performance {
            match uses(known, project, &found.primary.data).await {
                Ok(uses) => found.uses = Some(uses),
                Err(problem) => notes.push(format!("how often the data was used is not known: {}", problem.message)),
            }
        }
        let signature = contract_changes(&a, &b);
        let facts = CompareFacts {
            breaking: signature.iter().filter(|change| change.breaking).map(|change| change.what.clone()).collect(),
            capture: [0, 1].map(|at| runs[at].as_ref().map(|run: &RunRecord| run.capture.level)),
            ..measured_facts(performance.as_ref(), &standings)?
        };
        let improvement = performance.as_ref().ok().map(|measured| measured.found.primary.difference);
        let mut found = VersionComparison {
            recommendation: recommend(&facts),
            importance: Some(importance(known, project, [&a, &b], improvement).await?),
            performance: performance.ok().map(|measured| measured.found),
            similarity: None,
            parameters: Vec::new(),
            files: Vec::new(),
            signature,
            environment: Vec::new(),
            code: Vec::new(),
            data: Vec::new(),
            behaves_as: None,
            notes,
            a,
            b,
        };
        compare_recipes(known, &mut found, [runs[0].as_ref(), runs[1].as_ref()]).await?;
        Ok(found)
    }
}

/// What was measured, and what gates and slices say of it.
fn measured_facts(performance: Result<&Measured, &String>, standings: &[Standing; 2]) -> Result<CompareFacts, Problem> {
    let [a, b] = standings;
    let compared = match performance {
        Err(why) => Err(why.clone()),
        Ok(Measured { found, .. }) => {
            let compared = measured(found.primary.clone(), [a, b]);
            Ok(compared.map_err(|error| Problem::invalid(error.to_string()))?)
        }
    };
    let shown = |is: fn(&[f64; 2]) -> bool| -> Vec<String> {
        let found = performance.map(|measured| &measured.found).ok();
        let slices = found.iter().flat_map(|found| found.slices.iter().map(|slice| (slice, &found.tests)));
        let some = slices.filter(|(slice, _)| slice.interval.as_ref().is_some_and(is));
        some.map(|(slice, tests)| told(slice, tests)).collect()
    };
    Ok(CompareFacts {
        performance: compared,
        breaking: Vec::new(),
        leaky_rows: performance.map_or([0, 0], |measured| measured.leaky_rows),
        doubts: performance.map_or([None, None], |measured| measured.doubts.clone()),
        gates: [a.told(), b.told()],
        worse_slices: shown(|[_, high]| *high < 0.0),
        better_slices: shown(|[low, _]| *low > 0.0),
        capture: [None, None],
    })
}

/// A slice by its name, and whether its difference is one that chance makes where so many are looked at.
fn told(slice: &SliceComparison, tests: &[PairedTest]) -> String {
    let name = format!("{} = {}", slice.column, slice.value);
    match tests.iter().find(|test| test.slice.as_ref() == Some(&name)) {
        Some(test) if test.is_shown() => name,
        Some(_) => format!("{name}, by itself: of {} tests at once it is not (Holm)", tests.len()),
        None => format!("{name}, by its interval alone"),
    }
}

/// Adds how both were made, where a run is known of both, and what is the same of what is known.
async fn compare_recipes(
    known: &Known,
    found: &mut VersionComparison,
    runs: [Option<&RunRecord>; 2],
) -> Result<(), Problem> {
    let mut environments = [None, None];
    for (at, run) in runs.iter().enumerate() {
        let Some(run) = run else { continue };
        match Environment::read(known, run.environment).await {
            Ok(environment) => environments[at] = Some(environment),
            Err(problem) => found.notes.push(format!("an environment can't be read: {}", problem.message)),
        }
    }
    let [a, b] = &environments;
    if let [Some(one), Some(two)] = runs {
        found.parameters = recipe::parameters(one, two);
        found.files = recipe::files(one, two);
        found.code = compare_code(known, one, two, &mut found.notes).await;
        found.data = compare_tables(known, &found.files, &mut found.notes).await;
        if let (Some(a), Some(b)) = (a, b) {
            found.environment = a.differences(b);
        }
    }
    let a = facts::Sources { version: &found.a, run: runs[0], environment: a.as_ref() };
    let b = facts::Sources { version: &found.b, run: runs[1], environment: b.as_ref() };
    let similarity = facts::similarity(&a, &b).map_err(|error| Problem::invalid(error.to_string()))?;
    found.similarity = Some(similarity);
    Ok(())
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
