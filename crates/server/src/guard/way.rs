//! The way a request took to us: straight, or through a proxy that says so; and where it began, as far as that is known.

use std::net::IpAddr;

use http::{HeaderMap, Version, header, request::Parts};
use ipnet::IpNet;
use stemma_gateway::http::ClientAddress;

use super::authority::Scheme;
use crate::peer::Peer;

/// What proxies, load balancers and tunnels add to the requests that they hand on.
const ADDED_BY_PROXIES: [&str; 21] = [
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-remote-ip",
    "x-remote-addr",
    "x-host",
    "x-nginx-proxy",
    "x-amzn-trace-id",
    "x-amz-cf-id",
    "x-cloud-trace-context",
    "x-appengine-user-ip",
    "x-arr-log-id",
    "true-client-ip",
    "client-ip",
    "proxy-client-ip",
    "wl-proxy-client-ip",
    "fastly-client-ip",
    "fly-client-ip",
    "cdn-loop",
];
const PREFIXES_OF_PROXIES: [&str; 8] =
    ["x-forwarded", "x-original-", "x-proxy", "x-envoy-", "x-azure-", "cf-", "tailscale-", "x-vercel-"];

/// The way of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// Somebody handed it on: who is at the other end of the connection says nothing about who asks.
    pub is_relayed: bool,
    /// Where it began: the other end of the connection, or what a declared proxy says of it. `None` on the socket.
    pub client: Option<IpAddr>,
    /// What the caller's browser spoke, as far as a declared proxy says it.
    pub scheme: Scheme,
}

impl Way {
    /// Reads the way of a request; only of `proxies` is anything believed.
    pub fn of(parts: &Parts, peer: Peer, proxies: &[IpNet]) -> Self {
        let Peer::Network { address } = peer else {
            return Self { is_relayed: has_signs(parts), client: None, scheme: Scheme::Http };
        };
        if !is_among(address, proxies) {
            return Self { is_relayed: has_signs(parts), client: Some(address), scheme: Scheme::Http };
        }
        // all that it sends is somebody's, also if it says nothing of them
        let hop = last_hop(&parts.headers);
        Self { is_relayed: true, client: hop.client.or(Some(address)), scheme: hop.scheme.unwrap_or(Scheme::Http) }
    }

    /// Where a request counts if its caller shows no token. Whoever has one address of the sixth version has a network of
    /// them, so these count together.
    pub fn client_address(&self) -> ClientAddress {
        let address = match self.client.map(|address| address.to_canonical()) {
            None => "the owner's socket".to_owned(),
            Some(IpAddr::V4(address)) => address.to_string(),
            Some(IpAddr::V6(address)) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        };
        ClientAddress(address.into())
    }
}

/// Whether a header says so. HTTP/1.0 does too: reverse proxies speak it, and some of them add nothing.
fn has_signs(parts: &Parts) -> bool {
    let is_sign = |name: &str| {
        ADDED_BY_PROXIES.contains(&name) || PREFIXES_OF_PROXIES.iter().any(|prefix| name.starts_with(prefix))
    };
    parts.version < Version::HTTP_11 || parts.headers.keys().any(|name| is_sign(name.as_str()))
}

fn is_among(address: IpAddr, proxies: &[IpNet]) -> bool {
    proxies.iter().any(|net| net.contains(&address.to_canonical()))
}

/// What the proxy before us says of who asked it.
#[derive(Default)]
struct Hop {
    client: Option<IpAddr>,
    scheme: Option<Scheme>,
}

/// Reads the last entry, which is the proxy's own; everything before it is what its caller wrote.
///
/// A proxy writes `Forwarded` or `X-Forwarded-For` and may hand on the other as it came, so of both none is believed.
fn last_hop(headers: &HeaderMap) -> Hop {
    let proto = last_entry(headers, "x-forwarded-proto").and_then(scheme);
    match (last_entry(headers, header::FORWARDED.as_str()), last_entry(headers, "x-forwarded-for")) {
        (Some(entry), None) => {
            let parameter = |name: &str| {
                let pairs = entry.split(';').filter_map(|pair| pair.trim().split_once('='));
                let mut named = pairs.filter(|(key, _)| key.eq_ignore_ascii_case(name));
                named.next().map(|(_, value)| value.trim_matches('"'))
            };
            Hop { client: parameter("for").and_then(client), scheme: parameter("proto").and_then(scheme) }
        }
        (None, Some(entry)) => Hop { client: client(entry), scheme: proto },
        (None, None) => Hop { client: None, scheme: proto },
        (Some(_), Some(_)) => Hop::default(),
    }
}

