//! A foreign S3 server, reached directly and through a proxy that fails on purpose.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, LazyLock, Mutex},
    time::{Duration, Instant},
};

use stemma_core::{Digest, Timestamp};
use stemma_remote::{Policy, Remote, RemoteError, Target};

use crate::{
    Place, fill, noise, policy,
    proxy::{Fault, Proxy, Script, storm},
    suite,
};

/// The program of a foreign S3 server; `None` if there is none and none is required.
fn program() -> Option<std::path::PathBuf> {
    if let Some(path) = std::env::var_os("STEMMA_TEST_MOTO") {
        return Some(path.into());
    }
    let required = std::env::var_os("STEMMA_TEST_REQUIRE_ALL").is_some() || std::env::var_os("CI").is_some();
    assert!(!required, "STEMMA_TEST_MOTO is not set: run the tests with `cargo xtask test`");
    eprintln!("note: S3 is not tested, STEMMA_TEST_MOTO is not set; `cargo xtask test` sets it");
    None
}

struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start() -> Option<Self> {
        let mut child = Command::new(program()?)
            .args(["-H", "127.0.0.1", "-p", "0"])
            .env("PYTHONUNBUFFERED", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            let line = line.unwrap();
            line.split_once("http://127.0.0.1:").map(|(_, port)| port.trim().parse().unwrap())
        });
        // it goes on writing a line for each request
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { child, port: port.expect("the server says its port") })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn remote(port: u16, bucket: &str, prefix: &str, place: &Place, policy: Policy) -> Remote {
    let target = Target {
        url: format!("s3://{bucket}/{prefix}"),
        endpoint: Some(format!("http://127.0.0.1:{port}")),
        region: Some("us-east-1".to_owned()),
        allow_http: true,
    };
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let environment = [variable("AWS_ACCESS_KEY_ID", "test"), variable("AWS_SECRET_ACCESS_KEY", "test")];
    Remote::connect(&target, &environment, place.folder.path(), &place.cache(), policy, false).unwrap()
}

async fn make_bucket(port: u16, bucket: &str) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut server = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!(
        "PUT /{bucket} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: AWS4-HMAC-SHA256 Credential=t/20260101/us-east-1/s3/aws4_request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    server.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    server.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// S3 wants parts of 5 MiB, so packs here are sent whole unless they are longer.
fn patient() -> Policy {
    Policy { part_len: 5 << 20, attempts: 20, attempt_idle: Duration::from_millis(250), ..policy() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_server_does_what_every_remote_must() {
    let Some(server) = Server::start() else { return };
    make_bucket(server.port, "calm").await;
    suite::all(&|story, place| remote(server.port, "calm", story, place, patient())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_storm_everything_arrives_and_nothing_wrong() {
    let Some(server) = Server::start() else { return };
    make_bucket(server.port, "storm").await;
    for seed in 0..2 {
        let proxy = Proxy::start(server.port, storm(seed)).await;
        let prefix = format!("seed-{seed}");
        suite::all(&|story, place| remote(proxy.port, "storm", &format!("{prefix}/{story}"), place, patient())).await;
        assert!(proxy.requests() > 50);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_packs_go_in_parts_through_a_storm() {
    let Some(server) = Server::start() else { return };
    make_bucket(server.port, "long").await;
    let proxy = Proxy::start(server.port, storm(7)).await;
    let policy = Policy { pack_len: 14 << 20, ..patient() };
    let (here, there) = (Place::new(), Place::new());
    let bytes = noise(1, 30 << 20);
    let digest = here.put(&bytes, None);
    let pushed = here.push(&remote(proxy.port, "long", "", &here, policy), &[digest]).await.unwrap();
    assert_eq!(pushed.packs, 3);
    there.pull(&remote(proxy.port, "long", "", &there, policy), &[digest]).await.unwrap();
    assert!(there.read(&digest).unwrap() == bytes);
    assert!(there.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn references_move_once_although_answers_are_lost() {
    let Some(server) = Server::start() else { return };
    make_bucket(server.port, "refs").await;
    // each first attempt does what it is asked and its answer is lost
    let script: Script = Arc::new(|number| if number % 2 == 0 { Fault::CutAfter } else { Fault::None });
    let proxy = Proxy::start(server.port, script).await;
    let place = Place::new();
    let remote = remote(proxy.port, "refs", "p", &place, patient());
    let at = Timestamp(1_700_000_000_000_000);
    let mut last = None;
    for number in 0..5u8 {
        let moved = remote.advance("main", last.as_ref(), Digest::of(&[number]), "ada", at).await.unwrap();
        assert_eq!(moved.number, u64::from(number) + 1);
        last = Some(moved);
    }
    let late = remote.advance("main", None, Digest::of(b"x"), "bob", at).await;
    assert!(matches!(late, Err(RemoteError::Moved { by, .. }) if by == "ada"));
    assert_eq!(remote.reference("main").await.unwrap(), last);
}

/// The script fails whatever comes once it is switched on.
static SWITCH: LazyLock<Mutex<Option<Fault>>> = LazyLock::new(Mutex::default);

#[tokio::test(flavor = "multi_thread")]
async fn a_stall_and_an_overload_that_last_are_errors_that_name_the_object() {
    let Some(server) = Server::start() else { return };
    make_bucket(server.port, "stall").await;
    let script: Script = Arc::new(|_| SWITCH.lock().unwrap().unwrap_or(Fault::None));
    let proxy = Proxy::start(server.port, script).await;
    let policy =
        Policy { attempts: 4, attempt_idle: Duration::from_millis(100), idle: Duration::from_millis(300), ..patient() };
    let here = Place::new();
    let (_, tree) = fill(&here);
    here.push(&remote(proxy.port, "stall", "", &here, policy), &[tree]).await.unwrap();
    for fault in [Fault::Silence, Fault::SlowDown, Fault::CutBefore, Fault::SilenceWithin, Fault::Short] {
        let there = Place::new();
        let reader = remote(proxy.port, "stall", "", &there, policy);
        let catalog = reader.catalog().await.unwrap();
        *SWITCH.lock().unwrap() = Some(fault);
        let began = Instant::now();
        let failed = reader.pull(&there.store, &catalog, &[tree], Default::default(), &mut |_| {}).await;
        *SWITCH.lock().unwrap() = None;
        let error = failed.unwrap_err();
        assert!(error.to_string().contains(".pack"), "{fault:?}: {error}");
        let is_stall = matches!(error, RemoteError::Stalled { .. });
        assert_eq!(is_stall, fault == Fault::Silence, "{fault:?}: {error}");
        assert!(began.elapsed() < Duration::from_secs(10), "{fault:?} took {:?}", began.elapsed());
        assert!(there.is_clean());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_and_buckets_fail_at_once() {
    let Some(server) = Server::start() else { return };
    let place = Place::new();
    let error = remote(server.port, "no-such-bucket", "", &place, patient()).catalog().await.unwrap_err();
    assert!(matches!(&error, RemoteError::Refused { .. }), "{error}");
}
