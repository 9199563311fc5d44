//! Mounts the data plane: guard first, then the gateway's own authentication and protocol.

use axum::{body::Body, response::Response};
use http::Request;
use http_body_util::{BodyExt as _, Limited};
use stemma_core::Problem;

use crate::{app::App, guard, problem, router::peer_of};

/// Longest inference request.
const BODY_BYTES_MAX: usize = 16 << 20;

pub async fn answer(app: App, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let peer = peer_of(&parts.extensions);
    let way = match guard::check(&parts, peer, &app.access) {
        Ok(way) => way,
        Err(refused) => return error(&refused),
    };
    let may_be_anonymous = app.access.lets_in_without_token(peer, &way);
    if let Err(unavailable) = app.engine.ensure_routes().await {
        return error(&unavailable);
    }
    if let Some(refused) = stemma_gateway::http::refuse(app.engine.gateway(), &parts, may_be_anonymous) {
        return refused.map(Body::from);
    }
    let body = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(broken) if broken.is::<http_body_util::LengthLimitError>() => {
            let mut response = error(&Problem::invalid(format!("the request is longer than {BODY_BYTES_MAX} bytes")));
            *response.status_mut() = http::StatusCode::PAYLOAD_TOO_LARGE;
            return response;
        }
        Err(broken) => return error(&Problem::invalid(format!("the request broke off: {broken}"))),
    };
    let response = stemma_gateway::http::handle(app.engine.gateway(), parts, body, may_be_anonymous).await;
    response.map(Body::from)
}

/// An error as inference clients read it: one text, with the hint in it.
fn error(refused: &Problem) -> Response {
    let status = http::StatusCode::from_u16(refused.kind.http_status()).unwrap_or(http::StatusCode::BAD_REQUEST);
    let message = match &refused.hint {
        Some(hint) => format!("{}; {hint}", refused.message),
        None => refused.message.clone(),
    };
    problem::json(status, &serde_json::json!({ "error": message }))
}
