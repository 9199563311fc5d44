//! From a request to why, before and after its record was sealed and the process restarted.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use stemma_api::types::{Approve, Deploy, Promote, RunGates, SendFeedback};
use stemma_core::{ErrorKind, endpoint::prediction::PredictionId, id::RequestId, policy::Stage};
use stemma_delivery::Delivery;
use stemma_engine::Caller;
use tokio::{sync::oneshot, time::timeout};

use crate::world::{World, project, sample};

pub async fn deployed() -> World {
    let world = World::new().await;
    world.add_dataset("test", world.csv(0..60)).await;
    world.set_policy(world.policy()).await;
    let model = world.upload(sample("table_boosting")).await.digest;
    let train = world.add_dataset("train", world.csv(500..600)).await;
    world.record_run(&[("data/train.csv", train)], model).await;
    world.register(model).await.unwrap();
    let (delivery, name, request) = (&world.delivery, &world.model, RequestId::generate);
    delivery.engine().run_gates(&world.owner, request(), &project(), name, "1.0.0", RunGates::default()).await.unwrap();
    promote(&world).await;
    let deploy = Deploy { reason: "first".into(), ..Deploy::of_model("score@champion") };
    delivery.deploy(&world.owner, request(), &project(), &"decision".parse().unwrap(), deploy).await.unwrap();
    world
}

/// Brings the first version into production, with the yes of somebody else.
pub async fn promote(world: &World) {
    let (engine, name, request) = (world.delivery.engine(), &world.model, RequestId::generate);
    let approve = Approve { stage: Stage::Production, reason: "looks right".into(), card: None };
    engine.approve(&world.reviewer, request(), &project(), name, "1.0.0", approve).await.unwrap();
    let promote = Promote { stage: Stage::Production, reason: String::new(), archive_others: false };
    engine.promote(&world.owner, request(), &project(), name, "1.0.0", promote).await.unwrap();
}

/// Asks the endpoint as a client of the Open Inference Protocol would.
pub async fn ask(delivery: &Delivery, age: f64) -> PredictionId {
    let answer = ask_json(delivery, age).await;
    answer["parameters"]["prediction_id"].as_str().unwrap_or_else(|| panic!("{answer}")).parse().unwrap()
}

/// The same for a unit, as a request with an id.
pub async fn ask_for(delivery: &Delivery, age: f64, unit: &str, request: &str) -> PredictionId {
    let request = http::Request::post(INFER).header("x-stemma-unit", unit).header("x-request-id", request);
    let answer = send(delivery, age, request).await;
    answer["parameters"]["prediction_id"].as_str().unwrap_or_else(|| panic!("{answer}")).parse().unwrap()
}

pub async fn ask_json(delivery: &Delivery, age: f64) -> serde_json::Value {
    send(delivery, age, http::Request::post(INFER)).await
}

const INFER: &str = "/v2/models/decision/infer";

