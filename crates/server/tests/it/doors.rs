//! What comes in over a real connection: hosts, origins and proxies as bytes on the wire.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use stemma_server::app::{AccessRules, Anonymous};

use crate::world::World;

/// Sends a head and nothing else, and returns the status; `None` if the server hung up.
fn status(address: SocketAddr, head: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).map(|status| status.parse().unwrap())
}

fn get(host_lines: &str) -> String {
    format!("GET /api/v1/home HTTP/1.1\r\n{host_lines}Connection: close\r\n\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_valid_host_of_ours_and_nothing_else() {
    let world = World::new(true).await;
    let listening = world.listen().await;
    let port = listening.address.port();
    let ask = |lines: &str| status(listening.address, &get(lines));
    for host in ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]", &format!("localhost:{port}")] {
        assert_eq!(ask(&format!("Host: {host}\r\n")), Some(200), "{host}");
    }
    for host in ["evil.example", "127.0.0.1.nip.example", "[::ffff:127.0.0.1]", "0.0.0.0", "127.0.0.53"] {
        assert_eq!(ask(&format!("Host: {host}\r\n")), Some(403), "{host}");
    }
    for host in [
        "[::1].evil.example",
        "[::1]evil",
        "localhost:99999",
        "localhost:",
        "localhost.",
        "a@localhost",
        "127.1",
        "x\ty",
    ] {
        assert_eq!(ask(&format!("Host: {host}\r\n")), Some(400), "{host}");
    }
    assert_eq!(ask(""), Some(400));
    assert_eq!(ask("Host: localhost\r\nHost: evil.example\r\n"), Some(400));
    assert_eq!(ask("Host: localhost, evil.example\r\n"), Some(400));
    let absolute =
        |host: &str| format!("GET http://{host}/api/v1/home HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert_eq!(status(listening.address, &absolute("localhost")), Some(200));
    assert_eq!(status(listening.address, &absolute("evil.example")), Some(400));
    assert_eq!(status(listening.address, &absolute("user@localhost")), Some(400));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_through_a_proxy_is_not_of_this_machine() {
    let world = World::new(true).await;
    let listening = world.listen().await;
    let ask = |path: &str, lines: &str| {
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{lines}Connection: close\r\n\r\n");
        status(listening.address, &head)
    };
    // pages lead to where people sign in
    let paths = [("/api/v1/audit/events", 401), ("/projects", 303), ("/v2/models/nothing", 401)];
    for (path, refused) in paths {
        assert!(!matches!(ask(path, ""), Some(303 | 401 | 403)), "{path}");
        for line in [
            "X-Forwarded-For: 203.0.113.9",
            "Forwarded: for=127.0.0.1",
            "Via: 1.1 x",
            "X-Real-IP: 127.0.0.1",
            "cf-ray: x",
        ] {
            assert_eq!(ask(path, &format!("{line}\r\n")), Some(refused), "{path} {line}");
        }
    }
    let old = "GET /api/v1/audit/events HTTP/1.0\r\nHost: localhost\r\n\r\n";
    assert_eq!(status(listening.address, old), Some(401));
    let token = format!("Authorization: Bearer {}\r\nX-Forwarded-For: 203.0.113.9\r\n", world.owner);
    assert_eq!(ask("/api/v1/audit/events", &token), Some(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declared_proxy_is_never_a_person_and_names_the_scheme() {
    let rules = |proxies: &str| AccessRules {
        hosts: vec!["stemma.example".parse().unwrap()],
        anonymous: Anonymous::ThisMachine,
        proxies: vec![proxies.parse().unwrap()],
        witness_of: Vec::new(),
    };
    let ask = |address, lines: &str, token: &str| {
        let head = format!(
            "POST /api/v1/projects/default/content/missing HTTP/1.1\r\nHost: stemma.example\r\nContent-Type: application/json\r\n\
             {lines}Authorization: Bearer {token}\r\nContent-Length: 15\r\nConnection: close\r\n\r\n{{\"contents\":[]}}"
        );
        status(address, &head)
    };
    let world = World::with_access(rules("127.0.0.0/8")).await;
    let declared = world.listen().await;
    let silent = status(declared.address, &get("Host: localhost\r\n"));
    assert_eq!(silent, Some(401), "it may be silent about whom it speaks for");
    let page = "Origin: https://stemma.example\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 203.0.113.9\r\n";
    assert_eq!(ask(declared.address, page, &world.owner), Some(200));

    let world = World::with_access(rules("192.0.2.0/24")).await;
    let other = world.listen().await;
    assert_eq!(ask(other.address, page, &world.owner), Some(403), "anybody can say that it is https");
}
