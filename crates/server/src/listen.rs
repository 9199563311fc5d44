//! Listening: one TCP port for everybody and a Unix socket for commands of the same user.

use std::{convert::Infallible, io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::{Router, body::Body, response::Response};
use http::Request;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use stemma_core::{ErrorKind, Problem};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::watch,
    task::JoinSet,
};
use tower::Service as _;

use crate::{
    access_log::{Notes, note},
    admission::Admission,
    app::App,
    body::{Accompanied, Carrier, Room},
    connection::{Connections, PacedBody, PacedStream},
    limits::{FILES_KEPT, HEAD_BYTES_MAX, HEADERS_MAX, Limits, Pace},
    peer::Peer,
    router::router_with,
};

/// Where to listen.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    pub listen: SocketAddr,
    pub socket: Option<PathBuf>,
    /// Stored bytes to be read back in an hour, to notice damage before somebody needs the content; 0 for none.
    pub verify_rate: u64,
    pub limits: Limits,
}

#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("the port {0} is in use")]
    PortInUse(SocketAddr),
    #[error("can't listen on {0}: {1}")]
    Tcp(SocketAddr, #[source] io::Error),
    #[error("can't listen on the socket `{0}`: {1}")]
    Socket(PathBuf, #[source] io::Error),
    #[error("{}", .0.message)]
    AccessLog(Problem),
    #[error("can't start threads: {0}")]
    Threads(#[source] io::Error),
}

impl From<ListenError> for Problem {
    fn from(error: ListenError) -> Self {
        let hint = match &error {
            ListenError::PortInUse(_) => "stop the other process, or choose another port with `--listen HOST:PORT`",
            ListenError::Tcp(..) => "check the address after `--listen`",
            ListenError::Socket(..) => "check the rights of the home's folder",
            ListenError::AccessLog(problem) => return problem.clone(),
            ListenError::Threads(_) => "check the limits of this user (`ulimit -u`)",
        };
        Problem::new(ErrorKind::Config, error.to_string()).hint(hint)
    }
}

/// A server that listens but doesn't answer yet.
#[must_use = "call `run`"]
pub struct Server {
    app: App,
    tcp: TcpListener,
    unix: Option<UnixListener>,
    verify_rate: u64,
    admission: Arc<Admission>,
    limits: Limits,
}

impl Server {
    pub async fn bind(app: App, options: &ServeOptions) -> Result<Self, ListenError> {
        // nobody is answered whom nothing could be noted of
        app.delivery.access_log().map_err(ListenError::AccessLog)?;
        let tcp = TcpListener::bind(options.listen).await.map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => ListenError::PortInUse(options.listen),
            _ => ListenError::Tcp(options.listen, error),
        })?;
        let unix = match &options.socket {
            None => None,
            Some(path) => Some(bind_socket(path).map_err(|error| ListenError::Socket(path.clone(), error))?),
        };
        let connections = options.limits.connections.min(connections_by_files(raise_file_limit()));
        let limits = Limits { connections, ..options.limits.clone() };
        let admission = Arc::new(Admission::new(&limits).map_err(ListenError::Threads)?);
        Ok(Self { app, tcp, unix, verify_rate: options.verify_rate, admission, limits })
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Answers until `stop` resolves, then lets requests under way finish for a bounded time.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let housekeeping = tokio::spawn(self.app.delivery.clone().keep_house());
        let noting = tokio::spawn(self.app.delivery.clone().keep_access_log());
        let verification = tokio::spawn(self.app.engine().clone().keep_verified(self.verify_rate));
        let (stopping, stopped) = watch::channel(false);
        let doors = Doors::new(self.app, self.admission.clone(), &self.limits, stopped);
        let mut serving = JoinSet::new();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                accepted = self.tcp.accept() => match accepted {
                    Ok((stream, address)) => {
                        let _ = stream.set_nodelay(true);
                        if let Some(task) = doors.network.serve(stream, Peer::Network { address: address.ip() }) {
                            serving.spawn(task);
                        }
                    }
                    Err(error) => doors.cannot_accept(&error).await,
                },
                accepted = accept_unix(self.unix.as_ref()) => match accepted {
                    Ok(stream) => {
                        if let Some(task) = doors.owner.serve(stream, Peer::SameUser) {
                            serving.spawn(task);
                        }
                    }
                    Err(error) => doors.cannot_accept(&error).await,
                },
            }
            while serving.try_join_next().is_some() {}
        }
        housekeeping.abort();
        verification.abort();
        noting.abort();
        // they hold the home; whoever waits for this server to be gone must find it free
        let _ = (housekeeping.await, verification.await, noting.await);
        let _ = stopping.send(true);
        if tokio::time::timeout(self.limits.drain, doors.drained(&mut serving, self.limits.drain_waiting))
            .await
            .is_err()
        {
            tracing::warn!("some connections did not finish in time and were cut off");
        }
        serving.shutdown().await;
        self.admission.close();
    }
}

/// Lets this process open as many files as it may; returns how many these are.
fn raise_file_limit() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files stays as it is");
            limit.current
        }
    }
}

