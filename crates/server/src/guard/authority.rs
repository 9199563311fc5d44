//! `host[:port]`, as a Host header, an Origin and `--allow-host` have it: read whole by its grammar, never searched.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// Longest name and longest part of one, in bytes (RFC 1035, section 2.3.4).
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// A host, in the one spelling that two equal hosts share: names in lower case, addresses as numbers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    Name(String),
    Address(IpAddr),
}

/// A host and maybe a port, without user name, path or white space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    pub host: Host,
    pub port: Option<u16>,
}

/// The scheme, host and port of a web page, as browsers send it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub scheme: Scheme,
    pub authority: Authority,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Http,
    Https,
}

impl Scheme {
    const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A text that is not what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a host name or an address, as in `stemma.example` or `[::1]`")]
pub struct NotAuthority;

impl Host {
    /// This machine, as browsers of this machine call it. Other addresses of the loopback network may be other servers.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Name(name) => name == "localhost",
            Self::Address(address) => {
                [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)].contains(address)
            }
        }
    }
}

impl FromStr for Host {
    type Err = NotAuthority;

    fn from_str(text: &str) -> Result<Self, NotAuthority> {
        match text.strip_prefix('[') {
            Some(rest) => {
                let address = rest.strip_suffix(']').ok_or(NotAuthority)?;
                address.parse().map(|address: Ipv6Addr| Self::Address(address.into())).map_err(|_| NotAuthority)
            }
            None => match text.parse::<Ipv4Addr>() {
                Ok(address) => Ok(Self::Address(address.into())),
                Err(_) if is_name(text) => Ok(Self::Name(text.to_ascii_lowercase())),
                Err(_) => Err(NotAuthority),
            },
        }
    }
}

/// Letters, digits, `-` and `_` between single dots. What ends in a number is another spelling of an IPv4 address to
/// browsers (`127.1`, `2130706433`, `0x7f.1`) and so no name.
fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let letters = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        letters && (1..=LABEL_BYTES_MAX).contains(&label.len())
    };
    let last = text.rsplit('.').next().unwrap_or(text).to_ascii_lowercase();
    let hexadecimal = last.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let number = hexadecimal || last.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= NAME_BYTES_MAX && text.split('.').all(is_label) && !number
}

impl FromStr for Authority {
    type Err = NotAuthority;

    fn from_str(text: &str) -> Result<Self, NotAuthority> {
        // an IPv6 address ends at its bracket; nothing else has two colons
        let host_length = match text.find(']') {
            Some(bracket) => bracket + 1,
            None => text.find(':').unwrap_or(text.len()),
        };
        let (host, rest) = text.split_at(host_length);
        let port = match rest.strip_prefix(':') {
            Some(digits) => Some(port(digits)?),
            None if rest.is_empty() => None,
            None => return Err(NotAuthority),
        };
        Ok(Self { host: host.parse()?, port })
    }
}

/// Digits and nothing else: Rust's numbers may have a sign.
fn port(digits: &str) -> Result<u16, NotAuthority> {
    let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    number.filter(|port| *port != 0).ok_or(NotAuthority)
}

impl FromStr for Origin {
    type Err = NotAuthority;

    fn from_str(text: &str) -> Result<Self, NotAuthority> {
        let (scheme, authority) = text.split_once("://").ok_or(NotAuthority)?;
        let scheme = match scheme {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(NotAuthority),
        };
        Ok(Self { scheme, authority: authority.parse()? })
    }
}

impl Origin {
    /// Whether both are one origin to a browser: the same scheme, host and port, said or not.
    pub fn is_same(&self, other: &Self) -> bool {
        let port = |origin: &Self| origin.authority.port.unwrap_or(origin.scheme.port());
        self.scheme == other.scheme && self.authority.host == other.authority.host && port(self) == port(other)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(text: &str) -> Option<(String, Option<u16>)> {
        text.parse().ok().map(|authority: Authority| (authority.host.to_string(), authority.port))
    }

    #[test]
    fn hosts_and_ports_are_read() {
        for (text, host, port) in [
            ("localhost", "localhost", None),
            ("LocalHost:7878", "localhost", Some(7878)),
            ("127.0.0.1:65535", "127.0.0.1", Some(65535)),
            ("[::1]", "[::1]", None),
            ("[0:0::1]:1", "[::1]", Some(1)),
            ("a-b.c_d.example:80", "a-b.c_d.example", Some(80)),
            ("3com.example", "3com.example", None),
        ] {
            assert_eq!(authority(text), Some((host.to_owned(), port)), "{text}");
        }
    }

    #[test]
    fn what_is_no_authority_is_none() {
        let long = "a".repeat(64);
        for text in [
            "",
            ":",
            ":80",
            "localhost:",
            "localhost:0",
            "localhost:99999",
            "localhost:+80",
            "localhost:8 0",
            "localhost:80:80",
            "localhost:80/",
            "[::1",
            "::1",
            "[::1].evil",
            "[::1]evil",
            "[::1]:",
            "[::1]]",
            "[[::1]]",
            "[evil]",
            "[127.0.0.1]",
            "x[::1]",
            "[::1%25lo]",
            "[::1%lo]",
            "localhost.",
            "localhost..",
            ".localhost",
            "a..b",
            "user@localhost",
            "localhost@evil",
            "localhost,evil",
            "localhost evil",
            " localhost",
            "localhost ",
            "localhost\t",
            "http://localhost",
            "localhost/",
            "localhost?",
            "localhost#",
            "localhost\\",
            "l\u{f6}calhost",
            "127.1",
            "2130706433",
            "0x7f.1",
            "0x7f000001",
            "0177.0.0.1",
            "127.0.0.1.",
            "127.0.0.01",
            "127.0.0",
            "127.0.0.256",
            "0x",
            &long,
        ] {
            assert_eq!(authority(text), None, "{text:?}");
        }
    }

    #[test]
    fn only_the_machine_s_own_names_are_local() {
        let is_local = |text: &str| text.parse::<Host>().unwrap().is_local();
        for text in ["localhost", "LOCALHOST", "127.0.0.1", "[::1]"] {
            assert!(is_local(text), "{text}");
        }
        for text in [
            "127.0.0.2",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "0.0.0.0",
            "[::]",
            "localhost.evil.example",
            "evil.localhost",
        ] {
            assert!(!is_local(text), "{text}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let origin = |text: &str| text.parse::<Origin>().unwrap();
        for (a, b) in [
            ("http://localhost", "http://localhost:80"),
            ("https://stemma.example", "https://STEMMA.example:443"),
            ("http://[::1]:7878", "http://[0::1]:7878"),
        ] {
            assert!(origin(a).is_same(&origin(b)), "{a} {b}");
        }
        for (a, b) in [
            ("http://localhost:7878", "http://localhost:3000"),
            ("http://localhost:7878", "http://127.0.0.1:7878"),
            ("http://localhost:7878", "https://localhost:7878"),
            ("http://localhost", "https://localhost"),
            ("http://localhost:443", "http://localhost"),
        ] {
            assert!(!origin(a).is_same(&origin(b)), "{a} {b}");
        }
        for text in [
            "null",
            "",
            "http://",
            "localhost",
            "file://",
            "http://localhost/",
            "HTTP://localhost",
            "http://u@localhost",
            "http://localhost http://evil",
            "chrome-extension://abc",
            "http:localhost",
            "http:///localhost",
        ] {
            assert!(text.parse::<Origin>().is_err(), "{text:?}");
        }
    }
}
