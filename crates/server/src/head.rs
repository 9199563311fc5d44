//! The head of the home's history, in the headers of every answer to a caller who says what it remembers: so a home that
//! went back is noticed by whoever uses it, and no request is spent on it.

use std::collections::BTreeSet;

use axum::response::Response;
use http::{HeaderMap, HeaderValue};
use stemma_api::client::{HEAD_HEADER, PROOF_HEADER, SEEN_HEADER};
use stemma_core::rights::Action;
use stemma_engine::{Caller, Engine};

/// The size that a caller remembers, if it may see the home's history at all.
pub fn asked(headers: &HeaderMap, caller: &Caller) -> Option<u64> {
    let size = headers.get(SEEN_HEADER)?.to_str().ok()?.parse().ok()?;
    caller.may_somewhere(Action::Read).is_ok().then_some(size)
}

/// Adds the head as it is after the request, and the proof that what is remembered is a beginning of it.
pub async fn show(engine: &Engine, size: u64, mut response: Response) -> Response {
    // without a head in the answer, whoever remembers one says that it could not be compared
    let history = match engine.history(&BTreeSet::from([size])).await {
        Ok(history) => history,
        Err(problem) => {
            tracing::error!(%problem, "the home's history can't be shown");
            return response;
        }
    };
    let (head, proof) = history.headers(size);
    for (name, value) in [(HEAD_HEADER, Some(head)), (PROOF_HEADER, proof)] {
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
