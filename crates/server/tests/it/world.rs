//! A home with its router, and callers of every kind.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use axum::{Router, body::Body};
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::Value;
use stemma_core::{
    Clock, SystemClock,
    event::Event,
    id::RequestId,
    name::PrincipalName,
    rights::{Edition, Role},
};
use stemma_delivery::Delivery;
use stemma_engine::DatabaseUrl;
use stemma_server::{
    App, Limits, Peer, ServeOptions, Server,
    app::{AccessRules, Anonymous},
    router,
};
use tower::ServiceExt as _;

/// A program on this machine.
pub const HERE: Peer = Peer::Network { address: IpAddr::V4(Ipv4Addr::LOCALHOST) };

pub struct World {
    pub folder: tempfile::TempDir,
    pub owner: String,
    router: Router,
    app: App,
}

pub struct Listening {
    pub address: SocketAddr,
    _stop: tokio::sync::oneshot::Sender<()>,
}

/// An answer, read.
pub struct Answer {
    pub status: StatusCode,
    pub headers: http::HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.body)))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Where the ledger lies: in the home, or in PostgreSQL if the tests are run so; `cargo xtask test` does both.
fn database() -> Option<DatabaseUrl> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    if std::env::var("STEMMA_TEST_HOMES").is_ok_and(|kind| kind == "postgres") {
        let server = std::env::var("STEMMA_TEST_POSTGRES").expect("`cargo xtask test` names the database");
        let schema = format!("server{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        return Some(format!("{server}?schema={schema}").parse().unwrap());
    }
    None
}

impl World {
    /// `anonymous` as on a loopback address.
    pub async fn new(anonymous: bool) -> Self {
        let anonymous = if anonymous { Anonymous::ThisMachine } else { Anonymous::Nowhere };
        Self::with_access(AccessRules { anonymous, ..AccessRules::default() }).await
    }

    pub async fn with_access(access: AccessRules) -> Self {
        Self::with_clock(access, Arc::new(SystemClock)).await
    }

    pub async fn with_clock(access: AccessRules, clock: Arc<dyn Clock>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let owner = "olga@bank.example".parse().unwrap();
        let home = folder.path().join("home");
        let (delivery, owner) = Delivery::create_in(&home, database(), owner, clock).await.unwrap();
        let app = App::new(delivery, access);
        Self { folder, owner, router: router(app.clone()), app }
    }

    /// The routes of the data plane, which has a table of its own.
    pub fn data_plane(&self) -> Vec<(Method, &'static str)> {
        self.app.delivery.gateway().paths().map(|path| (path.method.clone(), path.pattern)).collect()
    }

    /// Answers on a port until what is returned is dropped.
    pub async fn listen(&self) -> Listening {
        let options = ServeOptions {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            socket: None,
            verify_rate: 0,
            limits: Limits::default(),
        };
        let server = Server::bind(self.app.clone(), &options).await.unwrap();
        let address = server.address().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        tokio::spawn(server.run(async { drop(stopped.await) }));
        Listening { address, _stop: stop }
    }

    /// Makes a project.
    pub async fn project(&self, name: &str) {
        let body = serde_json::json!({ "project": name });
        let answer = self.send(Method::POST, "/api/v1/projects", Some(&self.owner), Some(body)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    }

    /// An endpoint that nothing was deployed behind.
    pub async fn endpoint(&self, project: &str, name: &str, ordinal: u16) {
        let engine = self.app.delivery.engine();
        let owner = engine.known().authenticate(&self.owner).unwrap();
        let (project, endpoint) = (project.parse().unwrap(), name.parse().unwrap());
        let made = Event::EndpointCreated { project, endpoint, ordinal };
        let decide = || async { Ok(vec![made.clone()]) };
        engine.change(&owner, RequestId::generate(), decide).await.unwrap();
    }

    /// Somebody who was given a role when it meant more.
    pub async fn first_edition(&self, name: &str, role: Role) {
        let engine = self.app.delivery.engine();
        let owner = engine.known().authenticate(&self.owner).unwrap();
        let principal: PrincipalName = name.parse().unwrap();
        let granted = Event::RoleGranted {
            principal: principal.clone(),
            project: None,
            role,
            endpoint: None,
            edition: Edition::First,
        };
        let events = [Event::PrincipalAdded { principal }, granted];
        let decide = || async { Ok(events.to_vec()) };
        engine.change(&owner, RequestId::generate(), decide).await.unwrap();
    }

    /// What the owner asks for, which is done.
    pub async fn done(&self, method: Method, path: &str, body: Value) -> Value {
        let answer = self.send(method, path, Some(&self.owner), Some(body)).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
        answer.json()
    }

    /// A new token of somebody who is known.
    pub async fn issue(&self, principal: &str, scope: Value, expires_days: Option<u32>) -> String {
        let body = serde_json::json!({ "principal": principal, "scope": scope, "expires_days": expires_days });
        self.done(Method::POST, "/api/v1/tokens", body).await["token"].as_str().unwrap().to_owned()
    }

    /// A new token with a role, in a project or in all.
    pub async fn token(&self, role: Role, project: Option<&str>) -> String {
        let name = format!("{role}-{}@bank.example", project.unwrap_or("everywhere"));
        let body = serde_json::json!({ "principal": name, "role": role, "project": project });
        let answer = self.send(Method::POST, "/api/v1/principals", Some(&self.owner), Some(body)).await;
        answer.json()["token"].as_str().unwrap().to_owned()
    }

    pub async fn send(&self, method: Method, path: &str, token: Option<&str>, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "localhost");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = match body {
            // forms are sent by pages alone
            Some(_) if !path.starts_with("/api/") && !path.starts_with("/v2/") => {
                request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
                Body::from("contents=")
            }
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.request(request.body(body).unwrap(), HERE).await
    }

    pub async fn request(&self, mut request: Request<Body>, peer: Peer) -> Answer {
        request.extensions_mut().insert(peer);
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }
}
