//! The seam to protocols: a second one beside the Open Inference Protocol, asked and answered by the same main flow.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use serde_json::json;
use stemma_core::{
    Timestamp,
    endpoint::{
        declaration::LogMode,
        prediction::{PredictionId, PredictionRecord},
    },
    signature::Signature,
};
use stemma_gateway::{
    Invalid, Question,
    protocol::{
        Answer, Description, Output, Parsed, Printed, Printer, Protocol,
        oip::Oip,
        path::{EndpointAct, GatewayPath, ServerAct},
    },
};
use stemma_tensor::{Tensor, TensorData};

use crate::support::{House, counting_echo, post, request, routes};

static PROTOCOLS: [&dyn Protocol; 2] = [&Oip, &Plain];

/// Small whole numbers with spaces between, in and out; out in the base that the header `x-base` asks for.
struct Plain;

struct Numbers {
    hex: bool,
}

struct Written(String);

static PATHS: [GatewayPath; 3] = [
    GatewayPath::of_server("/plain", ServerAct::Describe),
    GatewayPath::of_endpoint(Method::GET, "/plain/{endpoint}", EndpointAct::Ready),
    GatewayPath::of_endpoint(Method::POST, "/plain/{endpoint}", EndpointAct::Infer),
];

fn text(status: StatusCode, text: String) -> Response<Bytes> {
    Response::builder().status(status).header("content-type", "text/plain").body(text.into()).unwrap()
}

impl Protocol for Plain {
    fn paths(&self) -> &'static [GatewayPath] {
        &PATHS
    }

    fn owns(&self, path: &str) -> bool {
        path.starts_with("/plain")
    }

    fn check_head(&self, headers: &HeaderMap) -> Result<(), Invalid> {
        match headers.get("x-base") {
            Some(base) if base != "16" => Err(Invalid("the base is 10 or 16".into())),
            _ => Ok(()),
        }
    }

    fn parse(&self, headers: &HeaderMap, body: &[u8], _: &Signature) -> Result<Parsed, Invalid> {
        assert_ne!(body, b"panic", "it was told to");
        let text = std::str::from_utf8(body).map_err(|error| Invalid(error.to_string()))?;
        let read = |word: &str| word.parse::<u8>().map_err(|_| Invalid(format!("`{word}` is no small number")));
        let numbers: Vec<u8> = text.split_whitespace().map(read).collect::<Result<_, _>>()?;
        let tensor = Tensor::new(vec![numbers.len()], numbers).unwrap();
        let inputs = vec![("uint8".to_owned(), tensor)];
        let question = Question { id: None, unit: None, inputs, outputs: Some(vec!["uint8".to_owned()]) };
        Ok(Parsed { question, printer: Box::new(Numbers { hex: headers.contains_key("x-base") }) })
    }

    fn describe(&self, what: &Description<'_>) -> Response<Bytes> {
        text(StatusCode::OK, format!("{what:?}"))
    }

    fn refuse(&self, status: StatusCode, message: &str) -> Response<Bytes> {
        text(status, format!("no: {message}"))
    }
}

impl Printer for Numbers {
    fn outputs(self: Box<Self>, outputs: &[Output<'_>]) -> Result<Box<dyn Printed>, String> {
        let TensorData::Uint8(numbers) = outputs[0].tensor.data() else { return Err("no small numbers".into()) };
        let write = |number: &u8| if self.hex { format!("{number:x}") } else { number.to_string() };
        Ok(Box::new(Written(numbers.iter().map(write).collect::<Vec<_>>().join(" "))))
    }
}

impl Printed for Written {
    fn answer(self: Box<Self>, _: &Answer<'_>) -> Result<Response<Bytes>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(text(StatusCode::OK, self.0))
    }
}

pub fn house() -> House {
    House::speaking(&PROTOCOLS, |counters| routes(vec![counting_echo("echo", "1.0.2", LogMode::Durable, counters)]))
}

fn said(response: &Response<Bytes>) -> (u16, &str) {
    (response.status().as_u16(), std::str::from_utf8(response.body()).unwrap())
}

fn record(house: &House, response: &Response<Bytes>) -> PredictionRecord {
    let id: PredictionId = response.headers()["x-stemma-prediction-id"].to_str().unwrap().parse().unwrap();
    let record = house.log.lookup(&id).unwrap().unwrap();
    let mut nodes = record.nodes;
    nodes.iter_mut().for_each(|node| (node.began_us, node.latency_us) = (None, 0));
    PredictionRecord { time: Timestamp(0), latency_us: 0, nodes, ..record }
}

fn plain(body: &'static str, headers: &[(&'static str, &'static str)]) -> Request<Bytes> {
    let mut request = post("/plain/echo", body);
    request.headers_mut().extend(
        headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))),
    );
    request
}

