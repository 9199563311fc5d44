//! The typed client. It knows no act: each that is declared gives it a method. The transport is TCP, a Unix socket or a
//! router in this process.

mod answer;
mod head;
mod own_header;
mod stall;
mod transport;

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use http::{Method, StatusCode, header, request::Builder};
use http_body_util::{BodyExt as _, Full, Limited};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use stemma_core::{
    ErrorKind, Problem,
    moment::Moment,
    name::{EndpointName, PrincipalName},
};

pub use self::answer::RawAnswer;
pub use self::head::HeadShown;
pub use self::own_header::{ACTOR_HEADER, HEAD_HEADER, PROOF_HEADER, REQUEST_HEADER, REVISION_HEADER, SEEN_HEADER};
pub use self::transport::{Body, BoxError, LocalService, Transport, body_from, empty_body};
use self::{
    head::HeadWatch,
    stall::{Awaited, Pulse},
    transport::Idle,
};
use crate::{
    act::{Act, Nothing, Octets, Path, Payload, Query, at_moment, percent_encode},
    types::AsOf,
};

/// Longest JSON answer that is read into memory.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Who the client speaks as.
#[derive(Debug, Clone, Default)]
pub struct Identification {
    pub token: Option<String>,
    /// Counts only without a token.
    pub asserted: Option<PrincipalName>,
}

/// A home, reachable.
#[derive(Clone)]
pub struct Client {
    transport: Transport,
    idle: Idle,
    identification: Identification,
    requests: Arc<AtomicU64>,
    head: Arc<HeadWatch>,
    past: Option<Arc<AskedPast>>,
}

/// A moment that is asked about, and what the answers have said of it.
struct AskedPast {
    moment: Moment,
    told: Mutex<Option<AsOf>>,
}

impl Client {
    pub fn new(transport: Transport, identification: Identification) -> Self {
        let (idle, requests, head) = (Idle::default(), Arc::default(), Arc::default());
        Self { transport, idle, identification, requests, head, past: None }
    }

    /// The same client asking about the past, if a moment is named: acts that know only what is now refuse that.
    pub fn at(self, moment: Option<Moment>) -> Self {
        let past = moment.map(|moment| Arc::new(AskedPast { moment, told: Mutex::default() }));
        Self { past, ..self }
    }

