//! Three ways to reach a home that all speak HTTP/1.1 requests and answers.

use std::{
    convert::Infallible,
    fmt, io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty, combinators::UnsyncBoxBody};
use hyper_util::rt::TokioIo;
use stemma_core::{ErrorKind, Problem};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};
use tower::{ServiceExt as _, util::BoxCloneSyncService};

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// A request or answer body, streamed.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;
/// A router in this process.
pub type LocalService = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// Boxes any body.
pub fn body_from<B>(body: B) -> Body
where
    B: http_body_util::BodyExt<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    body.map_err(Into::into).boxed_unsync()
}

pub fn empty_body() -> Body {
    body_from(Empty::new())
}

/// Where the home is.
#[derive(Clone)]
pub enum Transport {
    /// A server, by `host:port`.
    Tcp { authority: String },
    /// The owner process of a home on this machine.
    Unix { path: PathBuf },
    /// This process owns the home for one command.
    Local(LocalService),
}

type Connection = hyper::client::conn::http1::SendRequest<Body>;

/// A server that can be reached is reached in this time.
const CONNECT_MAX: Duration = Duration::from_secs(15);
/// Most connections that are kept open without a request.
const IDLE_MAX: usize = 64;

/// Connections that earlier requests left open.
#[derive(Clone, Default)]
pub(super) struct Idle(Arc<Mutex<Vec<Connection>>>);

impl Idle {
    fn take(&self) -> Option<Connection> {
        let mut connections = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        connections.retain(|connection| !connection.is_closed());
        connections.pop()
    }

    fn put(&self, connection: Connection) {
        let mut connections = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if connections.len() < IDLE_MAX {
            connections.push(connection);
        }
    }
}

/// What became of a request.
enum Sent {
    Answered(Response<Body>),
    /// The connection was closed before any of it was written.
    NotSent(Request<Body>),
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { authority } => write!(f, "http://{authority}"),
            Self::Unix { path } => write!(f, "unix:{}", path.display()),
            Self::Local(_) => f.write_str("in process"),
        }
    }
}

impl Transport {
    /// Reads a server URL as people type it. TLS is not spoken yet: put a proxy in front, or a tunnel.
    pub fn from_url(url: &str) -> Result<Self, Problem> {
        let Some(rest) = url.strip_prefix("http://") else {
            let problem = Problem::invalid(format!("`{url}` is not a server address"));
            return Err(problem.hint("write `http://host:port`; `https` is not supported by the client yet"));
        };
        let authority = rest.trim_end_matches('/');
        let parsed: Result<http::uri::Authority, _> = authority.parse();
        match parsed {
            Ok(parsed) if parsed.as_str().contains('@') => {
                Err(Problem::invalid(format!("`{url}` holds a credential")).hint("set STEMMA_TOKEN instead"))
            }
            Ok(parsed) => {
                let port = if parsed.port().is_some() { String::new() } else { ":80".to_owned() };
                Ok(Self::Tcp { authority: format!("{parsed}{port}") })
            }
            Err(_) => {
                Err(Problem::invalid(format!("`{url}` is not a server address")).hint("write `http://host:port`"))
            }
        }
    }

    pub(super) fn host(&self) -> &str {
        match self {
            Self::Tcp { authority } => authority,
            Self::Unix { .. } | Self::Local(_) => "localhost",
        }
    }

    /// Sends a request; over TCP and Unix sockets on a connection that an earlier request left open, if there is one.
    pub(super) async fn send(&self, request: Request<Body>, idle: &Idle) -> Result<Response<Body>, Problem> {
        if let Self::Local(service) = self {
            return match service.clone().oneshot(request).await {
                Ok(response) => Ok(response),
                Err(never) => match never {},
            };
        }
        let mut request = request;
        while let Some(connection) = idle.take() {
            match self.over(connection, request, idle).await? {
                Sent::Answered(response) => return Ok(response),
                // the server closed it meanwhile
                Sent::NotSent(unsent) => request = unsent,
            }
        }
        match self.over(self.connect().await?, request, idle).await? {
            Sent::Answered(response) => Ok(response),
            Sent::NotSent(_) => Err(self.unreachable(&"the connection was closed")),
        }
    }

    async fn connect(&self) -> Result<Connection, Problem> {
        match self {
            Self::Tcp { authority } => {
                let connected = tokio::time::timeout(CONNECT_MAX, TcpStream::connect(authority)).await;
                let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
                let stream = connected.map_err(|error| self.unreachable(&error))?;
                let _ = stream.set_nodelay(true);
                self.speak(stream).await
            }
            Self::Unix { path } => {
                let stream = UnixStream::connect(path).await.map_err(|error| self.unreachable(&error))?;
                self.speak(stream).await
            }
            Self::Local(_) => Err(self.unreachable(&"a home in this process has no address")),
        }
    }

    async fn speak<S>(&self, stream: S) -> Result<Connection, Problem>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (connection, driver) = handshake.map_err(|error| self.unreachable(&error))?;
        tokio::spawn(driver);
        Ok(connection)
    }

    async fn over(&self, mut connection: Connection, request: Request<Body>, idle: &Idle) -> Result<Sent, Problem> {
        match connection.try_send_request(request).await {
            Ok(response) => {
                let idle = idle.clone();
                // ready once the answer's body was read to its end
                tokio::spawn(async move {
                    if connection.ready().await.is_ok() {
                        idle.put(connection);
                    }
                });
                Ok(Sent::Answered(response.map(body_from)))
            }
            Err(mut error) => match error.take_message() {
                Some(unsent) => Ok(Sent::NotSent(unsent)),
                None => Err(self.unreachable(error.error())),
            },
        }
    }

    fn unreachable(&self, error: &dyn fmt::Display) -> Problem {
        Problem::new(ErrorKind::Unavailable, format!("can't reach {self:?}: {error}"))
            .hint("is `stemma serve` running there?")
    }
}
