//! HTTP for the object stores, with every byte that moves felt by whoever watches the transfer.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
        HttpResponseBody, HttpService,
    },
};
use tokio::time::Instant;

const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Bytes handed to the connection at a time: each is a sign of life.
const FRAME: usize = 64 << 10;

tokio::task_local! {
    /// The pulse of the transfer that the current task makes progress on.
    pub(crate) static PULSE: Arc<Pulse>;
}

/// When something last moved, and what the server said last.
#[derive(Debug)]
pub(crate) struct Pulse {
    state: Mutex<(Instant, Option<u16>)>,
}

impl Pulse {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::new((Instant::now(), None)) })
    }

    pub fn beat(&self) {
        self.lock().0 = Instant::now();
    }

    fn answered(&self, status: u16) {
        *self.lock() = (Instant::now(), Some(status));
    }

    pub fn last(&self) -> Instant {
        self.lock().0
    }

    /// Takes the status of the answer that came since the last call.
    pub fn take_status(&self) -> Option<u16> {
        self.lock().1.take()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (Instant, Option<u16>)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the clients of all object stores.
#[derive(Debug)]
pub(crate) struct Connector {
    pub allow_http: bool,
}

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        // another part of the program may have chosen one already
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_MAX)
            .https_only(!self.allow_http)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("stemma/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| object_store::Error::Generic { store: "http", source: Box::new(error) })?;
        Ok(HttpClient::new(Service(client)))
    }
}

#[derive(Debug)]
struct Service(reqwest::Client);

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let pulse = PULSE.try_with(Arc::clone).unwrap_or_else(|_| Pulse::new());
        let (parts, body) = request.into_parts();
        let url = parts.uri.to_string().parse::<reqwest::Url>();
        let url = url.map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        *request.body_mut() = Some(match body.as_bytes() {
            Some(bytes) if bytes.len() <= FRAME => bytes.clone().into(),
            _ => reqwest::Body::wrap(Felt { body, rest: Bytes::new(), pulse: Arc::clone(&pulse) }),
        });
        let response = self.0.execute(request).await.map_err(http_error)?;
        pulse.answered(response.status().as_u16());
        let (parts, body) = http::Response::<reqwest::Body>::from(response).into_parts();
        let body = http_body_util::BodyExt::map_err(body, http_error);
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body)))
    }
}

fn http_error(error: reqwest::Error) -> HttpError {
    let kind = if error.is_timeout() {
        HttpErrorKind::Timeout
    } else if error.is_connect() {
        HttpErrorKind::Connect
    } else {
        HttpErrorKind::Interrupted
    };
    // an URL may hold a signature
    HttpError::new(kind, error.without_url())
}

/// A body that beats the pulse with each piece that the connection takes.
struct Felt {
    body: HttpRequestBody,
    rest: Bytes,
    pulse: Arc<Pulse>,
}

impl Body for Felt {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        if self.rest.is_empty() {
            match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => self.rest = frame.into_data().unwrap_or_default(),
                other => return other,
            }
        }
        self.pulse.beat();
        let len = self.rest.len().min(FRAME);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(len)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let body = self.body.size_hint();
        match body.exact() {
            Some(len) => SizeHint::with_exact(len + self.rest.len() as u64),
            None => body,
        }
    }
}
