//! What an act is: declared once, and read by the client, the server's route, its check of rights, and the API's own
//! description.

mod path;
mod payload;
mod query;

use std::marker::PhantomData;

use stemma_core::{
    Problem,
    moment::Moment,
    name::{EndpointName, ProjectName},
};

// what the macro names
#[doc(hidden)]
pub use {http::Method, schemars::JsonSchema, stemma_core::rights::Action};

pub use self::{
    path::{Parameter, Path, percent_decode, percent_encode},
    payload::{Form, Nothing, Octets, Payload, SchemaOf},
    query::{AT, NoQuery, Query, at_moment},
};

/// What a caller's right is checked on before an act begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The project that the path names; the endpoint, if it names one of it.
    Project,
    /// The project that the path names, or some of its endpoints: it shows those alone.
    Endpoints,
    /// The whole home: a right in one of its projects is not enough.
    Home,
    /// The thing itself says which project it is of: having the right somewhere opens the door, the act checks again.
    Somewhere,
}

/// Which turns an act needs, and how long others wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Answered from memory, whatever else goes on.
    Free,
    /// Reads or writes a few facts. Deploying and rolling back are: whoever has to take a bad model away does not wait for
    /// somebody's evaluation.
    Ordinary,
    /// Takes or sends content, for as long as its client needs.
    Transfer,
    /// Computes for long, or reads much.
    Heavy,
}

/// All that can be said of an act without its types.
#[derive(Debug)]
pub struct Declaration {
    pub method: Method,
    /// With `{name}` for each parameter of the path.
    pub pattern: &'static str,
    /// The right that a caller needs, and on what.
    pub action: Action,
    pub scope: Scope,
    /// It can be asked about the past too: by `at` in its query.
    pub at_any_time: bool,
    pub weight: Weight,
    /// One line for the API's description.
    pub summary: &'static str,
    pub query: SchemaOf,
    pub request: Form,
    pub answer: Form,
}

/// An act: its declaration, with the types of what its path and query say, what it takes and what it gives.
///
/// It is written down with [`declare`](crate::declare):
///
/// ```
/// use stemma_core::name::ProjectName;
///
/// stemma_api::declare! {
///     "/api/v1";
///     SHOW: GET /things/{project: ProjectName} => String, Read in Project, Ordinary, "a thing";
/// }
/// assert_eq!(SHOW.path((&ProjectName::default_project(),)), "/api/v1/things/default");
/// ```
///
/// Without its scope it does not compile,
///
/// ```compile_fail
/// use stemma_core::name::ProjectName;
///
/// stemma_api::declare! {
///     "/api/v1";
///     SHOW: GET /things/{project: ProjectName} => String, Read, Ordinary, "a thing";
/// }
/// ```
///
/// nor does it with one that its path does not name.
///
/// ```compile_fail
/// stemma_api::declare! {
///     "/api/v1";
///     SHOW: GET /things => String, Read in Project, Ordinary, "a thing";
/// }
/// ```
#[derive(Debug)]
pub struct Act<At, Ask, Request, Answer> {
    pub declaration: Declaration,
    types: PhantomData<fn(At, Ask, Request) -> Answer>,
}

impl<At: Path, Ask: Query, Request: Payload, Answer> Act<At, Ask, Request, Answer> {
    /// For [`declare`](crate::declare).
    #[doc(hidden)]
    pub const fn new(declaration: Declaration) -> Self {
        let is_elsewhere = !matches!(declaration.scope, Scope::Project | Scope::Endpoints);
        assert!(is_elsewhere || path::contains(declaration.pattern, "/{project}"), "the path names no project");
        Self { declaration, types: PhantomData }
    }

    pub fn path(&self, at: At::Given<'_>) -> String {
        At::fill(self.declaration.pattern, at)
    }

    /// Path and query: where the act is asked for.
    pub fn address(&self, at: At::Given<'_>, ask: &Ask) -> String {
        match query::write(ask) {
            query if query.is_empty() => self.path(at),
            query => format!("{}?{query}", self.path(at)),
        }
    }

    /// What a path says that [`path`](Self::path) made.
    pub fn at(&self, path: &str) -> Result<At, Problem> {
        At::read(self.declaration.pattern, path)
    }

    /// About when a query asks; `None` is now. An act that knows only what is now refuses to be asked about the past.
    pub fn moment(&self, query: Option<&str>) -> Result<Option<Moment>, Problem> {
        let moment = query::moment(query.unwrap_or_default())?;
        match moment {
            Some(_) if !self.declaration.at_any_time => {
                let summary = self.declaration.summary;
                Err(Problem::invalid(format!("`at` can't be asked of this ({summary}): it is known as of now only"))
                    .hint("leave `at` out"))
            }
            moment => Ok(moment),
        }
    }

    /// What a query says.
    pub fn ask(&self, query: Option<&str>) -> Result<Ask, Problem> {
        query::read(query.unwrap_or_default())
    }
}

impl Declaration {
    /// The names of the path's parameters, in their order.
    pub fn parameters(&self) -> impl Iterator<Item = &'static str> {
        path::parameters(self.pattern)
    }

    /// Whether it hands out content or predictions: who did it is noted, whoever they are.
    pub fn hands_out(&self) -> bool {
        let gives_bytes = matches!(self.answer, Form::Other(payload::OCTETS));
        matches!(self.action, Action::ReadPredictions) || (gives_bytes && !matches!(self.action, Action::Public))
    }

    /// The project that a path of this act names, if it can.
    pub fn project(&self, path: &str) -> Result<Option<ProjectName>, Problem> {
        let named = path::parameter(self.pattern, path, "project")?;
        named.map(|name| <ProjectName as Parameter>::read(&name)).transpose()
    }

    /// The endpoint that a path of this act names, if it can.
    pub fn endpoint(&self, path: &str) -> Result<Option<EndpointName>, Problem> {
        let named = path::parameter(self.pattern, path, "endpoint")?;
        named.map(|name| <EndpointName as Parameter>::read(&name)).transpose()
    }
}
