//! Printing answers and metadata.

use std::error::Error;

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};
use stemma_core::{
    Digest,
    endpoint::prediction::{LoggedTensor, PredictionId},
    name::EndpointName,
    signature::{Field, Signature},
};
use stemma_tensor::logged;

use crate::protocol::{Answer, Description, Output, Printed, Printer, json_response};

/// Writes the whole answer as JSON.
pub struct Json;

struct Outputs(Box<RawValue>);

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

impl Printer for Json {
    fn outputs(self: Box<Self>, outputs: &[Output<'_>]) -> Result<Box<dyn Printed>, String> {
        if let Some(output) = outputs.iter().find(|output| !logged::is_finite(output.tensor)) {
            return Err(format!("output `{}` is not finite, and JSON has no form for it", output.logged.name));
        }
        let listed: Vec<&LoggedTensor> = outputs.iter().map(|output| output.logged).collect();
        let written =
            to_raw_value(&listed).map_err(|error| format!("the outputs cannot be written as JSON: {error}"))?;
        Ok(Box::new(Outputs(written)))
    }
}

impl Printed for Outputs {
    fn answer(self: Box<Self>, answer: &Answer<'_>) -> Result<http::Response<Bytes>, Box<dyn Error + Send + Sync>> {
        let version = answer.target.version.to_string();
        let body = serde_json::to_vec(&Response {
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
            outputs: &self.0,
        })?;
        Ok(json_response(StatusCode::OK, body))
    }
}

/// Returns what is told of the gateway or of an endpoint.
pub fn describe(what: &Description<'_>) -> Value {
    match what {
        Description::Server => server_metadata(),
        Description::Live => json!({ "name": "stemma", "live": true }),
        Description::Ready => json!({ "name": "stemma", "live": true, "ready": true }),
        Description::Endpoint { endpoint, versions, signature } => metadata(endpoint, versions, signature),
        Description::EndpointReady { endpoint } => json!({ "name": endpoint, "ready": true, "live": true }),
    }
}

/// Returns the metadata of the server; no extension is listed that does not work.
fn server_metadata() -> Value {
    json!({ "name": "stemma", "version": env!("CARGO_PKG_VERSION"), "extensions": [] })
}

/// Returns the metadata of an endpoint.
fn metadata(endpoint: &EndpointName, versions: &[String], signature: &Signature) -> Value {
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
