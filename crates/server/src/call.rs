//! An act that somebody asks for, with all that they say read into the types that the act declares.

use axum::response::Response;
use http::{StatusCode, Uri};
use serde::Serialize;
use stemma_api::{
    act::{Act, Form, NoQuery, Nothing, Octets, Path, Payload, Query},
    types::{AsOf, Dated},
};
use stemma_core::{Problem, id::RequestId};
use stemma_delivery::Delivery;
use stemma_engine::{Caller, Known};

use crate::{app::App, body::HeldBytes, context::Context, incoming::Incoming, peer::Peer, problem};

/// What a handler gets.
pub struct Call<At = (), Request = Nothing, Ask = NoQuery> {
    pub app: App,
    /// What was known at the moment that is asked about: of an act that can be asked about the past, all that it tells is
    /// from here.
    pub known: Known,
    pub caller: Caller,
    pub peer: Peer,
    pub request: RequestId,
    pub uri: Uri,
    /// What the path says.
    pub at: At,
    /// What the query says.
    pub ask: Ask,
    pub body: Request,
    /// Memory that was taken for the body, until the request is answered.
    _held: HeldBytes,
}

impl<At: Path, In, Ask: Query> Call<At, In, Ask> {
    /// Reads what a request says.
    pub async fn receive<Request: Payload, Answer: Payload>(
        act: &Act<At, Ask, Request, Answer>,
        context: Context,
    ) -> Result<Self, Problem>
    where
        In: Receive<Request>,
    {
        let Context { app, caller, peer, request, incoming } = context;
        let uri = incoming.parts.uri.clone();
        let (at, ask) = (act.at(uri.path())?, act.ask(uri.query())?);
        let known = app.known().as_of(act.moment(uri.query())?).await?;
        let (body, held) = In::receive(incoming).await?;
        Ok(Self { app, known, caller, peer, request, uri, at, ask, body, _held: held })
    }
}

impl<At, In, Ask> Call<At, In, Ask> {
    /// What is live, or was at the moment that is asked about.
    pub fn delivery(&self) -> Delivery {
        self.app.delivery.asked_of(self.known.clone())
    }
}

/// How a handler takes what an act declares as its request.
pub trait Receive<Request>: Sized + Send {
    fn receive(incoming: Incoming) -> impl Future<Output = Result<(Self, HeldBytes), Problem>> + Send;
}

impl<T: Payload> Receive<T> for T {
    async fn receive(incoming: Incoming) -> Result<(Self, HeldBytes), Problem> {
        match T::FORM {
            Form::Json(_) => incoming.json().await,
            Form::Nothing | Form::Other(_) => Ok((T::read(&[])?, HeldBytes::default())),
        }
    }
}

/// What flows is taken as it comes.
impl Receive<Octets> for Incoming {
    async fn receive(incoming: Incoming) -> Result<(Self, HeldBytes), Problem> {
        Ok((incoming, HeldBytes::default()))
    }
}

/// How what a handler gives becomes what an act declares as its answer.
pub trait Respond<Answer> {
    /// `as_of` is about when it is, if it was asked about the past.
    fn respond(self, as_of: Option<AsOf>) -> Result<Response, Problem>;
}

impl<T: Payload + Serialize> Respond<T> for T {
    fn respond(self, as_of: Option<AsOf>) -> Result<Response, Problem> {
        Ok(match as_of {
            None => problem::json(StatusCode::OK, &self),
            as_of => problem::json(StatusCode::OK, &Dated { answer: &self, as_of }),
        })
    }
}

impl Respond<Octets> for Response {
    fn respond(self, _: Option<AsOf>) -> Result<Response, Problem> {
        Ok(self)
    }
}

/// Text for people and probes: a page, its style, a word. Its type stands in the answer.
pub struct Text;

impl Payload for Text {
    const FORM: Form = Form::Other("text/html");

    fn read(_: &[u8]) -> Result<Self, Problem> {
        Ok(Self)
    }
}

/// A page says it itself, above everything else.
impl Respond<Text> for Response {
    fn respond(self, _: Option<AsOf>) -> Result<Response, Problem> {
        Ok(self)
    }
}
