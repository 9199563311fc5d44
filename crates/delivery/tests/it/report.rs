//! Predictions that were made elsewhere: told by whoever made them, found, counted and run again like ours.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use stemma_api::types::{PredictionsRecorded, RecordPredictions, ReportedPrediction};
use stemma_core::{
    Problem, Timestamp,
    endpoint::prediction::{LoggedTensor, PredictionId, REPORTED_REVISION},
    id::RequestId,
    rights::Role,
};
use stemma_delivery::Delivery;
use stemma_engine::Caller;

use crate::{
    serving::{ask, deployed},
    world::{World, project},
};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn values(tensors: &[LoggedTensor]) -> BTreeMap<String, Value> {
    let value = |tensor: &LoggedTensor| match tensor.data.as_array().unwrap().as_slice() {
        [one] => one.clone(),
        several => json!(several),
    };
    tensors.iter().map(|tensor| (tensor.name.clone(), value(tensor))).collect()
}

/// As a device would tell what our own endpoint answered.
async fn report(world: &World, id: &str, like: &PredictionId) -> ReportedPrediction {
    let record = world.delivery.why(&world.owner, like).await.unwrap().record;
    ReportedPrediction {
        id: id.to_owned(),
        time: record.time,
        version: None,
        inputs: values(&record.inputs),
        outputs: values(&record.outputs),
        unit: Some("customer-29".to_owned()),
        request_id: None,
        traceparent: Some(TRACE.to_owned()),
        latency_us: Some(7),
        error: None,
    }
}

async fn record_as(
    world: &World,
    caller: &Caller,
    endpoint: &str,
    predictions: Vec<ReportedPrediction>,
) -> Result<PredictionsRecorded, Problem> {
    let version = Some("score@1.0.0".to_owned());
    let send =
        RecordPredictions { version, source: Some("truck-7".to_owned()), predictions, ..RecordPredictions::default() };
    let endpoint = endpoint.parse().unwrap();
    world.delivery.record_predictions(caller, RequestId::generate(), &project(), &endpoint, send).await
}

async fn record(world: &World, predictions: Vec<ReportedPrediction>) -> PredictionsRecorded {
    record_as(world, &world.owner, "edge", predictions).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_reported_is_marked_found_counted_and_run_again() {
    let world = deployed().await;
    let ours = ask(&world.delivery, 30.0).await;
    let recorded = record(&world, vec![report(&world, "a", &ours).await, report(&world, "b", &ours).await]).await;
    assert_eq!((recorded.recorded, recorded.known, recorded.predictions.len()), (2, 0, 2));
    let why = world.delivery.why(&world.owner, &recorded.predictions[0]).await.unwrap();
    let reported = why.record.reported.unwrap();
    assert_eq!((reported.id.as_str(), reported.source.as_deref()), ("a", Some("truck-7")));
    assert_eq!((why.revision, why.record.revision), (None, REPORTED_REVISION));
    assert_eq!(why.models[0].version.name(), "score@1.0.0");
    assert!(why.reasons.iter().any(|reason| reason.starts_with("it was made elsewhere and reported by olga@")));
    // the other of the same trace
    let together: Vec<PredictionId> = why.together.iter().map(|one| one.prediction).collect();
    assert_eq!(together, [recorded.predictions[1]]);
    let replay = world.delivery.replay(&world.owner, &recorded.predictions[0]).await.unwrap();
    assert!(replay.same_bits, "{replay:?}");

    let impact = world.delivery.impact(&world.owner, &project(), "score@1.0.0").await.unwrap();
    assert_eq!(impact.predictions, 3);
    let edge = impact.revisions.iter().find(|one| one.endpoint.as_str() == "edge").unwrap();
    assert_eq!((edge.number, edge.predictions), (REPORTED_REVISION, 2));
    assert_eq!(world.delivery.audit_verify().await.first_bad, None);
    // the endpoint is there, and nothing answers for it
    let edge = world.delivery.endpoint(&world.owner, &project(), &"edge".parse().unwrap(), None, 10).await.unwrap();
    assert_eq!((edge.live, edge.revisions.len()), (None, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_reported_again_changes_nothing_wherever_it_lies() {
    let world = deployed().await;
    let ours = ask(&world.delivery, 30.0).await;
    let both = vec![report(&world, "a", &ours).await, report(&world, "b", &ours).await];
    let doubled = [both.clone(), both.clone()].concat();
    assert_eq!(record(&world, doubled).await.recorded, 2);
    assert_eq!(record(&world, both.clone()).await.known, 2);
    world.delivery.close().await;
    let World { folder, delivery, owner, reviewer, model, classes } = world;
    drop(delivery);
    let delivery = Delivery::open(&folder.path().join("home"), Arc::new(stemma_core::SystemClock)).await.unwrap();
    let world = World { folder, delivery, owner, reviewer, model, classes };
    assert_eq!(record(&world, both.clone()).await.known, 2);
    world.delivery.rotate_predictions().await.unwrap();
    assert!(world.delivery.seal_predictions().await.unwrap() > 0);
    let later = ReportedPrediction { time: Timestamp(both[0].time.micros() + 1), ..both[0].clone() };
    let more = record(&world, [both, vec![later]].concat()).await;
    assert_eq!((more.recorded, more.known), (1, 2), "the same id at another time is another prediction");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_can_not_be_true_is_named_and_nothing_is_recorded() {
    let world = deployed().await;
    let ours = ask(&world.delivery, 30.0).await;
    let good = report(&world, "a", &ours).await;
    let bad = |change: fn(&mut ReportedPrediction)| {
        let mut one = good.clone();
        change(&mut one);
        one
    };
    for (change, expected) in [
        (
            (|one| one.version = Some("score@9.0.0".to_owned())) as fn(&mut ReportedPrediction),
            "there never was a version `score@9.0.0` in project `default`",
        ),
        (|one| one.version = Some("score".to_owned()), "`score` is no version"),
        (|one| one.id = String::new(), "its id is empty"),
        (|one| one.time = Timestamp(i64::MAX / 2), "it was made at "),
        (|one| drop(one.inputs.insert("agee".to_owned(), json!(1))), "the version has no input `agee`"),
        (|one| drop(one.inputs.insert("age".to_owned(), json!("old"))), "input `age`: "),
        (|one| one.inputs.clear(), "it has no inputs"),
        (|one| one.outputs.clear(), "it has neither outputs nor an error"),
        (|one| one.traceparent = Some("1".to_owned()), "`1` is no `traceparent`"),
    ] {
        let refused = record(&world, vec![good.clone(), bad(change)]).await;
        assert_eq!((refused.recorded, refused.refused.len()), (0, 1), "{expected}: {refused:?}");
        let one = &refused.refused[0];
        assert!(one.at == 1 && one.reason.starts_with(expected), "{expected}: {one:?}");
    }
    let unmade = world.delivery.endpoint(&world.owner, &project(), &"edge".parse().unwrap(), None, 10).await;
    assert!(unmade.is_err(), "no endpoint is made for what was refused");
    let clerk = world.person("clerk@bank.example", Role::Invoker).await;
    assert!(record_as(&world, &clerk, "edge", vec![good.clone()]).await.is_err());
    let many = record_as(&world, &world.owner, "edge", vec![good; 50_001]).await.unwrap_err();
    assert_eq!(many.message, "50001 predictions are more than 50000 of one request");
}
