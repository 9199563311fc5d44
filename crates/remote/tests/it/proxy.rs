//! A proxy that does to HTTP what networks and overloaded servers do, in an order that a seed decides.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// 500 without asking the server.
    Error,
    /// 503 SlowDown.
    SlowDown,
    /// 429.
    TooMany,
    /// The connection ends before the server is asked.
    CutBefore,
    /// The server is asked and does what it is asked; its answer is lost.
    CutAfter,
    /// The answer ends in the middle.
    CutWithin,
    /// The answer is whole by its own length, but shorter than it should be.
    Short,
    /// No answer comes, ever.
    Silence,
    /// Half of the answer comes, then nothing.
    SilenceWithin,
}

const FAULTS: [Fault; 9] = [
    Fault::Error,
    Fault::SlowDown,
    Fault::TooMany,
    Fault::CutBefore,
    Fault::CutAfter,
    Fault::CutWithin,
    Fault::Short,
    Fault::Silence,
    Fault::SilenceWithin,
];

/// Decides what happens to request number `n`.
pub type Script = Arc<dyn Fn(u64) -> Fault + Send + Sync>;

/// Of ten requests about four meet a fault; never more than three in a row.
pub fn storm(seed: u64) -> Script {
    Arc::new(move |number| {
        let hash = blake3::hash(&[seed.to_le_bytes(), number.to_le_bytes()].concat());
        let byte = hash.as_bytes()[0];
        match number % 4 {
            0 => Fault::None,
            _ if byte < 128 => FAULTS[usize::from(byte) % FAULTS.len()],
            _ => Fault::None,
        }
    })
}

pub struct Proxy {
    pub port: u16,
    requests: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    pub async fn start(upstream: u16, script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (script, counter) = (Arc::clone(&script), Arc::clone(&counter));
                tokio::spawn(async move { serve(client, upstream, &script, &counter).await });
            }
        });
        Self { port, requests, task }
    }

    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut client: TcpStream, upstream: u16, script: &Script, counter: &AtomicU64) -> Option<()> {
    loop {
        let request = read_request(&mut client).await?;
        let fault = script(counter.fetch_add(1, Ordering::Relaxed));
        let canned = |line: &str, code: &str| {
            let body = format!("<Error><Code>{code}</Code></Error>");
            format!("HTTP/1.1 {line}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
        };
        let answer = match fault {
            Fault::Error => canned("500 Internal Server Error", "InternalError"),
            Fault::SlowDown => canned("503 Slow Down", "SlowDown"),
            Fault::TooMany => canned("429 Too Many Requests", "TooManyRequests"),
            Fault::CutBefore => return None,
            Fault::Silence => std::future::pending().await,
            _ => forward(&request, upstream).await?,
        };
        let head = find_head(&answer)?;
        let has_body = answer.len() > head;
        let half = head + (answer.len() - head) / 2;
        match fault {
            Fault::CutAfter => return None,
            Fault::CutWithin if has_body => {
                client.write_all(&answer[..half]).await.ok()?;
                return None;
            }
            Fault::SilenceWithin if has_body => {
                client.write_all(&answer[..half]).await.ok()?;
                client.flush().await.ok()?;
                std::future::pending::<()>().await;
            }
            Fault::Short if has_body => client.write_all(&shorter(&answer, head, half)).await.ok()?,
            _ => client.write_all(&answer).await.ok()?,
        }
    }
}

/// The answer with a body cut in half and a length that says so.
fn shorter(answer: &[u8], head: usize, half: usize) -> Vec<u8> {
    let text = String::from_utf8_lossy(&answer[..head]);
    let lines = text.trim_end().split("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with("content-length:"));
    let mut head_text = lines.collect::<Vec<_>>().join("\r\n");
    head_text.push_str(&format!("\r\ncontent-length: {}\r\n\r\n", half - head));
    [head_text.as_bytes(), &answer[head..half]].concat()
}

fn find_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

async fn read_request(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        if let Some(head) = find_head(&request)
            && request.len() >= head + content_length(&request[..head])
        {
            return Some(request);
        }
        match client.read(&mut buffer).await.ok()? {
            0 => return None,
            len => request.extend_from_slice(&buffer[..len]),
        }
    }
}

fn content_length(head: &[u8]) -> usize {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:").map(str::to_owned));
    length.and_then(|length| length.trim().parse().ok()).unwrap_or(0)
}

/// Asks the server on a connection of its own and returns all that it says.
async fn forward(request: &[u8], upstream: u16) -> Option<Vec<u8>> {
    let mut server = TcpStream::connect(("127.0.0.1", upstream)).await.ok()?;
    let head = find_head(request)?;
    server.write_all(&request[..head - 2]).await.ok()?;
    server.write_all(b"connection: close\r\n\r\n").await.ok()?;
    server.write_all(&request[head..]).await.ok()?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await.ok()?;
    // the client's connection stays
    let head = find_head(&answer)?;
    let text = String::from_utf8_lossy(&answer[..head]).into_owned();
    let lines = text.trim_end().split("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let mut whole = lines.collect::<Vec<_>>().join("\r\n").replacen("HTTP/1.0", "HTTP/1.1", 1).into_bytes();
    whole.extend_from_slice(b"\r\n\r\n");
    whole.extend_from_slice(&answer[head..]);
    Some(whole)
}
