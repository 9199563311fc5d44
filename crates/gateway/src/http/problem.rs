//! Refusals as HTTP: status, words and headers; the protocol gives them their form.

use bytes::Bytes;
use data_encoding::HEXUPPER;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use stemma_core::endpoint::prediction::PredictionId;

use crate::{
    log::AppendError,
    protocol::{Protocol, path::PathError},
    refused::{Refused, Unanswered},
};

const PREDICTION_ID: HeaderName = HeaderName::from_static("x-stemma-prediction-id");

/// An error with its status and whatever headers belong to it.
#[derive(Debug)]
pub struct HttpProblem {
    status: StatusCode,
    message: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl HttpProblem {
    pub fn new(status: StatusCode, message: String) -> Self {
        Self { status, message, headers: Vec::new() }
    }

    /// 503, worth another try soon.
    pub fn retry(message: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message.to_owned())
            .with(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub fn into_response(self, protocol: &dyn Protocol) -> Response<Bytes> {
        let mut response = protocol.refuse(self.status, &self.message);
        response.headers_mut().extend(self.headers);
        response
    }
}

impl From<PathError> for HttpProblem {
    fn from(error: PathError) -> Self {
        let message = error.to_string();
        match error {
            PathError::Unknown => Self::new(StatusCode::NOT_FOUND, message),
            PathError::Encoding => Self::new(StatusCode::BAD_REQUEST, message),
            PathError::Method { allowed } => {
                Self::new(StatusCode::METHOD_NOT_ALLOWED, message).with(header::ALLOW, header_text(&allowed))
            }
        }
    }
}

impl From<Refused> for HttpProblem {
    fn from(refused: Refused) -> Self {
        let message = refused.to_string();
        match refused {
            Refused::Access(_) => Self::new(StatusCode::UNAUTHORIZED, message)
                .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            Refused::NoEndpoint { .. } | Refused::NoVersion { .. } => Self::new(StatusCode::NOT_FOUND, message),
            Refused::TakenDown { .. } => Self::new(StatusCode::GONE, message),
            // a person has to decide: nobody is told to try again soon
            Refused::KeptBack { .. } => Self::new(StatusCode::SERVICE_UNAVAILABLE, message),
            Refused::RevisionGone { .. } => Self::new(StatusCode::CONFLICT, message),
            Refused::Invalid(_) => Self::new(StatusCode::BAD_REQUEST, message),
            Refused::Compressed => Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message),
            Refused::TooLong(_) | Refused::Log(AppendError::TooLarge { .. }) => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, message)
            }
            Refused::Log(AppendError::Unwritable(_)) | Refused::Internal => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error".to_owned())
            }
            Refused::NotReady(_) | Refused::Overloaded(_) | Refused::Log(_) => Self::retry(&message),
            Refused::Failed { .. } => Self::new(StatusCode::INTERNAL_SERVER_ERROR, message),
        }
    }
}

impl From<Unanswered> for HttpProblem {
    /// Whoever complains can name what was kept: a failure says so in its words too.
    fn from(unanswered: Unanswered) -> Self {
        let has_failed = matches!(unanswered.refused, Refused::Failed { .. });
        let mut problem = Self::from(unanswered.refused);
        if let Some(id) = unanswered.prediction {
            if has_failed {
                problem.message = format!("{}; prediction {id}", problem.message);
            }
            problem.headers.push(prediction_header(id));
        }
        problem
    }
}

pub fn prediction_header(id: PredictionId) -> (HeaderName, HeaderValue) {
    (PREDICTION_ID, header_text(&id.to_string()))
}

/// Headers are ASCII: whatever is not is percent-encoded.
pub fn header_text(text: &str) -> HeaderValue {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            0x20..=0x7e if byte != b'%' => encoded.push(char::from(byte)),
            _ => {
                encoded.push('%');
                encoded.push_str(&HEXUPPER.encode(&[byte]));
            }
        }
    }
    HeaderValue::try_from(encoded).expect("only printable ASCII is left")
}
