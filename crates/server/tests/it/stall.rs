//! Clients that stand still, on real connections with short deadlines: others are answered, and a stop is a stop.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use stemma_core::SystemClock;
use stemma_delivery::Delivery;
use stemma_gateway::TurnLimits;
use stemma_server::{
    App, Limits, ServeOptions, Server,
    app::{AccessRules, Anonymous},
    limits::Pace,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
    sync::oneshot,
    task::JoinHandle,
};

struct Served {
    address: SocketAddr,
    socket: PathBuf,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
    folder: tempfile::TempDir,
}

/// Deadlines that tests can wait for, and few connections.
fn limits() -> Limits {
    let wait = Duration::from_millis(300);
    let few = TurnLimits { at_once: 2, at_once_each: 2, waiting: 2, waiting_each: 2, wait };
    Limits {
        connections: 8,
        head: Duration::from_secs(5),
        pace: Pace { idle: Duration::from_millis(400), grace: Duration::from_millis(800), rate: 1000 },
        transfers: few,
        drain: Duration::from_secs(3),
        drain_waiting: Duration::from_millis(200),
        ..Limits::default()
    }
}

impl Served {
    async fn with(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let owner = "olga@bank.example".parse().unwrap();
        let (delivery, _) = Delivery::create(&folder.path().join("home"), owner, Arc::new(SystemClock)).await.unwrap();
        let access = AccessRules { anonymous: Anonymous::ThisMachine, ..AccessRules::default() };
        let app = App::new(delivery, access);
        let socket = folder.path().join("s");
        let listen = ([127, 0, 0, 1], 0).into();
        let options = ServeOptions { listen, socket: Some(socket.clone()), verify_rate: 0, limits };
        let server = Server::bind(app, &options).await.unwrap();
        let address = server.address().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(server.run(async { drop(stopped.await) }));
        Self { address, socket, stop, served, folder }
    }

    async fn send(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    }

    /// The status of a small request on a new connection.
    async fn ask(&self, path: &str) -> String {
        ask(TcpStream::connect(self.address).await.unwrap(), path).await
    }

    async fn stop(self) -> Duration {
        let started = Instant::now();
        self.stop.send(()).unwrap();
        self.served.await.unwrap();
        started.elapsed()
    }
}

async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    status(&read(&mut stream).await)
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    // a connection that is cut has said what it had to say
    let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut bytes)).await.expect("no answer");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn status(answer: &str) -> String {
    answer.lines().next().unwrap_or("nothing").to_owned()
}

fn begun(method: &str, path: &str, length: usize) -> String {
    let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n");
    let head = head + "Connection: close\r\n";
    format!("{head}Content-Length: {length}\r\n\r\nx")
}

