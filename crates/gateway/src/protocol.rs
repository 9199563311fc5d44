//! The seam to the protocols in which predictions are asked for: parse → question → answer → print.
//!
//! A protocol is a file of this folder that makes a [`Question`] of a request and a response of an [`Answer`]. What happens
//! between the two is the same for all of them, and knows none.

pub mod oip;
pub mod path;

use std::error::Error;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use stemma_core::{
    endpoint::{
        prediction::{LoggedTensor, PredictionId},
        target::Target,
    },
    name::EndpointName,
    signature::Signature,
};
use stemma_tensor::Tensor;

use self::path::GatewayPath;
use crate::question::{Invalid, Question};

/// One protocol over HTTP.
pub trait Protocol: Send + Sync {
    /// Every path that it answers.
    fn paths(&self) -> &'static [GatewayPath];

    /// Whether a path belongs to it, even if nothing is there: what is wrong with it is then said in its words.
    fn owns(&self, path: &str) -> bool;

    /// Refuses a question by its head alone.
    fn check_head(&self, headers: &HeaderMap) -> Result<(), Invalid>;

    /// Reads a question against the contract of its endpoint, and how its answer is to be written. May take long.
    fn parse(&self, headers: &HeaderMap, body: &[u8], contract: &Signature) -> Result<Parsed, Invalid>;

    /// Writes what is asked about the gateway or an endpoint.
    fn describe(&self, what: &Description<'_>) -> Response<Bytes>;

    /// Writes why there is no answer.
    fn refuse(&self, status: StatusCode, message: &str) -> Response<Bytes>;
}

/// What a request came to.
pub struct Parsed {
    pub question: Question,
    pub printer: Box<dyn Printer>,
}

/// How one answer is written: that may depend on how it was asked for.
pub trait Printer: Send {
    /// Writes the outputs in the order in which they were asked for. May take long. What can't be written is an outcome
    /// that is remembered.
    fn outputs(self: Box<Self>, outputs: &[Output<'_>]) -> Result<Box<dyn Printed>, String>;
}

/// Outputs that are written, and wait for the rest of their answer.
pub trait Printed: Send {
    fn answer(self: Box<Self>, answer: &Answer<'_>) -> Result<Response<Bytes>, Box<dyn Error + Send + Sync>>;
}

/// An output, as it was computed and as it is logged.
#[derive(Debug, Clone, Copy)]
pub struct Output<'a> {
    pub tensor: &'a Tensor,
    pub logged: &'a LoggedTensor,
}

/// All of an answer but its outputs.
#[derive(Debug)]
pub struct Answer<'a> {
    pub endpoint: &'a EndpointName,
    /// The caller's id of the request, or one that was made up.
    pub id: &'a str,
    /// The version whose outputs these are.
    pub target: &'a Target,
    pub revision: u32,
    pub variant: &'a str,
    /// `step=model@version` of each step; empty for one model alone.
    pub nodes: &'a str,
    /// Names of the overrides that changed the answer, with commas between.
    pub overrides: &'a str,
    /// `None` if the endpoint keeps no log.
    pub prediction: Option<PredictionId>,
}

/// What can be asked without asking for a prediction.
#[derive(Debug)]
pub enum Description<'a> {
    Server,
    Live,
    Ready,
    Endpoint { endpoint: &'a EndpointName, versions: &'a [String], signature: &'a Signature },
    EndpointReady { endpoint: &'a EndpointName },
}

/// A response with a body that is JSON already.
pub fn json_response(status: StatusCode, body: Vec<u8>) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
