//! Mounts the data plane: guard first, then the gateway's own authentication and protocols.

use axum::{body::Body, response::Response};
use http::Request;
use stemma_core::Problem;
use stemma_gateway::{
    Gateway,
    http::{BODY_BYTES_MAX, enter, refuse},
};

use crate::{
    app::App,
    body::read_whole,
    guard::{self, BodyKind},
    peer::peer_of,
    problem,
};

pub async fn answer(app: App, request: Request<Body>) -> Response {
    let (mut parts, body) = request.into_parts();
    let (path, peer, gateway) = (parts.uri.path().to_owned(), peer_of(&parts.extensions), app.delivery.gateway());
    let error = |refused: &Problem| error(gateway, &path, refused);
    let way = match guard::check(&parts, peer, (&app.access.hosts, &app.access.proxies), BodyKind::Data) {
        Ok(way) => way,
        Err(refused) => return error(&refused),
    };
    parts.extensions.insert(way.client_address());
    let may_be_anonymous = app.access.lets_in_without_token(peer, &way);
    if let Err(unavailable) = app.delivery.ensure_routes().await {
        return error(&problem::for_peer(unavailable, peer, app.known()));
    }
    let entered = match enter(gateway, parts, may_be_anonymous) {
        Ok(entered) => entered,
        Err(refused) => return refused.map(Body::from),
    };
    // more than the gateway knows of: the ledger, too, must take what is asked
    if entered.asks_whether_ready()
        && let Err(reason) = app.delivery.ready().await
    {
        return error(&reason);
    }
    let head = entered.head();
    let (body, _held) = match read_whole(body, &head.headers, BODY_BYTES_MAX, head.extensions.get()).await {
        Ok(read) => read,
        Err(refused) => return error(&refused),
    };
    entered.answer(body).await.map(Body::from)
}

/// An error as inference clients read it: one text, with the hint in it.
fn error(gateway: &Gateway, path: &str, refused: &Problem) -> Response {
    let status = http::StatusCode::from_u16(refused.kind.http_status()).unwrap_or(http::StatusCode::BAD_REQUEST);
    let message = match &refused.hint {
        Some(hint) => format!("{}; {hint}", refused.message),
        None => refused.message.clone(),
    };
    let mut response = refuse(gateway, path, status, &message).map(Body::from);
    problem::say_when_to_retry(&mut response, refused.kind);
    response
}
