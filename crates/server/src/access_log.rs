//! What is noted of requests: every refusal, and whoever reads content or predictions. Nothing here changes an answer.

use std::sync::{Arc, OnceLock};

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{Extensions, Method, StatusCode};
use stemma_api::act::{Declaration, percent_decode};
use stemma_core::{
    access_log::{Access, AccessOutcome, written_address},
    record::Actor,
    rights::Action,
};
use stemma_engine::Caller;
use stemma_gateway::{AccessLog, http::ClientAddress};

use crate::{app::App, bearer::bearer, guard::Way, peer::peer_of};

/// A path whose percent signs hide others is resolved so often at most.
const SPELLINGS_MAX: usize = 4;

/// What notes need.
#[derive(Clone)]
pub struct Notes {
    app: App,
    log: AccessLog,
}

/// What was found out of a request on its way to its handler; nothing of the data plane.
#[derive(Clone, Default)]
struct FoundOut(Arc<Found>);

#[derive(Default)]
struct Found {
    act: OnceLock<&'static Declaration>,
    actor: OnceLock<Actor>,
}

/// Says what a request asks for, for whoever notes it.
pub fn tell_act(of: &Extensions, act: &'static Declaration) {
    if let Some(FoundOut(found)) = of.get() {
        // a request is routed once
        let _ = found.act.set(act);
    }
}

/// Says whom a request is of, for whoever notes it.
pub fn tell_caller(of: &Extensions, caller: &Caller) {
    if let Some(FoundOut(found)) = of.get() {
        // a request has one caller
        let _ = found.actor.set(caller.actor.clone());
    }
}

impl Notes {
    pub const fn new(app: App, log: AccessLog) -> Self {
        Self { app, log }
    }
}

/// What is known of a request before it is answered.
struct Asked {
    method: Method,
    path: String,
    from: String,
    /// The text that was shown as a token; it goes no further than to the question whose it is.
    shown: Option<String>,
    found: FoundOut,
}

/// Answers, and notes it if it is to be noted.
pub async fn note(State(notes): State<Notes>, mut request: Request, next: Next) -> Response {
    let asked = notes.read(&mut request);
    let response = next.run(request).await;
    if let Some(outcome) = noted_outcome(response.status(), &asked.found.0) {
        notes.log.note(notes.access(asked, outcome));
    }
    response
}

/// What became of a request, if that is noted. Success is of what hands out content or predictions; the data plane keeps
/// predictions itself.
fn noted_outcome(status: StatusCode, found: &Found) -> Option<AccessOutcome> {
    let act = found.act.get().copied();
    // a browser is led to where people sign in
    let is_led_away = || found.actor.get().is_none() && act.is_some_and(|act| act.action != Action::Public);
    match status {
        StatusCode::UNAUTHORIZED => Some(AccessOutcome::Unauthenticated),
        StatusCode::SEE_OTHER if is_led_away() => Some(AccessOutcome::Unauthenticated),
        StatusCode::FORBIDDEN => Some(AccessOutcome::Forbidden),
        status if status.is_success() && act.is_some_and(Declaration::hands_out) => Some(AccessOutcome::Allowed),
        _ => None,
    }
}

impl Notes {
    fn read(&self, request: &mut Request<Body>) -> Asked {
        let found = FoundOut::default();
        request.extensions_mut().insert(found.clone());
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let shown = bearer(request.headers()).ok().flatten().map(str::to_owned);
        Asked { method, path, from: self.from(request), shown, found }
    }

    /// Where a request comes from, as the guard believes it.
    fn from(&self, request: &mut Request<Body>) -> String {
        let (parts, body) = std::mem::take(request).into_parts();
        let way = Way::of(&parts, peer_of(&parts.extensions), &self.app.access.proxies);
        *request = Request::from_parts(parts, body);
        let ClientAddress(address) = way.client_address();
        address.to_string()
    }

