//! From a request to its handler: guard, authenticate, authorize, handle.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use axum::{Router, body::Body, extract::RawPathParams, response::Response, routing::MethodFilter};
use http::Request;
use stemma_api::client::{ACTOR_HEADER, LocalService, REQUEST_HEADER, body_from};
use stemma_core::{ErrorKind, Problem, id::RequestId, name::PrincipalName, policy::Action, record::Auth};
use stemma_engine::Caller;
use stemma_gateway::http::ClientAddress;
use tower::{Service as _, util::BoxCloneSyncService};

use crate::{
    admission::Admission,
    app::{Anonymous, App, Peer},
    body::{Accompanied, HeldBytes},
    context::{Context, percent_decode, project_of},
    gateway, guard, head, page, problem,
    route::{self, Route, Scope, Weight},
};

/// Builds the router for callers in this process, who need no turns.
pub fn router(app: App) -> Router {
    router_with(app, None)
}

/// Builds the one router of the port.
pub(crate) fn router_with(app: App, admission: Option<Arc<Admission>>) -> Router {
    let mut router = Router::new();
    for route in route::all() {
        let filter = MethodFilter::try_from(route.method.clone()).expect("the table only has standard methods");
        let (app, pattern) = (app.clone(), route.pattern);
        let (route, admission) = (Arc::new(route), admission.clone());
        let handler = move |params: RawPathParams, request: Request<Body>| {
            let (app, route, admission) = (app.clone(), route.clone(), admission.clone());
            async move { answer(app, admission.as_deref(), &route, params, request).await }
        };
        router = router.route(pattern, axum::routing::on(filter, handler));
    }
    let for_fallback = app.clone();
    router = router.fallback(move |request: Request<Body>| {
        let app = for_fallback.clone();
        async move { fallback(app, request).await }
    });
    router.layer(axum::middleware::map_response(|mut response: Response| async {
        guard::add_security_headers(response.headers_mut());
        response
    }))
}

/// The router as a service for callers in this process.
pub fn local_service(app: App) -> LocalService {
    let router = router(app);
    BoxCloneSyncService::new(tower::service_fn(move |mut request: Request<stemma_api::client::Body>| {
        let mut router = router.clone();
        request.extensions_mut().insert(Peer::SameUser);
        async move {
            let response = router.call(request.map(Body::new)).await?;
            Ok(response.map(body_from))
        }
    }))
}

async fn answer(
    app: App,
    admission: Option<&Admission>,
    route: &Route,
    params: RawPathParams,
    request: Request<Body>,
) -> Response {
    let (known, peer) = (app.known().clone(), peer_of(request.extensions()));
    let project = params.iter().find(|(name, _)| *name == "project").and_then(|(_, name)| name.parse().ok());
    let answer = handle(app, admission, route, params, request).await;
    match answer.map_err(|problem| problem::for_peer(problem, peer, &known)) {
        Ok(response) => response,
        Err(problem) if page::is_page(route.pattern) => page::problem(&problem, project),
        Err(problem) => problem::response(problem),
    }
}

async fn handle(
    app: App,
    admission: Option<&Admission>,
    route: &Route,
    params: RawPathParams,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let peer = peer_of(&parts.extensions);
    let way = guard::check(&parts, peer, &app.access)?;
    parts.extensions.insert(client_address(&way));
    let path: HashMap<String, String> = params.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    let caller = identify(&app, &parts.headers, peer, &way, route.action)?;
    match route.scope() {
        Scope::Project => caller.may(route.action, Some(&project_of(&path)?))?,
        Scope::Home => caller.may(route.action, None)?,
        Scope::Handler => caller.may_somewhere(route.action)?,
    }
    let request = request_id(&parts.headers)?;
    let (asked, engine) = (head::asked(&parts.headers, &caller), app.engine().clone());
    let context = Context { app, caller, peer, request, parts, body, held: HeldBytes::default(), path };
    let result = match admission {
        Some(admission) => in_turn(admission, route, context).await,
        None => (route.handler)(context).await,
    };
    match asked {
        None => result,
        // a failure is an answer too
        Some(size) => Ok(head::show(&engine, size, result.unwrap_or_else(problem::response)).await),
    }
}

