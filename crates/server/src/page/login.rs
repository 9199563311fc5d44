//! Signing in and out.

use askama::Template;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use stemma_api::act::{Declaration, Nothing};
use stemma_core::{ErrorKind, Problem, name::PrincipalName};
use stemma_engine::access::Credential;

use super::{
    filters,
    head::Head,
    paper::{html, redirect},
};
use crate::{
    app::App,
    call::{Call, Sent},
    href::{self, Back, SignIn},
    session::cookie,
};

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    head: Head,
    /// Where it leads.
    then: String,
    who: String,
    /// Why it did not work.
    problem: Option<Problem>,
}

/// Whether who is not signed in is led to the login instead of being refused.
pub fn leads_to_login(act: &Declaration) -> bool {
    act.method == http::Method::GET && act.pattern != href::LOGIN.declaration.pattern
}

pub fn lead_to_login(uri: &http::Uri) -> Response {
    redirect(StatusCode::SEE_OTHER, &href::login(uri)).unwrap_or_else(|problem| super::refuse(problem, None))
}

pub async fn login(call: Call<(), Nothing, Back>) -> Result<Response, Problem> {
    if call.signed_in.is_some() {
        return redirect(StatusCode::SEE_OTHER, &call.ask.path());
    }
    html(LoginPage { head: Head::default(), then: call.ask.path(), who: String::new(), problem: None })
}

pub async fn sign_in(call: Call<(), Sent<SignIn>>) -> Result<Response, Problem> {
    let Call { app, body: Sent(sign_in), address, scheme, .. } = call;
    let SignIn { who, password, token, back } = sign_in;
    let then = back.path();
    match credential(&app, &address, (who.trim(), &password, token.trim())).await {
        Ok(credential) => {
            let key = app.sessions.begin(credential, app.known().now())?;
            let mut response = redirect(StatusCode::SEE_OTHER, &then)?;
            response.headers_mut().append(header::SET_COOKIE, cookie::set(&key, scheme)?);
            Ok(response)
        }
        Err((problem, wait)) => {
            let status = problem.kind.http_status();
            let mut response = html(LoginPage { head: Head::default(), then, who, problem: Some(problem) })?;
            *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            if wait > 0 {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait));
            }
            Ok(response)
        }
    }
}

pub async fn sign_out(call: Call<(), Sent<Back>>) -> Result<Response, Problem> {
    if let Some(signed_in) = &call.signed_in {
        call.app.sessions.end(&signed_in.key);
    }
    let mut response = redirect(StatusCode::SEE_OTHER, &href::login(&http::Uri::from_static("/")))?;
    response.headers_mut().append(header::SET_COOKIE, cookie::clear(call.scheme)?);
    Ok(response)
}

/// What is signed in with, if it lets somebody in; else why not, and how many seconds are to be waited.
async fn credential(
    app: &App,
    address: &str,
    (who, password, token): (&str, &str, &str),
) -> Result<Credential, (Problem, u64)> {
    let now = app.known().now();
    if token.is_empty() && who.is_empty() && password.is_empty() {
        return Err((Problem::invalid("type a name and a password, or a token"), 0));
    }
    // a token names its holder itself
    let name = token.is_empty().then_some(who);
    if let Err(wait) = app.sessions.limiter().begin(name, address, now) {
        let problem = Problem::new(ErrorKind::Unavailable, "too many tries went wrong");
        return Err((problem.hint(format!("try again in {wait} seconds")), wait));
    }
    let found = match name.map(str::parse::<PrincipalName>) {
        None => app.known().sign_in_by_token(token).map(|(_, credential)| credential),
        Some(Ok(principal)) => app.known().sign_in(&principal, password).await,
        Some(Err(error)) => Err(Problem::from(error)),
    };
    match &found {
        Ok(_) => app.sessions.limiter().was_right(name, address),
        // not what was typed: it may be a secret in the wrong place
        Err(problem) => tracing::warn!(address, kind = ?problem.kind, "somebody could not sign in"),
    }
    found.map_err(|problem| (problem, 0))
}