fn last_entry<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let line = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    line.rsplit(',').next().map(str::trim).filter(|entry| !entry.is_empty())
}

fn scheme(text: &str) -> Option<Scheme> {
    match text.to_ascii_lowercase().as_str() {
        "http" => Some(Scheme::Http),
        "https" => Some(Scheme::Https),
        _ => None,
    }
}

/// `192.0.2.7`, `192.0.2.7:4711`, `2001:db8::7`, `[2001:db8::7]` or `[2001:db8::7]:4711`.
fn client(text: &str) -> Option<IpAddr> {
    let address = text.parse::<IpAddr>().or_else(|_| text.parse().map(|socket: std::net::SocketAddr| socket.ip()));
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<std::net::Ipv6Addr>().ok().map(IpAddr::V6);
    address.ok().or_else(bracketed).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "10.0.0.7";

    fn way(from: &str, headers: &[(&str, &str)]) -> Way {
        let mut request = http::Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        Way::of(&parts, Peer::Network { address: from.parse().unwrap() }, &["10.0.0.0/24".parse().unwrap()])
    }

    #[test]
    fn whatever_a_proxy_adds_shows_that_there_is_one() {
        for name in ADDED_BY_PROXIES {
            assert!(way("127.0.0.1", &[(name, "x")]).is_relayed, "{name}");
        }
        for name in [
            "X-Forwarded-For",
            "X-Forwarded-Host",
            "x-forwarded",
            "X-Forwarded-Anything",
            "CF-Connecting-IP",
            "X-Original-URL",
        ] {
            assert!(way("127.0.0.1", &[(name, "")]).is_relayed, "{name}");
        }
        for name in ["accept", "user-agent", "x-request-id", "traceparent", "x-stemma-actor"] {
            assert!(!way("127.0.0.1", &[(name, "x")]).is_relayed, "{name}");
        }
    }

    #[test]
    fn an_old_protocol_is_that_of_a_proxy() {
        let (mut parts, ()) = http::Request::new(()).into_parts();
        parts.version = Version::HTTP_10;
        assert!(Way::of(&parts, Peer::SameUser, &[]).is_relayed);
    }

    #[test]
    fn only_the_last_hop_of_a_declared_proxy_is_believed() {
        let client = |from: &str, headers: &[(&str, &str)]| way(from, headers).client.unwrap().to_string();
        for (headers, expected) in [
            (&[("x-forwarded-for", "203.0.113.9")][..], "203.0.113.9"),
            (&[("x-forwarded-for", "127.0.0.1, 203.0.113.9")], "203.0.113.9"),
            (&[("x-forwarded-for", "127.0.0.1"), ("x-forwarded-for", "203.0.113.9")], "203.0.113.9"),
            (&[("x-forwarded-for", "203.0.113.9:4711")], "203.0.113.9"),
            (&[("x-forwarded-for", "::ffff:203.0.113.9")], "203.0.113.9"),
            (&[("forwarded", "for=127.0.0.1;x=\"a, For=\"[2001:db8::7]:4711\";proto=https")], "2001:db8::7"),
            (&[("forwarded", "for=\"[2001:db8::7]\"")], "2001:db8::7"),
            (&[("forwarded", "for=_hidden")], PROXY),
            (&[("x-forwarded-for", "unknown")], PROXY),
            (&[("x-forwarded-for", "127.0.0.1,")], PROXY),
            // one of both is the caller's own
            (&[("forwarded", "for=127.0.0.1"), ("x-forwarded-for", "203.0.113.9")], PROXY),
            (&[], PROXY),
        ] {
            assert_eq!(client(PROXY, headers), expected, "{headers:?}");
            assert!(way(PROXY, headers).is_relayed, "{headers:?}");
        }
        assert_eq!(client("10.0.1.7", &[("x-forwarded-for", "127.0.0.1")]), "10.0.1.7");
        assert_eq!(client("::ffff:10.0.0.7", &[("x-forwarded-for", "203.0.113.9")]), "203.0.113.9");
    }

    #[test]
    fn the_scheme_is_what_a_declared_proxy_says() {
        let https = [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-proto", "HTTPS")];
        assert_eq!(way(PROXY, &https).scheme, Scheme::Https);
        assert_eq!(way("127.0.0.1", &https).scheme, Scheme::Http);
        assert_eq!(way(PROXY, &[("forwarded", "for=203.0.113.9;proto=https")]).scheme, Scheme::Https);
        assert_eq!(way(PROXY, &[("x-forwarded-proto", "https, http")]).scheme, Scheme::Http);
    }
}
