//! The token that a request shows.

use http::{HeaderMap, header};
use stemma_core::{ErrorKind, Problem};

/// The token of the Authorization header (RFC 6750, section 2.1), if there is one.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    match value.to_str().ok().and_then(|text| text.split_once(' ')) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(Problem::new(ErrorKind::Unauthenticated, "the Authorization header is not `Bearer <token>`")),
    }
}
