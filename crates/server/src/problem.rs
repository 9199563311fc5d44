//! Problems as HTTP answers.

use axum::{body::Body, response::Response};
use http::{HeaderValue, StatusCode, header};
use stemma_core::{ErrorKind, Problem};
use stemma_engine::Known;

use crate::peer::Peer;

/// A problem as this peer may see it: where our files lie is only for who can read them anyway.
pub fn for_peer(problem: Problem, peer: Peer, known: &Known) -> Problem {
    match peer {
        Peer::SameUser => problem,
        Peer::Network { .. } => known.for_others(problem),
    }
}

/// In seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

/// Turns a problem into an answer; what was not foreseen is logged here and told to nobody.
pub fn response(problem: Problem) -> Response {
    let status = StatusCode::from_u16(problem.kind.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let shown = match problem.kind {
        ErrorKind::Internal => {
            tracing::error!(message = %problem.message, "request failed");
            Problem::new(ErrorKind::Internal, "internal error").hint("the server's log has the cause")
        }
        _ => problem,
    };
    let mut response = json(status, &shown);
    if shown.kind == ErrorKind::Unauthenticated {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"stemma\""));
    }
    say_when_to_retry(&mut response, shown.kind);
    response
}

/// Tells clients when to ask again, if that can help.
pub fn say_when_to_retry(response: &mut Response, kind: ErrorKind) {
    if kind == ErrorKind::Unavailable {
        response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    }
}

/// Writes a value as a JSON answer.
pub fn json(status: StatusCode, value: &impl serde::Serialize) -> Response {
    let (status, bytes) = match serde_json::to_vec(value) {
        Ok(bytes) => (status, bytes),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            (StatusCode::INTERNAL_SERVER_ERROR, br#"{"kind":"internal","message":"internal error"}"#.to_vec())
        }
    };
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
