//! An act that somebody asks for, with all that they say read into the types that the act declares.

use axum::response::Response;
use http::{StatusCode, Uri};
use serde::{Serialize, de::DeserializeOwned};
use stemma_api::{
    act::{Act, Form, NoQuery, Nothing, Octets, Path, Payload, Query},
    types::{AsOf, Dated},
};
use stemma_core::{Problem, id::RequestId};
use stemma_delivery::Delivery;
use stemma_engine::{Caller, Known};
use stemma_gateway::http::ClientAddress;

use crate::{
    app::App,
    body::HeldBytes,
    context::Context,
    guard::{FORM_TYPE, Scheme},
    incoming::Incoming,
    peer::Peer,
    problem,
    session::SignedIn,
};

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
    /// Of a page that somebody sees who is signed in.
    pub signed_in: Option<SignedIn>,
    /// What a browser speaks.
    pub scheme: Scheme,
    /// Where it counts if its caller shows no token.
    pub address: String,
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
        let (uri, extensions) = (incoming.parts.uri.clone(), &incoming.parts.extensions);
        let signed_in = extensions.get().cloned();
        let scheme = extensions.get().copied().unwrap_or(Scheme::Http);
        let address = extensions.get().map_or_else(String::new, |ClientAddress(address)| address.to_string());

        let (at, ask) = (act.at(uri.path())?, act.ask(uri.query())?);
        let known = app.known().as_of(act.moment(uri.query())?).await?;
        let (body, held) = In::receive(incoming).await?;
        Ok(Self { app, known, caller, peer, request, uri, signed_in, scheme, address, at, ask, body, _held: held })
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

/// What somebody filled in on a page.
pub struct Filled<T>(pub T);

impl<T: DeserializeOwned + Send + 'static> Payload for Filled<T> {
    const FORM: Form = Form::Other(FORM_TYPE);

    fn read(bytes: &[u8]) -> Result<Self, Problem> {
        let read = serde_html_form::from_bytes(bytes);
        read.map(Self).map_err(|error| Problem::invalid(format!("the form can't be read: {error}")))
    }
}

/// As read, once it was shown to be of a page of the same session.
pub struct Sent<T>(pub T);

impl<T: DeserializeOwned + Send + 'static> Receive<Filled<T>> for Sent<T> {
    async fn receive(incoming: Incoming) -> Result<(Self, HeldBytes), Problem> {
        let (read, held) = incoming.form().await?;
        Ok((Self(read), held))
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
