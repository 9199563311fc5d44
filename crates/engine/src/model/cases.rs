//! Regression cases: each is one row through a version, compared with what must come of it.

use std::sync::Arc;

use serde_json::Value;
use stemma_api::types::{CaseResults, ModelVersion};
use stemma_core::{
    Digest, Problem,
    case::{self, CaseResult, RegressionCase},
    endpoint::prediction::LoggedTensor,
    name::{ModelName, ProjectName},
    near,
    policy::GateSpec,
    record::CheckResult,
    signature::Field,
};
use stemma_onnx::Model;
use stemma_tensor::{Tensor, logged};

use crate::{Known, problem::internal, resolve::find_version};

impl Known {
    /// Runs cases through a version; records nothing.
    pub async fn run_cases(
        &self,
        project: &ProjectName,
        model: &ModelName,
        version: &str,
        cases: Vec<RegressionCase>,
    ) -> Result<CaseResults, Problem> {
        case::check_list(&cases)?;
        let version = find_version(self, project, model, version).await?;
        let results = case_results(self, &version, cases).await?;
        Ok(CaseResults { version: version.name(), results })
    }
}

impl Known {
    /// The regression cases of a model's gates.
    pub async fn regression_cases(
        &self,
        project: &ProjectName,
        model: &ModelName,
    ) -> Result<Vec<RegressionCase>, Problem> {
        let mut cases = Vec::new();
        for gate in self.policy_or_default(project, model).await?.gates.values() {
            if let GateSpec::RegressionCases { cases: Some(packed), .. } = gate {
                cases.extend(packed_cases(self, project, *packed).await?);
            }
        }
        Ok(cases)
    }
}

/// Reads the packed cases of a gate, which the project must be able to read.
pub(crate) async fn packed_cases(
    known: &Known,
    project: &ProjectName,
    cases: Digest,
) -> Result<Vec<RegressionCase>, Problem> {
    known.readable_content(project, cases).await?;
    case::unpack(&known.read_content(cases, case::PACK_BYTES_MAX).await?)
}

pub(crate) async fn case_results(
    known: &Known,
    version: &ModelVersion,
    cases: Vec<RegressionCase>,
) -> Result<Vec<CaseResult>, Problem> {
    let model: Arc<Model> = known.load_version(version).await?;
    let run = move || cases.iter().map(|case| run_case(&model, case)).collect();
    tokio::task::spawn_blocking(run).await.map_err(internal)
}

/// One line per case for a gate's report.
pub fn check(case: &RegressionCase, result: &CaseResult) -> CheckResult {
    let expected =
        case.expected.iter().map(|(output, expected)| format!("`{output}` {}", expected.describe(case.tolerance)));
    let what = format!("case `{}`: {}", case.name, expected.collect::<Vec<_>>().join(", "));
    let found = match &result.problem {
        Some(problem) => problem.clone(),
        None => {
            let shown = result.outputs.iter().filter(|output| result.passed || !output.passed);
            shown.map(ToString::to_string).collect::<Vec<_>>().join(", ")
        }
    };
    CheckResult::new(what, result.passed, found)
}

fn run_case(model: &Model, case: &RegressionCase) -> CaseResult {
    let result = |problem: Option<String>, outputs: Vec<case::OutputFound>| CaseResult {
        name: case.name.clone(),
        passed: problem.is_none() && outputs.iter().all(|output| output.passed),
        problem,
        outputs,
        why: case.why.clone(),
    };
    let outputs = match answer(model, case) {
        Ok(outputs) => outputs,
        Err(problem) => return result(Some(problem), Vec::new()),
    };
    let compared =
        case.expected.iter().map(|(name, expected)| case.compare(name, expected, select(model, &outputs, name)));
    result(None, compared.collect())
}

/// Asks the model for one row. What the version does not take is left out, so that a case outlives a contract.
pub fn answer(model: &Model, case: &RegressionCase) -> Result<Vec<LoggedTensor>, String> {
    let mut inputs = Vec::new();
    for field in &model.signature().inputs {
        match case.input.get(&field.name) {
            Some(value) => inputs.push((field.name.clone(), tensor(field, value)?)),
            None if field.optional => {}
            None => return Err(format!("the case has no input `{}`", field.name)),
        }
    }
    let outputs = model.run(inputs).map_err(|error| format!("the version fails: {error}"))?;
    Ok(logged::from_tensors(&outputs))
}

fn tensor(field: &Field, value: &Value) -> Result<Tensor, String> {
    stemma_tensor::of_json_rows(field, &[value]).map_err(|error| format!("input `{}`: {error}", field.name))
}

/// Finds `output`, `output.class` or `output.position` among the outputs.
fn select(model: &Model, outputs: &[LoggedTensor], name: &str) -> Result<Value, String> {
    if let Some(output) = outputs.iter().find(|output| output.name == name) {
        return Ok(alone(&output.data));
    }
    for (place, output) in outputs.iter().enumerate() {
        if let Some(part) = name.strip_prefix(output.name.as_str()).and_then(|rest| rest.strip_prefix('.')) {
            return element(model, place, output, part);
        }
    }
    let names = outputs.iter().map(|output| output.name.as_str());
    let all = format!("its outputs are `{}`", names.clone().collect::<Vec<_>>().join("`, `"));
    Err(format!("the version has no output `{name}`; {}", near::hint(name, names, &all)))
}

