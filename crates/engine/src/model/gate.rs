//! Gates: the declared checks of a version, each leaving evidence bound to its digest.

mod slices;

use stemma_api::types::{GateResults, GateStanding, GateStandings, ModelVersion, RunGates};
use stemma_core::{
    Digest, ErrorKind, Problem, canonical,
    event::{Event, EvidenceKind, EvidenceRecorded},
    id::{EvidenceId, RequestId},
    name::{GateName, ModelName, ProjectName},
    near,
    policy::{Bounds, DataTest, EvaluationSpec, GateSpec, ModelPolicy},
    record::{CheckResult, EvaluationReport, GateReport, Latency, SliceFound},
};

use self::slices::{Asked, Limits};
use crate::{
    Caller, Engine, Known,
    data::data_test::{self, Beside},
    model::{
        cases::{self, case_results, packed_cases},
        validate::{Validation, validation_of},
    },
    problem::internal,
    resolve::find_version,
    table::Table,
};

/// Longest stored report.
const REPORT_BYTES_MAX: u64 = 16 << 20;

/// What a gate found, before it is a report.
#[derive(Default)]
struct Found {
    checks: Vec<CheckResult>,
    slices: Vec<SliceFound>,
    data: Option<String>,
    latency: Option<Latency>,
}

impl Known {
    /// The declared gates with their newest reports on this version.
    pub async fn gate_standings(
        &self,
        project: &ProjectName,
        model: &ModelName,
        version: &str,
    ) -> Result<GateStandings, Problem> {
        let version = find_version(self, project, model, version).await?;
        let policy = self.policy_or_default(project, model).await?;
        let evidence = self.evidence(project, &version).await?;
        let mut gates = Vec::new();
        for gate in policy.gates.keys() {
            let of_gate = |one: &&stemma_api::types::Evidence| {
                one.gate.as_ref() == Some(gate) && one.kind == EvidenceKind::Gate && one.subject == version.digest
            };
            let mut standing = GateStanding { gate: gate.clone(), report: None, stale: false };
            if let Some(newest) = evidence.iter().rev().find(of_gate) {
                let what = format!("the report of gate `{gate}`");
                let Some(report) = gate_report(self, newest.report, &what).await? else {
                    continue;
                };
                standing.report = Some(report);
                standing.stale = policy.gate_digest(gate) != Some(newest.spec_digest);
            }
            gates.push(standing);
        }
        Ok(GateStandings { version: version.name(), gates })
    }
}

/// What a gate or a validation found; nothing if it is asked about the past and the bytes are gone since.
pub(crate) async fn gate_report(known: &Known, report: Digest, what: &str) -> Result<Option<GateReport>, Problem> {
    let Some(bytes) = known.read_shown(report, REPORT_BYTES_MAX, what).await? else {
        return Ok(None);
    };
    let unreadable = |error| Problem::new(ErrorKind::Corrupt, format!("{what} can't be read: {error}"));
    serde_json::from_slice(&bytes).map(Some).map_err(unreadable)
}

impl Engine {
    /// Runs the named gates of a version, or all, and records what they found.
    pub async fn run_gates(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        model: &ModelName,
        version: &str,
        run: RunGates,
    ) -> Result<GateResults, Problem> {
        let version = find_version(self.known(), project, model, version).await?;
        let policy = self.known().policy_or_default(project, model).await?;
        let wanted = wanted_gates(model, &policy, &run.gates)?;
        let mut results = Vec::new();
        let mut events = Vec::new();
        let mut stopped = Ok(());
        for (at, (name, spec)) in wanted.iter().enumerate() {
            let found = match self.run_gate(project, &version, &policy, spec).await {
                Ok(found) => found,
                Err(problem) if is_an_answer(problem.kind) => unanswered(spec, &problem),
                Err(problem) => {
                    stopped = Err(did_not_run(problem, &wanted[at..]));
                    break;
                }
            };
            let data = found.data.clone();
            let report = report(name, found);
            let bytes = canonical::to_bytes(&report).map_err(internal)?;
            let stored = self.put_content(project, bytes).await?;
            events.push(Event::EvidenceRecorded(EvidenceRecorded {
                project: project.clone(),
                evidence: EvidenceId::generate(),
                kind: EvidenceKind::Gate,
                model: model.clone(),
                version: version.number,
                subject: version.digest,
                gate: Some((*name).clone()),
                spec_digest: policy.gate_digest(name).unwrap_or_else(|| spec.digest()),
                passed: report.passed,
                summary: summary(&report),
                report: stored,
                data,
                leaky: false,
                metrics: None,
            }));
            results.push(report);
        }
        // what ran is evidence, whatever came after it
        if !events.is_empty() {
            let events = &events;
            self.change(caller, request, || async move { Ok(events.clone()) }).await?;
        }
        stopped.map(|()| GateResults { version: version.name(), results })
    }