    /// About when the answers are that came, if the past was asked about.
    pub fn told_as_of(&self) -> Option<AsOf> {
        self.past.as_ref()?.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// True if server and caller share a file system and a user: content need not be sent, only claimed.
    pub fn is_local(&self) -> bool {
        !matches!(self.transport, Transport::Tcp { .. })
    }

    /// The token that the client shows.
    pub fn token(&self) -> Option<&str> {
        self.identification.token.as_deref()
    }

    /// How many requests were sent by this client and its clones.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Asks for the home's head with every request from now on, and for the proof that this size is a beginning of it.
    pub fn ask_for_head(&self, remembered: u64) {
        self.head.ask_from(remembered);
    }

    /// What the answers have shown of the home's history.
    pub fn head_shown(&self) -> HeadShown {
        self.head.shown()
    }

    /// Asks an endpoint over the Open Inference Protocol; the answer is returned whatever its status.
    pub async fn infer(&self, endpoint: &EndpointName, request: &Value) -> Result<RawAnswer, Problem> {
        self.infer_at(endpoint, request, None).await
    }

    /// The same, from one deployment revision only: the endpoint answers 409 once it serves another.
    pub async fn infer_at(
        &self,
        endpoint: &EndpointName,
        request: &Value,
        revision: Option<u32>,
    ) -> Result<RawAnswer, Problem> {
        let path = format!("/v2/models/{}/infer", percent_encode(endpoint.as_str()));
        let mut head = http::Request::builder().method(Method::POST).uri(path);
        if let Some(revision) = revision {
            head = head.header(REVISION_HEADER, revision);
        }
        let response = self.send(head, TypedBody::json(request)?).await?;
        let status = response.status();
        Ok(RawAnswer { status, body: parse_json(&collect(response.into_body()).await?)? })
    }

    /// The endpoint's metadata by the Open Inference Protocol.
    pub async fn endpoint_metadata(&self, endpoint: &EndpointName) -> Result<RawAnswer, Problem> {
        let path = format!("/v2/models/{}", percent_encode(endpoint.as_str()));
        let response = self.send(http::Request::get(path), TypedBody::none()).await?;
        let status = response.status();
        Ok(RawAnswer { status, body: parse_json(&collect(response.into_body()).await?)? })
    }

    /// Asks for an act whose request and answer are JSON.
    pub async fn call<At: Path, Ask: Query, Request: Payload + Serialize, Answer: DeserializeOwned>(
        &self,
        act: &Act<At, Ask, Request, Answer>,
        at: At::Given<'_>,
        ask: &Ask,
        request: &Request,
    ) -> Result<Answer, Problem> {
        self.answer_to(self.head_of(act, at, ask), body_of(act, request)?).await
    }

    /// The same with a request that is partly written already.
    pub(crate) async fn call_written<At: Path, Ask: Query, Request: Payload, Answer: DeserializeOwned>(
        &self,
        act: &Act<At, Ask, Request, Answer>,
        at: At::Given<'_>,
        ask: &Ask,
        written: &impl Serialize,
    ) -> Result<Answer, Problem> {
        self.answer_to(self.head_of(act, at, ask), TypedBody::json(written)?).await
    }

    async fn answer_to<Answer: DeserializeOwned>(&self, head: Builder, body: TypedBody) -> Result<Answer, Problem> {
        let answer = read_success(self.ask(head, body).await?).await?;
        self.note_as_of(&answer)?;
        parse_json(&answer)
    }

    /// The same about contents: nothing is said of the home's head, and it ends when nothing moves.
    pub(crate) async fn transfer<At: Path, Ask: Query, Request: Payload + Serialize, Answer: DeserializeOwned>(
        &self,
        act: &Act<At, Ask, Request, Answer>,
        at: At::Given<'_>,
        ask: &Ask,
        request: &Request,
    ) -> Result<Answer, Problem> {
        let (head, body) = (self.head_of(act, at, ask), body_of(act, request)?);
        read_json(self.watch(head, body).await?).await
    }

    /// Sends content, and gives up when nothing moves.
    pub(crate) async fn upload<At: Path, Ask: Query, Answer: DeserializeOwned>(
        &self,
        act: &Act<At, Ask, Octets, Answer>,
        at: At::Given<'_>,
        ask: &Ask,
        content: Body,
    ) -> Result<Answer, Problem> {
        let body = TypedBody { content_type: Some("application/octet-stream"), body: content };
        read_json(self.watch(self.head_of(act, at, ask), body).await?).await
    }

    /// Opens content, and gives up when nothing moves.
    pub(crate) async fn download<At: Path, Ask: Query, Request: Payload + Serialize>(
        &self,
        act: &Act<At, Ask, Request, Octets>,
        at: At::Given<'_>,
        ask: &Ask,
        request: &Request,
    ) -> Result<Body, Problem> {
        let (head, body) = (self.head_of(act, at, ask), body_of(act, request)?);
        opened(self.watch(head, body).await?).await
    }

    /// Opens a part of content: the server may have to read for long before the first byte of it comes.
    pub(crate) async fn open<At: Path, Ask: Query>(
        &self,
        act: &Act<At, Ask, Nothing, Octets>,
        at: At::Given<'_>,
        ask: &Ask,
    ) -> Result<Body, Problem> {
        opened(self.send(self.head_of(act, at, ask), TypedBody::none()).await?).await
    }

    /// Sends a request to the API, and with it the question for the home's head; content is sent without.
    async fn ask(&self, head: Builder, body: TypedBody) -> Result<http::Response<Body>, Problem> {
        let Some(remembered) = self.head.asked() else {
            return self.send(head, body).await;
        };
        let response = self.send(head.header(SEEN_HEADER, remembered), body).await?;
        self.head.note(response.headers());
        Ok(response)
    }

    /// Sends a request, and gives up when nothing moves.
    async fn watch(&self, head: Builder, body: TypedBody) -> Result<http::Response<Body>, Problem> {
        let pulse = Pulse::new();
        let body = TypedBody { body: pulse.of(body.body), ..body };
        let response = pulse.watch(self.send(head, body)).await?;
        Ok(response.map(Awaited::body))
    }

    fn head_of<At: Path, Ask: Query, Request: Payload, Answer>(
        &self,
        act: &Act<At, Ask, Request, Answer>,
        at: At::Given<'_>,
        ask: &Ask,
    ) -> Builder {
        let address = act.address(at, ask);
        let address = self.past.as_ref().map_or(address.clone(), |past| at_moment(&address, past.moment));
        http::Request::builder().method(act.declaration.method.clone()).uri(address)
    }

    /// Notes about when an answer is. One that does not say so is about now, which is not what was asked.
    fn note_as_of(&self, answer: &[u8]) -> Result<(), Problem> {
        #[derive(Deserialize)]
        struct Told {
            as_of: Option<AsOf>,
        }
        let Some(past) = &self.past else { return Ok(()) };
        let Told { as_of: Some(as_of) } = parse_json(answer)? else {
            return Err(Problem::new(
                ErrorKind::Internal,
                "the server was asked about the past and answered about now",
            )
            .hint("is it of this version?"));
        };
        let mut told = past.told.lock().unwrap_or_else(PoisonError::into_inner);
        match told.as_mut() {
            Some(told) => told.add(as_of),
            None => *told = Some(as_of),
        }
        Ok(())
    }

    async fn send(&self, mut request: Builder, body: TypedBody) -> Result<http::Response<Body>, Problem> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        request = request.header(header::HOST, self.transport.host());
        if let Some(content_type) = body.content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        request = request.header(REQUEST_HEADER, stemma_core::id::RequestId::generate().to_string());
        match (&self.identification.token, &self.identification.asserted) {
            (Some(token), _) => request = request.header(header::AUTHORIZATION, format!("Bearer {token}")),
            (None, Some(name)) => request = request.header(ACTOR_HEADER, percent_encode(name.as_str())),
            (None, None) => {}
        }
        let request = request.body(body.body).map_err(|error| Problem::invalid(format!("not a request: {error}")))?;
        self.transport.send(request, &self.idle).await
    }
}

