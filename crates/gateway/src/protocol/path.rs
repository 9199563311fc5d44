//! Paths: a protocol declares each with what it asks for, and they are read from there.

use data_encoding::HEXUPPER;
use http::Method;
use stemma_core::rights::Action;

/// The parameters of a pattern.
const ENDPOINT: &str = "{endpoint}";
const VERSION: &str = "{version}";

/// A path of the data plane and what it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayPath {
    /// Whoever takes GET takes HEAD.
    pub method: Method,
    /// `{endpoint}` and `{version}` each stand for one component.
    pub pattern: &'static str,
    pub act: Act,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    OfServer(ServerAct),
    OfEndpoint(EndpointAct),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerAct {
    Describe,
    Live,
    Ready,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointAct {
    Describe,
    Ready,
    Infer,
}

impl GatewayPath {
    pub const fn of_server(pattern: &'static str, act: ServerAct) -> Self {
        Self { method: Method::GET, pattern, act: Act::OfServer(act) }
    }

    pub const fn of_endpoint(method: Method, pattern: &'static str, act: EndpointAct) -> Self {
        Self { method, pattern, act: Act::OfEndpoint(act) }
    }

    /// The right that it needs.
    pub const fn action(&self) -> Action {
        match self.act {
            Act::OfServer(_) => Action::Public,
            Act::OfEndpoint(_) => Action::Invoke,
        }
    }

    fn takes(&self, method: &Method) -> bool {
        self.method == *method || (self.method == Method::GET && *method == Method::HEAD)
    }

    fn methods(&self) -> &str {
        if self.method == Method::GET { "GET, HEAD" } else { self.method.as_str() }
    }

    /// The parameters of a path of this pattern, as they were sent.
    fn parameters<'p>(&self, path: &'p str) -> Option<Parameters<&'p str>> {
        let (mut pattern, mut path) = (self.pattern.split('/'), path.split('/'));
        let mut parameters = Parameters::default();
        loop {
            match (pattern.next(), path.next()) {
                (None, None) => return Some(parameters),
                (Some(ENDPOINT), Some(component)) => parameters.endpoint = Some(component),
                (Some(VERSION), Some(component)) => parameters.version = Some(component),
                (Some(wanted), Some(component)) if wanted == component => {}
                _ => return None,
            }
        }
    }
}

/// What a path names.
#[derive(Debug, Default, PartialEq, Eq)]
struct Parameters<T> {
    endpoint: Option<T>,
    version: Option<T>,
}

/// What a request's line asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Call {
    OfServer(ServerAct),
    /// The names as they were sent, decoded exactly once; what is still encoded then is part of the name.
    OfEndpoint {
        act: EndpointAct,
        endpoint: String,
        version: Option<String>,
    },
}

/// Why a request's line asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("there is nothing at this path")]
    Unknown,
    #[error("the path is not valid percent-encoded UTF-8")]
    Encoding,
    #[error("this path takes {allowed}")]
    Method { allowed: String },
}

/// Finds what a method and a path ask for among those declared.
pub fn find(declared: &[GatewayPath], method: &Method, path: &str) -> Result<Call, PathError> {
    let mut allowed = Vec::new();
    for candidate in declared {
        let Some(sent) = candidate.parameters(path) else { continue };
        let endpoint = sent.endpoint.map(decode).transpose()?;
        let version = sent.version.map(decode).transpose()?;
        if !candidate.takes(method) {
            allowed.push(candidate.methods());
            continue;
        }
        return Ok(match candidate.act {
            Act::OfServer(act) => Call::OfServer(act),
            Act::OfEndpoint(act) => Call::OfEndpoint { act, endpoint: endpoint.unwrap_or_default(), version },
        });
    }
    match allowed.as_slice() {
        [] => Err(PathError::Unknown),
        allowed => Err(PathError::Method { allowed: allowed.join(", ") }),
    }
}

fn decode(component: &str) -> Result<String, PathError> {
    let mut bytes = Vec::with_capacity(component.len());
    let mut rest = component.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let digits = tail.first_chunk::<2>().ok_or(PathError::Encoding)?;
        let decoded = HEXUPPER.decode(&digits.map(|digit| digit.to_ascii_uppercase()));
        bytes.extend(decoded.map_err(|_| PathError::Encoding)?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map_err(|_| PathError::Encoding)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DECLARED: [GatewayPath; 5] = [
        GatewayPath::of_server("/v9", ServerAct::Describe),
        GatewayPath::of_endpoint(Method::GET, "/v9/{endpoint}", EndpointAct::Describe),
        GatewayPath::of_endpoint(Method::POST, "/v9/{endpoint}", EndpointAct::Infer),
        GatewayPath::of_endpoint(Method::GET, "/v9/{endpoint}/at/{version}", EndpointAct::Ready),
        GatewayPath::of_endpoint(Method::PUT, "/v9/{endpoint}/put", EndpointAct::Infer),
    ];

    fn of(act: EndpointAct, endpoint: &str, version: Option<&str>) -> Result<Call, PathError> {
        Ok(Call::OfEndpoint { act, endpoint: endpoint.to_owned(), version: version.map(str::to_owned) })
    }

    #[test]
    fn paths_are_read_by_their_patterns() {
        let method = |allowed: &str| Err(PathError::Method { allowed: allowed.to_owned() });
        for (verb, path, expected) in [
            ("GET", "/v9", Ok(Call::OfServer(ServerAct::Describe))),
            ("HEAD", "/v9", Ok(Call::OfServer(ServerAct::Describe))),
            ("GET", "/v9/a", of(EndpointAct::Describe, "a", None)),
            ("POST", "/v9/a", of(EndpointAct::Infer, "a", None)),
            ("GET", "/v9/a/at/1.0.2", of(EndpointAct::Ready, "a", Some("1.0.2"))),
            ("GET", "/v9/%41%2f/at/%C3%9c%2541", of(EndpointAct::Ready, "A/", Some("Ü%41"))),
            ("GET", "/v9/", of(EndpointAct::Describe, "", None)),
            ("PUT", "/v9/a", method("GET, HEAD, POST")),
            ("GET", "/v9/a/put", method("PUT")),
            ("GET", "/v9/%zz", Err(PathError::Encoding)),
            ("PUT", "/v9/%ff", Err(PathError::Encoding)),
            ("GET", "/v9/a/at", Err(PathError::Unknown)),
            ("GET", "/v9/a/at/1/", Err(PathError::Unknown)),
            ("GET", "v9", Err(PathError::Unknown)),
            ("GET", "", Err(PathError::Unknown)),
        ] {
            assert_eq!(find(&DECLARED, &verb.parse().unwrap(), path), expected, "{verb} {path}");
        }
    }

    proptest! {
        #[test]
        fn any_name_is_found_again_as_it_was_encoded(name in "\\PC{1,12}") {
            let encoded: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
            prop_assert_eq!(find(&DECLARED, &Method::POST, &format!("/v9/{encoded}")), of(EndpointAct::Infer, &name, None));
        }
    }
}
