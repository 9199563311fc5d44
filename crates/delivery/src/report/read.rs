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
/// The year 2000: what is said to be older was told in seconds or milliseconds.
const EARLIEST: Timestamp = Timestamp(946_684_800_000_000);

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
    let (inputs, outputs) = (Side::INPUTS, Side { may_lack: one.error.is_some(), ..Side::OUTPUTS });
    let inputs = inputs.tensors(&one.inputs, reading.values, &answering.signature.inputs)?;
    let outputs = outputs.tensors(&one.outputs, reading.values, &answering.signature.outputs)?;
    // of a table, all that was said may have been empty cells
    check_told(inputs.is_empty(), outputs.is_empty() && one.error.is_none())?;
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
    if one.time < EARLIEST {
        return Err(Problem::invalid(format!("it was made at {}, before the year 2000", one.time))
            .hint("whole numbers are microseconds since 1970: are these seconds or milliseconds?"));
    }
    check_told(one.inputs.is_empty(), one.outputs.is_empty() && one.error.is_none())
}

fn check_told(asked_nothing: bool, answered_nothing: bool) -> Result<(), Problem> {
    match (asked_nothing, answered_nothing) {
        (true, _) => Err(Problem::invalid("it has no inputs")),
        (_, true) => Err(Problem::invalid("it has neither outputs nor an error")),
        (false, false) => Ok(()),
    }
}

/// What was asked, or what was answered.
struct Side {
    /// For messages.
    what: &'static str,
    /// Whether a field of the contract may be missing.
    may_lack: bool,
}

impl Side {
    const INPUTS: Self = Self { what: "input", may_lack: false };
    const OUTPUTS: Self = Self { what: "output", may_lack: false };

    /// Values by name as tensors of one row: as the version's contract has them, else by what they are.
    fn tensors(
        &self,
        values: &BTreeMap<String, Value>,
        form: ValueForm,
        fields: &[Field],
    ) -> Result<Vec<LoggedTensor>, Problem> {
        let is_said = |name: &str, value: &Value| match form {
            ValueForm::Json => true,
            // a table has a column for each input of any version: an empty cell is a value only where one must be
            ValueForm::Cells => {
                !value.is_null() || (!self.may_lack && fields.iter().any(|field| field.name == name && !field.optional))
            }
        };
        let values: BTreeMap<&str, &Value> = values
            .iter()
            .map(|(name, value)| (name.as_str(), value))
            .filter(|(name, value)| is_said(name, value))
            .collect();
        if fields.is_empty() {
            return values.into_iter().map(|(name, value)| self.tensor(None, name, value, form)).collect();
        }
        self.check_names(&values, fields)?;
        let given = fields.iter().filter_map(|field| Some((field, *values.get(field.name.as_str())?)));
        given.map(|(field, value)| self.tensor(Some(field), &field.name, value, form)).collect()
    }

    fn check_names(&self, values: &BTreeMap<&str, &Value>, fields: &[Field]) -> Result<(), Problem> {
        let Self { what, may_lack } = self;
        let known: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        let known_hint = || format!("its {what}s are `{}`", known.join("`, `"));
        if let Some(name) = values.keys().find(|name| !known.contains(*name)) {
            return Err(Problem::invalid(format!("the version has no {what} `{name}`")).hint(known_hint()));
        }
        let lacks = |field: &&Field| !field.optional && !values.contains_key(field.name.as_str());
        match fields.iter().find(lacks).filter(|_| !may_lack) {
            Some(field) => {
                Err(Problem::invalid(format!("it lacks the {what} `{}` of the version", field.name)).hint(known_hint()))
            }
            None => Ok(()),
        }
    }

    fn tensor(
        &self,
        field: Option<&Field>,
        name: &str,
        value: &Value,
        form: ValueForm,
    ) -> Result<LoggedTensor, Problem> {
        let what = self.what;
        let field = match field {
            Some(field) => field.clone(),
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
    }
}

/// A field that a value fits into, where there is no contract.
fn by_value(name: &str, value: &Value, form: ValueForm) -> Option<Field> {
    let (values, shape) = match value {
        Value::Array(values) => (values.as_slice(), vec![-1, i64::try_from(values.len()).ok()?]),
        value => (std::slice::from_ref(value), vec![-1, 1]),
    };
    let is_number = |one: &Value| match one {
        Value::Number(_) | Value::Null => true,
        // JSON has no other way to write them
        Value::String(text) if value.is_array() => matches!(text.as_str(), "NaN" | "Infinity" | "-Infinity"),
        Value::String(text) => form == ValueForm::Cells && text.trim().parse::<f64>().is_ok(),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    };
    let datatype = match values.first()? {
        _ if values.iter().all(is_number) => Datatype::Fp64,
        Value::Bool(_) => Datatype::Bool,
        Value::String(_) => Datatype::Bytes,
        // what is mixed is refused with the value that does not fit
        Value::Number(_) | Value::Null => Datatype::Fp64,
        Value::Array(_) | Value::Object(_) => return None,
    };
    Some(Field { name: name.to_owned(), datatype, shape, optional: false })
}
