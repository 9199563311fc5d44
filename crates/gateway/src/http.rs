//! The gateway's paths over HTTP, without a framework: the server mounts [`handle`] and keeps Host and Origin rules.

use bytes::Bytes;
use data_encoding::HEXUPPER;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use serde_json::{Value, json};
use stemma_core::{name::EndpointName, policy::Action, prediction::PredictionId};

use crate::{
    access::AccessError,
    answer::{self, Answered, Ask, Refused},
    gateway::Gateway,
    log::AppendError,
    protocol::oip::{self, BODY_BYTES_MAX},
};

pub use crate::answer::ClientAddress;

/// A path of the data plane and the right it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayRoute {
    pub method: Method,
    /// Parameters stand in braces.
    pub pattern: &'static str,
    pub action: Action,
}

/// Returns every path that [`handle`] answers.
pub fn routes() -> &'static [GatewayRoute] {
    const fn get(pattern: &'static str, action: Action) -> GatewayRoute {
        GatewayRoute { method: Method::GET, pattern, action }
    }
    const fn post(pattern: &'static str, action: Action) -> GatewayRoute {
        GatewayRoute { method: Method::POST, pattern, action }
    }
    static ROUTES: [GatewayRoute; 9] = [
        get("/v2", Action::Public),
        get("/v2/health/live", Action::Public),
        get("/v2/health/ready", Action::Public),
        get("/v2/models/{endpoint}", Action::Invoke),
        get("/v2/models/{endpoint}/ready", Action::Invoke),
        post("/v2/models/{endpoint}/infer", Action::Invoke),
        get("/v2/models/{endpoint}/versions/{version}", Action::Invoke),
        get("/v2/models/{endpoint}/versions/{version}/ready", Action::Invoke),
        post("/v2/models/{endpoint}/versions/{version}/infer", Action::Invoke),
    ];
    &ROUTES
}

const PREDICTION_ID: HeaderName = HeaderName::from_static("x-stemma-prediction-id");
const MODEL: HeaderName = HeaderName::from_static("x-stemma-model");
const VERSION: HeaderName = HeaderName::from_static("x-stemma-version");
const ROUTE: HeaderName = HeaderName::from_static("x-stemma-route");
const VARIANT: HeaderName = HeaderName::from_static("x-stemma-variant");
const UNIT: HeaderName = HeaderName::from_static("x-stemma-unit");
const REVISION: HeaderName = HeaderName::from_static("x-stemma-revision");
const OVERRIDES: HeaderName = HeaderName::from_static("x-stemma-overrides");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const BINARY_HEADER: HeaderName = HeaderName::from_static("inference-header-content-length");
/// Longest value of a header that is taken into a record.
const HEADER_BYTES_MAX: usize = 256;

/// What a path asks for.
#[derive(Debug, PartialEq, Eq)]
enum Call {
    ServerMetadata,
    Live,
    Ready,
    Model { endpoint: String, version: Option<String>, act: ModelAct },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ModelAct {
    Metadata,
    Ready,
    Infer,
}

/// Refuses a request by its head alone, so that nobody's body is read who may not ask; `None` lets it pass.
pub fn refuse(gateway: &Gateway, parts: &Parts, peer_is_local: bool) -> Option<Response<Bytes>> {
    let check = || -> Result<(), HttpProblem> {
        let call = parse_path(parts.uri.path())?;
        check_method(&call, &parts.method)?;
        let Call::Model { endpoint, version, .. } = call else {
            return Ok(());
        };
        let endpoint = endpoint_name(endpoint)?;
        let ask = Ask { version: version.as_deref(), ..ask(&endpoint, parts, Bytes::new(), peer_is_local)? };
        answer::enter(&gateway.table(), &ask, gateway.clock.now())?;
        Ok(())
    };
    check().err().map(HttpProblem::into_response)
}

fn endpoint_name(text: String) -> Result<EndpointName, HttpProblem> {
    EndpointName::new(text).map_err(|error| HttpProblem::new(StatusCode::BAD_REQUEST, error.to_string()))
}

fn ask<'a>(
    endpoint: &'a EndpointName,
    parts: &'a Parts,
    body: Bytes,
    peer_is_local: bool,
) -> Result<Ask<'a>, HttpProblem> {
    Ok(Ask {
        endpoint,
        version: None,
        bearer: bearer(&parts.headers)?,
        peer_is_local,
        address: parts.extensions.get().cloned(),
        request_id: short_header(&parts.headers, &REQUEST_ID),
        unit: unit(&parts.headers)?,
        revision: revision(&parts.headers)?,
        body,
    })
}

