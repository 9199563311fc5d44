//! People who sign in to the pages with a browser.

use std::sync::Arc;

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use serde_json::json;
use stemma_core::{ManualClock, Timestamp, rights::Role};
use stemma_server::app::AccessRules;

use crate::world::{Answer, HERE, World};

const PASSWORD: &str = "correct horse battery";
const MODEL: &str = "/projects/default/models/score/versions/1.0.0";

/// A browser: it keeps the cookie that it was given, and sends forms as pages have them.
struct Browser<'a> {
    world: &'a World,
    cookie: Option<String>,
}

impl<'a> Browser<'a> {
    const fn of(world: &'a World) -> Self {
        Self { world, cookie: None }
    }

    async fn ask(&mut self, method: Method, path: &str, form: Option<&[(&str, &str)]>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "localhost");
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let body = match form {
            None => Body::empty(),
            Some(form) => {
                request = request
                    .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .header(header::ORIGIN, "http://localhost");
                Body::from(encoded(form))
            }
        };
        let answer = self.world.request(request.body(body).unwrap(), HERE).await;
        if let Some(set) = answer.headers.get(header::SET_COOKIE) {
            self.cookie = Some(set.to_str().unwrap().split(';').next().unwrap().to_owned());
        }
        answer
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }

    async fn send(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.ask(Method::POST, path, Some(form)).await
    }

    async fn sign_in(&mut self, form: &[(&str, &str)]) -> StatusCode {
        self.send("/login", form).await.status
    }

    /// What the forms of a page carry.
    async fn form_token(&mut self, path: &str) -> String {
        let page = self.get(path).await.text();
        let value = page.split("name=\"form_token\" value=\"").nth(1).unwrap_or_else(|| panic!("no form: {page}"));
        value.split('"').next().unwrap().to_owned()
    }

    async fn is_in(&mut self) -> bool {
        self.get("/projects").await.status == StatusCode::OK
    }
}

fn encoded(form: &[(&str, &str)]) -> String {
    let escaped = |text: &str| -> String {
        text.bytes()
            .map(
                |byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") },
            )
            .collect()
    };
    form.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect::<Vec<_>>().join("&")
}

fn leads_to(answer: &Answer) -> &str {
    answer.headers[header::LOCATION].to_str().unwrap()
}

async fn with_password(world: &World, who: &str) {
    let set = json!({ "principal": who, "password": PASSWORD });
    world.done(Method::POST, "/api/v1/passwords", set).await;
}

#[tokio::test]
async fn who_is_not_signed_in_is_led_to_the_login_and_back() {
    let world = World::new(false).await;
    world.token(Role::Reader, None).await;
    let mut browser = Browser::of(&world);
    let answer = browser.get("/projects/default/models?limit=5").await;
    assert_eq!(
        (answer.status, leads_to(&answer)),
        (StatusCode::SEE_OTHER, "/login?then=%2Fprojects%2Fdefault%2Fmodels%3Flimit%3D5")
    );
    let login = browser.get(leads_to(&answer)).await;
    assert!(login.status == StatusCode::OK && login.text().contains("value=\"/projects/default/models?limit=5\""));
    let answer = browser.send("/login", &[("token", &world.owner), ("then", "/projects/default/models?limit=5")]).await;
    assert_eq!((answer.status, leads_to(&answer)), (StatusCode::SEE_OTHER, "/projects/default/models?limit=5"));
    let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("; HttpOnly; SameSite=Lax") && !cookie.contains(&world.owner), "{cookie}");
    let page = browser.get("/projects/default/models?limit=5").await;
    assert!(
        page.status == StatusCode::OK
            && page.text().contains("olga@bank.example</span> <button class=\"plain\">sign out")
    );
    // programs show tokens: the API and the data plane know no cookies
    assert_eq!(browser.get("/api/v1/projects").await.status, StatusCode::UNAUTHORIZED);
    for elsewhere in ["https://evil.example/", "//evil.example"] {
        let answer = Browser::of(&world).send("/login", &[("token", &world.owner), ("then", elsewhere)]).await;
        assert_eq!(leads_to(&answer), "/");
        let answer = browser.get("/login?then=%2Fprojects").await;
        assert_eq!(leads_to(&answer), "/projects", "who is in needs no form");
    }
    let token = browser.form_token("/projects").await;
    let out = browser.send("/logout", &[("form_token", &token)]).await;
    assert!(out.headers[header::SET_COOKIE].to_str().unwrap().ends_with("; Max-Age=0"));
    assert!(!browser.is_in().await);
}