/// A list of one is what it holds.
fn alone(data: &Value) -> Value {
    match data {
        Value::Array(elements) if elements.len() == 1 => elements[0].clone(),
        data => data.clone(),
    }
}

fn element(model: &Model, place: usize, output: &LoggedTensor, part: &str) -> Result<Value, String> {
    let classes = model.probability_output().filter(|one| one.output == place).map(|one| one.classes.as_slice());
    let class = classes.and_then(|classes| classes.iter().position(|class| class == part));
    let at = class.or_else(|| part.parse().ok());
    let found = at.and_then(|at: usize| output.data.as_array()?.get(at));
    found.cloned().ok_or_else(|| match classes {
        Some(classes) => {
            let known = format!("its classes are `{}`", classes.join("`, `"));
            let hint = near::hint(part, classes.iter().map(String::as_str), &known);
            format!("output `{}` has no class `{part}`; {hint}", output.name)
        }
        None => format!("output `{}` has no element `{part}`; elements are counted from 0", output.name),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A model of the evaluator's own test data: inputs age, amount, purpose, housing.
    fn model() -> Model {
        let path = format!("{}/../onnx/tests/data/table_boosting.onnx", env!("CARGO_MANIFEST_DIR"));
        Model::parse(&std::fs::read(path).unwrap()).unwrap()
    }

    fn row() -> Value {
        json!({ "age": 30, "amount": 1000, "purpose": "car", "housing": "own" })
    }

    fn run(input: Value, expected: Value) -> CaseResult {
        let case = json!({ "name": "c", "input": input, "expected": expected });
        run_case(&model(), &RegressionCase::parse(&"c".parse().unwrap(), &case.to_string()).unwrap())
    }

    /// What the model answers: its label, its probabilities and their output's name.
    fn answered() -> (String, Value, Vec<Value>, String) {
        let model = model();
        let case = json!({ "name": "c", "input": row(), "expected": { "x": 1 } });
        let case = RegressionCase::parse(&"c".parse().unwrap(), &case.to_string()).unwrap();
        let outputs = answer(&model, &case).unwrap();
        let label = &outputs[model.label_output().unwrap()];
        let scores = &outputs[model.probability_output().unwrap().output];
        (label.name.clone(), alone(&label.data), scores.data.as_array().unwrap().clone(), scores.name.clone())
    }

    #[test]
    fn a_label_a_probability_and_a_list_are_found() {
        let (label, class, scores, name) = answered();
        let first = &model().classes().unwrap()[0].clone();
        for expected in [
            json!({ label.as_str(): class }),
            json!({ name.as_str(): scores }),
            json!({ format!("{name}.{first}"): scores[0] }),
            json!({ format!("{name}.1"): { ">=": scores[1], "<=": 1 } }),
        ] {
            let result = run(row(), expected.clone());
            assert!(result.passed, "{expected}: {result:?}");
        }
        let result = run(row(), json!({ label.as_str(): "nobody" }));
        assert!(!result.passed);
        assert_eq!(result.outputs[0].found, Some(class));
    }

    #[test]
    fn what_the_version_does_not_know_is_told() {
        let (_, _, _, name) = answered();
        let told = |input: Value, expected: Value| {
            let result = run(input, expected);
            assert!(!result.passed);
            result.problem.unwrap_or_else(|| result.outputs[0].problem.clone().unwrap())
        };
        assert!(
            told(row(), json!({ "nothing": 1 })).starts_with("the version has no output `nothing`; its outputs are")
        );
        assert!(told(row(), json!({ format!("{name}.nobody"): 1 })).contains("has no class `nobody`"));
        assert!(told(row(), json!({ format!("{name}.7"): 1 })).contains("has no class `7`"));
        let mut without = row();
        without.as_object_mut().unwrap().remove("age");
        assert_eq!(told(without, json!({ "x": 1 })), "the case has no input `age`");
        let mut mistyped = row();
        mistyped["age"] = json!("thirty");
        assert_eq!(told(mistyped, json!({ "x": 1 })), "input `age`: `\"thirty\"` is not a number");
        let mut wide = row();
        wide["age"] = json!([1, 2]);
        assert_eq!(told(wide, json!({ "x": 1 })), "input `age`: it takes one value in each row, not 2");
    }

    #[test]
    fn more_than_the_version_takes_and_missing_numbers_are_fine() {
        let mut input = row();
        input["age"] = Value::Null;
        input["foreign_worker"] = json!("yes");
        assert!(run(input, json!({ answered().0: "x" })).problem.is_none());
    }

    #[test]
    fn a_gate_tells_what_was_expected_and_what_failed() {
        let (label, class, ..) = answered();
        let case = json!({ "name": "c", "input": row(), "expected": { label.as_str(): "nobody" } });
        let case = RegressionCase::parse(&"c".parse().unwrap(), &case.to_string()).unwrap();
        let told = check(&case, &run_case(&model(), &case));
        assert_eq!(told.what, format!("case `c`: `{label}` = \"nobody\""));
        assert_eq!(told.found, format!("`{label}` is {class}"));
    }
}