#[tokio::test]
async fn the_same_question_is_the_same_prediction_in_any_protocol() {
    let house = house();
    let mut body = request("uint8", "UINT8", json!([3]), json!([1, 20, 255]));
    body["outputs"] = json!([{ "name": "uint8" }]);
    let mut asked = post("/v2/models/echo/infer", body.to_string());
    asked.headers_mut().insert("x-stemma-unit", "customer-9".parse().unwrap());
    let in_json = house.send(asked).await;
    let in_numbers = house.send(plain("1 20 255", &[("x-stemma-unit", "customer-9")])).await;
    assert_eq!(said(&in_numbers), (200, "1 20 255"));
    assert_eq!(in_numbers.headers()["content-type"], "text/plain");
    assert_eq!(record(&house, &in_json), record(&house, &in_numbers));
    for header in ["x-stemma-model", "x-stemma-version", "x-stemma-route", "x-stemma-variant", "x-stemma-revision"] {
        assert_eq!(in_json.headers()[header], in_numbers.headers()[header], "{header}");
    }
    assert_eq!(house.gateway.stats()[0].answered, 2);
}

#[tokio::test]
async fn an_answer_is_written_as_it_was_asked_for() {
    let house = house();
    assert_eq!(said(&house.send(plain("9 10 255", &[("x-base", "16")])).await), (200, "9 a ff"));
    let named = house.send(plain("7", &[("x-request-id", "abc")])).await;
    assert_eq!((said(&named), &named.headers()["x-request-id"]), ((200, "7"), &"abc".parse().unwrap()));
}

#[tokio::test]
async fn what_is_wrong_is_said_in_the_words_of_its_protocol() {
    let house = house();
    for (asked, status, expected) in [
        (plain("1 x", &[]), 400, "no: `x` is no small number"),
        (plain("1", &[("x-base", "2")]), 400, "no: the base is 10 or 16"),
        (plain("1", &[("x-stemma-revision", "7")]), 409, "no: revision 7 of endpoint `echo` is not served any more"),
        (plain("1", &[("content-encoding", "gzip")]), 415, "no: compressed requests are not supported"),
        (post("/plain/eco", "1"), 404, "no: there is no endpoint `eco`; did you mean `echo`?"),
        (post("/plain/echo/x", "1"), 404, "no: there is nothing at this path"),
        (post("/plain", "1"), 405, "no: this path takes GET, HEAD"),
        (post("/elsewhere", "1"), 404, r#"{"error":"there is nothing at this path"}"#),
    ] {
        let path = asked.uri().path().to_owned();
        let response = house.send(asked).await;
        let (found, words) = said(&response);
        assert_eq!(found, status, "{path}: {words}");
        assert!(words.starts_with(expected), "{path}: {words}");
    }
    let response = house.send(Request::get("/plain").body(Bytes::new()).unwrap()).await;
    assert_eq!(said(&response), (200, "Server"));
}

#[tokio::test]
async fn the_gateway_owns_what_its_protocols_own() {
    for (path, owned) in [("/v2", true), ("/v2/x", true), ("/plain", true), ("/v2x", false), ("/v1/models", false)] {
        assert_eq!(house().gateway.owns(path), owned, "{path}");
    }
    assert!(!House::echo().gateway.owns("/plain"));
}