    async fn run_gate(
        &self,
        project: &ProjectName,
        version: &ModelVersion,
        policy: &ModelPolicy,
        spec: &GateSpec,
    ) -> Result<Found, Problem> {
        match spec {
            GateSpec::DataTest(test) => test_data(self.known(), project, test).await,
            GateSpec::MetricBaseline { .. } | GateSpec::SliceGap { .. } | GateSpec::SliceBaseline { .. } => {
                let evaluation = self.evaluation_for(project, version, spec, policy.evaluation.as_ref()).await?;
                Ok(check_evaluation(spec, evaluation))
            }
            GateSpec::Validation(spec) => {
                let Validation { checks, data, latency } = validation_of(self, project, version, spec).await?;
                Ok(Found { checks, data, latency, ..Found::default() })
            }
            GateSpec::RegressionCases { cases: None, .. } => Ok(fails(spec, "they were not sent".to_owned())),
            GateSpec::RegressionCases { cases: Some(cases), .. } => {
                let cases = packed_cases(self.known(), project, *cases).await?;
                let results = case_results(self.known(), version, cases.clone()).await?;
                let checks = cases.iter().zip(&results).map(|(case, result)| cases::check(case, result)).collect();
                Ok(Found { checks, ..Found::default() })
            }
        }
    }

    /// The newest evaluation of a version, if it was made as it is declared today; or why it does not count. For
    /// slices all of the declaration counts: they may be cut elsewhere now.
    async fn evaluation_for(
        &self,
        project: &ProjectName,
        version: &ModelVersion,
        spec: &GateSpec,
        declared: Option<&EvaluationSpec>,
    ) -> Result<Result<EvaluationReport, String>, Problem> {
        let again = format!("`stemma evaluate {}` does so", version.name());
        let otherwise = format!("it was not evaluated as it is declared today; {again}");
        let report = self.known().newest_evaluation_report(project, version).await?;
        let Some((report, declared)) = report.zip(declared) else {
            return Ok(Err(otherwise));
        };
        if !report.is_current() {
            return Ok(Err(format!("it was not evaluated by the rules of today; {again}")));
        }
        if matches!(spec, GateSpec::MetricBaseline { .. }) {
            return Ok(if is_as_declared(&report, declared) { Ok(report) } else { Err(otherwise) });
        }
        let evidence = self.known().evidence(project, version).await?;
        let newest =
            evidence.iter().rev().find(|one| one.kind == EvidenceKind::Evaluation && one.subject == version.digest);
        let today = declared.digest(report.data_digest);
        Ok(if newest.is_some_and(|one| one.spec_digest == today) { Ok(report) } else { Err(otherwise) })
    }
}

async fn test_data(known: &Known, project: &ProjectName, test: &DataTest) -> Result<Found, Problem> {
    let (data, table) = dataset_table(known, project, &test.data).await?;
    let mut beside = Beside::default();
    for rule in &test.no_overlap {
        beside.overlaps.push(dataset_table(known, project, &rule.data).await?.1);
    }
    if let Some(drift) = &test.drift {
        beside.reference = Some(dataset_table(known, project, &drift.reference).await?.1);
    }
    let test = test.clone();
    let checked = tokio::task::spawn_blocking(move || data_test::check(&table, &test, &beside));
    Ok(Found { checks: checked.await.map_err(internal)?, data: Some(data), ..Found::default() })
}

/// A dataset version by what a declaration calls it: its full name and its rows.
async fn dataset_table(known: &Known, project: &ProjectName, reference: &str) -> Result<(String, Table), Problem> {
    let dataset = known.find_readable_dataset(project, reference).await?;
    let name = format!("{}@{}", dataset.dataset, dataset.number);
    let table = known.read_table(&name, dataset.digest).await?;
    Ok((name, table))
}

