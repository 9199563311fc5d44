//! The Open Inference Protocol, version 2, as JSON: requests in, answers and metadata out.
//!
//! The binary tensor extension is not spoken yet; a request that uses it is told to send JSON.

mod bare;
mod elements;
mod request;
mod response;

pub use request::{BODY_BYTES_MAX, ELEMENTS_MAX, InferRequest, Invalid, ROWS_MAX, USE_JSON, parse};
pub use response::{Answer, metadata, print, print_outputs, server_metadata};
