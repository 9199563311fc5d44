//! What every request must pass before a handler sees it: its way, Host, Origin, content type; and what every answer
//! carries.

mod authority;
mod way;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header, request::Parts};
use ipnet::IpNet;
use stemma_core::{ErrorKind, Problem};

pub use self::{
    authority::{Authority, Host, NotAuthority, Origin, Scheme},
    way::Way,
};
use crate::peer::Peer;

/// Refuses what a web page in a user's browser could send us without their knowledge, and tells how the rest came here.
///
/// `hosts` may be named besides the loopback names; what `proxies` say of a request's way is believed.
pub fn check(parts: &Parts, peer: Peer, (hosts, proxies): (&[Host], &[IpNet]), body: BodyKind) -> Result<Way, Problem> {
    let way = Way::of(parts, peer, proxies);
    match peer {
        Peer::SameUser if way.is_relayed => {
            return Err(Problem::new(
                ErrorKind::Forbidden,
                "the home's socket is for commands of its user, not for a proxy",
            )
            .hint("let the proxy speak to the address that `stemma serve --listen` names"));
        }
        Peer::SameUser => {}
        Peer::Network { .. } => {
            let host = check_host(parts, hosts)?;
            check_page(parts, Origin { scheme: way.scheme, authority: host })?;
        }
    }
    check_content_type(parts, body)?;
    Ok(way)
}

/// What the body of a change may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// JSON or content: what no page of another site can send unasked.
    Data,
    /// What a form of our own pages sends. Forms of other sites are told by where they come from ([`check_page`]), and by
    /// what forms of a session carry.
    Form,
}

/// What browsers send a form as.
pub const FORM_TYPE: &str = "application/x-www-form-urlencoded";

/// DNS rebinding: the name the browser used must be one of ours. Returns it.
fn check_host(parts: &Parts, hosts: &[Host]) -> Result<Authority, Problem> {
    let Some(host) = only(&parts.headers, header::HOST)? else {
        return Err(Problem::invalid("the request has no Host header"));
    };
    let host: Authority = host.parse().map_err(|_| Problem::invalid("the Host header is not a host and a port"))?;
    // a request to a proxy names the host twice
    if parts.uri.authority().is_some_and(|target| target.as_str().parse().ok().as_ref() != Some(&host)) {
        return Err(Problem::invalid("the request's target names another host than its Host header"));
    }
    if host.host.is_local() || hosts.contains(&host.host) {
        return Ok(host);
    }
    Err(Problem::new(ErrorKind::Forbidden, "the Host header names another site")
        .hint("start the server with `--allow-host NAME` if that name is its own"))
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Cross-site requests: a state change may only come from our own pages, or from no page at all.
fn check_page(parts: &Parts, ours: Origin) -> Result<(), Problem> {
    if is_safe(&parts.method) {
        return Ok(());
    }
    let refused = || Problem::new(ErrorKind::Forbidden, "cross-origin request refused");
    // browsers say it also where they leave out the origin
    if only(&parts.headers, SEC_FETCH_SITE)?.is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return Err(refused());
    }
    match only(&parts.headers, header::ORIGIN)? {
        None => Ok(()),
        Some(origin) if origin.parse().is_ok_and(|origin: Origin| origin.is_same(&ours)) => Ok(()),
        Some(_) => Err(refused().hint("behind a proxy with https, start the server with `--trusted-proxy ADDRESS`")),
    }
}

const fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The value of a header that may be there once: of several, every reader along the way could believe another.
fn only(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(&name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Problem::invalid(format!("the request has several headers `{name}`")));
    }
    value.to_str().map(Some).map_err(|_| Problem::invalid(format!("the header `{name}` is not plain text")))
}

const WANTED_TYPES: &str = "send `Content-Type: application/json` (curl: `-H 'Content-Type: application/json'`), or \
                            `application/octet-stream` for content";
const WANTED_JSON: &str =
    "send JSON and say so: `Content-Type: application/json` (curl: `-H 'Content-Type: application/json'`)";

