//! One request, authenticated, with its path and query read.

use std::{collections::HashMap, str::FromStr};

use axum::body::Body;
use bytes::Bytes;
use http::request::Parts;
use http_body_util::{BodyExt as _, Limited};
use serde::de::DeserializeOwned;
use stemma_core::{Problem, id::RequestId, name::ProjectName};
use stemma_engine::Caller;

use crate::app::{App, Peer};

/// Longest JSON body of a request.
pub const JSON_BYTES_MAX: usize = 16 << 20;

/// What a handler gets.
pub struct Context {
    pub app: App,
    pub caller: Caller,
    pub peer: Peer,
    pub request: RequestId,
    pub parts: Parts,
    pub body: Body,
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
    pub async fn json<T: DeserializeOwned>(&mut self) -> Result<T, Problem> {
        let bytes = self.bytes(JSON_BYTES_MAX).await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Problem::invalid(format!("the request body is not valid: {error}")))
    }

    /// Reads the body whole, up to a bound.
    pub async fn bytes(&mut self, most: usize) -> Result<Bytes, Problem> {
        let body = std::mem::take(&mut self.body);
        match Limited::new(body, most).collect().await {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                Err(Problem::invalid(format!("the request body is longer than {most} bytes")))
            }
            Err(error) => Err(Problem::invalid(format!("the request body broke off: {error}"))),
        }
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
