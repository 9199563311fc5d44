//! A served home as a browser or any other program gets to see it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read as _, Write as _},
    net::TcpStream,
};

use crate::serving::Serving;

/// An answer: its status, where it sends to, and what is in it.
pub struct Answer {
    pub status: u16,
    pub location: Option<String>,
    pub text: String,
}

/// Asks for a page as whoever a token belongs to, or (with none) as anybody on this machine.
pub fn get(serving: &Serving, path: &str, token: &str) -> Answer {
    ask(serving, "GET", path, token, "")
}

/// The same with another method and a body of JSON.
pub fn ask(serving: &Serving, method: &str, path: &str, token: &str, body: &str) -> Answer {
    let host = serving.address.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).unwrap();
    let token = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
    let length = body.len();
    let body = if body.is_empty() {
        "\r\n".to_owned()
    } else {
        format!("Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
    };
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: {host}\r\n{token}Connection: close\r\n{body}").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    let location = head.lines().find_map(|line| line.strip_prefix("location: ").map(str::to_owned));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let text = if head.contains("transfer-encoding: chunked") { whole(text) } else { text.to_owned() };
    Answer { status, location, text }
}

/// The content of a body that came in chunks (RFC 9112 §7.1).
fn whole(mut chunks: &str) -> String {
    let mut text = String::new();
    while let Some((length, rest)) = chunks.split_once("\r\n") {
        let (chunk, rest) = rest.split_at(usize::from_str_radix(length, 16).unwrap());
        text += chunk;
        chunks = rest.strip_prefix("\r\n").unwrap();
    }
    text
}

/// The addresses on a page, without those of places within it.
pub fn links(text: &str) -> BTreeSet<String> {
    let hrefs = text.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let plain = hrefs.map(|href| href.replace("&amp;", "&").replace("&#38;", "&"));
    plain.filter(|href| href.starts_with('/')).map(|href| href.split('#').next().unwrap().to_owned()).collect()
}

/// Goes wherever links lead to from some page; returns the text of each page by its address.
pub fn walk(serving: &Serving, from: &str, token: &str) -> BTreeMap<String, String> {
    let (mut seen, mut waiting) = (BTreeMap::new(), vec![from.to_owned()]);
    while let Some(path) = waiting.pop() {
        if seen.contains_key(&path) {
            continue;
        }
        let page = get(serving, &path, token);
        // what was purged is told where it was
        let is_gone = path.contains("/profile?") && matches!(page.status, 404 | 410) && page.text.contains("purged");
        assert!(matches!(page.status, 200 | 303) || is_gone, "{path}: {} {}", page.status, page.text);
        // conditions can be put together in any order: searches that narrow a narrowed one are left alone
        let is_narrowed = path.starts_with("/search?");
        let ahead = links(&page.text).into_iter().chain(page.location);
        let ahead = ahead.filter(|path| !(is_narrowed && path.starts_with("/search?")));
        waiting.extend(ahead.filter(|path| !path.starts_with("/api/")));
        seen.insert(path, page.text);
    }
    seen
}
