//! The gateway's paths over HTTP, without a framework: the server mounts [`enter`] and keeps Host and Origin rules.
//!
//! A request is let in by its head, before anybody reads its body; what was found out then is not asked again.

mod head;
mod problem;

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, request::Parts};
use stemma_core::name::EndpointName;

use self::{
    head::{Head, REQUEST_ID, REVISION},
    problem::{HttpProblem, header_text, prediction_header},
};
use crate::{
    admit::{Admitted, Knock, admit},
    answer::{Answered, Asked, infer},
    arrival::Arrival,
    gateway::Gateway,
    protocol::{
        Description, Protocol,
        path::{self, Call, EndpointAct, ServerAct},
    },
};

pub use crate::answer::BODY_BYTES_MAX;
pub use head::ClientAddress;

const MODEL: HeaderName = HeaderName::from_static("x-stemma-model");
const VERSION: HeaderName = HeaderName::from_static("x-stemma-version");
const ROUTE: HeaderName = HeaderName::from_static("x-stemma-route");
const VARIANT: HeaderName = HeaderName::from_static("x-stemma-variant");
const OVERRIDES: HeaderName = HeaderName::from_static("x-stemma-overrides");

/// A request whose path, token and rights are worked out.
pub struct Entered<'g> {
    gateway: &'g Gateway,
    protocol: &'static dyn Protocol,
    head: Parts,
    wants: Wants,
}

enum Wants {
    OfServer(ServerAct),
    OfEndpoint {
        act: EndpointAct,
        admitted: Admitted,
        /// Where the request comes from, if no token was shown.
        address: Option<Arc<str>>,
        unit: Option<String>,
    },
}

/// Lets a request in by its head alone, so that nobody's body is read who may not ask; or says why not.
///
/// `peer_is_local` says that the caller may do without a token, if the table allows that at all.
pub fn enter(gateway: &Gateway, parts: Parts, peer_is_local: bool) -> Result<Entered<'_>, Box<Response<Bytes>>> {
    let protocol = gateway.protocol_at(parts.uri.path());
    match work_out(gateway, protocol, &parts, peer_is_local) {
        Ok(wants) => Ok(Entered { gateway, protocol, head: parts, wants }),
        Err(problem) => Err(Box::new(problem.into_response(protocol))),
    }
}

/// Answers a request that is there as a whole; every error is said in the words of its protocol.
pub async fn handle(gateway: &Gateway, parts: Parts, body: Bytes, peer_is_local: bool) -> Response<Bytes> {
    match enter(gateway, parts, peer_is_local) {
        Ok(entered) => entered.answer(body).await,
        Err(refused) => *refused,
    }
}

/// A refusal of the server's own, in the words of the protocol that a path belongs to.
pub fn refuse(gateway: &Gateway, path: &str, status: StatusCode, message: &str) -> Response<Bytes> {
    gateway.protocol_at(path).refuse(status, message)
}

fn work_out(
    gateway: &Gateway,
    protocol: &dyn Protocol,
    parts: &Parts,
    peer_is_local: bool,
) -> Result<Wants, HttpProblem> {
    let (act, endpoint, version) = match path::find(protocol.paths(), &parts.method, parts.uri.path())? {
        Call::OfServer(act) => return Ok(Wants::OfServer(act)),
        Call::OfEndpoint { act, endpoint, version } => (act, endpoint, version),
    };
    let endpoint =
        EndpointName::new(endpoint).map_err(|error| HttpProblem::new(StatusCode::BAD_REQUEST, error.to_string()))?;
    let Head { bearer, address, unit, revision } = Head::read(parts)?;
    let knock = Knock { endpoint: &endpoint, version: version.as_deref(), revision, bearer, peer_is_local };
    let admitted = admit(&gateway.table(), &knock, gateway.clock.now())?;
    let address = address.filter(|_| bearer.is_none()).map(|ClientAddress(address)| Arc::clone(address));
    Ok(Wants::OfEndpoint { act, admitted, address, unit })
}

impl Entered<'_> {
    /// Whether it asks if the gateway is ready: the server knows of more than the gateway does.
    pub fn asks_whether_ready(&self) -> bool {
        matches!(self.wants, Wants::OfServer(ServerAct::Ready))
    }

    pub fn head(&self) -> &Parts {
        &self.head
    }

    /// Answers with a body that was read meanwhile.
    pub async fn answer(self, body: Bytes) -> Response<Bytes> {
        let (protocol, request_id) = (self.protocol, head::request_id(&self.head.headers));
        let mut response = match self.dispatch(body).await {
            Ok(response) => response,
            Err(problem) => problem.into_response(protocol),
        };
        if let Some(value) = request_id.and_then(|id| HeaderValue::from_str(&id).ok()) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        response
    }

    async fn dispatch(self, body: Bytes) -> Result<Response<Bytes>, HttpProblem> {
        let Self { gateway, protocol, head: Parts { headers, .. }, wants } = self;
        let (act, admitted, address, unit) = match wants {
            Wants::OfServer(ServerAct::Describe) => return Ok(protocol.describe(&Description::Server)),
            Wants::OfServer(ServerAct::Live) => return Ok(protocol.describe(&Description::Live)),
            Wants::OfServer(ServerAct::Ready) => return ready(gateway, protocol).await,
            Wants::OfEndpoint { act, admitted, address, unit } => (act, admitted, address, unit),
        };
        let revision = admitted.endpoint.revision();
        let (endpoint, signature) = (&revision.endpoint, &revision.signature);
        match act {
            EndpointAct::Describe => {
                let versions = &admitted.endpoint.versions();
                Ok(protocol.describe(&Description::Endpoint { endpoint, versions, signature }))
            }
            EndpointAct::Ready => Ok(protocol.describe(&Description::EndpointReady { endpoint })),
            EndpointAct::Infer => {
                let (request_id, trace) = (head::request_id(&headers), head::trace(&headers));
                let Admitted { endpoint, caller } = admitted;
                let (time, arrived) = (gateway.clock.now(), Instant::now());
                let arrival = Arrival { endpoint, caller, time, arrived, request_id, trace, unit };
                let asked = Asked { arrival: Arc::new(arrival), address, protocol, headers, body };
                Ok(infer(gateway, asked).await?.into_response())
            }
        }
    }
}

async fn ready(gateway: &Gateway, protocol: &dyn Protocol) -> Result<Response<Bytes>, HttpProblem> {
    match gateway.is_ready().await {
        true => Ok(protocol.describe(&Description::Ready)),
        false => Err(HttpProblem::retry("the gateway is not ready")),
    }
}

impl Answered {
    fn into_response(self) -> Response<Bytes> {
        let mut response = self.response;
        let headers = response.headers_mut();
        headers.extend(self.prediction.map(prediction_header));
        headers.insert(MODEL, header_text(self.target.model.as_str()));
        headers.insert(VERSION, header_text(&self.target.version.to_string()));
        headers.insert(ROUTE, HeaderValue::from_static(self.route));
        headers.insert(VARIANT, header_text(&self.arm));
        headers.insert(REVISION, HeaderValue::from(self.revision));
        if !self.overrides.is_empty() {
            headers.insert(OVERRIDES, header_text(&self.overrides.join(",")));
        }
        response
    }
}
