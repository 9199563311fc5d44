//! Requests that got no answer: `why` finds each, before and after it was sealed, and says what kind of failure it was.

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};
use stemma_api::types::{Deploy, SendFeedback};
use stemma_core::{
    ErrorKind,
    endpoint::prediction::{FailureKind, Outcome, PredictionId, RefusalKind},
    id::RequestId,
    lineage::NodeKind,
};

use crate::{
    serving::{ask, deployed},
    world::{World, project, sample},
};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Sends a body with more headers, and gives what was answered.
async fn send(world: &World, body: &str, headers: &[(&'static str, &str)]) -> (u16, PredictionId) {
    world.delivery.ensure_routes().await.unwrap();
    let mut request = http::Request::post("/v2/models/decision/infer").body(()).unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let (parts, ()) = request.into_parts();
    let body = Bytes::from(body.to_owned());
    let response: Response<Bytes> = stemma_gateway::http::handle(world.delivery.gateway(), parts, body, true).await;
    let id = response.headers()["x-stemma-prediction-id"].to_str().unwrap().parse().unwrap();
    (response.status().as_u16(), id)
}

fn body(age: &Value, amount: &Value) -> String {
    let tensor = |name: &str, datatype: &str, value: &Value| json!({ "name": name, "datatype": datatype, "shape": [1, 1], "data": [value] });
    let inputs = [
        tensor("age", "FP32", age),
        tensor("amount", "FP32", amount),
        tensor("purpose", "BYTES", &json!("car")),
        tensor("housing", "BYTES", &json!("own")),
    ];
    json!({ "inputs": inputs }).to_string()
}

/// A second revision with a model whose sum of two infinities is no number.
async fn deploy_sums(world: &World) {
    let model = world.upload(sample("table_logistic")).await.digest;
    let train = world.add_dataset("train", world.csv(500..600)).await;
    world.record_run(&[("data/train.csv", train)], model).await;
    world.register(model).await.unwrap();
    crate::delivery::approve(world, "1.0.1").await;
    crate::delivery::promote(world, "1.0.1").await.unwrap();
    let request = RequestId::generate();
    let endpoint = "decision".parse().unwrap();
    world.delivery.deploy(&world.owner, request, &project(), &endpoint, Deploy::of_model("score@1.0.1")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_failure_is_found_by_why_wherever_its_record_lies() {
    let world = deployed().await;
    deploy_sums(&world).await;
    let good = body(&json!(30), &json!(1200.5));
    let sent = [("traceparent", TRACE), ("x-stemma-unit", "customer-29")];
    let compressed = [sent[0], sent[1], ("content-encoding", "gzip")];
    let (input, media) = (send(&world, "{", &sent).await, send(&world, &good, &compressed).await);
    let output = send(&world, &body(&json!("Infinity"), &json!("Infinity")), &sent).await;
    assert_eq!([input.0, media.0, output.0], [400, 415, 500]);
    for sealed in [false, true] {
        if sealed {
            world.delivery.rotate_predictions().await.unwrap();
            world.delivery.seal_predictions().await.unwrap();
        }
        for (id, expected) in [(input.1, RefusalKind::Input), (media.1, RefusalKind::Media)] {
            let why = world.delivery.why(&world.owner, &id).await.unwrap();
            assert_eq!(why.stored_in.contains("Parquet"), sealed);
            assert!(matches!(&why.record.outcome, Outcome::Refused { kind, .. } if *kind == expected), "{why:?}");
            assert_eq!((why.record.arm, why.models.len()), (None, 0));
            assert_eq!(why.record.trace.unwrap().to_string(), TRACE);
            assert_eq!(why.record.draw.unwrap().unit, "customer-29");
            // what would have answered
            let drawn = |kind| why.tree.nodes.iter().any(|node| node.node.kind == kind);
            assert!(drawn(NodeKind::Revision) && drawn(NodeKind::ModelVersion));
            let problem = world.delivery.replay(&world.owner, &id).await.unwrap_err();
            assert_eq!(problem.kind, ErrorKind::Invalid);
            assert!(problem.message.starts_with("this request was refused when it was made: "), "{problem}");
        }
        let why = world.delivery.why(&world.owner, &output.1).await.unwrap();
        let Outcome::Failed { kind, message } = &why.record.outcome else { panic!("{why:?}") };
        assert!(*kind == Some(FailureKind::Output) && message.contains("is not finite"), "{message}");
        assert_eq!(why.models[0].version.name(), "score@1.0.1");
    }
    // they are no answers of the versions that would have given one, but what failed is
    let impact = world.delivery.impact(&world.owner, &project(), "score@1.0.1").await.unwrap();
    assert_eq!(impact.predictions, 1);
    let label = SendFeedback { label: Some("bad".into()), ..SendFeedback::default() };
    world.delivery.feedback(&world.owner, &input.1, label).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_of_an_answer_keeps_its_early_names() {
    let world = deployed().await;
    let id = ask(&world.delivery, 30.0).await;
    let why = world.delivery.why(&world.owner, &id).await.unwrap();
    let told = serde_json::to_value(&why).unwrap();
    let record = &told["record"];
    assert_eq!((&record["variant"], &record["propensity"]), (&json!("single"), &json!(1.0)));
    assert_eq!((&record["arm"]["name"], record.get("unit")), (&json!("single"), None));
    let node = &record["nodes"][0];
    for name in ["node", "model", "version", "digest", "latency_us"] {
        assert!(!node[name].is_null(), "{name}: {node}");
    }
    assert_eq!(record["outcome"], json!({ "status": "answered" }));
    assert_eq!(serde_json::from_value::<stemma_api::types::Why>(told).unwrap(), why);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_says_by_which_rules_each_version_was_let_in() {
    let world = deployed().await;
    let detail =
        world.delivery.endpoint(&world.owner, &project(), &"decision".parse().unwrap(), None, 100).await.unwrap();
    let live = detail.live_revision().unwrap();
    let version = &world.known().version(&project(), &world.model, "1.0.0").await.unwrap();
    let promoted = version.promotions.last().unwrap().promoted.seq;
    let let_in = world.known().let_in(&project(), live.revision.targets()[0]).await.unwrap();
    assert_eq!(let_in.promotion, Some(promoted));
    let policy = world.known().policy_or_default(&project(), &world.model).await.unwrap();
    assert_eq!(let_in.policy, stemma_core::canonical::digest(&policy).unwrap().0);
    let stored = serde_json::to_value(&live.revision).unwrap();
    assert_eq!(stored["arms"][0]["graph"]["steps"][0]["let_in"], serde_json::to_value(&let_in).unwrap());
    // another policy since then changes nothing of what let it in
    world.set_policy(Default::default()).await;
    assert_eq!(world.known().let_in(&project(), live.revision.targets()[0]).await.unwrap(), let_in);
}
