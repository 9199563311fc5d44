//! Which step of a graph a case is about, and what that step was given: a case asks one model.

use std::collections::BTreeMap;

use serde_json::Value;

use super::expectation::Expectation;
use crate::{
    ErrorKind, Problem,
    endpoint::{
        graph::{Graph, Step},
        prediction::{LoggedTensor, PredictionRecord},
        source::Source,
    },
    near,
};

/// A step with what it was given, and what is expected of it by the names that its model has for its outputs.
#[derive(Debug, Clone, PartialEq)]
pub struct StepAsked<'a> {
    pub step: &'a Step,
    pub inputs: Vec<LoggedTensor>,
    pub expected: BTreeMap<String, Expectation>,
}

/// Finds the step of a recorded prediction that all expectations are about.
///
/// An output is named as callers know it, or as `STEP.OUTPUT`; `.CLASS` or `.POSITION` may follow.
pub fn step_asked<'a>(
    graph: &'a Graph,
    record: &PredictionRecord,
    expected: BTreeMap<String, Expectation>,
) -> Result<StepAsked<'a>, Problem> {
    let mut about: Option<(&Step, String)> = None;
    let mut own = BTreeMap::new();
    for (name, expectation) in expected {
        let (step, output) = step_of(graph, &name)?;
        match &about {
            Some((other, first)) if other.name != step.name => {
                let (one, two) = (&other.name, &step.name);
                let message = format!("a case asks one step: `{first}` comes from `{one}` and `{name}` from `{two}`");
                return Err(Problem::invalid(message).hint("make a case for each of them"));
            }
            _ => about = Some((step, name)),
        }
        own.insert(output, expectation);
    }
    let (step, _) = about.ok_or_else(|| Problem::invalid("nothing is expected"))?;
    let inputs = step.inputs.iter().filter_map(|(name, source)| given(record, name, source).transpose());
    Ok(StepAsked { step, inputs: inputs.collect::<Result<_, _>>()?, expected: own })
}

/// The step that gives an output, and the output's name there.
fn step_of<'a>(graph: &'a Graph, name: &str) -> Result<(&'a Step, String), Problem> {
    for output in &graph.outputs {
        let part = if name == output.name {
            Some("")
        } else {
            name.strip_prefix(output.name.as_str()).filter(|rest| rest.starts_with('.') && output.from.column.is_none())
        };
        let (Some(part), Some(step)) = (part, &output.from.step) else {
            continue;
        };
        let column = output.from.column.map(|column| format!(".{column}")).unwrap_or_default();
        if let Some(step) = graph.steps.iter().find(|one| one.name == *step) {
            return Ok((step, format!("{}{column}{part}", output.from.field)));
        }
    }
    let by_step = graph.steps.iter().find_map(|step| {
        let output = name.strip_prefix(step.name.as_str())?.strip_prefix('.')?;
        Some((step, output.to_owned()))
    });
    by_step.ok_or_else(|| {
        let names = graph.outputs.iter().map(|output| output.name.as_str());
        let all = format!(
            "its outputs are `{}`; those of a step are `STEP.OUTPUT`",
            names.clone().collect::<Vec<_>>().join("`, `")
        );
        Problem::invalid(format!("the endpoint has no output `{name}`")).hint(near::hint(name, names, &all))
    })
}

/// What an input got; nothing if the caller left it out.
fn given(record: &PredictionRecord, input: &str, source: &Source) -> Result<Option<LoggedTensor>, Problem> {
    let from = match &source.step {
        None => record.inputs.iter().find(|tensor| tensor.name == source.field),
        Some(step) => {
            let node = record.nodes.iter().find(|node| node.node == *step);
            node.and_then(|node| node.outputs.iter().find(|tensor| tensor.name == source.field))
        }
    };
    let lost = || Problem::new(ErrorKind::Corrupt, format!("the record lacks what `{input}` was given, `{source}`"));
    match (from, &source.step) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(lost()),
        (Some(tensor), _) => {
            let data = match source.column {
                None => Some(tensor.clone()),
                Some(column) => column_of(tensor, column),
            };
            data.map(|tensor| Some(LoggedTensor { name: input.to_owned(), ..tensor })).ok_or_else(lost)
        }
    }
}