    fn access(&self, asked: Asked, outcome: AccessOutcome) -> Access {
        let Asked { method, path, from, shown, found } = asked;
        let act = found.0.act.get().copied();
        let known = self.app.known();
        let (token, holder) = shown.and_then(|text| known.token_of(&text)).unzip();
        let (by, auth) = match found.0.actor.get() {
            Some(actor) => (Some(actor.principal.clone()), Some(actor.auth)),
            // whose token was shown, where it does not hold any more, and on the data plane, which finds out for itself
            None => (holder, None),
        };
        // whoever says who they are may say a token
        let by = by.filter(|name| is_kept(name.as_str()));
        Access {
            time: known.now(),
            by,
            auth,
            token,
            from,
            act: act.map_or_else(|| method.to_string(), |act| format!("{} {}", act.method, act.pattern)),
            action: act.map_or(Action::Invoke, |act| act.action),
            // what can't be read is no name, and where a token was typed in its place, it is not kept as one
            project: act.and_then(|act| act.project(&path).ok().flatten()).filter(|name| is_kept(name.as_str())),
            endpoint: act.and_then(|act| act.endpoint(&path).ok().flatten()).filter(|name| is_kept(name.as_str())),
            thing: thing(&path),
            outcome,
        }
    }
}

/// Whether a name is kept as it is: one that holds a secret, or that nobody could read, is not.
fn is_kept(name: &str) -> bool {
    written_address(name) == name
}

/// A path as it is kept.
fn thing(path: &str) -> String {
    let mut decoded = path.to_owned();
    for _ in 0..SPELLINGS_MAX {
        if !decoded.contains('%') {
            break;
        }
        match percent_decode(&decoded) {
            Some(further) => decoded = further,
            // what is not text by then may be anything
            None => decoded.truncate(decoded.find('%').unwrap_or(0)),
        }
    }
    // still spelled so that nobody can tell what it is
    decoded.truncate(decoded.find('%').unwrap_or(decoded.len()));
    written_address(&decoded)
}

#[cfg(test)]
mod tests {
    use stemma_api::acts;

    use super::*;

    #[test]
    fn what_hands_out_content_or_predictions_is_noted() {
        let noted = acts::all().filter(|act| act.hands_out()).map(|act| format!("{} {}", act.method, act.pattern));
        let noted: Vec<String> = noted.collect();
        for act in [
            "GET /api/v1/projects/{project}/content/{digest}",
            "GET /api/v1/projects/{project}/content/{digest}/rows",
            "POST /api/v1/projects/{project}/content/download",
            "GET /api/v1/projects/{project}/predictions",
            "GET /api/v1/predictions/{prediction}",
            "POST /api/v1/predictions/{prediction}/replay",
        ] {
            assert!(noted.iter().any(|one| one == act), "{act} is not among {noted:?}");
        }
        assert!(noted.iter().all(|one| !one.contains("health") && !one.contains("/runs")), "{noted:?}");
        let (read, unrouted) = (Found::default(), Found::default());
        let mut acts = acts::all().filter(|act| act.method == Method::GET);
        let act = acts.find(|act| act.pattern == "/api/v1/projects/{project}/content/{digest}");
        read.act.set(act.unwrap()).unwrap();
        assert_eq!(noted_outcome(StatusCode::PARTIAL_CONTENT, &read), Some(AccessOutcome::Allowed));
        assert_eq!(noted_outcome(StatusCode::NOT_FOUND, &read), None);
        assert_eq!(noted_outcome(StatusCode::OK, &unrouted), None);
        assert_eq!(noted_outcome(StatusCode::UNAUTHORIZED, &unrouted), Some(AccessOutcome::Unauthenticated));
        assert_eq!(noted_outcome(StatusCode::SEE_OTHER, &unrouted), None);
        assert_eq!(
            noted_outcome(StatusCode::SEE_OTHER, &read),
            Some(AccessOutcome::Unauthenticated),
            "led to the login"
        );
    }

    #[test]
    fn t21_no_spelling_hides_a_token_in_an_address() {
        let token = format!("stm_{}", "k3".repeat(26));
        let spelled = |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02x}")).collect() };
        let (once, twice) = (spelled(&token), spelled(&spelled(&token)));
        let often = (0..5).fold(token.clone(), |text, _| text.replace('%', "%25").replace('s', "%73"));
        for path in [format!("/v2/models/{once}"), format!("/{twice}/x"), format!("/a/{often}"), format!("/%ff{token}")]
        {
            let kept = thing(&path);
            assert!(!kept.contains("k3k3k3"), "{path} is kept as {kept}");
        }
        assert_eq!(thing("/projects/a%20b"), "/projects/a b");
    }
}