fn report(gate: &GateName, found: Found) -> GateReport {
    let passed = found.checks.iter().all(|check| check.passed);
    let Found { checks, slices, latency, .. } = found;
    GateReport { v: 1, gate: gate.to_string(), passed, checks, slices, latency }
}

/// Whether a failure says something about what is checked. Any other is about this installation: the gate did not run.
const fn is_an_answer(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::Invalid
        | ErrorKind::NotFound
        | ErrorKind::Gone
        | ErrorKind::Conflict
        | ErrorKind::Refused
        | ErrorKind::TooLarge
        | ErrorKind::Corrupt => true,
        ErrorKind::Unauthenticated
        | ErrorKind::Forbidden
        | ErrorKind::Config
        | ErrorKind::Unavailable
        | ErrorKind::Stalled
        | ErrorKind::NoRoom
        | ErrorKind::Internal => false,
    }
}

/// What can't be answered is not passed.
fn unanswered(spec: &GateSpec, problem: &Problem) -> Found {
    fails(spec, problem.message.clone())
}

fn fails(spec: &GateSpec, found: String) -> Found {
    Found { checks: vec![CheckResult::new(describe(spec), false, found)], ..Found::default() }
}

fn did_not_run(problem: Problem, gates: &[(&GateName, &GateSpec)]) -> Problem {
    let names: Vec<String> = gates.iter().map(|(name, _)| format!("`{name}`")).collect();
    let gates = if names.len() == 1 { "gate" } else { "gates" };
    let message = format!("{gates} {} did not run: {}", names.join(", "), problem.message);
    Problem { message, ..problem }
}

/// Checks an evaluation, which must have been made on rows that training never read.
fn check_evaluation(spec: &GateSpec, evaluation: Result<EvaluationReport, String>) -> Found {
    let report = match evaluation {
        Ok(report) => report,
        Err(why) => return fails(spec, why),
    };
    let found = if report.is_leaky() {
        fails(spec, format!("the evaluation is leaky: {} rows were read in training", report.leaky_rows))
    } else if let Some(why) = metric_of(spec).and_then(|metric| report.never_defined(metric)) {
        fails(spec, why)
    } else {
        by(&report, check_metrics(spec, &report))
    };
    Found { data: Some(report.data), ..found }
}

/// A number that rests on a command says so wherever it is told.
fn by(report: &EvaluationReport, mut found: Found) -> Found {
    found.checks.iter_mut().for_each(|check| check.found.push_str(report.by()));
    found
}

fn metric_of(spec: &GateSpec) -> Option<&str> {
    match spec {
        GateSpec::MetricBaseline { metric, .. }
        | GateSpec::SliceGap { metric, .. }
        | GateSpec::SliceBaseline { metric, .. } => Some(metric),
        GateSpec::DataTest(_) | GateSpec::RegressionCases { .. } | GateSpec::Validation(_) => None,
    }
}

fn check_metrics(spec: &GateSpec, report: &EvaluationReport) -> Found {
    let checks = match spec {
        GateSpec::MetricBaseline { metric, min, max } => {
            vec![check_bounds(
                metric,
                *min,
                *max,
                report.overall.value(metric).ok_or_else(|| report.why_undefined(metric)),
            )]
        }
        GateSpec::SliceGap { metric, slice, max_gap, min_ratio, min_rows } => {
            let asked = Asked { metric, slice: Some(slice), min_rows: *min_rows };
            let slices = slices::measure(&report.slices, asked);
            let limits = Limits { max_gap: *max_gap, min_ratio: *min_ratio };
            let checks = slices::gap(&slices, &report.slices, asked, limits);
            return Found { checks, slices, ..Found::default() };
        }
        GateSpec::SliceBaseline { metric, slice, min, max, min_rows } => {
            let asked = Asked { metric, slice: slice.as_deref(), min_rows: *min_rows };
            let slices = slices::measure(&report.slices, asked);
            let checks = slices::baseline(&slices, asked, Bounds { min: *min, max: *max });
            return Found { checks, slices, ..Found::default() };
        }
        GateSpec::DataTest(_) | GateSpec::RegressionCases { .. } | GateSpec::Validation(_) => Vec::new(),
    };
    Found { checks, ..Found::default() }
}