/// As many connections as leave files for everything else.
fn connections_by_files(files: Option<u64>) -> usize {
    let Some(files) = files else { return usize::MAX };
    usize::try_from(files.saturating_sub(FILES_KEPT).max(files / 4).max(1)).unwrap_or(usize::MAX)
}

/// Binds the socket so that only this user can open it; a file left by a dead owner is removed.
fn bind_socket(path: &PathBuf) -> io::Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt as _;
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

async fn accept_unix(listener: Option<&UnixListener>) -> io::Result<tokio::net::UnixStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

/// Everything that comes in by one listener.
struct Door {
    router: Router,
    connections: Arc<Connections>,
    room: Arc<Room>,
    head: Duration,
    /// `None` for callers who may take their time.
    pace: Option<Pace>,
    stopped: watch::Receiver<bool>,
}

/// The owner has a door of their own, which strangers can't crowd.
struct Doors {
    network: Door,
    owner: Door,
}

impl Doors {
    fn new(app: App, admission: Arc<Admission>, limits: &Limits, stopped: watch::Receiver<bool>) -> Self {
        let log = app.delivery.open_access_log().cloned();
        let notes = log.map(|log| Notes::new(app.clone(), log));
        let mut router = router_with(app, Some(admission));
        if let Some(notes) = notes {
            router = router.layer(axum::middleware::from_fn_with_state(notes, note));
        }
        let door = |connections: usize, pace: Option<Pace>| Door {
            router: router.clone(),
            connections: Connections::new(connections),
            room: Arc::new(Room::new(limits)),
            head: limits.head,
            pace,
            stopped: stopped.clone(),
        };
        Self { network: door(limits.connections, Some(limits.pace)), owner: door(limits.owner_connections, None) }
    }

    /// Out of file descriptors, most likely: somebody who keeps us waiting gives one back. Never spins.
    async fn cannot_accept(&self, error: &io::Error) {
        tracing::warn!(%error, "a connection could not be accepted");
        self.network.connections.cut_longest_waiting();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    /// Resolves when all connections have ended. Those that keep us waiting don't get all the time that others get.
    async fn drained(&self, serving: &mut JoinSet<()>, waiting: Duration) {
        let mut tick = tokio::time::interval(waiting.max(Duration::from_millis(1)));
        loop {
            tokio::select! {
                ended = serving.join_next() => match ended {
                    Some(_) => {}
                    None => return,
                },
                _ = tick.tick() => {
                    self.network.connections.cut_waiting(waiting);
                    self.owner.connections.cut_waiting(waiting);
                }
            }
        }
    }
}

impl Door {
    /// A task that answers on one connection until it ends; `None` if there is no place for it.
    fn serve<S>(&self, stream: S, peer: Peer) -> Option<impl Future<Output = ()> + Send + use<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let place = self.connections.admit()?;
        let carrier = Carrier {
            connection: place.connection.clone(),
            connections: self.connections.clone(),
            room: self.room.clone(),
        };
        let stream = PacedStream::new(stream, place.connection.clone(), self.pace);
        let (router, pace) = (self.router.clone(), self.pace);
        let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
            answer(router.clone(), request, peer, carrier.clone(), pace)
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.head)
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEADERS_MAX)
            .serve_connection(TokioIo::new(stream), service);
        let mut stopped = self.stopped.clone();
        Some(async move {
            tokio::pin!(connection);
            let is_cut = place.connection.is_cut();
            tokio::pin!(is_cut);
            let is_stopped = async { drop(stopped.wait_for(|stop| *stop).await) };
            tokio::pin!(is_stopped);
            let mut is_stopping = false;
            let ended = loop {
                tokio::select! {
                    ended = connection.as_mut() => break ended,
                    () = &mut is_cut => return tracing::debug!("a connection gave way to another"),
                    () = &mut is_stopped, if !is_stopping => {
                        is_stopping = true;
                        connection.as_mut().graceful_shutdown();
                    }
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended early");
            }
        })
    }
}

/// Answers one request; its connection keeps nobody waiting until the answer has been made.
fn answer(
    mut router: Router,
    request: Request<hyper::body::Incoming>,
    peer: Peer,
    carrier: Carrier,
    pace: Option<Pace>,
) -> impl Future<Output = Result<Response, Infallible>> + Send + use<> {
    let connection = carrier.connection.clone();
    let answering = connection.answer();
    let mut request = request.map(|body| Body::new(PacedBody::new(body, connection, pace)));
    request.extensions_mut().insert(peer);
    request.extensions_mut().insert(carrier);
    let answered = router.call(request);
    async move { Ok(answered.await?.map(|body| Body::new(Accompanied::new(body, answering)))) }
}

#[cfg(test)]
mod tests {
    use super::connections_by_files;

    #[test]
    fn connections_leave_files_for_the_rest() {
        let cases = [(None, usize::MAX), (Some(16_384), 15_872), (Some(1024), 512), (Some(600), 150), (Some(2), 1)];
        for (files, connections) in cases {
            assert_eq!(connections_by_files(files), connections, "{files:?}");
        }
    }
}
