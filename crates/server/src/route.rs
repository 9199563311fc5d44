//! The table of routes. A route that declares no action can't be written down.

pub mod audit;
pub mod compare;
pub mod content;
pub mod dataset;
pub mod endpoint;
pub mod home;
pub mod lineage;
pub mod model;
pub mod prediction;
pub mod reproduction;
pub mod rights;
pub mod run;
mod weight;
pub mod witness;

use axum::response::Response;
use futures::future::BoxFuture;
use http::Method;
use stemma_core::{Problem, policy::Action};

pub use self::weight::Weight;
use crate::{context::Context, href, page};

pub type Handler = fn(Context) -> BoxFuture<'static, Result<Response, Problem>>;

/// One entry of the table.
pub struct Route {
    pub method: Method,
    /// With `{name}` for each path parameter; `{project}` is the one that rights are checked in.
    pub pattern: &'static str,
    /// The right that a caller needs, checked before the handler runs.
    pub action: Action,
    /// One line for the API document.
    pub summary: &'static str,
    /// What the body must be; `None` where there is none, or it is not JSON.
    pub request: Option<SchemaOf>,
    pub answer: Option<SchemaOf>,
    pub handler: Handler,
}

/// What a caller's right is checked on before the handler runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The project that the path names; for pages, the one they show.
    Project,
    /// The whole home.
    Home,
    /// The thing itself says which project it is of: having the right somewhere opens the door, the act checks again.
    Handler,
}

impl Route {
    pub fn scope(&self) -> Scope {
        let home = ["/api/v1/principals", "/api/v1/tokens", "/api/v1/revocations", "/api/v1/audit/", "/ledger"];
        let handler = ["/api/v1/predictions/", "/predictions/", "/api/v1/home"];
        if self.pattern == href::pattern::FRONT || handler.iter().any(|prefix| self.pattern.starts_with(prefix)) {
            Scope::Handler
        } else if home.iter().any(|prefix| self.pattern.starts_with(prefix)) {
            Scope::Home
        } else if self.pattern.contains("{project}") || !self.pattern.starts_with("/api/") {
            Scope::Project
        } else {
            Scope::Home
        }
    }
}

/// Adds a type to a document's schemas and returns the reference to it.
pub type SchemaOf = fn(&mut schemars::SchemaGenerator) -> schemars::Schema;

/// Declares a route whose handler returns something that is sent as JSON: `Request => Answer` or `=> Answer`.
macro_rules! json_route {
    ($method:ident $pattern:expr, $action:ident, $summary:literal, $handler:path, $($request:ty)? => $answer:ty) => {
        crate::route::Route {
            method: http::Method::$method,
            pattern: $pattern,
            action: stemma_core::policy::Action::$action,
            summary: $summary,
            request: crate::route::optional_schema!($($request)?),
            answer: Some(|generator| generator.subschema_for::<$answer>()),
            handler: |context| {
                Box::pin(async move {
                    let answer: $answer = $handler(context).await?;
                    Ok(crate::problem::json(http::StatusCode::OK, &answer))
                })
            },
        }
    };
}

macro_rules! optional_schema {
    () => {
        None
    };
    ($request:ty) => {
        Some(|generator| generator.subschema_for::<$request>())
    };
}

/// Declares a route whose handler makes the whole answer.
macro_rules! raw_route {
    ($method:ident $pattern:expr, $action:ident, $summary:literal, $handler:path) => {
        crate::route::Route {
            method: http::Method::$method,
            pattern: $pattern,
            action: stemma_core::policy::Action::$action,
            summary: $summary,
            request: None,
            answer: None,
            handler: |context| Box::pin($handler(context)),
        }
    };
}

pub(crate) use {json_route, optional_schema, raw_route};

/// Every route of API and pages; the data plane brings a table of its own.
pub fn all() -> Vec<Route> {
    let mut routes = Vec::new();
    routes.extend(home::routes());
    routes.extend(content::routes());
    routes.extend(dataset::routes());
    routes.extend(run::routes());
    routes.extend(lineage::routes());
    routes.extend(model::routes());
    routes.extend(reproduction::routes());
    routes.extend(compare::routes());
    routes.extend(endpoint::routes());
    routes.extend(prediction::routes());
    routes.extend(rights::routes());
    routes.extend(audit::routes());
    routes.extend(witness::routes());
    routes.extend(page::routes());
    routes
}
