//! Mounts the data plane: guard first, then the gateway's own authentication and protocol.

use axum::{body::Body, response::Response};
use http::Request;
use stemma_core::Problem;

use crate::{
    app::App,
    body::read_whole,
    guard, problem,
    router::{client_address, peer_of},
};

/// Asks for more than the gateway knows of: the ledger, too, must take what is asked.
const READY: &str = "/v2/health/ready";
/// Longest inference request.
const BODY_BYTES_MAX: usize = 16 << 20;

pub async fn answer(app: App, request: Request<Body>) -> Response {
    let (mut parts, body) = request.into_parts();
    let peer = peer_of(&parts.extensions);
    let way = match guard::check(&parts, peer, &app.access) {
        Ok(way) => way,
        Err(refused) => return error(&refused),
    };
    parts.extensions.insert(client_address(&way));
    let may_be_anonymous = app.access.lets_in_without_token(peer, &way);
    if let Err(unavailable) = app.engine.ensure_routes().await {
        return error(&problem::for_peer(unavailable, peer, &app.engine));
    }
    if parts.uri.path() == READY
        && let Err(reason) = app.engine.ready().await
    {
        return error(&reason);
    }
    if let Some(refused) = stemma_gateway::http::refuse(app.engine.gateway(), &parts, may_be_anonymous) {
        return refused.map(Body::from);
    }
    let (body, _held) = match read_whole(body, &parts.headers, BODY_BYTES_MAX, parts.extensions.get()).await {
        Ok(read) => read,
        Err(refused) => return error(&refused),
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
    let mut response = problem::json(status, &serde_json::json!({ "error": message }));
    problem::say_when_to_retry(&mut response, refused.kind);
    response
}