/// Answers a request to one of [`routes`]; every error is JSON with the member `error`.
///
/// `peer_is_local` says that the caller may do without a token, if the table allows that at all.
pub async fn handle(gateway: &Gateway, parts: Parts, body: Bytes, peer_is_local: bool) -> Response<Bytes> {
    let request_id = short_header(&parts.headers, &REQUEST_ID);
    let mut response = match dispatch(gateway, &parts, body, peer_is_local).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    };
    if let Some(value) = request_id.and_then(|id| HeaderValue::from_str(&id).ok()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

async fn dispatch(
    gateway: &Gateway,
    parts: &Parts,
    body: Bytes,
    peer_is_local: bool,
) -> Result<Response<Bytes>, HttpProblem> {
    let call = parse_path(parts.uri.path())?;
    check_method(&call, &parts.method)?;
    match call {
        Call::ServerMetadata => Ok(json_response(StatusCode::OK, &oip::server_metadata())),
        Call::Live => Ok(json_response(StatusCode::OK, &json!({ "name": "stemma", "live": true }))),
        Call::Ready if gateway.is_ready().await => {
            let ready = json!({ "name": "stemma", "live": true, "ready": true });
            Ok(json_response(StatusCode::OK, &ready))
        }
        Call::Ready => Err(HttpProblem::retry("the gateway is not ready")),
        Call::Model { endpoint, version, act } => {
            let endpoint = endpoint_name(endpoint)?;
            let ask = Ask { version: version.as_deref(), ..ask(&endpoint, parts, body, peer_is_local)? };
            match act {
                ModelAct::Metadata => describe(gateway, &ask),
                ModelAct::Ready => ready(gateway, &ask),
                ModelAct::Infer => infer(gateway, &parts.headers, ask).await,
            }
        }
    }
}

fn describe(gateway: &Gateway, ask: &Ask<'_>) -> Result<Response<Bytes>, HttpProblem> {
    let table = gateway.table();
    let (_, endpoint) = answer::enter(&table, ask, gateway.clock.now())?;
    let signature = &endpoint.revision().signature;
    let metadata = oip::metadata(ask.endpoint, &endpoint.versions(), signature);
    Ok(json_response(StatusCode::OK, &metadata))
}

fn ready(gateway: &Gateway, ask: &Ask<'_>) -> Result<Response<Bytes>, HttpProblem> {
    let table = gateway.table();
    answer::enter(&table, ask, gateway.clock.now())?;
    Ok(json_response(StatusCode::OK, &json!({ "name": ask.endpoint, "ready": true, "live": true })))
}

async fn infer(gateway: &Gateway, headers: &HeaderMap, ask: Ask<'_>) -> Result<Response<Bytes>, HttpProblem> {
    if ask.body.len() > BODY_BYTES_MAX {
        let message = format!("the request is longer than {BODY_BYTES_MAX} bytes");
        return Err(HttpProblem::new(StatusCode::PAYLOAD_TOO_LARGE, message));
    }
    if headers.contains_key(BINARY_HEADER) {
        return Err(HttpProblem::new(StatusCode::BAD_REQUEST, oip::USE_JSON.to_owned()));
    }
    let encoded = headers.get(header::CONTENT_ENCODING);
    if encoded.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        let message = "compressed requests are not supported; send no `Content-Encoding`";
        return Err(HttpProblem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message.to_owned()));
    }
    Ok(answer::infer(gateway, ask).await?.into_response())
}

impl Answered {
    fn into_response(self) -> Response<Bytes> {
        let mut response = body_response(StatusCode::OK, self.body);
        let headers = response.headers_mut();
        headers.extend(self.prediction.map(prediction_header));
        headers.insert(MODEL, header_text(self.target.model.as_str()));
        headers.insert(VERSION, header_text(&self.target.version.to_string()));
        headers.insert(ROUTE, HeaderValue::from_static(self.route));
        headers.insert(VARIANT, HeaderValue::from_static(self.variant));
        headers.insert(REVISION, HeaderValue::from(self.revision));
        if !self.overrides.is_empty() {
            headers.insert(OVERRIDES, header_text(&self.overrides.join(",")));
        }
        response
    }
}