/// A page of another site can't send JSON without asking first, so state changes must declare their type.
fn check_content_type(parts: &Parts, body: BodyKind) -> Result<(), Problem> {
    if !matches!(parts.method, Method::POST | Method::PUT | Method::PATCH) {
        return Ok(());
    }
    let inference = parts.uri.path().starts_with("/v2/");
    let wanted = if inference { WANTED_JSON } else { WANTED_TYPES };
    let Some(content_type) = only(&parts.headers, header::CONTENT_TYPE)? else {
        // clients of the inference protocol send none; a page can do that too, but not without a sign of its browser
        return match inference && !is_of_a_browser(&parts.headers) {
            true => Ok(()),
            false => Err(Problem::invalid("the request has no content type").hint(wanted)),
        };
    };
    let essence = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    match essence.as_str() {
        FORM_TYPE if body == BodyKind::Form => Ok(()),
        _ if body == BodyKind::Form => {
            let hint = "forms of the pages send here; programs have the API";
            Err(Problem::invalid(format!("the content type is `{essence}`, not `{FORM_TYPE}`")).hint(hint))
        }
        "application/json" | "application/octet-stream" => Ok(()),
        // what curl says unless told otherwise; it is not taken for JSON, since a form of another site says the same
        _ => Err(Problem::invalid(format!("the content type is `{essence}`")).hint(wanted)),
    }
}

/// What every browser adds to what a page sends: one of these at least, and no page can take it away.
fn is_of_a_browser(headers: &HeaderMap) -> bool {
    let signs = headers.keys().any(|name| {
        let name = name.as_str();
        name == "origin" || name == "referer" || name == "cookie" || name.starts_with("sec-")
    });
    let names_itself = |agent: &HeaderValue| agent.as_bytes().starts_with(b"Mozilla/");
    signs || headers.get(header::USER_AGENT).is_some_and(names_itself)
}