/// One column of the last dimension.
fn column_of(tensor: &LoggedTensor, column: usize) -> Option<LoggedTensor> {
    let (width, elements) = (tensor.shape.last().copied()?, tensor.data.as_array()?);
    let mut shape = tensor.shape.clone();
    *shape.last_mut()? = 1;
    let taken: Option<Vec<Value>> = match width {
        0 => None,
        width => elements.chunks(width).map(|row| row.get(column).cloned()).collect(),
    };
    Some(LoggedTensor { shape, data: Value::Array(taken?), ..tensor.clone() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Two models in a row: `score` takes x, `decide` takes the second probability and y.
    fn graph() -> Graph {
        let step = |model: &str, inputs: Value| {
            json!({ "name": model, "kind": "model", "model": model, "version": "1.0.0",
            "digest": crate::Digest::of(b"m"), "inputs": inputs })
        };
        let value = json!({
            "steps": [
                step("score", json!({ "x": "request.x" })),
                step("decide", json!({ "p": "score.probabilities[1]", "y": "request.y", "z": "request.z" })),
            ],
            "outputs": [
                { "name": "verdict", "from": "decide.label" },
                { "name": "risk", "from": "score.probabilities[1]" },
                { "name": "likely", "from": "score.probabilities" },
            ],
        });
        serde_json::from_value(value).unwrap()
    }

    fn record() -> PredictionRecord {
        let tensor = |name: &str, shape: &[usize], data: Value| json!({ "name": name, "datatype": "FP32", "shape": shape, "data": data });
        let node = |node: &str, outputs: Value| {
            json!({ "node": node, "model": node, "version": "1.0.0",
            "digest": crate::Digest::of(b"m"), "latency_us": 1, "outputs": outputs })
        };
        let value = json!({
            "time": 1, "endpoint": "e", "revision": 1, "revision_digest": crate::Digest::of(b"r"), "caller": "tess",
            "variant": "single", "propensity": 1.0, "outcome": { "status": "answered" },
            "inputs": [tensor("x", &[2, 1], json!([1.5, 2.5])), tensor("y", &[2, 1], json!([7, 8]))],
            "outputs": [tensor("verdict", &[2], json!(["a", "b"]))],
            "nodes": [
                node("score", json!([tensor("probabilities", &[2, 2], json!([0.25, 0.75, 0.5, 0.5]))])),
                node("decide", json!([tensor("label", &[2], json!(["a", "b"]))])),
            ],
            "latency_us": 1,
        });
        PredictionRecord::read(&value.to_string()).unwrap()
    }

    /// The step, what it was given, and the names of its outputs of which something is expected.
    type Asked = (String, Vec<(String, Value)>, Vec<String>);

    fn asked(expected: &[&str]) -> Result<Asked, Problem> {
        let mut wanted = BTreeMap::new();
        expected.iter().try_for_each(|text| crate::case::expect(&mut wanted, text))?;
        let graph = graph();
        let asked = step_asked(&graph, &record(), wanted)?;
        let inputs = asked.inputs.into_iter().map(|tensor| (tensor.name, tensor.data)).collect();
        Ok((asked.step.name.clone(), inputs, asked.expected.into_keys().collect()))
    }

    #[test]
    fn a_step_is_asked_what_it_was_given() {
        let of_decide = vec![("p".to_owned(), json!([0.75, 0.5])), ("y".to_owned(), json!([7, 8]))];
        for expected in ["verdict=a", "decide.label=a"] {
            assert_eq!(asked(&[expected]).unwrap(), ("decide".into(), of_decide.clone(), vec!["label".into()]));
        }
        let of_score = vec![("x".to_owned(), json!([1.5, 2.5]))];
        for (expected, own) in [
            ("risk>=0.5", "probabilities.1"),
            ("likely.bad>=0.5", "probabilities.bad"),
            ("score.probabilities.0<=1", "probabilities.0"),
        ] {
            assert_eq!(asked(&[expected]).unwrap(), ("score".into(), of_score.clone(), vec![own.into()]));
        }
    }

    #[test]
    fn what_no_step_gives_and_what_two_give_is_told() {
        let problem = asked(&["verdit=a"]).unwrap_err();
        assert_eq!(problem.message, "the endpoint has no output `verdit`");
        assert_eq!(problem.hint.as_deref(), Some("did you mean `verdict`?"));
        assert!(asked(&["risk.bad=1"]).is_err());
        let problem = asked(&["verdict=a", "risk<=1"]).unwrap_err();
        assert_eq!(problem.message, "a case asks one step: `risk` comes from `score` and `verdict` from `decide`");
    }
}
