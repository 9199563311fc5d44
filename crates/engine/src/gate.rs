//! Gates: the declared checks of a version, each leaving evidence bound to its digest.

use stemma_api::types::{GateResults, ModelVersion, RunGates};
use stemma_core::{
    Problem, canonical,
    event::{Event, EvidenceKind, EvidenceRecorded},
    id::{EvidenceId, RequestId},
    name::{GateName, ModelName, ProjectName},
    near,
    policy::{EvaluationSpec, GateSpec, ModelPolicy},
    record::{CheckResult, EvaluationReport, GateReport},
};

use crate::{Caller, Engine, data_test, evaluate::metrics::metric_value, problem::internal};

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
        let (checks, data) = match spec {
            GateSpec::DataTest { data, min_rows, columns } => {
                let dataset = self.find_dataset(project, data).await?;
                let data = format!("{}@{}", dataset.dataset, dataset.number);
                let table = self.read_table(&data, dataset.digest).await?;
                let (min_rows, columns) = (*min_rows, columns.clone());
                let checked = tokio::task::spawn_blocking(move || data_test::check(&table, min_rows, &columns));
                (checked.await.map_err(internal)?, Some(data))
            }
            GateSpec::MetricBaseline { metric, min, max } => {
                let evaluation = self.newest_evaluation_report(project, version).await?;
                let evaluation = evaluation.filter(|report| is_as_declared(report, policy.evaluation.as_ref()));
                let data = evaluation.as_ref().map(|report| report.data.clone());
                let check = match evaluation {
                    None => CheckResult {
                        what: bounds(metric, *min, *max),
                        passed: false,
                        found: "the version was not evaluated as it is declared today".to_owned(),
                    },
                    Some(report) if report.is_leaky() => CheckResult {
                        what: bounds(metric, *min, *max),
                        passed: false,
                        found: format!("the evaluation is leaky: {} rows were read in training", report.leaky_rows),
                    },
                    Some(report) => check_bounds(metric, *min, *max, metric_value(&report.overall, metric)),
                };
                (vec![check], data)
            }
        };
        let passed = checks.iter().all(|check| check.passed);
        Ok((GateReport { v: 1, gate: name.to_string(), passed, checks }, data))
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
fn is_as_declared(report: &EvaluationReport, declared: Option<&EvaluationSpec>) -> bool {
    declared.is_some_and(|spec| {
        (&spec.data, &spec.target, &spec.positive) == (&report.data, &report.target, &report.positive)
    })
}

fn bounds(metric: &str, min: Option<f64>, max: Option<f64>) -> String {
    match (min, max) {
        (Some(min), Some(max)) => format!("{metric} is from {min} to {max}"),
        (Some(min), None) => format!("{metric} is at least {min}"),
        (None, Some(max)) => format!("{metric} is at most {max}"),
        (None, None) => format!("{metric} is known"),
    }
}

fn check_bounds(metric: &str, min: Option<f64>, max: Option<f64>, value: Option<f64>) -> CheckResult {
    let what = bounds(metric, min, max);
    match value {
        None => CheckResult { what, passed: false, found: format!("{metric} is not known") },
        Some(value) => {
            let passed = min.is_none_or(|min| value >= min) && max.is_none_or(|max| value <= max);
            CheckResult { what, passed, found: format!("{metric} {value:.4}") }
        }
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
