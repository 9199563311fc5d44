//! The Open Inference Protocol, version 2, as JSON: requests in, answers and metadata out.
//!
//! The binary tensor extension is not spoken yet; a request that uses it is told to send JSON.

mod bare;
mod elements;
mod request;
mod response;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode};
use serde_json::json;
use stemma_core::signature::Signature;

use self::{request::USE_JSON, response::Json};
use super::{
    Description, Parsed, Protocol, json_response,
    path::{
        EndpointAct::{Describe, Infer, Ready},
        GatewayPath, ServerAct,
    },
};
use crate::question::Invalid;

pub use request::parse;

/// Says where the JSON of a request with binary tensors ends.
const BINARY_HEADER: &str = "inference-header-content-length";

static PATHS: [GatewayPath; 10] = [
    GatewayPath::of_server("/v2", ServerAct::Describe),
    GatewayPath::of_server("/v2/", ServerAct::Describe),
    GatewayPath::of_server("/v2/health/live", ServerAct::Live),
    GatewayPath::of_server("/v2/health/ready", ServerAct::Ready),
    GatewayPath::of_endpoint(Method::GET, "/v2/models/{endpoint}", Describe),
    GatewayPath::of_endpoint(Method::GET, "/v2/models/{endpoint}/ready", Ready),
    GatewayPath::of_endpoint(Method::POST, "/v2/models/{endpoint}/infer", Infer),
    GatewayPath::of_endpoint(Method::GET, "/v2/models/{endpoint}/versions/{version}", Describe),
    GatewayPath::of_endpoint(Method::GET, "/v2/models/{endpoint}/versions/{version}/ready", Ready),
    GatewayPath::of_endpoint(Method::POST, "/v2/models/{endpoint}/versions/{version}/infer", Infer),
];

pub struct Oip;

impl Protocol for Oip {
    fn paths(&self) -> &'static [GatewayPath] {
        &PATHS
    }

    fn owns(&self, path: &str) -> bool {
        path == "/v2" || path.starts_with("/v2/")
    }

    fn check_head(&self, headers: &HeaderMap) -> Result<(), Invalid> {
        if headers.contains_key(BINARY_HEADER) { Err(Invalid(USE_JSON.to_owned())) } else { Ok(()) }
    }

    fn parse(&self, _: &HeaderMap, body: &[u8], contract: &Signature) -> Result<Parsed, Invalid> {
        Ok(Parsed { question: request::parse(body, contract)?, printer: Box::new(Json) })
    }

    fn describe(&self, what: &Description<'_>) -> Response<Bytes> {
        json_response(StatusCode::OK, response::describe(what).to_string().into_bytes())
    }

    fn refuse(&self, status: StatusCode, message: &str) -> Response<Bytes> {
        json_response(status, json!({ "error": message }).to_string().into_bytes())
    }
}