fn upload(number: usize) -> String {
    begun("PUT", &format!("/api/v1/projects/default/content/b3:{number:064x}"), 1_000_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn more_silent_connections_than_places_shut_nobody_out() {
    let served = Served::with(Limits { pace: stemma_server::limits::PACE, ..limits() }).await;
    let mut silent = Vec::new();
    for number in 0..40 {
        let begun = match number % 4 {
            0 => begun("POST", "/v2/models/none/infer", 100),
            1 => upload(number),
            2 => begun("POST", "/api/v1/projects/default/models/m/versions", 100),
            _ => "GET / HT".to_owned(),
        };
        silent.push(served.send(begun.as_bytes()).await);
        assert_eq!(served.ask("/health").await, "HTTP/1.1 200 OK", "{number}");
    }
    assert_eq!(served.ask("/api/v1/projects/default/models").await, "HTTP/1.1 200 OK");
    let owner = UnixStream::connect(&served.socket).await.unwrap();
    assert_eq!(ask(owner, "/api/v1/projects/default/models").await, "HTTP/1.1 200 OK");
    drop(silent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_told_and_the_connection_closed() {
    let served = Served::with(limits()).await;
    for begun in [upload(1), begun("POST", "/api/v1/projects/default/runs", 100)] {
        let mut stream = served.send(begun.as_bytes()).await;
        let answer = read(&mut stream).await;
        assert_eq!(status(&answer), "HTTP/1.1 408 Request Timeout", "{answer}");
        assert!(answer.contains("the request body did not come: nothing came for 0.4 s"), "{answer}");
    }
    // a byte now and then
    let mut stream = served.send(begun("POST", "/api/v1/projects/default/runs", 100).as_bytes()).await;
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let _ = stream.write_all(b"x").await;
    }
    let answer = read(&mut stream).await;
    assert!(answer.contains("it came at less than 1000 bytes a second"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn transfers_that_stand_still_leave_other_acts_alone_and_end() {
    let served = Served::with(Limits { connections: 100, ..limits() }).await;
    let mut still = Vec::new();
    for number in 0..10 {
        still.push(served.send(upload(number).as_bytes()).await);
    }
    assert_eq!(served.ask("/api/v1/projects/default/models").await, "HTTP/1.1 200 OK");
    let mut statuses = Vec::new();
    for stream in &mut still {
        let answer = read(stream).await;
        let retry = answer.to_lowercase().contains("retry-after: 5");
        assert_eq!(retry, status(&answer).contains("503"), "{answer}");
        statuses.push(status(&answer));
    }
    assert!(statuses.iter().any(|status| status.contains("503")), "{statuses:?}");
    assert!(statuses.iter().all(|status| status.contains("503") || status.contains("408")), "{statuses:?}");
    // what held the turns has gone
    let missing = served.ask(&format!("/api/v1/projects/default/content/b3:{:064x}", 1)).await;
    assert_eq!(missing, "HTTP/1.1 404 Not Found");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_sent_bodies_give_way_when_memory_is_short() {
    let pace = stemma_server::limits::PACE;
    let served = Served::with(Limits { body_bytes: 300_000, connections: 100, pace, ..limits() }).await;
    let mut half = Vec::new();
    for _ in 0..10 {
        let mut begun = begun("POST", "/api/v1/projects/default/runs", 1_000_000).into_bytes();
        begun.extend([b' '; 100_000]);
        half.push(served.send(&begun).await);
    }
    let mut whole = served.send(&begun("POST", "/api/v1/projects/default/runs", 70_001).into_bytes()).await;
    whole.write_all(&[b'x'; 70_000]).await.unwrap();
    let answer = read(&mut whole).await;
    assert!(answer.contains("the request body is not valid"), "{answer}");
    // a short one takes its own memory, and nothing has to give way
    let mut short = served.send(&begun("POST", "/api/v1/projects/default/runs", 2).into_bytes()).await;
    short.write_all(b"x").await.unwrap();
    let answer = read(&mut short).await;
    assert!(answer.contains("the request body is not valid"), "{answer}");
    let too_long = begun("POST", "/api/v1/projects/default/runs", 1 << 30);
    let answer = status(&read(&mut served.send(too_long.as_bytes()).await).await);
    assert_eq!(answer, "HTTP/1.1 413 Payload Too Large");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_not_kept_up_by_those_who_stand_still() {
    let served = Served::with(Limits { connections: 100, pace: stemma_server::limits::PACE, ..limits() }).await;
    let mut still = Vec::new();
    for number in 0..6 {
        still.push(served.send(upload(number).as_bytes()).await);
        still.push(served.send(begun("POST", "/v2/models/none/infer", 100).as_bytes()).await);
        still.push(served.send(b"GET /").await);
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let took = served.stop().await;
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_are_bounded() {
    let served = Served::with(limits()).await;
    let long = format!("GET /health HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(1_000_000));
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let _ = stream.write_all(long.as_bytes()).await;
    let answer = status(&read(&mut stream).await);
    assert!(answer.contains("431") || answer.contains("nothing"), "{answer}");
    let many = format!("GET /health HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: x\r\n".repeat(101));
    assert!(status(&read(&mut served.send(many.as_bytes()).await).await).contains("431"));
}

#[tokio::test(flavor = "multi_thread")]
async fn ready_is_what_can_be_done_and_comes_back_by_itself() {
    let served = Served::with(limits()).await;
    let both = async || [served.ask("/health/ready").await, served.ask("/v2/health/ready").await];
    let until = async |expected: &str| {
        let give_up = Instant::now() + Duration::from_secs(10);
        // an answer holds for a second
        while both().await != [expected, expected] {
            assert!(Instant::now() < give_up, "{:?}", both().await);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    until("HTTP/1.1 200 OK").await;
    let content = served.folder.path().join("home/content");
    let aside = served.folder.path().join("aside");
    std::fs::rename(&content, &aside).unwrap();
    until("HTTP/1.1 503 Service Unavailable").await;
    assert_eq!(served.ask("/health").await, "HTTP/1.1 200 OK");
    std::fs::rename(&aside, &content).unwrap();
    until("HTTP/1.1 200 OK").await;
}