/// An error with its status and whatever headers belong to it.
#[derive(Debug)]
struct HttpProblem {
    status: StatusCode,
    message: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl HttpProblem {
    fn new(status: StatusCode, message: String) -> Self {
        Self { status, message, headers: Vec::new() }
    }

    /// 503, worth another try soon.
    fn retry(message: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message.to_owned())
            .with(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    fn into_response(self) -> Response<Bytes> {
        let mut response = json_response(self.status, &json!({ "error": self.message }));
        response.headers_mut().extend(self.headers);
        response
    }
}

impl From<Refused> for HttpProblem {
    fn from(refused: Refused) -> Self {
        let message = refused.to_string();
        match refused {
            Refused::Access(AccessError::Forbidden { .. }) => Self::new(StatusCode::FORBIDDEN, message),
            Refused::Access(_) => Self::new(StatusCode::UNAUTHORIZED, message)
                .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            Refused::NoEndpoint { .. } | Refused::NoVersion { .. } => Self::new(StatusCode::NOT_FOUND, message),
            Refused::TakenDown { .. } => Self::new(StatusCode::GONE, message),
            Refused::RevisionGone { .. } => Self::new(StatusCode::CONFLICT, message),
            Refused::Invalid(_) => Self::new(StatusCode::BAD_REQUEST, message),
            Refused::Log(AppendError::TooLarge { .. }) => Self::new(StatusCode::PAYLOAD_TOO_LARGE, message),
            Refused::Log(AppendError::Unwritable(_)) | Refused::Internal => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error".to_owned())
            }
            Refused::NotReady(_) | Refused::Overloaded(_) | Refused::Log(_) => Self::retry(&message),
            Refused::Failed { prediction, .. } => {
                let message = match prediction {
                    Some(id) => format!("{message}; prediction {id}"),
                    None => message,
                };
                let mut problem = Self::new(StatusCode::INTERNAL_SERVER_ERROR, message);
                problem.headers.extend(prediction.map(prediction_header));
                problem
            }
        }
    }
}

fn parse_path(path: &str) -> Result<Call, HttpProblem> {
    let unknown = || HttpProblem::new(StatusCode::NOT_FOUND, "there is nothing at this path".to_owned());
    let rest = path.strip_prefix("/v2").ok_or_else(unknown)?;
    let components: Vec<&str> = match rest {
        "" | "/" => Vec::new(),
        _ => rest.strip_prefix('/').ok_or_else(unknown)?.split('/').take(8).collect(),
    };
    let model = |endpoint: &str, version: Option<&str>, act| {
        Ok(Call::Model { endpoint: decode(endpoint)?, version: version.map(decode).transpose()?, act })
    };
    match components.as_slice() {
        [] => Ok(Call::ServerMetadata),
        ["health", "live"] => Ok(Call::Live),
        ["health", "ready"] => Ok(Call::Ready),
        ["models", endpoint] => model(endpoint, None, ModelAct::Metadata),
        ["models", endpoint, "ready"] => model(endpoint, None, ModelAct::Ready),
        ["models", endpoint, "infer"] => model(endpoint, None, ModelAct::Infer),
        ["models", endpoint, "versions", version] => model(endpoint, Some(version), ModelAct::Metadata),
        ["models", endpoint, "versions", version, "ready"] => model(endpoint, Some(version), ModelAct::Ready),
        ["models", endpoint, "versions", version, "infer"] => model(endpoint, Some(version), ModelAct::Infer),
        _ => Err(unknown()),
    }
}

fn check_method(call: &Call, method: &Method) -> Result<(), HttpProblem> {
    let (allowed, names) = match call {
        Call::Model { act: ModelAct::Infer, .. } => (method == Method::POST, "POST"),
        _ => (matches!(*method, Method::GET | Method::HEAD), "GET, HEAD"),
    };
    if allowed {
        return Ok(());
    }
    let message = format!("this path takes {names}");
    Err(HttpProblem::new(StatusCode::METHOD_NOT_ALLOWED, message).with(header::ALLOW, HeaderValue::from_static(names)))
}

/// Decodes a path component exactly once; what is still encoded then is part of the name, and refused as such.
fn decode(component: &str) -> Result<String, HttpProblem> {
    let invalid =
        || HttpProblem::new(StatusCode::BAD_REQUEST, "the path is not valid percent-encoded UTF-8".to_owned());
    let mut bytes = Vec::with_capacity(component.len());
    let mut rest = component.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let digits = tail.first_chunk::<2>().ok_or_else(invalid)?;
        let decoded = HEXUPPER.decode(&digits.map(|digit| digit.to_ascii_uppercase())).map_err(|_| invalid())?;
        bytes.extend(decoded);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map_err(|_| invalid())
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

fn short_header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    (!value.is_empty() && value.len() <= HEADER_BYTES_MAX).then(|| value.to_owned())
}

/// A unit that can't be read is refused: without it the caller would get another arm than it asked for.
fn unit(headers: &HeaderMap) -> Result<Option<String>, HttpProblem> {
    let unit = short_header(headers, &UNIT);
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

fn prediction_header(id: PredictionId) -> (HeaderName, HeaderValue) {
    (PREDICTION_ID, header_text(&id.to_string()))
}

/// Headers are ASCII: whatever is not is percent-encoded.
fn header_text(text: &str) -> HeaderValue {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            0x20..=0x7e if byte != b'%' => encoded.push(char::from(byte)),
            _ => {
                encoded.push('%');
                encoded.push_str(&HEXUPPER.encode(&[byte]));
            }
        }
    }
    HeaderValue::try_from(encoded).expect("only printable ASCII is left")
}

fn json_response(status: StatusCode, body: &Value) -> Response<Bytes> {
    body_response(status, body.to_string().into_bytes())
}

fn body_response(status: StatusCode, body: Vec<u8>) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
