//! A server beside other commands, and seen from elsewhere.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
};

use crate::{
    desk::{Desk, Done},
    onnx,
};

/// A server that is stopped at the end of a test, whatever comes of it.
pub struct Serving {
    child: Child,
    pub address: String,
}

impl Serving {
    pub fn start(desk: &Desk) -> Self {
        Self::start_with(desk, &[])
    }

    pub fn start_with(desk: &Desk, args: &[&str]) -> Self {
        Self::start_at(desk, "127.0.0.1:0", args)
    }

    pub fn start_at(desk: &Desk, listen: &str, args: &[&str]) -> Self {
        let mut command = desk.command(&[&["serve", "--listen", listen], args].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Self { child, address: address.trim().to_owned() }
    }

    /// Sends a request as any program could, and returns the answer with its head.
    pub fn post(&self, path: &str, content_type: &str, body: &str) -> String {
        let host = self.address.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).unwrap();
        let length = body.len();
        let head = format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {content_type}\r\n");
        write!(stream, "{head}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Asks for a path with some more headers, and returns the status.
    pub fn get(&self, path: &str, headers: &str) -> String {
        let host = self.address.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}Connection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    }

    /// Asks the server to stop as an operator would; returns its exit code.
    pub fn stop(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn commands_beside_a_server_speak_to_it_and_go_on_alone_after_it() {
    let desk = Desk::with_home();
    desk.write("data.csv", "a\n1\n");
    let serving = Serving::start(&desk);
    assert!(desk.ok(&["add", "data.csv"]).starts_with("data@1"));
    desk.write("model.onnx", onnx::doubling("m"));
    desk.ok(&["register", "m", "model.onnx"]);
    let (code, stderr) = desk.fails(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(code, 5);
    assert_eq!(
        stderr,
        format!("error: this home is served already, at {}\nhint: use that one, or stop it first\n", serving.address)
    );
    assert_eq!(serving.stop(), Some(0));
    assert!(!desk.work().join(".stemma/owner.sock").exists());
    assert!(!desk.work().join(".stemma/server-address").exists());
    assert!(desk.ok(&["models"]).contains("1.0.0"));
}

#[test]
fn beside_a_server_why_names_the_page() {
    let desk = Desk::with_home();
    desk.write("model.onnx", onnx::doubling("m"));
    desk.ok(&["register", "m", "model.onnx"]);
    desk.deploy("m");
    let serving = Serving::start(&desk);
    let answer = desk.json(&["predict", "credit-offer", "--data", r#"[{"x": 1}, {"x": 2.5}]"#]);
    assert_eq!(answer["outputs"][0]["data"], serde_json::json!([2.0, 5.0]));
    let id = answer["parameters"]["prediction_id"].as_str().unwrap();
    let why = desk.ok(&["why", id]);
    assert!(why.ends_with(&format!("page: {}/predictions/{id}\n", serving.address)), "{why}");
}

#[test]
fn a_server_that_was_killed_leaves_a_home_that_works() {
    let desk = Desk::with_home();
    let serving = Serving::start(&desk);
    desk.write("data.csv", "a\n1\n");
    desk.ok(&["add", "data.csv"]);
    drop(serving);
    assert!(desk.work().join(".stemma/owner.sock").exists());
    assert!(desk.ok(&["audit", "verify"]).contains("passed"));
    assert!(desk.ok(&["show", "data@1"]).contains("data.csv"));
}

#[test]
fn another_workspace_uses_a_server_as_its_home() {
    let (home, elsewhere) = (Desk::with_home(), Desk::new());
    let serving = Serving::start(&home);
    let at = |arguments: &[&str]| -> String {
        let mut command = elsewhere.command(arguments);
        let done = Done::of(command.env("STEMMA_SERVER", &serving.address).output().unwrap());
        assert_eq!(done.code, 0, "{arguments:?}: {done:#?}");
        done.stdout
    };
    at(&["init"]);
    assert!(!elsewhere.work().join(".stemma/home.json").exists());
    elsewhere.write("data.csv", "a\n".repeat(100_000));
    assert!(at(&["add", "data.csv"]).starts_with("data@1"));
    assert!(home.ok(&["show", "data@1"]).contains("200.00 kB"));

    // a fresh clone has the lock file and nothing else
    let clone = Desk::new();
    clone.write("stemma.toml", "");
    clone.write("stemma.lock", elsewhere.read("stemma.lock"));
    let done = Done::of(clone.command(&["checkout"]).env("STEMMA_SERVER", &serving.address).output().unwrap());
    assert_eq!(done.code, 0, "{done:#?}");
    assert_eq!(clone.read("data.csv").len(), 200_000);
}

#[test]
fn a_port_in_use_is_said_and_the_home_is_free_again() {
    let desk = Desk::with_home();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, stderr) = desk.fails(&["serve", "--listen", &address]);
    assert_eq!(code, 7);
    let hint = "hint: stop the other process, or choose another port with `--listen HOST:PORT`";
    assert_eq!(stderr, format!("error: the port {address} is in use\n{hint}\n"));
    desk.ok(&["models"]);
}

#[test]
fn on_an_address_that_others_reach_everybody_needs_a_token() {
    let desk = Desk::with_home();
    let mut command = desk.command(&["serve", "--listen", "0.0.0.0:0", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines: Vec<String> = BufReader::new(child.stdout.take().unwrap()).lines().take(4).map(Result::unwrap).collect();
    let serving = Serving { child, address: String::new() };
    let said: serde_json::Value = serde_json::from_str(&lines.join("")).unwrap();
    assert_eq!(said["anonymous"], false);
    let port = said["address"].as_str().unwrap().rsplit(':').next().unwrap();
    let server = format!("http://127.0.0.1:{port}");
    let (code, stderr) = Desk::new().fails(&["models", "--server", &server]);
    assert_eq!(code, 4, "{stderr}");
    drop(serving);
}

#[test]
fn behind_a_proxy_nobody_is_of_this_machine() {
    let desk = Desk::with_home();
    let issued = desk.json(&["user", "add", "rita@bank.example", "--role", "reader"]);
    let token = format!("Authorization: Bearer {}\r\n", issued["token"].as_str().unwrap());
    let (ledger, proxy) = ("/api/v1/audit/events", "X-Forwarded-For: 203.0.113.9\r\n");
    let serving = Serving::start(&desk);
    assert_eq!(serving.get(ledger, ""), "200");
    assert_eq!(serving.get(ledger, proxy), "401");
    assert_eq!(serving.get(ledger, &format!("{proxy}{token}")), "200");
    serving.stop();
    // a proxy may say nothing of itself
    for args in [&["--require-token"][..], &["--allow-host", "stemma.example"], &["--trusted-proxy", "127.0.0.1"]] {
        let serving = Serving::start_with(&desk, args);
        assert_eq!(serving.get(ledger, ""), "401", "{args:?}");
        assert_eq!(serving.get(ledger, &token), "200", "{args:?}");
        // commands of this folder come in by the socket
        assert_eq!(desk.ok(&["models"]), "nothing yet\n", "{args:?}");
        serving.stop();
    }
}

#[test]
fn a_token_that_leaked_is_revoked_and_opens_nothing_in_the_running_server() {
    let desk = Desk::with_home();
    let serving = Serving::start_with(&desk, &["--require-token"]);
    let issued = desk.json(&["user", "add", "rita@bank.example", "--role", "approver", "--label", "laptop"]);
    let (id, token) = (issued["token_id"].as_str().unwrap(), issued["token"].as_str().unwrap());
    let authorization = format!("Authorization: Bearer {token}\r\n");
    assert_eq!(serving.get("/api/v1/audit/events", &authorization), "200");
    let listed = desk.ok(&["token", "list"]);
    assert!(listed.contains(id) && listed.contains("laptop") && !listed.contains("stm_"), "{listed}");
    assert_eq!(desk.ok(&["token", "revoke", id]), format!("revoked token {id}\n"));
    assert_eq!(serving.get("/api/v1/audit/events", &authorization), "401");

    assert_eq!(
        desk.ok(&["role", "revoke", "rita@bank.example", "approver"]),
        "revoked `rita@bank.example` as approver in all projects\n"
    );
    assert_eq!(desk.fails(&["user", "revoke", "rita@bank.example"]).0, 3);
    let (code, stderr) = desk.fails(&["user", "revoke", "ada@example.org"]);
    assert_eq!(code, 6, "{stderr}");
    assert!(stderr.contains("`stemma user add NAME --role owner`"), "{stderr}");
    assert_eq!(desk.fails(&["user", "revoke", "bob", "--as", "ada@example.org"]).0, 4);
}
