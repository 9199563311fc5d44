//! What an endpoint says, in the protocol's own words.

use http::StatusCode;
use serde_json::Value;
use stemma_core::{ErrorKind, Problem};

/// What an endpoint answered to a prediction request, as it came.
#[derive(Debug, Clone)]
pub struct RawAnswer {
    pub status: StatusCode,
    pub body: Value,
}

impl RawAnswer {
    /// The body of a good answer; the protocol's error message of another as a problem.
    pub fn good(self) -> Result<Value, Problem> {
        if self.status.is_success() {
            return Ok(self.body);
        }
        let status = self.status.as_u16();
        let kind = match status {
            400 | 413 | 422 => ErrorKind::Invalid,
            401 => ErrorKind::Unauthenticated,
            403 => ErrorKind::Forbidden,
            404 => ErrorKind::NotFound,
            410 => ErrorKind::Gone,
            429 | 502..=504 => ErrorKind::Unavailable,
            _ => ErrorKind::Internal,
        };
        let message = match self.body.get("error").and_then(Value::as_str) {
            Some(message) => message.to_owned(),
            None => format!("the endpoint answered {status}"),
        };
        let problem = Problem::new(kind, message);
        Err(match kind {
            ErrorKind::NotFound => problem.hint("see `stemma endpoints`"),
            _ => problem,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judged(status: u16, body: Value) -> Result<Value, Problem> {
        RawAnswer { status: StatusCode::from_u16(status).unwrap(), body }.good()
    }

    #[test]
    fn every_status_is_an_answer_or_says_what_kind_of_failure_it_is() {
        for status in 100..600 {
            let judged = judged(status, json!({ "error": "why", "outputs": [] }));
            match status {
                200..300 => assert!(judged.is_ok(), "{status}"),
                _ => assert_eq!(judged.unwrap_err().message, "why", "{status}"),
            }
        }
        let kind = |status| judged(status, Value::Null).unwrap_err().kind;
        assert_eq!([400, 413, 422].map(kind), [ErrorKind::Invalid; 3]);
        assert_eq!([429, 502, 503, 504].map(kind), [ErrorKind::Unavailable; 4]);
        assert_eq!([401, 403, 410].map(kind), [ErrorKind::Unauthenticated, ErrorKind::Forbidden, ErrorKind::Gone]);
        assert_eq!(kind(500), ErrorKind::Internal);
        let missing = judged(404, Value::Null).unwrap_err();
        assert_eq!((missing.kind, missing.message.as_str()), (ErrorKind::NotFound, "the endpoint answered 404"));
        assert!(missing.hint.unwrap().contains("stemma endpoints"));
    }
}
