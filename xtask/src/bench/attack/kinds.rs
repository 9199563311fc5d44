//! Ways to keep a server from its work, each begun and ended on command.

use std::{
    fs,
    io::Write as _,
    net::{SocketAddr, TcpStream},
    process::{Child, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use anyhow::Result;

use super::ENDPOINT;
use crate::{desk::Desk, http::Connection};

/// What attacks are made of.
pub struct Target {
    pub prediction: String,
    /// Content of 20 million commas.
    pub commas: String,
    /// Content of 64 MiB.
    pub long: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attack {
    Registrations,
    Evaluations,
    StalledBodies,
    StalledUploads,
    StalledDownloads,
    HalfSentBodies,
    Commas,
}

/// An attack that goes on until it is ended.
#[derive(Default)]
pub struct UnderWay {
    held: Vec<TcpStream>,
    children: Vec<Child>,
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Attack {
    pub const ALL: [Self; 7] = [
        Self::Registrations,
        Self::Evaluations,
        Self::StalledBodies,
        Self::StalledUploads,
        Self::StalledDownloads,
        Self::HalfSentBodies,
        Self::Commas,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Registrations => "registrations, as many as processors",
            Self::Evaluations => "evaluations, 16 at once",
            Self::StalledBodies => "stalled bodies, 4,100",
            Self::StalledUploads => "stalled uploads, 520",
            Self::StalledDownloads => "stalled downloads, 520",
            Self::HalfSentBodies => "half-sent bodies, 100 of 15 MB",
            Self::Commas => "rows of 20 MB of commas, 8 at once",
        }
    }

    pub fn begin(self, desk: &Desk, address: SocketAddr, target: &Target) -> Result<UnderWay> {
        let mut attack = UnderWay::default();
        match self {
            Self::Registrations => attack.register(desk)?,
            Self::Evaluations => {
                let path = "/api/v1/projects/default/models/credit-score/versions/1.0.0/evaluate";
                attack.repeat(16, address, move |connection| connection.post(path, "{}"));
            }
            Self::StalledBodies => {
                attack.hold(4100, address, |_| request("POST", &format!("/v2/models/{ENDPOINT}/infer"), 100, b"{"))
            }
            Self::StalledUploads => {
                let content = |number| format!("/api/v1/projects/default/content/b3:{number:064x}");
                attack.hold(520, address, |number| request("PUT", &content(number), 1_000_000, b"x"));
            }
            Self::StalledDownloads => {
                let path = format!("/api/v1/projects/default/content/{}", target.long);
                attack.hold(520, address, |_| request("GET", &path, 0, b""));
            }
            Self::HalfSentBodies => {
                let path = format!("/v2/models/{ENDPOINT}/infer");
                attack.hold(100, address, |_| request("POST", &path, 16_000_000, &vec![b' '; 15_000_000]));
            }
            Self::Commas => {
                let path = format!("/api/v1/projects/default/content/{}/rows?rows=0..1", target.commas);
                attack.repeat(8, address, move |connection| connection.get(&path));
            }
        }
        Ok(attack)
    }
}

/// An attacker is elsewhere and takes nothing of the server's processors; here they are the same.
fn stand_back() {
    const LAST: i32 = 19;
    // on Linux of this thread alone; where it can't be had, the figures only look worse
    let _ = rustix::process::setpriority_process(None, LAST);
}

fn request(method: &str, path: &str, length: usize, body: &[u8]) -> Vec<u8> {
    let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n");
    let mut request = format!("{head}Content-Length: {length}\r\n\r\n").into_bytes();
    request.extend_from_slice(body);
    request
}

impl UnderWay {
    /// Connections that send something and then no more. One that is cut is not opened again.
    fn hold(&mut self, connections: usize, address: SocketAddr, sent: impl Fn(usize) -> Vec<u8>) {
        for number in 0..connections {
            let Ok(mut stream) = TcpStream::connect(address) else { continue };
            // what the server does not take is the server's answer to the attack
            let _ = stream.set_write_timeout(Some(std::time::Duration::from_millis(200)));
            let _ = stream.write_all(&sent(number));
            self.held.push(stream);
        }
    }

    /// Clients that ask again as soon as they are answered.
    fn repeat(
        &mut self,
        clients: usize,
        address: SocketAddr,
        ask: impl Fn(&mut Connection) -> std::io::Result<crate::http::Answer> + Send + Sync + 'static,
    ) {
        let ask = Arc::new(ask);
        for _ in 0..clients {
            let (ask, is_over) = (ask.clone(), self.is_over.clone());
            self.threads.push(thread::spawn(move || {
                stand_back();
                while !is_over.load(Ordering::Relaxed) {
                    let answered = Connection::open(address).and_then(|mut connection| ask(&mut connection));
                    if answered.is_err() {
                        thread::sleep(std::time::Duration::from_millis(50));
                    }
                }
            }));
        }
    }

    /// The same model under other digests: a field that is read by nobody stands behind it.
    fn register(&mut self, desk: &Desk) -> Result<()> {
        let model = fs::read(desk.work.join("model.onnx"))?;
        let processors = thread::available_parallelism().map_or(2, usize::from);
        for number in 0..processors {
            let text = format!("{}-{number}", std::process::id() as usize + self.children.len());
            let name = format!("attack{number}.onnx");
            let mut altered = model.clone();
            // `producer_name`, a text
            altered.extend([0x12, u8::try_from(text.len())?]);
            altered.extend(text.bytes());
            fs::write(desk.work.join(&name), altered)?;
            let mut command = desk.stemma(&["register", "credit-score", &name])?;
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            self.children.push(command.spawn()?);
        }
        Ok(())
    }

    pub fn end(mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        drop(self.held);
        // whoever waits for an answer gets one, or is cut by its own time limit
        for thread in self.threads {
            let _ = thread.join();
        }
    }
}
