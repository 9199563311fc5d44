//! What the head of a request says in our own headers, whatever the protocol of its body.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, StatusCode, header, request::Parts};
use stemma_core::endpoint::prediction::Trace;

use super::problem::HttpProblem;
use crate::{access::AccessError, refused::Refused};

pub const UNIT: HeaderName = HeaderName::from_static("x-stemma-unit");
pub const REVISION: HeaderName = HeaderName::from_static("x-stemma-revision");
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// Longest value of a header that is taken into a record.
const HEADER_BYTES_MAX: usize = 256;

/// Whom requests without a token are counted for; the server puts it into the extensions of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAddress(pub Arc<str>);

pub struct Head<'a> {
    pub bearer: Option<&'a str>,
    pub address: Option<&'a ClientAddress>,
    pub unit: Option<String>,
    pub revision: Option<u32>,
}

impl<'a> Head<'a> {
    pub fn read(parts: &'a Parts) -> Result<Self, HttpProblem> {
        let headers = &parts.headers;
        let (bearer, unit, revision) = (bearer(headers)?, unit(headers)?, revision(headers)?);
        Ok(Self { bearer, address: parts.extensions.get(), unit, revision })
    }
}

/// `X-Request-Id`, if it can be kept.
pub fn request_id(headers: &HeaderMap) -> Option<String> {
    short(headers, &REQUEST_ID)
}

/// The trace that the caller works in; nothing if what it says is malformed, or if it names several.
pub fn trace(headers: &HeaderMap) -> Option<Trace> {
    let mut all = headers.get_all(TRACEPARENT).iter();
    let (only, None) = (all.next()?, all.next()) else { return None };
    Trace::parse(only.to_str().ok()?)
}

fn bearer(headers: &HeaderMap) -> Result<Option<&str>, HttpProblem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let token = value
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .and_then(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()));
    match token {
        Some(token) => Ok(Some(token)),
        None => Err(Refused::Access(AccessError::TokenMissing).into()),
    }
}

fn short(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    (!value.is_empty() && value.len() <= HEADER_BYTES_MAX).then(|| value.to_owned())
}

/// A unit that can't be read is refused: without it the caller would get another arm than it asked for.
fn unit(headers: &HeaderMap) -> Result<Option<String>, HttpProblem> {
    let unit = short(headers, &UNIT);
    if unit.is_none() && headers.contains_key(UNIT) {
        let message = format!("`X-Stemma-Unit` is not 1 to {HEADER_BYTES_MAX} characters of ASCII");
        return Err(HttpProblem::new(StatusCode::BAD_REQUEST, message));
    }
    Ok(unit)
}

/// The revision that a caller insists on.
fn revision(headers: &HeaderMap) -> Result<Option<u32>, HttpProblem> {
    let Some(value) = headers.get(REVISION) else {
        return Ok(None);
    };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    let wrong = || HttpProblem::new(StatusCode::BAD_REQUEST, "`X-Stemma-Revision` is not a number".to_owned());
    number.map(Some).ok_or_else(wrong)
}
