//! Predictions that were made elsewhere: told by whoever made them, found, counted and run again like ours.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use stemma_api::types::{PredictionsRecorded, RecordPredictions, ReportedPrediction, ValueForm};
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

pub const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn values(tensors: &[LoggedTensor]) -> BTreeMap<String, Value> {
    let value = |tensor: &LoggedTensor| match tensor.data.as_array().unwrap().as_slice() {
        [one] => one.clone(),
        several => json!(several),
    };
    tensors.iter().map(|tensor| (tensor.name.clone(), value(tensor))).collect()
}

/// As a device would tell what our own endpoint answered.
pub async fn report(world: &World, id: &str, like: &PredictionId) -> ReportedPrediction {
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

pub async fn record_as(
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

pub async fn record(world: &World, predictions: Vec<ReportedPrediction>) -> PredictionsRecorded {
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
    world.delivery.rotate_predictions().await.unwrap();
    world.delivery.seal_predictions().await.unwrap();
    let sealed = world.delivery.impact(&world.owner, &project(), "score@1.0.0").await.unwrap();
    assert_eq!((sealed.revisions, sealed.reasons), (impact.revisions.clone(), impact.reasons.clone()));
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
    refuses_other_values(&world, &both).await;
    world.delivery.rotate_predictions().await.unwrap();
    assert!(world.delivery.seal_predictions().await.unwrap() > 0);
    let later = ReportedPrediction { time: Timestamp(both[0].time.micros() + 1), ..both[0].clone() };
    let more = record(&world, [both.clone(), vec![later]].concat()).await;
    refuses_other_values(&world, &both).await;
    assert_eq!((more.recorded, more.known), (1, 2), "the same id at another time is another prediction");
}

/// The same id and time with other values is neither the same nor another prediction, wherever the first one lies.
async fn refuses_other_values(world: &World, both: &[ReportedPrediction]) {
    let other = ReportedPrediction { latency_us: Some(8), ..both[0].clone() };
    let fresh = ReportedPrediction { id: "c".to_owned(), ..both[0].clone() };
    let within = |at: usize| ReportedPrediction { latency_us: Some(at as u64), ..fresh.clone() };
    for (reports, at) in [(vec![fresh.clone(), both[1].clone(), other], 2), (vec![within(1), within(1), within(2)], 2)]
    {
        let refused = record(world, reports).await;
        assert_eq!((refused.recorded, refused.known, refused.refused_count), (0, 0, 1), "{refused:?}");
        let one = &refused.refused[0];
        assert_eq!((one.at, one.reason.as_str()), (at, "its id was reported already for this time with other values"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_reports_are_all_counted_and_the_first_are_told() {
    let world = deployed().await;
    let ours = ask(&world.delivery, 30.0).await;
    let bad = ReportedPrediction { id: String::new(), ..report(&world, "a", &ours).await };
    let refused = record(&world, vec![bad; 1_500]).await;
    assert_eq!((refused.refused_count, refused.refused.len(), refused.refused[999].at), (1_500, 1_000, 999));
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_of_any_days_lie_in_one_file_and_stand_where_they_were_recorded() {
    let world = deployed().await;
    let ours = ask(&world.delivery, 30.0).await;
    let like = report(&world, "a", &ours).await;
    let day = |day: i64| ReportedPrediction {
        id: format!("day-{day}"),
        time: Timestamp(1_546_300_800_000_000 + day * 86_400_000_000),
        ..like.clone()
    };
    assert_eq!(record(&world, (0..40).map(day).collect()).await.recorded, 40);
    world.delivery.rotate_predictions().await.unwrap();
    world.delivery.seal_predictions().await.unwrap();
    assert_eq!(world.known().sealed_parts(&"edge".parse().unwrap()).await.unwrap().len(), 1);
    assert_eq!(record(&world, (0..40).map(day).collect()).await.known, 40);
    let query = Some("endpoint=edge&limit=1");
    let find = stemma_api::acts::prediction::FIND.ask(query).unwrap();
    let found = world.delivery.find_predictions(&world.owner, &project(), &find).await.unwrap();
    let reported_at = found.items[0].reported_at.unwrap();
    assert!(reported_at > like.time, "it was told after what it is like");
    assert_eq!(
        found.searched.back_to,
        Some(reported_at),
        "one of 2019 does not say that the log was read back to 2019"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_table_what_is_empty_is_missing_and_what_the_contract_needs_must_be_there() {
    let world = deployed().await;
    let ours = ask(&world.delivery, 30.0).await;
    let good = report(&world, "a", &ours).await;
    let tell = async |change: &dyn Fn(&mut ReportedPrediction), values: ValueForm| {
        let mut one = good.clone();
        change(&mut one);
        let send =
            RecordPredictions { version: Some("score@1.0.0".to_owned()), source: None, values, predictions: vec![one] };
        let endpoint = "edge".parse().unwrap();
        world
            .delivery
            .record_predictions(&world.owner, RequestId::generate(), &project(), &endpoint, send)
            .await
            .unwrap()
    };
    let lacking = tell(&|one| drop(one.inputs.remove("age")), ValueForm::Json).await;
    assert_eq!(lacking.refused[0].reason, "it lacks the input `age` of the version");
    let output = good.outputs.keys().next().unwrap();
    let lacking = tell(&|one| drop(one.outputs.remove(output)), ValueForm::Json).await;
    assert_eq!(lacking.refused[0].reason, format!("it lacks the output `{output}` of the version"));
    let fail = |one: &mut ReportedPrediction| {
        one.id = "b".to_owned();
        one.outputs.clear();
        one.error = Some("no answer".to_owned());
    };
    assert_eq!(tell(&fail, ValueForm::Json).await.recorded, 1);
    for (id, value) in [("c", Value::Null), ("d", json!("NaN"))] {
        for (number, form) in [(1, ValueForm::Json), (2, ValueForm::Cells)] {
            let change = |one: &mut ReportedPrediction| {
                one.id = format!("{id}{number}");
                one.inputs.insert("age".to_owned(), value.clone());
                if form == ValueForm::Cells {
                    // the column of another version's input
                    one.inputs.insert("income".to_owned(), Value::Null);
                }
            };
            let told = tell(&change, form).await;
            assert_eq!(told.recorded, 1, "{id} {number}: {told:?}");
            let record = world.delivery.why(&world.owner, &told.predictions[0]).await.unwrap().record;
            let age = record.inputs.iter().find(|input| input.name == "age").unwrap();
            assert_eq!(age.data, json!(["NaN"]), "{id} {number}");
        }
    }
    let word = tell(&|one| drop(one.inputs.insert("housing".to_owned(), Value::Null)), ValueForm::Cells).await;
    assert!(word.refused[0].reason.starts_with("input `housing`: a value is missing"), "{word:?}");
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
        (|one| one.time = Timestamp(1_772_366_400), "it was made at 1970-01-01T00:29:32.3664Z, before the year 2000"),
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