pub async fn send(delivery: &Delivery, age: f64, request: http::request::Builder) -> serde_json::Value {
    delivery.ensure_routes().await.unwrap();
    let tensor = |name: &str, datatype: &str, value: serde_json::Value| json!({ "name": name, "datatype": datatype, "shape": [1, 1], "data": [value] });
    let body = json!({ "inputs": [
        tensor("age", "FP32", json!(age)),
        tensor("amount", "FP32", json!(1200.5)),
        tensor("purpose", "BYTES", json!("car")),
        tensor("housing", "BYTES", json!("own")),
    ]});
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let response = stemma_gateway::http::handle(delivery.gateway(), parts, Bytes::from(body.to_string()), true).await;
    serde_json::from_slice(response.body()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_can_be_explained_and_replayed_wherever_its_record_lies() {
    let world = deployed().await;
    let ids = [ask(&world.delivery, 30.0).await, ask(&world.delivery, 71.0).await];
    let open = world.delivery.why(&world.owner, &ids[1]).await.unwrap();
    assert_eq!(open.models[0].version.name(), "score@1.0.0");
    assert_eq!(open.stored_in, "the open segment of the log");
    let label = SendFeedback { label: Some(world.classes[0].clone()), ..SendFeedback::default() };
    world.delivery.feedback(&world.owner, &ids[1], label).await.unwrap();
    world.delivery.rotate_predictions().await.unwrap();
    assert_eq!(world.delivery.seal_predictions().await.unwrap(), 1);
    let sealed = world.delivery.why(&world.owner, &ids[1]).await.unwrap();
    assert!(sealed.stored_in.starts_with("b3:"), "{}", sealed.stored_in);
    assert_eq!(sealed.record, open.record);
    assert_eq!(sealed.feedback.len(), 1);
    world.delivery.close().await;
    let World { folder, owner, delivery, .. } = world;
    drop(delivery);
    let again =
        Delivery::open(&folder.path().join("home"), std::sync::Arc::new(stemma_core::SystemClock)).await.unwrap();
    assert_eq!(again.why(&owner, &ids[0]).await.unwrap().models, open.models);
    let replay = again.replay(&owner, &ids[0]).await.unwrap();
    assert!(replay.same_bits && replay.outputs.len() == 2, "{replay:?}");
    // a new process answers from the same revision
    let third = ask(&again, 30.0).await;
    assert_eq!(
        again.why(&owner, &third).await.unwrap().record.outputs,
        again.why(&owner, &ids[0]).await.unwrap().record.outputs
    );
    assert_eq!(again.audit_verify().await.first_bad, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_answered_while_the_next_table_is_built() {
    let world = deployed().await;
    ask(&world.delivery, 30.0).await;
    let (begun, has_begun) = oneshot::channel();
    let (open, gate) = oneshot::channel();
    let delivery = world.delivery.clone();
    let building = tokio::spawn(async move {
        let build = async {
            begun.send(()).unwrap();
            gate.await.unwrap();
            Err("the models could not be loaded")
        };
        delivery.gateway().live().renew(build).await
    });
    has_begun.await.unwrap();
    // before it asks, each request makes sure that there are routes, as the server does
    let answered = timeout(Duration::from_secs(20), ask_json(&world.delivery, 71.0)).await;
    assert_eq!(answered.expect("it waits for whoever builds")["parameters"]["revision"], 1);
    open.send(()).unwrap();
    assert_eq!(building.await.unwrap(), Err("the models could not be loaded"));
    assert_eq!(ask_json(&world.delivery, 71.0).await["parameters"]["revision"], 1, "what failed replaces nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_family_tree_reaches_from_the_data_to_the_revision() {
    let world = deployed().await;
    let id = ask(&world.delivery, 44.0).await;
    let why = world.delivery.why(&world.owner, &id).await.unwrap();
    let tree = why.tree;
    let labels: Vec<&str> = tree.nodes.iter().map(|node| node.label.as_str()).collect();
    for expected in ["decision#1", "score@1.0.0", "python train.py", "train@1", "test@1", "evaluation", "gate baseline"]
    {
        assert!(labels.contains(&expected), "{expected} is not in {labels:?}");
    }
    // nobody said where the tables are from
    let unknown = |name: &str| format!("`{name}` has no stated source, and no run is known that wrote it");
    assert_eq!(why.reasons, [unknown("test@1"), unknown("train@1")]);
    assert!(!tree.complete);
}

#[tokio::test(flavor = "multi_thread")]
async fn predictions_are_hidden_from_those_who_may_not_read_them() {
    let world = deployed().await;
    let id = ask(&world.delivery, 44.0).await;
    let stranger = world.delivery.why(&Caller::stranger(), &id).await.unwrap_err();
    assert_eq!(stranger.kind, ErrorKind::NotFound);
    let other = World::new().await;
    let foreign = other.delivery.why(&other.owner, &id).await.unwrap_err();
    assert_eq!(foreign.message, stranger.message);
}
