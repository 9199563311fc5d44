//! Three ways to reach a home that all speak HTTP/1.1 requests and answers.

use std::{convert::Infallible, fmt, path::PathBuf};

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

    pub(super) async fn send(&self, request: Request<Body>) -> Result<Response<Body>, Problem> {
        match self {
            Self::Tcp { authority } => {
                let stream = TcpStream::connect(authority).await.map_err(|error| self.unreachable(&error))?;
                let _ = stream.set_nodelay(true);
                self.over(stream, request).await
            }
            Self::Unix { path } => {
                let stream = UnixStream::connect(path).await.map_err(|error| self.unreachable(&error))?;
                self.over(stream, request).await
            }
            Self::Local(service) => match service.clone().oneshot(request).await {
                Ok(response) => Ok(response),
                Err(never) => match never {},
            },
        }
    }

    async fn over<S>(&self, stream: S, request: Request<Body>) -> Result<Response<Body>, Problem>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| self.unreachable(&error))?;
        tokio::spawn(connection);
        let response = sender.send_request(request).await.map_err(|error| self.unreachable(&error))?;
        Ok(response.map(body_from))
    }

    fn unreachable(&self, error: &dyn fmt::Display) -> Problem {
        Problem::new(ErrorKind::Unavailable, format!("can't reach {self:?}: {error}"))
            .hint("is `stemma serve` running there?")
    }
}