/// What a gate wants, in a few words.
fn describe(spec: &GateSpec) -> String {
    match spec {
        GateSpec::MetricBaseline { metric, min, max } => bounds(metric, *min, *max),
        GateSpec::SliceGap { metric, slice, .. } => format!("`{metric}` is alike in the slices of `{slice}`"),
        GateSpec::SliceBaseline { metric, min, max, .. } => format!("{} in every slice", bounds(metric, *min, *max)),
        GateSpec::DataTest(test) => format!("`{}` is as it must be", test.data),
        GateSpec::RegressionCases { path, .. } => format!("the cases in `{path}` pass"),
        GateSpec::Validation(_) => "it loads and answers in a sandbox".to_owned(),
    }
}

/// The declarations to run: all, or those that were named.
fn wanted_gates<'a>(
    model: &ModelName,
    policy: &'a ModelPolicy,
    names: &[String],
) -> Result<Vec<(&'a GateName, &'a GateSpec)>, Problem> {
    if policy.gates.is_empty() {
        return Err(Problem::invalid(format!("model `{model}` declares no gates"))
            .hint(format!("add `[model.{model}.gate.NAME]` to stemma.toml, then `stemma policy apply`")));
    }
    if names.is_empty() {
        return Ok(policy.gates.iter().collect());
    }
    let find = |name: &String| {
        policy.gates.get_key_value(name.as_str()).ok_or_else(|| {
            let declared = policy.gates.keys().map(GateName::as_str);
            Problem::not_found(format!("model `{model}` declares no gate `{name}`")).hint(near::hint(
                name,
                declared,
                "see `stemma policy show`",
            ))
        })
    };
    names.iter().map(find).collect()
}

/// An evaluation made under another declaration says nothing under this one.
fn is_as_declared(report: &EvaluationReport, declared: &EvaluationSpec) -> bool {
    let EvaluationSpec { data, target, positive, labels, query, .. } = declared;
    (data, target, positive, labels, query)
        == (&report.data, &report.target, &report.positive, &report.labels, &report.query)
}

fn bounds(metric: &str, min: Option<f64>, max: Option<f64>) -> String {
    format!("{metric} {}", Bounds { min, max }.describe())
}

/// Checks a value, or fails with why there is none.
fn check_bounds(metric: &str, min: Option<f64>, max: Option<f64>, value: Result<f64, String>) -> CheckResult {
    let what = bounds(metric, min, max);
    match value {
        Err(why) => CheckResult::new(what, false, why),
        Ok(value) => CheckResult::new(what, Bounds { min, max }.hold(value), format!("{metric} {value:.4}")),
    }
}

fn summary(report: &GateReport) -> String {
    match report.checks.iter().find(|check| !check.passed) {
        Some(failed) => format!("{}: {}", failed.what, failed.found),
        None => match report.checks.as_slice() {
            [one] => format!("{}: {}", one.what, one.found),
            many => format!("{} checks passed", many.len()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_inclusive_and_the_unknown_fails() {
        assert!(check_bounds("auc", Some(0.7), None, Ok(0.7)).passed);
        assert!(!check_bounds("auc", Some(0.7), None, Ok(0.69)).passed);
        assert!(!check_bounds("brier", None, Some(0.2), Ok(0.21)).passed);
        let unknown = check_bounds("auc", None, None, Err("all rows are good".to_owned()));
        assert_eq!((unknown.passed, unknown.found.as_str()), (false, "all rows are good"));
    }

    #[test]
    fn gates_that_did_not_run_are_named() {
        let (one, two): (GateName, GateName) = ("one".parse().unwrap(), "two".parse().unwrap());
        let spec = GateSpec::MetricBaseline { metric: "auc".into(), min: Some(0.5), max: None };
        let problem = || Problem::new(ErrorKind::Unavailable, "the store is locked");
        let told = did_not_run(problem(), &[(&one, &spec), (&two, &spec)]);
        assert_eq!(
            (told.kind, told.message.as_str()),
            (ErrorKind::Unavailable, "gates `one`, `two` did not run: the store is locked")
        );
        assert!(did_not_run(problem(), &[(&two, &spec)]).message.starts_with("gate `two` did not run"));
    }
}
