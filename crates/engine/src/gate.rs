//! Gates: the declared checks of a version, each leaving evidence bound to its digest.

mod slices;

use stemma_api::types::{GateResults, GateStanding, GateStandings, ModelVersion, RunGates};
use stemma_core::{
    ErrorKind, Problem, canonical,
    event::{Event, EvidenceKind, EvidenceRecorded},
    id::{EvidenceId, RequestId},
    name::{GateName, ModelName, ProjectName},
    near,
    policy::{Bounds, DataTest, EvaluationSpec, GateSpec, ModelPolicy},
    record::{CheckResult, EvaluationReport, GateReport, SliceFound},
};

use self::slices::{Asked, Limits};
use crate::{
    Caller, Engine, cases,
    data_test::{self, Beside},
    evaluate::spec_digest,
    problem::internal,
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
        let version = self.find_version(project, model, version).await?;
        let policy = self.policy(project, model).await?.policy;
        let mut results = Vec::new();
        let mut events = Vec::new();
        for (name, spec) in wanted_gates(model, &policy, &run.gates)? {
            let (report, data) = self.run_gate(project, &version, &policy, name, spec).await?;
            let bytes = canonical::to_bytes(&report).map_err(internal)?;
            let stored = self.put_content(project, bytes).await?;
            events.push(Event::EvidenceRecorded(EvidenceRecorded {
                project: project.clone(),
                evidence: EvidenceId::generate(),
                kind: EvidenceKind::Gate,
                model: model.clone(),
                version: version.number,
                subject: version.digest,
                gate: Some(name.clone()),
                spec_digest: policy.gate_digest(name).unwrap_or_else(|| spec.digest()),
                passed: report.passed,
                summary: summary(&report),
                report: stored,
                data,
                leaky: false,
            }));
            results.push(report);
        }
        let events = &events;
        self.change(caller, request, || async move { Ok(events.clone()) }).await?;
        Ok(GateResults { version: version.name(), results })
    }

    async fn run_gate(
        &self,
        project: &ProjectName,
        version: &ModelVersion,
        policy: &ModelPolicy,
        name: &GateName,
        spec: &GateSpec,
    ) -> Result<(GateReport, Option<String>), Problem> {
        let found = match spec {
            GateSpec::DataTest(test) => self.test_data(project, test).await?,
            GateSpec::MetricBaseline { .. } | GateSpec::SliceGap { .. } | GateSpec::SliceBaseline { .. } => {
                let evaluation = self.evaluation_for(project, version, spec, policy.evaluation.as_ref()).await?;
                check_evaluation(spec, evaluation.as_ref(), &version.name())
            }
            GateSpec::Validation(spec) => {
                let (checks, data) = self.validation_checks(project, version, spec).await?;
                Found { checks, data, ..Found::default() }
            }
            GateSpec::RegressionCases { path, cases } => {
                let Some(cases) = cases else {
                    let unknown = CheckResult::new(format!("the cases in `{path}` pass"), false, "they were not sent");
                    return Ok((report(name, Found { checks: vec![unknown], ..Found::default() }), None));
                };
                let cases = self.packed_cases(project, *cases).await?;
                let results = self.case_results(version.digest, cases.clone()).await?;
                let checks = cases.iter().zip(&results).map(|(case, result)| cases::check(case, result)).collect();
                Found { checks, ..Found::default() }
            }
        };
        let data = found.data.clone();
        Ok((report(name, found), data))
    }

    /// The newest evaluation of a version, if it was made as it is declared today. For slices all of the declaration
    /// counts: they may be cut elsewhere now.
    async fn evaluation_for(
        &self,
        project: &ProjectName,
        version: &ModelVersion,
        spec: &GateSpec,
        declared: Option<&EvaluationSpec>,
    ) -> Result<Option<EvaluationReport>, Problem> {
        let report = self.newest_evaluation_report(project, version).await?;
        let Some((report, declared)) = report.zip(declared) else {
            return Ok(None);
        };
        if matches!(spec, GateSpec::MetricBaseline { .. }) {
            return Ok(is_as_declared(&report, declared).then_some(report));
        }
        let evidence = self.evidence(project, version).await?;
        let newest =
            evidence.iter().rev().find(|one| one.kind == EvidenceKind::Evaluation && one.subject == version.digest);
        let today = spec_digest(declared, report.data_digest);
        Ok(newest.is_some_and(|one| one.spec_digest == today).then_some(report))
    }

    async fn test_data(&self, project: &ProjectName, test: &DataTest) -> Result<Found, Problem> {
        let (data, table) = self.dataset_table(project, &test.data).await?;
        let mut beside = Beside::default();
        for rule in &test.no_overlap {
            beside.overlaps.push(self.dataset_table(project, &rule.data).await?.1);
        }
        if let Some(drift) = &test.drift {
            beside.reference = Some(self.dataset_table(project, &drift.reference).await?.1);
        }
        let test = test.clone();
        let checked = tokio::task::spawn_blocking(move || data_test::check(&table, &test, &beside));
        Ok(Found { checks: checked.await.map_err(internal)?, data: Some(data), ..Found::default() })
    }

    /// A dataset version by what a declaration calls it: its full name and its rows.
    async fn dataset_table(&self, project: &ProjectName, reference: &str) -> Result<(String, Table), Problem> {
        let dataset = self.find_readable_dataset(project, reference).await?;
        let name = format!("{}@{}", dataset.dataset, dataset.number);
        let table = self.read_table(&name, dataset.digest).await?;
        Ok((name, table))
    }

    /// The declared gates with their newest reports on this version.
    pub async fn gate_standings(
        &self,
        project: &ProjectName,
        model: &ModelName,
        version: &str,
    ) -> Result<GateStandings, Problem> {
        let version = self.find_version(project, model, version).await?;
        let policy = self.policy(project, model).await?.policy;
        let evidence = self.evidence(project, &version).await?;
        let mut gates = Vec::new();
        for gate in policy.gates.keys() {
            let of_gate = |one: &&stemma_api::types::Evidence| {
                one.gate.as_ref() == Some(gate) && one.kind == EvidenceKind::Gate && one.subject == version.digest
            };
            let mut standing = GateStanding { gate: gate.clone(), report: None, stale: false };
            if let Some(newest) = evidence.iter().rev().find(of_gate) {
                let bytes = self.read_content(newest.report, REPORT_BYTES_MAX).await?;
                let unreadable = |error| {
                    Problem::new(ErrorKind::Corrupt, format!("a stored report of gate `{gate}` can't be read: {error}"))
                };
                standing.report = Some(serde_json::from_slice(&bytes).map_err(unreadable)?);
                standing.stale = policy.gate_digest(gate) != Some(newest.spec_digest);
            }
            gates.push(standing);
        }
        Ok(GateStandings { version: version.name(), gates })
    }
}

