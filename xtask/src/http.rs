//! The little HTTP/1.1 that the checks need: one kept connection, bounded answers, no library between them and the wire.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

const TIMEOUT: Duration = Duration::from_secs(30);
const HEAD_LINE_BYTES_MAX: u64 = 16 << 10;
const BODY_BYTES_MAX: u64 = 64 << 20;

/// A connection to a server, kept between requests.
pub struct Connection {
    stream: BufReader<TcpStream>,
    host: SocketAddr,
    token: Option<String>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

impl Connection {
    pub fn open(host: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&host, TIMEOUT)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Ok(Self { stream: BufReader::new(stream), host, token: None })
    }

    /// Sends this token with every request from now on.
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    pub fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.ask("GET", path, "")
    }

    pub fn post(&mut self, path: &str, body: &str) -> io::Result<Answer> {
        self.ask("POST", path, body)
    }

    pub fn delete(&mut self, path: &str) -> io::Result<Answer> {
        self.ask("DELETE", path, "")
    }

    fn ask(&mut self, method: &str, path: &str, body: &str) -> io::Result<Answer> {
        let token = self.token.as_ref().map(|token| format!("Authorization: Bearer {token}\r\n"));
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.host,
            token.unwrap_or_default(),
            body.len(),
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        self.read_answer()
    }

    fn read_answer(&mut self) -> io::Result<Answer> {
        let line = self.read_line()?;
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| malformed("status line"))?;
        let (mut length, mut chunked) = (0, false);
        loop {
            let line = self.read_line()?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().map_err(|_| malformed("length"))?,
                "transfer-encoding" => chunked = value.trim().eq_ignore_ascii_case("chunked"),
                _ => {}
            }
        }
        let body = if chunked { self.read_chunks()? } else { self.read_bytes(length)? };
        Ok(Answer { status, body })
    }

    fn read_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        (&mut self.stream).take(HEAD_LINE_BYTES_MAX).read_line(&mut line)?;
        if !line.ends_with('\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }

    fn read_bytes(&mut self, length: u64) -> io::Result<Vec<u8>> {
        if length > BODY_BYTES_MAX {
            return Err(malformed("length"));
        }
        let mut body = Vec::new();
        (&mut self.stream).take(length).read_to_end(&mut body)?;
        if (body.len() as u64) < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(body)
    }

    fn read_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.read_line()?;
            let size = line.split(';').next().unwrap_or_default();
            let size = u64::from_str_radix(size.trim(), 16).map_err(|_| malformed("chunk"))?;
            if body.len() as u64 + size > BODY_BYTES_MAX {
                return Err(malformed("length"));
            }
            body.extend(self.read_bytes(size)?);
            // after a chunk, and after the last one that is empty
            self.read_line()?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the answer's {what} is malformed or too large"))
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    /// Answers one request with fixed bytes; returns what was asked.
    fn ask_once(answer: &'static str) -> (io::Result<Answer>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = vec![0; 4096];
            let read = stream.read(&mut asked).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(asked[..read].to_vec()).unwrap()
        });
        let answer = Connection::open(host).unwrap().with_token("t").post("/p", "{}");
        (answer, server.join().unwrap())
    }

    #[test]
    fn a_request_has_what_a_server_needs() {
        let (answer, asked) = ask_once("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n[17]trailing");
        assert!(asked.starts_with("POST /p HTTP/1.1\r\nHost: 127.0.0.1:"), "{asked}");
        assert!(asked.contains("\r\nAuthorization: Bearer t\r\n"), "{asked}");
        assert!(asked.ends_with("\r\nContent-Length: 2\r\n\r\n{}"), "{asked}");
        assert_eq!(answer.unwrap().json()[0], 17);
    }

    #[test]
    fn chunks_are_put_together() {
        let (answer, _) =
            ask_once("HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n");
        let answer = answer.unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (404, "abcde"));
    }

    #[test]
    fn an_answer_that_breaks_off_is_an_error() {
        for cut in ["", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"] {
            assert!(ask_once(cut).0.is_err(), "{cut:?}");
        }
        assert!(ask_once("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n").0.is_err());
    }
}
