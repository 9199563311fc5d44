//! Listening: one TCP port for everybody and a Unix socket for commands of the same user.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use http::Request;
use hyper_util::rt::{TokioIo, TokioTimer};
use stemma_core::{ErrorKind, Problem};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tower::Service as _;

use crate::{
    app::{App, Peer},
    router::router,
};

/// Connections held at once; further ones wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 4096;
/// A client that doesn't finish its headers in this time is cut off.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Requests under way get this long to finish when the server stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);

/// Where to listen.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    pub listen: SocketAddr,
    pub socket: Option<PathBuf>,
    /// Stored bytes to be read back in an hour, to notice damage before somebody needs the content; 0 for none.
    pub verify_rate: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("the port {0} is in use")]
    PortInUse(SocketAddr),
    #[error("can't listen on {0}: {1}")]
    Tcp(SocketAddr, #[source] io::Error),
    #[error("can't listen on the socket `{0}`: {1}")]
    Socket(PathBuf, #[source] io::Error),
}

impl From<ListenError> for Problem {
    fn from(error: ListenError) -> Self {
        let hint = match &error {
            ListenError::PortInUse(_) => "stop the other process, or choose another port with `--listen HOST:PORT`",
            ListenError::Tcp(..) => "check the address after `--listen`",
            ListenError::Socket(..) => "check the rights of the home's folder",
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
}

impl Server {
    pub async fn bind(app: App, options: &ServeOptions) -> Result<Self, ListenError> {
        let tcp = TcpListener::bind(options.listen).await.map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => ListenError::PortInUse(options.listen),
            _ => ListenError::Tcp(options.listen, error),
        })?;
        let unix = match &options.socket {
            None => None,
            Some(path) => Some(bind_socket(path).map_err(|error| ListenError::Socket(path.clone(), error))?),
        };
        Ok(Self { app, tcp, unix, verify_rate: options.verify_rate })
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Answers until `stop` resolves, then lets requests under way finish.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let engine = self.app.engine.clone();
        let housekeeping = tokio::spawn(engine.clone().keep_house());
        let verification = tokio::spawn(engine.keep_verified(self.verify_rate));
        let router = router(self.app);
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let (stopping, stopped) = watch::channel(false);
        let mut connections = JoinSet::new();
        tokio::pin!(stop);
        loop {
            let permit = tokio::select! {
                () = &mut stop => break,
                permit = permits.clone().acquire_owned() => permit.expect("the semaphore is never closed"),
            };
            let (router, stopped) = (router.clone(), stopped.clone());
            tokio::select! {
                () = &mut stop => break,
                accepted = self.tcp.accept() => match accepted {
                    Ok((stream, address)) => {
                        let _ = stream.set_nodelay(true);
                        let peer = Peer::Network { address: address.ip() };
                        connections.spawn(serve(stream, router, peer, stopped, permit));
                    }
                    Err(error) => report(&error).await,
                },
                accepted = accept_unix(self.unix.as_ref()) => match accepted {
                    Ok(stream) => {
                        connections.spawn(serve(stream, router, Peer::SameUser, stopped, permit));
                    }
                    Err(error) => report(&error).await,
                },
            }
            while connections.try_join_next().is_some() {}
        }
        housekeeping.abort();
        verification.abort();
        // they hold the home; whoever waits for this server to be gone must find it free
        let _ = (housekeeping.await, verification.await);
        let _ = stopping.send(true);
        let drained = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN_TIMEOUT, drained).await.is_err() {
            tracing::warn!("some connections did not finish in time and were cut off");
        }
    }
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

/// Out of file descriptors, most likely: wait a little instead of spinning.
async fn report(error: &io::Error) {
    tracing::warn!(%error, "a connection could not be accepted");
    tokio::time::sleep(Duration::from_millis(50)).await;
}

async fn serve<S>(
    stream: S,
    router: Router,
    peer: Peer,
    mut stopped: watch::Receiver<bool>,
    permit: tokio::sync::OwnedSemaphorePermit,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
        let mut router = router.clone();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        router.call(request)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = async { drop(stopped.wait_for(|stop| *stop).await) } => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended early");
    }
    drop(permit);
}
