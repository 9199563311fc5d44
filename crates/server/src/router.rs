//! From a request to its handler: guard, authenticate, authorize, handle.

use std::sync::Arc;

use axum::{Router, body::Body, response::Response, routing::MethodFilter};
use http::{Request, StatusCode};
use stemma_api::{
    act::{Declaration, Form, Scope, Weight, percent_decode},
    acts::home::OPENAPI,
    client::{ACTOR_HEADER, LocalService, REQUEST_HEADER, body_from},
};
use stemma_core::{ErrorKind, Problem, id::RequestId, name::PrincipalName, record::Auth, rights::Action};
use stemma_engine::Caller;
use stemma_gateway::http::ClientAddress;
use tower::{Service as _, util::BoxCloneSyncService};

use crate::{
    access_log,
    admission::Admission,
    api,
    app::{Anonymous, App},
    bearer::bearer,
    body::Accompanied,
    context::Context,
    gateway,
    guard::{self, BodyKind, FORM_TYPE},
    head,
    incoming::Incoming,
    page,
    peer::{Peer, peer_of},
    probe, problem,
    route::{Refuse, Route, Table},
    session::{SignedIn, cookie},
};

/// Everything on the port but the data plane, which brings a table of its own.
fn tables() -> [Table; 3] {
    [api::table(), page::table(), probe::table()]
}

/// What is declared for each route.
pub fn declarations() -> Vec<&'static Declaration> {
    tables().iter().flat_map(|table| &table.routes).map(|route| route.act).collect()
}

/// Builds the router for callers in this process, who need no turns.
pub fn router(app: App) -> Router {
    router_with(app, None)
}

/// Builds the one router of the port.
pub(crate) fn router_with(app: App, admission: Option<Arc<Admission>>) -> Router {
    let mut router = Router::new();
    for Table { routes, refuse, are_pages } in tables() {
        for route in routes {
            let filter = MethodFilter::try_from(route.act.method.clone()).expect("acts have standard methods");
            let (app, pattern, route) = (app.clone(), route.act.pattern, Arc::new(route));
            let admission = admission.clone();
            let handler = move |request: Request<Body>| {
                let (app, route, admission) = (app.clone(), route.clone(), admission.clone());
                async move { answer(app, admission.as_deref(), &route, (refuse, are_pages), request).await }
            };
            router = router.route(pattern, axum::routing::on(filter, handler));
        }
    }
    router = router.method_not_allowed_fallback(other_method);
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
    (refuse, is_page): (Refuse, bool),
    request: Request<Body>,
) -> Response {
    let (known, peer) = (app.known().clone(), peer_of(request.extensions()));
    let (uri, path) = (request.uri().clone(), request.uri().path().to_owned());
    // who shows a token is a program, and is told what is wrong with it
    let is_browser = is_page && !request.headers().contains_key(http::header::AUTHORIZATION);
    access_log::tell_act(request.extensions(), route.act);
    match handle(app, admission, (route, is_page), request).await {
        Ok(response) => response,
        Err(problem) if is_browser && problem.kind == ErrorKind::Unauthenticated && page::leads_to_login(route.act) => {
            page::lead_to_login(&uri)
        }
        // what can't be read is no project to lead back to
        Err(problem) => refuse(problem::for_peer(problem, peer, &known), route.act.project(&path).unwrap_or_default()),
    }
}

async fn handle(
    app: App,
    admission: Option<&Admission>,
    (route, is_page): (&Route, bool),
    request: Request<Body>,
) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let peer = peer_of(&parts.extensions);
    let way = guard::check(&parts, peer, (&app.access.hosts, &app.access.proxies), body_of(route.act))?;
    parts.extensions.insert(way.client_address());
    parts.extensions.insert(way.scheme);
    let session = if is_page { signed_in(&app, &parts.headers, &way) } else { None };
    let caller = match session {
        Some((caller, session)) => {
            parts.extensions.insert(session);
            caller
        }
        None => identify(&app, &parts.headers, peer, &way, route.act.action)?,
    };
    access_log::tell_caller(&parts.extensions, &caller);
    let (asked, engine) = (head::asked(&parts.headers, &caller), app.engine().clone());
    let result = act(app, admission, route, (caller, peer), Incoming::new(parts, body)).await;
    let Some(size) = asked else { return result };
    // a failure is an answer too, and a refusal is one
    let told = |problem| problem::response(problem::for_peer(problem, peer, engine.known()));
    let answer = result.unwrap_or_else(told);
    Ok(head::show(&engine, size, answer).await)
}

