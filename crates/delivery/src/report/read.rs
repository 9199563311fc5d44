//! Reading one report: what it says becomes a record, or is refused.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use stemma_api::types::{ReportedPrediction, ValueForm};
use stemma_core::{
    Problem, Timestamp,
    endpoint::{
        prediction::{
            ArmTaken, Chosen, Draw, FailureKind, GivenBy, LoggedTensor, NodeEnding, NodeRecord, Outcome,
            PredictionRecord, RECORD_VERSION, REPORTED_REVISION, Reported, Trace,
        },
        target::{Identity, StepKind, Target},
    },
    name::{EndpointName, PrincipalName},
    signature::{Datatype, Field, Signature},
};
use stemma_tensor::logged;

/// Longest id, unit or message, in bytes.
const TEXT_BYTES_MAX: usize = 2_000;
/// Clocks elsewhere may be ahead by so much.
const AHEAD_MICROS_MAX: i64 = 86_400_000_000;

/// A version that is said to have answered.
#[derive(Clone)]
pub struct Answering {
    pub target: Target,
    pub signature: Signature,
}

/// What all reports of a request have in common.
pub struct Reading {
    pub endpoint: EndpointName,
    pub caller: PrincipalName,
    pub source: Option<String>,
    pub version: Option<String>,
    pub values: ValueForm,
    pub versions: HashMap<String, Result<Answering, Problem>>,
    pub now: Timestamp,
}

pub fn read(reading: &Reading, one: ReportedPrediction) -> Result<PredictionRecord, Problem> {
    check(reading, &one)?;
    let named = one.version.as_ref().or(reading.version.as_ref());
    let named = named.ok_or_else(|| Problem::invalid("it does not say which version answered"))?;
    // every version that is named was looked for
    let found = reading.versions.get(named).cloned();
    let answering = found.unwrap_or_else(|| Err(Problem::invalid(format!("`{named}` is no version"))))?;
    let trace = match &one.traceparent {
        None => None,
        Some(header) => {
            Some(Trace::parse(header).ok_or_else(|| Problem::invalid(format!("`{header}` is no `traceparent`")))?)
        }
    };
    let inputs = tensors(&one.inputs, reading.values, &answering.signature.inputs, "input")?;
    let outputs = tensors(&one.outputs, reading.values, &answering.signature.outputs, "output")?;
    let (outcome, ended) = match one.error {
        None => (Outcome::Answered, NodeEnding::Answered),
        Some(message) => (Outcome::Failed { kind: Some(FailureKind::Model), message }, NodeEnding::Failed),
    };
    let latency_us = one.latency_us.unwrap_or(0);
    let target = answering.target;
    let node = NodeRecord {
        node: "reported".to_owned(),
        kind: StepKind::Model,
        what: Identity::Digest(target.digest),
        model: Some(target.model.clone()),
        version: Some(target.version),
        began_us: None,
        latency_us,
        ended: Some(ended),
        outputs: Vec::new(),
    };
    let unit =
        |unit| Draw { unit, given_by: GivenBy::Caller, salt: None, bucket: None, partition: None, allocation: None };
    Ok(PredictionRecord {
        v: RECORD_VERSION,
        time: one.time,
        endpoint: reading.endpoint.clone(),
        revision: REPORTED_REVISION,
        revision_digest: target.digest,
        request_id: Some(one.request_id.unwrap_or_else(|| one.id.clone())),
        trace,
        caller: reading.caller.clone(),
        subject: None,
        draw: one.unit.map(unit),
        arm: Some(ArmTaken { name: target.to_string(), chosen: Chosen::Forced { by: "a report".to_owned() } }),
        outcome,
        inputs,
        outputs,
        nodes: vec![node],
        overrides: Vec::new(),
        latency_us,
        reported: Some(Reported { id: one.id, source: reading.source.clone(), time: reading.now }),
    })
}

fn check(reading: &Reading, one: &ReportedPrediction) -> Result<(), Problem> {
    if one.id.trim().is_empty() {
        return Err(Problem::invalid("its id is empty"));
    }
    let texts =
        [Some(&one.id), one.unit.as_ref(), one.request_id.as_ref(), one.error.as_ref(), reading.source.as_ref()];
    if texts.into_iter().flatten().any(|text| text.len() > TEXT_BYTES_MAX) {
        return Err(Problem::invalid(format!("an id, unit, error or source is longer than {TEXT_BYTES_MAX} bytes")));
    }
    if one.time.micros() > reading.now.micros().saturating_add(AHEAD_MICROS_MAX) {
        return Err(Problem::invalid(format!("it was made at {}, which is yet to come", one.time)));
    }
    if one.inputs.is_empty() {
        return Err(Problem::invalid("it has no inputs"));
    }
    if one.outputs.is_empty() && one.error.is_none() {
        return Err(Problem::invalid("it has neither outputs nor an error"));
    }
    Ok(())
}

/// Values by name as tensors of one row: as the version's contract has them, else by what they are.
fn tensors(
    values: &BTreeMap<String, Value>,
    form: ValueForm,
    fields: &[Field],
    what: &str,
) -> Result<Vec<LoggedTensor>, Problem> {
    let unknown = values.keys().find(|name| !fields.is_empty() && !fields.iter().any(|field| field.name == **name));
    if let Some(name) = unknown {
        let known: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        return Err(Problem::invalid(format!("the version has no {what} `{name}`"))
            .hint(format!("its {what}s are `{}`", known.join("`, `"))));
    }
    let in_order: Vec<&String> = match fields.is_empty() {
        true => values.keys().collect(),
        false => fields.iter().filter_map(|field| values.get_key_value(&field.name).map(|(name, _)| name)).collect(),
    };
    let read = |name: &String| {
        let value = &values[name];
        let field = fields.iter().find(|field| field.name == *name).cloned();
        let field = match field {
            Some(field) => field,
            None => {
                by_value(name, value, form).ok_or_else(|| Problem::invalid(format!("{what} `{name}` is no value")))?
            }
        };
        let tensor = match form {
            ValueForm::Json => stemma_tensor::of_json_rows(&field, &[value]),
            ValueForm::Cells => stemma_tensor::of_cells(&field, &[value]),
        };
        let tensor = tensor.map_err(|error| Problem::invalid(format!("{what} `{name}`: {error}")))?;
        Ok(logged::from_tensor(name, &tensor))
    };
    in_order.into_iter().map(read).collect()
}

/// A field that a value fits into, where there is no contract.
fn by_value(name: &str, value: &Value, form: ValueForm) -> Option<Field> {
    let (first, shape) = match value {
        Value::Array(values) => (values.first()?, vec![-1, i64::try_from(values.len()).ok()?]),
        value => (value, vec![-1, 1]),
    };
    let datatype = match first {
        Value::Bool(_) => Datatype::Bool,
        Value::Number(_) | Value::Null => Datatype::Fp64,
        Value::String(text) if form == ValueForm::Cells && text.trim().parse::<f64>().is_ok() => Datatype::Fp64,
        Value::String(_) => Datatype::Bytes,
        Value::Array(_) | Value::Object(_) => return None,
    };
    Some(Field { name: name.to_owned(), datatype, shape, optional: false })
}
