//! Which declarations of gates can't mean anything.

use super::{
    evaluation::EvaluationSpec,
    gate::GateSpec,
    gate_fault::{GateFault, check_range, check_share},
};
use crate::{
    metric::{METRICS, MetricKind, RATES},
    near,
};

impl GateSpec {
    /// Says what is wrong with the gate, beside the evaluation that its model declares.
    pub fn check(&self, evaluation: Option<&EvaluationSpec>) -> Result<(), GateFault> {
        match self {
            Self::DataTest(test) => test.check(),
            Self::MetricBaseline { metric, min, max } => check_bound(metric, *min, *max),
            Self::SliceBaseline { metric, slice, min, max, .. } => {
                check_bound(metric, *min, *max)?;
                check_metric(metric)?;
                check_slice(slice.as_deref(), evaluation)
            }
            Self::SliceGap { metric, slice, max_gap, min_ratio, .. } => {
                check_metric(metric)?;
                check_gap(metric, *max_gap, *min_ratio)?;
                check_slice(Some(slice), evaluation)
            }
            Self::RegressionCases { .. } => Ok(()),
            Self::Validation(spec) if spec.wall_seconds == 0 || spec.memory_mb < 64 || spec.rows == 0 => {
                Err("a validation needs at least a second, 64 MiB and a row".into())
            }
            Self::Validation(spec) if spec.wall_seconds > 3600 || spec.rows > 100_000 => {
                Err("a validation takes at most an hour and 100000 rows".into())
            }
            Self::Validation(_) => Ok(()),
        }
    }
}

fn check_bound(metric: &str, min: Option<f64>, max: Option<f64>) -> Result<(), GateFault> {
    if (min, max) == (None, None) {
        return Err(format!("the bound on `{metric}` has neither `min` nor `max`").into());
    }
    check_range(metric, min, max)
}

fn check_metric(metric: &str) -> Result<(), GateFault> {
    if MetricKind::of(metric).is_some() || RATES.contains(&metric) {
        return Ok(());
    }
    let known: Vec<&str> = METRICS.iter().map(|kind| kind.name).chain(RATES).collect();
    let all = format!("known metrics: {}", known.join(", "));
    let hint = near::hint(metric, known, &all);
    Err(GateFault { message: format!("`{metric}` is not a metric"), hint: Some(hint) })
}

fn check_gap(metric: &str, max_gap: Option<f64>, min_ratio: Option<f64>) -> Result<(), GateFault> {
    if (max_gap, min_ratio) == (None, None) {
        return Err(format!("the gap of `{metric}` has neither `max_gap` nor `min_ratio`").into());
    }
    if max_gap.is_some_and(|most| most < 0.0) {
        return Err(format!("the `max_gap` of `{metric}` is below 0, which no version could keep").into());
    }
    min_ratio.iter().try_for_each(|least| check_share(&format!("the `min_ratio` of `{metric}`"), *least))
}

