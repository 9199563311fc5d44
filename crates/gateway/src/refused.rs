//! Why a request has no answer.

use stemma_core::{Timestamp, name::EndpointName, prediction::PredictionId};

use crate::{access::AccessError, log::AppendError, question::Invalid, turns::NoTurn};

#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error("there is no endpoint `{endpoint}`; {hint}")]
    NoEndpoint { endpoint: EndpointName, hint: String },
    #[error("endpoint `{endpoint}` has no live version `{version}`; live: {live}")]
    NoVersion { endpoint: EndpointName, version: String, live: String },
    #[error("revision {wanted} of endpoint `{endpoint}` is not served any more; revision {live} answers now")]
    RevisionGone { endpoint: EndpointName, wanted: u32, live: u32 },
    #[error("endpoint `{endpoint}` was taken down at {time}: {reason}")]
    TakenDown { endpoint: EndpointName, time: Timestamp, reason: String },
    #[error("endpoint `{0}` is not ready: its model could not be loaded")]
    NotReady(EndpointName),
    #[error(transparent)]
    Overloaded(#[from] NoTurn),
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Log(#[from] AppendError),
    #[error("{message}")]
    Failed { message: String, prediction: Option<PredictionId> },
    #[error("internal error")]
    Internal,
}