fn report(gate: &GateName, found: Found) -> GateReport {
    let passed = found.checks.iter().all(|check| check.passed);
    GateReport { v: 1, gate: gate.to_string(), passed, checks: found.checks, slices: found.slices }
}

/// Checks an evaluation, which must have been made on rows that training never read.
fn check_evaluation(spec: &GateSpec, evaluation: Option<&EvaluationReport>, version: &str) -> Found {
    let data = evaluation.map(|report| report.data.clone());
    let fails = |found: String| Found {
        checks: vec![CheckResult::new(describe(spec), false, found)],
        data: data.clone(),
        ..Found::default()
    };
    match evaluation {
        None => fails(format!("it was not evaluated as it is declared today; `stemma evaluate {version}` does so")),
        Some(report) if report.is_leaky() => {
            fails(format!("the evaluation is leaky: {} rows were read in training", report.leaky_rows))
        }
        Some(report) => Found { data, ..check_metrics(spec, report) },
    }
}

fn check_metrics(spec: &GateSpec, report: &EvaluationReport) -> Found {
    let checks = match spec {
        GateSpec::MetricBaseline { metric, min, max } => {
            vec![check_bounds(metric, *min, *max, report.overall.value(metric))]
        }
        GateSpec::SliceGap { metric, slice, max_gap, min_ratio, min_rows } => {
            let asked = Asked { metric, slice: Some(slice), min_rows: *min_rows };
            let slices = slices::measure(&report.slices, asked);
            let limits = Limits { max_gap: *max_gap, min_ratio: *min_ratio };
            let checks = slices::gap(&slices, &report.slices, asked, limits);
            return Found { checks, slices, data: None };
        }
        GateSpec::SliceBaseline { metric, slice, min, max, min_rows } => {
            let asked = Asked { metric, slice: slice.as_deref(), min_rows: *min_rows };
            let slices = slices::measure(&report.slices, asked);
            let checks = slices::baseline(&slices, asked, Bounds { min: *min, max: *max });
            return Found { checks, slices, data: None };
        }
        GateSpec::DataTest(_) | GateSpec::RegressionCases { .. } | GateSpec::Validation(_) => Vec::new(),
    };
    Found { checks, ..Found::default() }
}

/// What a gate on an evaluation wants, in a few words.
fn describe(spec: &GateSpec) -> String {
    match spec {
        GateSpec::MetricBaseline { metric, min, max } => bounds(metric, *min, *max),
        GateSpec::SliceGap { metric, slice, .. } => format!("`{metric}` is alike in the slices of `{slice}`"),
        GateSpec::SliceBaseline { metric, min, max, .. } => format!("{} in every slice", bounds(metric, *min, *max)),
        GateSpec::DataTest(_) | GateSpec::RegressionCases { .. } | GateSpec::Validation(_) => String::new(),
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
    (&declared.data, &declared.target, &declared.positive) == (&report.data, &report.target, &report.positive)
}

fn bounds(metric: &str, min: Option<f64>, max: Option<f64>) -> String {
    format!("{metric} {}", Bounds { min, max }.describe())
}

fn check_bounds(metric: &str, min: Option<f64>, max: Option<f64>, value: Option<f64>) -> CheckResult {
    let what = bounds(metric, min, max);
    match value {
        None => CheckResult::new(what, false, format!("{metric} is not known")),
        Some(value) => CheckResult::new(what, Bounds { min, max }.hold(value), format!("{metric} {value:.4}")),
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
        assert!(check_bounds("auc", Some(0.7), None, Some(0.7)).passed);
        assert!(!check_bounds("auc", Some(0.7), None, Some(0.69)).passed);
        assert!(!check_bounds("brier", None, Some(0.2), Some(0.21)).passed);
        assert!(!check_bounds("auc", None, None, None).passed);
    }
}