/// A body with the type that is declared for it.
struct TypedBody {
    content_type: Option<&'static str>,
    body: Body,
}

impl TypedBody {
    fn none() -> Self {
        Self { content_type: None, body: empty_body() }
    }

    fn json(value: &impl Serialize) -> Result<Self, Problem> {
        let bytes = serde_json::to_vec(value).map_err(|error| Problem::invalid(format!("not JSON: {error}")))?;
        Ok(Self { content_type: Some("application/json"), body: body_from(Full::new(Bytes::from(bytes))) })
    }
}

/// A change must declare a type, also where there is nothing to say.
fn body_of<At, Ask, Request: Serialize, Answer>(
    act: &Act<At, Ask, Request, Answer>,
    request: &Request,
) -> Result<TypedBody, Problem> {
    match act.declaration.method {
        Method::GET => Ok(TypedBody::none()),
        _ => TypedBody::json(request),
    }
}

async fn collect(body: Body) -> Result<Bytes, Problem> {
    match Limited::new(body, ANSWER_BYTES_MAX).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => Err(Problem::new(ErrorKind::Unavailable, format!("the answer of the server broke off: {error}"))),
    }
}

fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| {
        Problem::new(ErrorKind::Internal, format!("the answer of the server is not what was expected: {error}"))
            .hint("is it a Stemma server, and of this version?")
    })
}

/// The body of an answer, unless it is a failure.
async fn opened(response: http::Response<Body>) -> Result<Body, Problem> {
    if response.status().is_success() { Ok(response.into_body()) } else { Err(read_problem(response).await) }
}

async fn read_json<T: DeserializeOwned>(response: http::Response<Body>) -> Result<T, Problem> {
    parse_json(&read_success(response).await?)
}

async fn read_success(response: http::Response<Body>) -> Result<Bytes, Problem> {
    if !response.status().is_success() {
        return Err(read_problem(response).await);
    }
    collect(response.into_body()).await
}

async fn read_problem(response: http::Response<Body>) -> Problem {
    let status = response.status();
    let problem = match collect(response.into_body()).await {
        Ok(bytes) => serde_json::from_slice::<Problem>(&bytes).ok(),
        Err(problem) => Some(problem),
    };
    problem.unwrap_or_else(|| Problem::new(kind_of(status), format!("the server answered {status}")))
}

fn kind_of(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
        400 | 405 | 415 => ErrorKind::Invalid,
        401 => ErrorKind::Unauthenticated,
        403 => ErrorKind::Forbidden,
        404 => ErrorKind::NotFound,
        408 => ErrorKind::Stalled,
        409 => ErrorKind::Conflict,
        413 => ErrorKind::TooLarge,
        422 => ErrorKind::Refused,
        429 | 502..=504 => ErrorKind::Unavailable,
        507 => ErrorKind::NoRoom,
        _ => ErrorKind::Internal,
    }
}
