//! A record as it is listed.

use serde_json::Value;
use stemma_api::types::FoundPrediction;
use stemma_core::endpoint::prediction::{LoggedTensor, NodeRecord, OverrideEffect, PredictionId, PredictionRecord};

/// Longer values are left out of a list, by the number of their elements and the bytes of their texts.
const ELEMENTS_MAX: usize = 32;
const TEXT_BYTES_MAX: usize = 1000;
/// Inputs and outputs that a list shows of a prediction.
const TENSORS_MAX: usize = 64;

pub fn found(prediction: PredictionId, record: PredictionRecord) -> FoundPrediction {
    let mut left_out = Vec::new();
    let inputs = brief("inputs", record.inputs, &mut left_out);
    let outputs = brief("outputs", record.outputs, &mut left_out);
    let changed = record.overrides.iter().filter(|one| matches!(one.effect, OverrideEffect::Bounded { .. }));
    FoundPrediction {
        prediction,
        time: record.time,
        endpoint: record.endpoint,
        revision: record.revision,
        caller: record.caller,
        unit: record.draw.map(|draw| draw.unit),
        request_id: record.request_id,
        trace_id: record.trace.map(|trace| trace.trace_id),
        arm: record.arm.map(|arm| arm.name),
        asked: record.nodes.iter().map(NodeRecord::asked).collect(),
        status: record.outcome.status().to_owned(),
        failure: record.outcome.message().map(str::to_owned),
        reported_at: record.reported.map(|reported| reported.time),
        inputs,
        outputs,
        left_out,
        overrides: changed.map(|one| one.name.clone()).collect(),
        latency_us: record.latency_us,
    }
}

/// The values that are short enough for a list; the names of the others are added to those that are left out.
fn brief(section: &str, tensors: Vec<LoggedTensor>, left_out: &mut Vec<String>) -> Vec<LoggedTensor> {
    let mut brief = Vec::new();
    for tensor in tensors {
        if brief.len() < TENSORS_MAX && is_brief(&tensor.data) {
            brief.push(tensor);
        } else {
            left_out.push(format!("{section}.{}", tensor.name));
        }
    }
    brief
}

fn is_brief(data: &Value) -> bool {
    let Value::Array(elements) = data else { return false };
    let bytes = || elements.iter().filter_map(Value::as_str).map(str::len).sum::<usize>();
    elements.len() <= ELEMENTS_MAX && bytes() <= TEXT_BYTES_MAX
}