/// Runs a handler when its turn has come, where its weight belongs.
async fn in_turn(admission: &Admission, route: &Route, mut context: Context) -> Result<Response, Problem> {
    let weight = route.weight();
    if weight == Weight::Free {
        return (route.handler)(context).await;
    }
    // nobody has a turn and does not send; only content that is stored as it comes is read within it
    if context.parts.method != http::Method::PUT || weight != Weight::Transfer {
        context.hold_body().await?;
    }
    let turn = admission.enter(weight, context.peer, &client_of(&context)).await?;
    let (response, turn) = admission.run(weight, route.handler, context, turn).await?;
    Ok(match weight {
        // the turn lasts until the last byte has gone
        Weight::Transfer => response.map(|body| Body::new(Accompanied::new(body, turn))),
        Weight::Free | Weight::Ordinary | Weight::Heavy => response,
    })
}

/// Where a request counts if its caller shows no token. Whoever has one address of the sixth version has a network of
/// them, so these count together.
pub(crate) fn client_address(way: &guard::Way) -> ClientAddress {
    let address = match way.client.map(|address| address.to_canonical()) {
        None => "the owner's socket".to_owned(),
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    };
    ClientAddress(address.into())
}

/// For whom a request counts: whoever showed a token, else wherever it comes from.
fn client_of(context: &Context) -> String {
    let address = context.parts.extensions.get::<ClientAddress>();
    match (context.caller.actor.auth, address) {
        (Auth::Authenticated, _) | (_, None) => context.caller.actor.principal.to_string(),
        (_, Some(ClientAddress(address))) => address.to_string(),
    }
}

/// The data plane, or nothing.
async fn fallback(app: App, request: Request<Body>) -> Response {
    if app.delivery.gateway().owns(request.uri().path()) {
        return gateway::answer(app, request).await;
    }
    let path: String = request.uri().path().chars().take(200).collect();
    let problem = Problem::not_found(format!("there is nothing at `{path}`"));
    if path.starts_with("/api/") {
        problem::response(problem.hint(format!("the API is described at `{}`", stemma_api::paths::OPENAPI)))
    } else {
        page::problem(&problem, None)
    }
}

/// Who calls: a token decides; without one, whoever may be anonymous is what they say they are.
fn identify(
    app: &App,
    headers: &http::HeaderMap,
    peer: Peer,
    way: &guard::Way,
    action: Action,
) -> Result<Caller, Problem> {
    if let Some(token) = bearer(headers)? {
        let known = app.known().authenticate(token);
        return known.inspect_err(|problem| tracing::warn!(client = ?way.client, "a token was refused: {problem}"));
    }
    if app.access.lets_in_without_token(peer, way) {
        return Ok(Caller::uncredentialed(asserted(headers)?));
    }
    if action == Action::Public {
        return Ok(Caller::stranger());
    }
    Err(match way.is_relayed && app.access.anonymous == Anonymous::ThisMachine {
        true => Problem::new(ErrorKind::Unauthenticated, "what comes through a proxy needs a token")
            .hint("send `Authorization: Bearer TOKEN`; only callers on this machine itself do without"),
        false => Problem::new(ErrorKind::Unauthenticated, "this server wants a token").hint("set STEMMA_TOKEN"),
    })
}

pub(crate) fn bearer(headers: &http::HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get(http::header::AUTHORIZATION) else {
        return Ok(None);
    };
    match value.to_str().ok().and_then(|text| text.split_once(' ')) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(Problem::new(ErrorKind::Unauthenticated, "the Authorization header is not `Bearer <token>`")),
    }
}

fn asserted(headers: &http::HeaderMap) -> Result<Option<PrincipalName>, Problem> {
    let Some(value) = headers.get(ACTOR_HEADER) else {
        return Ok(None);
    };
    let text = value.to_str().ok().and_then(percent_decode);
    let text =
        text.ok_or_else(|| Problem::invalid(format!("the header `{ACTOR_HEADER}` is not percent-encoded UTF-8")))?;
    Ok(Some(PrincipalName::new(text)?))
}

fn request_id(headers: &http::HeaderMap) -> Result<RequestId, Problem> {
    match headers.get(REQUEST_HEADER).and_then(|value| value.to_str().ok()) {
        // ids of other systems are fine to send; only ours make a change idempotent
        Some(text) => Ok(text.parse().unwrap_or_else(|_| RequestId::generate())),
        None => Ok(RequestId::generate()),
    }
}

pub(crate) fn peer_of(extensions: &http::Extensions) -> Peer {
    extensions.get::<Peer>().copied().unwrap_or(Peer::Network { address: Ipv4Addr::UNSPECIFIED.into() })
}
