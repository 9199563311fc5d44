//! What every request must pass before a handler sees it: Host, Origin, content type; and what every answer carries.

use http::{HeaderMap, HeaderValue, Method, header, request::Parts};
use stemma_core::{ErrorKind, Problem};

use crate::app::{AccessRules, Peer};

/// Refuses what a web page in a user's browser could send us without their knowledge.
pub fn check(parts: &Parts, peer: Peer, rules: &AccessRules) -> Result<(), Problem> {
    if matches!(peer, Peer::Network { .. }) {
        check_host(parts, rules)?;
        check_origin(parts, rules)?;
    }
    check_content_type(parts)
}

/// DNS rebinding: the name the browser used must be one of ours.
fn check_host(parts: &Parts, rules: &AccessRules) -> Result<(), Problem> {
    let host = parts.headers.get(header::HOST).and_then(|value| value.to_str().ok());
    match host.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str)) {
        Some(host) if is_ours(host, rules) => Ok(()),
        Some(_) => Err(Problem::new(ErrorKind::Forbidden, "the Host header names another site")
            .hint("start the server with `--allow-host NAME` if that name is its own")),
        None => Err(Problem::invalid("the request has no Host header")),
    }
}

/// Cross-site requests: a state change may only come from our own pages, or from no page at all.
fn check_origin(parts: &Parts, rules: &AccessRules) -> Result<(), Problem> {
    if matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let Some(origin) = parts.headers.get(header::ORIGIN) else {
        return Ok(());
    };
    let host = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    match host {
        Some(host) if is_ours(host, rules) => Ok(()),
        _ => Err(Problem::new(ErrorKind::Forbidden, "cross-origin request refused")),
    }
}

const WANTED_TYPES: &str = "send `Content-Type: application/json` (curl: `-H 'Content-Type: application/json'`), or \
                            `application/octet-stream` for content";

/// A form of another site can't send JSON without asking first, so state changes must declare their type.
fn check_content_type(parts: &Parts) -> Result<(), Problem> {
    if !matches!(parts.method, Method::POST | Method::PUT | Method::PATCH) {
        return Ok(());
    }
    let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let inference = parts.uri.path().starts_with("/v2/");
    match essence.as_str() {
        "application/json" | "application/octet-stream" => Ok(()),
        // the inference protocol's clients send none; a form of another site always sends one
        "" if inference => Ok(()),
        "" => Err(Problem::invalid("the request has no content type").hint(WANTED_TYPES)),
        // what curl says unless told otherwise; it is not taken for JSON, since a form of another site says the same
        _ => Err(Problem::invalid(format!("the content type is `{essence}`")).hint(match inference {
            true => {
                "send JSON and say so: `Content-Type: application/json` (curl: `-H 'Content-Type: application/json'`)"
            }
            false => WANTED_TYPES,
        })),
    }
}

fn is_ours(host: &str, rules: &AccessRules) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.to_ascii_lowercase();
    matches!(name.as_str(), "localhost" | "127.0.0.1" | "::1") || rules.hosts.contains(&name)
}

/// Headers of every answer, pages and data alike.
pub fn add_security_headers(headers: &mut HeaderMap) {
    const POLICY: &str = "default-src 'self'; img-src 'self' data:; style-src 'self'; object-src 'none'; \
                          base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
}

#[cfg(test)]
mod tests {
    use super::*;

    const NETWORK: Peer = Peer::Network { loopback: true };

    fn refusal(method: &str, path: &str, headers: &[(&str, &str)]) -> Option<Problem> {
        let mut request = http::Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let rules = AccessRules { hosts: vec!["stemma.example".into()], anonymous: true };
        check(&parts, NETWORK, &rules).err()
    }

    fn verdict(method: &str, path: &str, headers: &[(&str, &str)]) -> Option<u16> {
        refusal(method, path, headers).map(|problem| problem.kind.http_status())
    }

    #[test]
    fn names_of_this_machine_and_allowed_names_pass() {
        for host in ["localhost:7878", "127.0.0.1", "[::1]:7878", "stemma.example", "STEMMA.example:80"] {
            assert_eq!(verdict("GET", "/", &[("host", host)]), None, "{host}");
        }
    }

    #[test]
    fn rebinding_is_refused() {
        for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:7878", "0.0.0.0:7878", ""] {
            assert_eq!(verdict("GET", "/", &[("host", host)]), Some(403), "{host}");
        }
        assert_eq!(verdict("GET", "/", &[]), Some(400));
    }

    #[test]
    fn other_sites_cannot_change_state() {
        let json = ("content-type", "application/json");
        let host = ("host", "localhost:7878");
        assert_eq!(verdict("POST", "/x", &[host, json]), None);
        assert_eq!(verdict("POST", "/x", &[host, json, ("origin", "http://localhost:7878")]), None);
        assert_eq!(verdict("POST", "/x", &[host, json, ("origin", "https://evil.example")]), Some(403));
        assert_eq!(verdict("POST", "/x", &[host, json, ("origin", "null")]), Some(403));
        for simple in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
            assert_eq!(verdict("POST", "/v2/models/m/infer", &[host, ("content-type", simple)]), Some(400), "{simple}");
            for path in ["/v2/models/m/infer", "/api/v1/projects"] {
                let problem = refusal("POST", path, &[host, ("content-type", simple)]).unwrap();
                assert!(problem.hint.unwrap().contains("-H 'Content-Type: application/json'"), "{path} {simple}");
            }
        }
        assert_eq!(verdict("POST", "/x", &[host]), Some(400));
        assert_eq!(verdict("POST", "/v2/models/m/infer", &[host]), None);
    }
}
