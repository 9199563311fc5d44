//! One request, authenticated, with its path and query read.

use std::{collections::HashMap, str::FromStr};

use axum::body::Body;
use bytes::Bytes;
use http::request::Parts;
use serde::de::DeserializeOwned;
use stemma_core::{ErrorKind, Problem, id::RequestId, name::ProjectName};
use stemma_engine::Caller;

use crate::{
    app::{App, Peer},
    body::{HeldBytes, read_whole},
};

/// Longest JSON body of a request.
pub const JSON_BYTES_MAX: usize = 16 << 20;

/// A longer one is parsed on a thread that may take its time.
const PARSED_INLINE_BYTES: usize = 64 << 10;

/// What a handler gets.
pub struct Context {
    pub app: App,
    pub caller: Caller,
    pub peer: Peer,
    pub request: RequestId,
    pub parts: Parts,
    pub body: Body,
    /// Memory that was taken for the body, until the request is answered.
    pub held: HeldBytes,
    pub path: HashMap<String, String>,
}

impl Context {
    /// Returns a path parameter in its type; a text that isn't one is the caller's fault.
    pub fn path<T>(&self, name: &str) -> Result<T, Problem>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        let text = self.path.get(name).map(String::as_str).unwrap_or_default();
        text.parse().map_err(|error: T::Err| Problem::invalid(error.to_string()))
    }

    /// The project that the path names, or `default`.
    pub fn project(&self) -> Result<ProjectName, Problem> {
        project_of(&self.path)
    }

    /// Returns a query parameter, decoded once.
    pub fn query(&self, name: &str) -> Option<String> {
        let query = self.parts.uri.query()?;
        query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if key == name { percent_decode(&value.replace('+', " ")) } else { None }
        })
    }

    /// Returns all values of a query parameter that may be given several times.
    pub fn queries(&self, name: &str) -> Vec<String> {
        let query = self.parts.uri.query().unwrap_or_default();
        let values = query.split('&').filter_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if key == name { percent_decode(&value.replace('+', " ")) } else { None }
        });
        values.collect()
    }

    /// A query parameter as a number between 1 and `most`.
    pub fn limit(&self, default: u32, most: u32) -> Result<u32, Problem> {
        match self.query("limit") {
            None => Ok(default),
            Some(text) => match text.parse() {
                Ok(limit) if (1..=most).contains(&limit) => Ok(limit),
                _ => Err(Problem::invalid(format!("`limit` is `{text}`, expected a number from 1 to {most}"))),
            },
        }
    }

    /// Reads the body as JSON; `null` and nothing are the type's default where it has one.
    pub async fn json<T: DeserializeOwned + Send + 'static>(&mut self) -> Result<T, Problem> {
        let bytes = self.bytes(JSON_BYTES_MAX).await?;
        let is_quick = bytes.len() <= PARSED_INLINE_BYTES;
        let parse = move || {
            serde_json::from_slice(&bytes)
                .map_err(|error| Problem::invalid(format!("the request body is not valid: {error}")))
        };
        match is_quick {
            true => parse(),
            false => tokio::task::spawn_blocking(parse)
                .await
                .unwrap_or_else(|error| Err(Problem::new(ErrorKind::Internal, error.to_string()))),
        }
    }

    /// Reads the body before the request waits for its turn: nobody holds a turn and does not send.
    pub async fn hold_body(&mut self) -> Result<(), Problem> {
        let bytes = self.bytes(JSON_BYTES_MAX).await?;
        self.body = Body::from(bytes);
        Ok(())
    }

    /// Reads the body whole, up to a bound.
    pub async fn bytes(&mut self, most: usize) -> Result<Bytes, Problem> {
        let body = std::mem::take(&mut self.body);
        // what is held already was read before and is not counted twice
        let carrier = self.parts.extensions.get().filter(|_| self.held.is_empty());
        let (bytes, held) = read_whole(body, &self.parts.headers, most, carrier).await?;
        if !held.is_empty() {
            self.held = held;
        }
        Ok(bytes)
    }
}

pub fn project_of(path: &HashMap<String, String>) -> Result<ProjectName, Problem> {
    match path.get("project") {
        Some(name) => Ok(ProjectName::new(name.clone())?),
        None => Ok(ProjectName::default_project()),
    }
}

/// Decodes `%XX` once; `None` unless the result is UTF-8.
pub fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok().filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}