/// Headers of every answer, pages and data alike.
pub fn add_security_headers(headers: &mut HeaderMap) {
    const POLICY: &str = "default-src 'self'; img-src 'self' data:; style-src 'self'; object-src 'none'; \
                          base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    const NETWORK: Peer = Peer::Network { address: IpAddr::V4(Ipv4Addr::LOCALHOST) };

    fn refusal(method: &str, target: &str, headers: &[(&str, &str)]) -> Option<Problem> {
        let mut request = http::Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        check(&parts, NETWORK, (&["stemma.example".parse().unwrap()], &[]), BodyKind::Data).err()
    }

    fn verdict(method: &str, target: &str, headers: &[(&str, &str)]) -> Option<u16> {
        refusal(method, target, headers).map(|problem| problem.kind.http_status())
    }

    #[test]
    fn names_of_this_machine_and_allowed_names_pass() {
        for host in ["localhost:7878", "127.0.0.1", "[::1]:7878", "stemma.example", "STEMMA.example:80"] {
            assert_eq!(verdict("GET", "/", &[("host", host)]), None, "{host}");
        }
        assert_eq!(verdict("GET", "http://localhost:7878/", &[("host", "localhost:7878")]), None);
    }

    #[test]
    fn rebinding_is_refused() {
        for host in
            ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:7878", "0.0.0.0:7878", "127.0.0.2"]
        {
            assert_eq!(verdict("GET", "/", &[("host", host)]), Some(403), "{host}");
        }
        for host in
            ["", "[::1].evil.example", "[::1]evil", "localhost:99999", "localhost.", "u@localhost", "127.1", "0x7f.1"]
        {
            assert_eq!(verdict("GET", "/", &[("host", host)]), Some(400), "{host}");
        }
        assert_eq!(verdict("GET", "/", &[]), Some(400));
        assert_eq!(verdict("GET", "/", &[("host", "localhost"), ("host", "evil.example")]), Some(400));
        assert_eq!(verdict("GET", "/", &[("host", "localhost"), ("host", "localhost")]), Some(400));
        assert_eq!(verdict("GET", "http://evil.example/", &[("host", "localhost")]), Some(400));
        assert_eq!(verdict("GET", "http://localhost/", &[]), Some(400));
    }

    #[test]
    fn other_sites_cannot_change_state() {
        let json = ("content-type", "application/json");
        let host = ("host", "localhost:7878");
        assert_eq!(verdict("POST", "/x", &[host, json]), None);
        assert_eq!(verdict("POST", "/x", &[host, json, ("origin", "http://localhost:7878")]), None);
        for origin in [
            "https://evil.example",
            "null",
            "",
            "http://localhost",
            "http://localhost:3000",
            "https://localhost:7878",
            "http://127.0.0.1:7878",
            "http://stemma.example",
            "http://localhost:7878.evil.example",
        ] {
            for method in ["POST", "PUT", "PATCH", "DELETE"] {
                assert_eq!(verdict(method, "/x", &[host, json, ("origin", origin)]), Some(403), "{method} {origin}");
            }
        }
        let ours = ("origin", "http://localhost:7878");
        assert_eq!(verdict("POST", "/x", &[host, json, ours, ("origin", "http://evil.example")]), Some(400));
        for (site, expected) in
            [("same-origin", None), ("none", None), ("same-site", Some(403)), ("cross-site", Some(403))]
        {
            assert_eq!(verdict("POST", "/x", &[host, json, ("sec-fetch-site", site)]), expected, "{site}");
            // a link from another page is no state change
            assert_eq!(verdict("GET", "/x", &[host, ("sec-fetch-site", site)]), None, "{site}");
        }
    }

    #[test]
    fn the_content_type_is_declared_as_no_page_can_unasked() {
        let host = ("host", "localhost:7878");
        for path in ["/v2/models/m/infer", "/v2/repository/models/m/load", "/api/v1/projects"] {
            for simple in [
                "",
                "text/plain",
                "text/plain; application/json",
                "application/x-www-form-urlencoded",
                "multipart/form-data; boundary=x",
                "application/json, text/plain",
            ] {
                let problem = refusal("POST", path, &[host, ("content-type", simple)]).unwrap();
                assert_eq!(problem.kind, ErrorKind::Invalid, "{path} {simple}");
                assert!(problem.hint.unwrap().contains("-H 'Content-Type: application/json'"), "{path} {simple}");
            }
            let twice = [host, ("content-type", "application/json"), ("content-type", "text/plain")];
            assert_eq!(verdict("POST", path, &twice), Some(400), "{path}");
            assert_eq!(verdict("POST", path, &[host, ("content-type", "Application/JSON; charset=utf-8")]), None);
        }
        assert_eq!(verdict("POST", "/api/v1/projects", &[host]), Some(400));
        // `tritonclient` sends none
        assert_eq!(verdict("POST", "/v2/models/m/infer", &[host, ("user-agent", "python/gevent-http-client")]), None);
        for sign in [
            ("origin", "http://localhost:7878"),
            ("sec-fetch-mode", "no-cors"),
            ("referer", "http://localhost:7878/x"),
            ("user-agent", "Mozilla/5.0 (X11; Linux x86_64)"),
        ] {
            assert_eq!(verdict("POST", "/v2/models/m/infer", &[host, sign]), Some(400), "{sign:?}");
        }
    }

    #[test]
    fn t18_a_form_comes_from_our_own_pages() {
        let sent = |headers: &[(&str, &str)]| {
            let mut request = http::Request::builder().method("POST").uri("/logout").header("host", "localhost:7878");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let (parts, ()) = request.body(()).unwrap().into_parts();
            check(&parts, NETWORK, (&[], &[]), BodyKind::Form).err().map(|problem| problem.kind.http_status())
        };
        let form = ("content-type", FORM_TYPE);
        let ours = ("origin", "http://localhost:7878");
        assert_eq!(sent(&[form, ours, ("sec-fetch-site", "same-origin")]), None);
        assert_eq!(sent(&[form, ("origin", "http://evil.example")]), Some(403));
        assert_eq!(sent(&[form, ("origin", "null")]), Some(403));
        assert_eq!(sent(&[form, ("sec-fetch-site", "cross-site")]), Some(403));
        assert_eq!(sent(&[form, ("sec-fetch-site", "same-site")]), Some(403));
        assert_eq!(sent(&[("content-type", "application/json"), ours]), Some(400));
        assert_eq!(sent(&[("content-type", "multipart/form-data; boundary=x"), ours]), Some(400));
    }

    #[test]
    fn the_socket_is_not_for_proxies() {
        let (parts, ()) =
            http::Request::get("/").header("x-forwarded-for", "203.0.113.9").body(()).unwrap().into_parts();
        assert_eq!(check(&parts, Peer::SameUser, (&[], &[]), BodyKind::Data).unwrap_err().kind, ErrorKind::Forbidden);
        let (parts, ()) = http::Request::get("/").body(()).unwrap().into_parts();
        assert!(check(&parts, Peer::SameUser, (&[], &[]), BodyKind::Data).is_ok());
    }
}
