//! Requests that reached an endpoint and got no answer: each kind is kept, is found by the id that its caller gets, and
//! says why. What did not reach one leaves nothing.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};
use stemma_core::{
    Digest, Timestamp,
    endpoint::{
        declaration::LogMode,
        prediction::{FailureKind, Outcome, PredictionRecord, RefusalKind},
        target::Target,
    },
    name::ProjectName,
    signature::Signature,
};
use stemma_gateway::{AllCounters, Endpoint, Routes, RunFailure, Runtime, table::TakenDown};
use stemma_tensor::Tensor;
use tokio::sync::{Notify, Semaphore};

use crate::support::{House, echo_endpoint, echo_signature, post, request, revision, routes};

const INFER: &str = "/v2/models/echo/infer";

fn good() -> Value {
    request("uint8", "UINT8", json!([1]), json!([1]))
}

fn asked(body: impl Into<Bytes>, headers: &[(&'static str, &str)]) -> Request<Bytes> {
    let mut request = post(INFER, body);
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    request
}

/// What the id of a response leads to.
fn kept(house: &House, response: &Response<Bytes>) -> PredictionRecord {
    let id = response.headers()["x-stemma-prediction-id"].to_str().unwrap().parse().unwrap();
    house.log.lookup(&id).unwrap().unwrap()
}

fn error(response: &Response<Bytes>) -> String {
    let body: Value = serde_json::from_slice(response.body()).unwrap();
    body["error"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_kept_with_all_that_its_head_says() {
    let house = House::echo();
    let trace = format!("00-{}-{}-01", "4b".repeat(16), "f0".repeat(8));
    let too_long = " ".repeat((16 << 20) + 1);
    let gzip = ("content-encoding", "gzip");
    for (body, header, status, kind) in [
        ("{".to_owned(), None, 400, RefusalKind::Input),
        (good().to_string().replace("UINT8", "INT64"), None, 400, RefusalKind::Input),
        (good().to_string(), Some(("inference-header-content-length", "7")), 400, RefusalKind::Input),
        (good().to_string(), Some(gzip), 415, RefusalKind::Media),
        (too_long, None, 413, RefusalKind::Size),
    ] {
        let mut headers = vec![("x-stemma-unit", "customer-9"), ("x-request-id", "order-17"), ("traceparent", &trace)];
        headers.extend(header);
        let response = house.send(asked(body, &headers)).await;
        assert_eq!(response.status(), status);
        let record = kept(&house, &response);
        assert_eq!(record.outcome, Outcome::Refused { kind, message: error(&response) });
        let said = (record.request_id.as_deref(), record.trace.map(|trace| trace.to_string()));
        assert_eq!(said, (Some("order-17"), Some(trace.clone())));
        assert_eq!(record.draw.map(|draw| draw.unit).as_deref(), Some("customer-9"));
        assert_eq!((record.arm, record.inputs, record.nodes.len(), record.v), (None, Vec::new(), 0, 2));
    }
    let stats = &house.gateway.stats()[0];
    assert_eq!((stats.refused, stats.answered, house.log.stats().written), (5, 0, 5));
}

#[tokio::test]
async fn what_the_first_step_refuses_is_kept_with_its_arm_and_inputs() {
    let house = House::echo();
    let body = request("act", "BYTES", json!([]), json!(["misfit"]));
    let response = house.send(asked(body.to_string(), &[])).await;
    assert_eq!(response.status(), 400);
    let record = kept(&house, &response);
    assert_eq!(record.outcome, Outcome::Refused { kind: RefusalKind::Input, message: "the inputs misfit".to_owned() });
    assert_eq!((record.arm.unwrap().name.as_str(), record.nodes.len()), ("single", 1));
    assert_eq!(record.inputs[0].data, json!(["misfit"]));
}

#[tokio::test]
async fn a_message_that_quotes_a_long_request_is_cut() {
    let house = House::echo();
    let body = request("act", "BYTES", json!([]), json!(["fail"])).to_string();
    let body = body.replace("\"BYTES\"", &format!("\"{}\"", "ü".repeat(9_000)));
    let response = house.send(asked(body, &[])).await;
    assert_eq!(response.status(), 400);
    let record = kept(&house, &response);
    let kept = record.outcome.message().unwrap();
    assert!(error(&response).starts_with(kept) && kept.chars().count() <= 2_000);
}

#[tokio::test]
async fn what_never_reached_an_endpoint_leaves_nothing() {
    let taken_down = TakenDown {
        project: ProjectName::default_project(),
        time: Timestamp(0),
        reason: "it erred".into(),
        quarantine: None,
    };
    let routes = Routes {
        taken_down: [("gone".parse().unwrap(), taken_down)].into(),
        unavailable: [("broken".parse().unwrap(), ProjectName::default_project())].into(),
        ..routes(vec![echo_endpoint("echo", "1.0.2", LogMode::Durable)])
    };
    let house = House::new(routes);
    let body = || good().to_string();
    let infer = |name: &str| post(&format!("/v2/models/{name}/infer"), body());
    for (request, status) in [
        (infer("eco"), 404),
        (infer("gone"), 410),
        (infer("broken"), 503),
        (asked(body(), &[("x-stemma-revision", "7")]), 409),
        (asked(body(), &[("authorization", "Bearer nobody")]), 401),
        (asked(body(), &[("x-stemma-unit", "")]), 400),
        (post("/v2/models/echo/versions/9.9.9/infer", body()), 404),
    ] {
        let response = house.send(request).await;
        assert_eq!(response.status(), status);
        assert!(!response.headers().contains_key("x-stemma-prediction-id"));
    }
    assert_eq!(house.log.stats().written, 0);
    let silent = House::new(crate::support::routes(vec![echo_endpoint("echo", "1.0.2", LogMode::Off)]));
    let response = silent.send(asked("{", &[])).await;
    assert_eq!((response.status().as_u16(), silent.log.stats().written), (400, 0), "it keeps no log at all");
}

/// Answers once it is let to.
struct Gate {
    signature: Signature,
    begun: Arc<Notify>,
    open: Arc<Semaphore>,
}

#[async_trait]
impl Runtime for Gate {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    async fn run(&self, inputs: Vec<(String, Tensor)>) -> Result<Vec<(String, Tensor)>, RunFailure> {
        self.begun.notify_one();
        let _let = self.open.acquire().await.map_err(|_| RunFailure::Model("it is closed".to_owned()))?;
        Ok(inputs)
    }
}

fn gated() -> (Arc<House>, Arc<Notify>, Arc<Semaphore>) {
    let (begun, open) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
    let gate: Arc<dyn Runtime> =
        Arc::new(Gate { signature: echo_signature(), begun: Arc::clone(&begun), open: Arc::clone(&open) });
    let load = |_: &Target| Ok::<_, std::io::Error>(Arc::clone(&gate));
    let revision = revision("echo", "1.0.2", LogMode::Durable);
    let endpoint = Endpoint::load(revision, Digest::of(b"revision"), &AllCounters::default(), &load).unwrap();
    (Arc::new(House::new(routes(vec![endpoint]))), begun, open)
}

#[tokio::test]
async fn what_is_turned_away_for_want_of_room_is_kept() {
    let (house, begun, open) = gated();
    let ask = || {
        let house = Arc::clone(&house);
        tokio::spawn(async move { house.send(asked(good().to_string(), &[])).await })
    };
    // all turns, and all places in the line of one caller
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    let waiting: Vec<_> = (0..processors + stemma_gateway::WAITING_EACH_MAX).map(|_| ask()).collect();
    begun.notified().await;
    let response = ask().await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (503, &"1".parse().unwrap()));
    house.log.flush().await.unwrap();
    let record = kept(&house, &response);
    assert_eq!(record.outcome, Outcome::Refused { kind: RefusalKind::Overloaded, message: error(&response) });
    open.add_permits(waiting.len());
    for answered in waiting {
        assert_eq!(answered.await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn what_was_computed_is_kept_also_if_its_caller_has_gone_away() {
    let (house, begun, open) = gated();
    let asking = tokio::spawn({
        let house = Arc::clone(&house);
        async move { house.send(asked(good().to_string(), &[("x-request-id", "order-17")])).await }
    });
    begun.notified().await;
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    open.add_permits(1);
    // the turn is given back when all is done
    let next = house.send(asked(good().to_string(), &[])).await;
    assert_eq!(next.status(), 200);
    let found = || house.log.recent(3, 10).unwrap().into_iter().find(|(_, one)| one.request_id.is_some());
    while found().is_none() {
        tokio::task::yield_now().await;
        house.log.flush().await.unwrap();
    }
    assert_eq!(found().unwrap().1.outcome, Outcome::Answered);
}

#[tokio::test]
async fn our_own_fault_is_kept_as_one() {
    let house = crate::protocol::house();
    let response = house.send(post("/plain/echo", "panic")).await;
    assert_eq!((response.status().as_u16(), &response.body()[..]), (500, &b"no: internal error"[..]));
    let outcome = kept(&house, &response).outcome;
    assert_eq!(outcome, Outcome::Failed { kind: Some(FailureKind::Internal), message: "internal error".to_owned() });
}