#[tokio::test]
async fn t20_nobody_has_a_password_until_one_is_set_and_none_is_soon_guessed() {
    let world = World::new(false).await;
    let mut browser = Browser::of(&world);
    let who = "olga@bank.example";
    for password in ["", "admin", "password", PASSWORD] {
        assert_ne!(browser.sign_in(&[("who", who), ("password", password)]).await, StatusCode::SEE_OTHER, "{password}");
    }
    for password in ["", "short", "olga@bank.example", "aaaaaaaaaaaaaaaaaaa"] {
        let set = json!({ "principal": who, "password": password });
        let answer = world.send(Method::POST, "/api/v1/passwords", Some(&world.owner), Some(set)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{password}");
    }
    let set = json!({ "principal": "nobody@bank.example", "password": PASSWORD });
    let answer = world.send(Method::POST, "/api/v1/passwords", Some(&world.owner), Some(set)).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    with_password(&world, who).await;
    let mut browser = Browser::of(&world);
    assert_eq!(browser.sign_in(&[("who", who), ("password", PASSWORD)]).await, StatusCode::SEE_OTHER);
    assert!(browser.is_in().await);
    let events = world.send(Method::GET, "/api/v1/audit/events", Some(&world.owner), None).await.text();
    assert!(events.contains("password_set") && !events.contains("argon2") && !events.contains(PASSWORD), "{events}");
}

#[tokio::test]
async fn a_session_ends_with_what_it_stands_on() {
    let clock = Arc::new(ManualClock::at(Timestamp(1_800_000_000_000_000)));
    let world = World::with_clock(AccessRules::default(), clock.clone()).await;
    let add = json!({ "principal": "rita@bank.example", "role": "reader" });
    let issued = world.done(Method::POST, "/api/v1/principals", add).await;
    let (token, id) = (issued["token"].as_str().unwrap().to_owned(), issued["token_id"].clone());
    with_password(&world, "rita@bank.example").await;
    let by_password = [("who", "rita@bank.example"), ("password", PASSWORD)];
    let (mut one, mut other) = (Browser::of(&world), Browser::of(&world));
    assert_eq!(one.sign_in(&[("token", &token)]).await, StatusCode::SEE_OTHER);
    assert_eq!(other.sign_in(&by_password).await, StatusCode::SEE_OTHER);
    world.done(Method::POST, "/api/v1/revocations", json!({ "what": "token", "token": id })).await;
    assert!(!one.is_in().await && other.is_in().await);
    with_password(&world, "rita@bank.example").await;
    assert!(!other.is_in().await, "another password was set");
    assert_eq!(other.sign_in(&by_password).await, StatusCode::SEE_OTHER);
    clock.advance_micros(13 * 3_600_000_000);
    assert!(!other.is_in().await, "nobody used it for 13 hours");
    assert_eq!(other.sign_in(&by_password).await, StatusCode::SEE_OTHER);
    let revoked = json!({ "what": "user", "principal": "rita@bank.example" });
    let revoked = world.done(Method::POST, "/api/v1/revocations", revoked).await;
    assert_eq!(revoked["passwords"], json!(["rita@bank.example"]));
    assert!(!other.is_in().await && other.sign_in(&by_password).await == StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_session_sees_and_does_what_its_credential_reaches() {
    let world = World::new(false).await;
    world.project("secret").await;
    let ours = json!({ "principal": "rita@bank.example", "role": "owner" });
    world.done(Method::POST, "/api/v1/principals", ours).await;
    let scope = json!({ "projects": ["default"], "actions": ["read"] });
    let issue = json!({ "principal": "rita@bank.example", "label": "", "scope": scope });
    let narrow = world.done(Method::POST, "/api/v1/tokens", issue).await["token"].as_str().unwrap().to_owned();
    let mut browser = Browser::of(&world);
    assert_eq!(browser.sign_in(&[("token", &narrow)]).await, StatusCode::SEE_OTHER);
    let page = browser.get("/projects").await.text();
    assert!(page.contains("default") && !page.contains("secret"), "{page}");
    assert_eq!(browser.get("/projects/secret").await.status, StatusCode::FORBIDDEN);
    assert_eq!(browser.get("/ledger").await.status, StatusCode::FORBIDDEN);
    let token = browser.form_token("/projects").await;
    let approve = [("form_token", token.as_str()), ("reason", "good"), ("stage", "production")];
    assert_eq!(browser.send(&format!("{MODEL}/approve"), &approve).await.status, StatusCode::FORBIDDEN);
    // by password she is who she is, but for what is denied to her
    with_password(&world, "rita@bank.example").await;
    let mut browser = Browser::of(&world);
    browser.sign_in(&[("who", "rita@bank.example"), ("password", PASSWORD)]).await;
    assert_eq!(browser.get("/projects/secret").await.status, StatusCode::OK);
    let denial = json!({ "principal": "rita@bank.example", "what": "read", "project": "secret" });
    world.done(Method::POST, "/api/v1/denials", denial).await;
    assert_eq!(browser.get("/projects/secret").await.status, StatusCode::FORBIDDEN);
    assert!(!browser.get("/projects").await.text().contains("secret"));
}

#[tokio::test]
async fn t18_an_act_needs_a_form_of_the_same_session() {
    let world = World::new(false).await;
    let (mut browser, mut other) = (Browser::of(&world), Browser::of(&world));
    browser.sign_in(&[("token", &world.owner)]).await;
    other.sign_in(&[("token", &world.owner)]).await;
    let (own, others) = (browser.form_token("/projects").await, other.form_token("/projects").await);
    let act = format!("{MODEL}/approve");
    for wrong in ["", "x", &others] {
        let form = [("form_token", wrong), ("reason", "good"), ("stage", "production")];
        let answer = browser.send(&act, &form).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{wrong}");
        assert!(answer.text().contains("not of your session"), "{}", answer.text());
    }
    let answer = browser.send(&act, &[("form_token", &own), ("reason", "good"), ("stage", "production")]).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND, "it is asked for, and there is no such model: {}", answer.text());
    // another site's page sends the cookie along, and is told by where it comes from
    let forged = Request::post(&act)
        .header(header::HOST, "localhost")
        .header(header::COOKIE, browser.cookie.clone().unwrap())
        .header(header::ORIGIN, "https://evil.example")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(encoded(&[("form_token", &own), ("reason", "good"), ("stage", "production")])));
    assert_eq!(world.request(forged.unwrap(), HERE).await.status, StatusCode::FORBIDDEN);
    // a change of rights by an act's own way needs a token all the same
    let unnamed = browser.send("/projects/default/endpoints/none/rollback", &[("form_token", &own)]).await;
    assert_eq!(unnamed.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn t21_a_token_in_an_address_lets_nobody_in() {
    let world = World::new(false).await;
    for place in ["token", "access_token", "api_key", "authorization", "private_token"] {
        let mut browser = Browser::of(&world);
        let answer = browser.get(&format!("/projects?{place}={}", world.owner)).await;
        assert!(answer.status != StatusCode::OK && browser.cookie.is_none(), "{place}: {}", answer.status);
        let answer = browser.get(&format!("/api/v1/projects?{place}={}", world.owner)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{place}");
    }
    let mut browser = Browser::of(&world);
    let answer = browser.ask(Method::POST, &format!("/login?token={}", world.owner), Some(&[])).await;
    assert!(answer.status == StatusCode::BAD_REQUEST && browser.cookie.is_none(), "{}", answer.status);
}

#[tokio::test]
async fn t22_who_guesses_waits_and_is_told_how_long() {
    let clock = Arc::new(ManualClock::at(Timestamp(1_800_000_000_000_000)));
    let world = World::with_clock(AccessRules::default(), clock.clone()).await;
    with_password(&world, "olga@bank.example").await;
    let mut browser = Browser::of(&world);
    let wrong = [("who", "olga@bank.example"), ("password", "correct horse batterie")];
    let right = [("who", "olga@bank.example"), ("password", PASSWORD)];
    for _ in 0..5 {
        assert_eq!(browser.sign_in(&wrong).await, StatusCode::UNAUTHORIZED);
    }
    let refused = browser.send("/login", &right).await;
    assert_eq!(
        (refused.status, refused.headers[header::RETRY_AFTER].to_str().unwrap()),
        (StatusCode::SERVICE_UNAVAILABLE, "1")
    );
    assert!(refused.text().contains("try again in 1 seconds") && refused.text().contains("olga@bank.example"));
    clock.advance_micros(2_000_000);
    assert_eq!(browser.sign_in(&right).await, StatusCode::SEE_OTHER);
    // a name that nobody has is answered as one with a wrong password
    clock.advance_micros(60_000_000);
    let unknown = Browser::of(&world).send("/login", &[("who", "nobody@bank.example"), ("password", PASSWORD)]).await;
    clock.advance_micros(60_000_000);
    let known = Browser::of(&world).send("/login", &wrong).await;
    assert_eq!(unknown.text().replace("nobody@", "olga@"), known.text());
}