fn check_slice(slice: Option<&str>, evaluation: Option<&EvaluationSpec>) -> Result<(), GateFault> {
    let declared: Vec<&str> = evaluation.iter().flat_map(|spec| &spec.slices).map(|slice| slice.column()).collect();
    match slice {
        None if declared.is_empty() => Err(GateFault {
            message: "the evaluation declares no slices".to_owned(),
            hint: Some("add `slices = [\"column\"]` to it".to_owned()),
        }),
        Some(slice) if !declared.contains(&slice) => Err(GateFault {
            message: format!("the evaluation is not sliced by `{slice}`"),
            hint: Some(near::hint(slice, declared, &format!("add it to the evaluation: `slices = [\"{slice}\"]`"))),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn evaluation() -> EvaluationSpec {
        let spec = json!({ "data": "test", "target": "y", "positive": "bad", "slices": ["sex"] });
        serde_json::from_value(spec).unwrap()
    }

    fn fault(gate: Value) -> Option<String> {
        let gate: GateSpec = serde_json::from_value(gate).unwrap();
        gate.check(Some(&evaluation())).err().map(|fault| match fault.hint {
            Some(hint) => format!("{}; {hint}", fault.message),
            None => fault.message,
        })
    }

    #[test]
    fn what_means_something_is_accepted() {
        for gate in [
            json!({ "kind": "data-test", "data": "d" }),
            json!({ "kind": "data-test", "data": "d", "max_rows": 1, "keys": [["a", "b"]],
                    "drift": { "reference": "r", "psi_max": 0.2 },
                    "columns": { "a": { "pattern": "A[0-9]+", "missing_max": 0.1, "mean": { "min": 1.0 } } } }),
            json!({ "kind": "slice-gap", "metric": "tpr", "slice": "sex", "max_gap": 0.1 }),
            json!({ "kind": "slice-baseline", "metric": "auc", "min": 0.6 }),
            json!({ "kind": "regression-cases", "path": "tests/cases" }),
        ] {
            assert_eq!(fault(gate.clone()), None, "{gate}");
        }
    }

    #[test]
    fn what_means_nothing_is_named() {
        let huge = "(a{1000}){1000}";
        for (gate, expected) in [
            (json!({ "kind": "data-test", "data": "d", "min_rows": 2, "max_rows": 1 }), "between `min_rows` 2"),
            (json!({ "kind": "data-test", "data": "d", "strict": true }), "there are none"),
            (json!({ "kind": "data-test", "data": "d", "keys": [[]] }), "no columns"),
            (json!({ "kind": "data-test", "data": "d", "drift": { "reference": "r" } }), "neither `psi_max`"),
            (json!({ "kind": "data-test", "data": "d", "drift": { "reference": "r", "ks_max": 2.0 } }), "from 0 to 1"),
            (json!({ "kind": "data-test", "data": "d", "columns": { "a": { "pattern": "(" } } }), "unclosed group"),
            (
                json!({ "kind": "data-test", "data": "d", "columns": { "a": { "pattern": huge } } }),
                "more than 1048576 bytes",
            ),
            (
                json!({ "kind": "data-test", "data": "d", "columns": { "a": { "pattern": "a".repeat(2000) } } }),
                "longer than",
            ),
            (
                json!({ "kind": "data-test", "data": "d", "columns": { "a": { "mean": {} } } }),
                "neither `min` nor `max`",
            ),
            (json!({ "kind": "data-test", "data": "d", "columns": { "a": { "missing_max": 5.0 } } }), "from 0 to 1"),
            (
                json!({ "kind": "data-test", "data": "d", "columns": { "a": { "length_min": 3, "length_max": 2 } } }),
                "between the `min` 3 and the `max` 2",
            ),
            (
                json!({ "kind": "data-test", "data": "d", "columns": { "a": { "type": "text", "mean": { "min": 0.0 } } } }),
                "neither mean nor quantiles",
            ),
            (json!({ "kind": "slice-gap", "metric": "tpr", "slice": "sex" }), "neither `max_gap` nor `min_ratio`"),
            (
                json!({ "kind": "slice-gap", "metric": "acuracy", "slice": "sex", "max_gap": 0.1 }),
                "did you mean `accuracy`",
            ),
            (json!({ "kind": "slice-gap", "metric": "tpr", "slice": "sx", "max_gap": 0.1 }), "did you mean `sex`"),
            (json!({ "kind": "slice-gap", "metric": "tpr", "slice": "sex", "min_ratio": 1.2 }), "from 0 to 1"),
            (json!({ "kind": "slice-baseline", "metric": "auc" }), "neither `min` nor `max`"),
        ] {
            let found = fault(gate.clone()).unwrap_or_else(|| panic!("{gate} is accepted"));
            assert!(found.contains(expected), "{gate}: {found}");
        }
        let gate =
            GateSpec::SliceBaseline { metric: "auc".into(), slice: None, min: Some(0.5), max: None, min_rows: 1 };
        assert_eq!(gate.check(None).unwrap_err().message, "the evaluation declares no slices");
    }
}
