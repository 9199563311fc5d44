//! Why a request has no answer.

use stemma_core::{
    Timestamp,
    endpoint::prediction::{FailureKind, Outcome, PredictionId, RefusalKind},
    name::EndpointName,
};

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
    #[error("endpoint `{endpoint}` has no version that may answer: {version} is in quarantine since {time}: {reason}")]
    KeptBack { endpoint: EndpointName, version: String, time: Timestamp, reason: String },
    #[error("endpoint `{0}` is not ready: its model could not be loaded")]
    NotReady(EndpointName),
    #[error(transparent)]
    Overloaded(#[from] NoTurn),
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Log(#[from] AppendError),
    #[error("compressed requests are not supported; send no `Content-Encoding`")]
    Compressed,
    #[error("the request is longer than {0} bytes")]
    TooLong(usize),
    #[error("{message}")]
    Failed { kind: FailureKind, message: String },
    #[error("internal error")]
    Internal,
}

/// Why a request that an endpoint has let in has no answer, and where that is kept.
#[derive(Debug)]
pub struct Unanswered {
    pub refused: Refused,
    /// `None` if nothing of it was kept.
    pub prediction: Option<PredictionId>,
}

impl Unanswered {
    pub const fn unkept(refused: Refused) -> Self {
        Self { refused, prediction: None }
    }
}

impl Refused {
    /// What is kept of a request that came to this; `None` if nothing can be, or if it never came to the endpoint.
    pub fn outcome(&self) -> Option<Outcome> {
        let kind = match self {
            Self::Invalid(_) => RefusalKind::Input,
            Self::Compressed => RefusalKind::Media,
            Self::TooLong(_) | Self::Log(AppendError::TooLarge { .. }) => RefusalKind::Size,
            Self::Overloaded(_) => RefusalKind::Overloaded,
            Self::Failed { kind, message } => {
                return Some(Outcome::Failed { kind: Some(*kind), message: message.clone() });
            }
            Self::Internal => {
                return Some(Outcome::Failed { kind: Some(FailureKind::Internal), message: self.to_string() });
            }
            Self::Access(_)
            | Self::NoEndpoint { .. }
            | Self::NoVersion { .. }
            | Self::RevisionGone { .. }
            | Self::TakenDown { .. }
            | Self::KeptBack { .. }
            | Self::NotReady(_)
            | Self::Log(_) => return None,
        };
        Some(Outcome::Refused { kind, message: self.to_string() })
    }
}