/// Does what a caller asks for, if they may.
async fn act(
    app: App,
    admission: Option<&Admission>,
    route: &Route,
    (caller, peer): (Caller, Peer),
    incoming: Incoming,
) -> Result<Response, Problem> {
    check_right(&app, route.act, incoming.parts.uri.path(), &caller)?;
    let request = request_id(&incoming.parts.headers)?;
    let context = Context { app, caller, peer, request, incoming };
    match admission {
        Some(admission) => in_turn(admission, route, context).await,
        None => (route.handler)(context).await,
    }
}

/// Checks the right that an act declares, on what it declares; then that its project was made, and is open for it.
fn check_right(app: &App, act: &Declaration, path: &str, caller: &Caller) -> Result<(), Problem> {
    let project = act.project(path)?;
    let allowed = match (act.scope, &project) {
        (Scope::Project, Some(project)) => match act.endpoint(path)? {
            Some(endpoint) => caller.may_on(act.action, project, &endpoint),
            None => caller.may(act.action, Some(project)),
        },
        (Scope::Endpoints, Some(project)) => caller.may_within(act.action, project),
        (Scope::Project | Scope::Endpoints, None) | (Scope::Home, _) => caller.may(act.action, None),
        (Scope::Somewhere, _) => caller.may_somewhere(act.action),
    };
    allowed?;
    let Some(project) = project else { return Ok(()) };
    // whoever may not read it is told the same whether or not it exists: they were refused by now
    app.known().check_made(caller, &project)?;
    app.known().access_table().projects.check_open(&project, act.action)
}

/// Runs a handler when its turn has come, where its weight belongs.
async fn in_turn(admission: &Admission, route: &Route, mut context: Context) -> Result<Response, Problem> {
    let weight = route.act.weight;
    if weight == Weight::Free {
        return (route.handler)(context).await;
    }
    // nobody has a turn and does not send; only content that is stored as it comes is read within it
    if route.act.method != http::Method::PUT || weight != Weight::Transfer {
        context.incoming.hold().await?;
    }
    let turn = admission.enter(weight, context.peer, &client_of(&context)).await?;
    let (response, turn) = admission.run(weight, route.handler.clone(), context, turn).await?;
    Ok(match weight {
        // the turn lasts until the last byte has gone
        Weight::Transfer => response.map(|body| Body::new(Accompanied::new(body, turn))),
        Weight::Free | Weight::Ordinary | Weight::Heavy => response,
    })
}

/// For whom a request counts: whoever showed a token, else wherever it comes from.
fn client_of(context: &Context) -> String {
    let address = context.incoming.parts.extensions.get::<ClientAddress>();
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
        problem::response(problem.hint(format!("the API is described at `{}`", OPENAPI.path(()))))
    } else {
        page::refuse(problem, None)
    }
}

/// There is something at this address, but not for this method; which ones there are is said by a header.
async fn other_method(request: Request<Body>) -> Response {
    let path: String = request.uri().path().chars().take(200).collect();
    let problem = Problem::invalid(format!("nothing is done by {} at `{path}`", request.method()));
    let hint = format!("the header `allow` lists what is; the API is described at `{}`", OPENAPI.path(()));
    let mut response = problem::response(problem.hint(hint));
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}

/// What the body of an act may be.
fn body_of(act: &Declaration) -> BodyKind {
    match act.request {
        Form::Other(kind) if kind == FORM_TYPE => BodyKind::Form,
        _ => BodyKind::Data,
    }
}

/// Whose session a browser shows, if it goes on and what it stands on still holds. A token in a header goes before it.
fn signed_in(app: &App, headers: &http::HeaderMap, way: &guard::Way) -> Option<(Caller, SignedIn)> {
    if headers.contains_key(http::header::AUTHORIZATION) {
        return None;
    }
    let key = cookie::read(headers, way.scheme)?;
    let credential = app.sessions.find(&key, app.known().now())?;
    match app.known().signed_in(&credential) {
        Ok(caller) => {
            let who = caller.actor.principal.clone();
            Some((caller, SignedIn { key, who }))
        }
        // whose token or password is gone is signed out
        Err(_) => {
            app.sessions.end(&key);
            None
        }
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
