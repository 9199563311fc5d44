//! Printing answers and metadata.

use serde::Serialize;
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};
use stemma_core::{
    Digest,
    name::EndpointName,
    prediction::{LoggedTensor, PredictionId},
    signature::{Field, Signature},
    target::Target,
};

/// An answer, ready to be printed.
#[derive(Debug)]
pub struct Answer<'a> {
    pub endpoint: &'a EndpointName,
    pub id: &'a str,
    pub target: &'a Target,
    pub revision: u32,
    pub variant: &'a str,
    /// `step=model@version` of each step; empty for one model alone.
    pub nodes: &'a str,
    /// Names of the overrides that changed the answer, with commas between.
    pub overrides: &'a str,
    /// `None` if the endpoint keeps no log.
    pub prediction: Option<PredictionId>,
    /// From [`print_outputs`].
    pub outputs: &'a RawValue,
}

#[derive(Serialize)]
struct Response<'a> {
    model_name: &'a EndpointName,
    model_version: &'a str,
    id: &'a str,
    parameters: ResponseParameters<'a>,
    outputs: &'a RawValue,
}

#[derive(Serialize)]
struct ResponseParameters<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    prediction_id: Option<PredictionId>,
    model: &'a str,
    version: &'a str,
    digest: Digest,
    revision: u32,
    variant: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    nodes: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    overrides: &'a str,
}

/// Returns the body of an answer.
pub fn print(answer: &Answer<'_>) -> Result<Vec<u8>, serde_json::Error> {
    let version = answer.target.version.to_string();
    serde_json::to_vec(&Response {
        model_name: answer.endpoint,
        model_version: &version,
        id: answer.id,
        parameters: ResponseParameters {
            prediction_id: answer.prediction,
            model: answer.target.model.as_str(),
            version: &version,
            digest: answer.target.digest,
            revision: answer.revision,
            variant: answer.variant,
            nodes: answer.nodes,
            overrides: answer.overrides,
        },
        outputs: answer.outputs,
    })
}

/// Returns the JSON of the outputs; all of them must be finite, see [`stemma_tensor::logged::is_finite`].
pub fn print_outputs(outputs: &[&LoggedTensor]) -> Result<Box<RawValue>, serde_json::Error> {
    to_raw_value(outputs)
}

/// Returns the metadata of the server; no extension is listed that does not work.
pub fn server_metadata() -> Value {
    json!({ "name": "stemma", "version": env!("CARGO_PKG_VERSION"), "extensions": [] })
}

/// Returns the metadata of an endpoint.
pub fn metadata(endpoint: &EndpointName, versions: &[String], signature: &Signature) -> Value {
    let describe = |field: &Field| json!({ "name": field.name, "datatype": field.datatype, "shape": field.shape });
    let inputs: Vec<Value> = signature.inputs.iter().map(describe).collect();
    let outputs: Vec<Value> = signature.outputs.iter().map(describe).collect();
    json!({
        "name": endpoint,
        "versions": versions,
        "platform": "onnx_onnxv1",
        "inputs": inputs,
        "outputs": outputs,
    })
}
