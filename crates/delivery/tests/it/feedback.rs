//! What came of predictions: told one by one and by the thousand, found again wherever it lies, never changed.

use std::sync::Arc;

use stemma_api::types::{
    AskLineage, DatasetFromFeedback, Feedback, FeedbackKept, FeedbackOn, FoundBy, Happening, SendFeedback,
    SendFeedbacks,
};
use stemma_core::{ErrorKind, Timestamp, endpoint::prediction::PredictionId, id::RequestId, rights::Role};
use stemma_delivery::Delivery;

use crate::{
    serving::{ask, ask_for, deployed},
    world::{World, project},
};

fn label(label: &str) -> SendFeedback {
    SendFeedback { label: Some(label.to_owned()), ..SendFeedback::default() }
}

fn on(prediction: &PredictionId, what: SendFeedback) -> FeedbackOn {
    FeedbackOn { prediction: Some(prediction.to_string()), what, ..FeedbackOn::default() }
}

fn repaid(value: f64, time: Timestamp) -> SendFeedback {
    let event = Happening { name: "repaid".to_owned(), value: Some(value), time: Some(time) };
    SendFeedback { event: Some(event), ..SendFeedback::default() }
}

async fn send(world: &World, feedback: Vec<FeedbackOn>) -> FeedbackKept {
    world.delivery.feedback_on_many(&world.owner, &project(), SendFeedbacks { feedback }).await.unwrap()
}

async fn told(delivery: &Delivery, world: &World, prediction: &PredictionId) -> Vec<Feedback> {
    delivery.why(&world.owner, prediction).await.unwrap().feedback
}

async fn reopened(world: World) -> World {
    world.delivery.close().await;
    let World { folder, delivery, owner, reviewer, model, classes } = world;
    drop(delivery);
    let delivery = Delivery::open(&folder.path().join("home"), Arc::new(stemma_core::SystemClock)).await.unwrap();
    World { folder, delivery, owner, reviewer, model, classes }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_named_by_its_place_and_the_rest_is_kept_once() {
    let world = deployed().await;
    let (first, second) = (ask(&world.delivery, 30.0).await, ask(&world.delivery, 41.0).await);
    let foreign = ask(&deployed().await.delivery, 30.0).await;
    let class = world.classes[0].clone();
    let keyed = SendFeedback { key: Some("order-17".to_owned()), reward: Some(1.0), ..SendFeedback::default() };
    let batch = || {
        vec![
            on(&first, label(&class)),
            on(&foreign, label(&class)),
            on(&second, label("nobody")),
            on(&second, keyed.clone()),
            FeedbackOn { prediction: Some("pred_1".to_owned()), what: label(&class), ..FeedbackOn::default() },
            on(&first, SendFeedback::default()),
            on(&first, label(&class)),
        ]
    };
    let kept = send(&world, batch()).await;
    assert_eq!((kept.kept, kept.known), (2, 1), "{kept:?}");
    let refused: Vec<(u64, &str)> = kept.refused.iter().map(|one| (one.at, one.reason.as_str())).collect();
    assert_eq!(refused[0], (1, format!("there is no prediction `{foreign}` in project `default`").as_str()));
    assert!(refused[1].0 == 2 && refused[1].1.starts_with("the label `nobody` is none of the classes"), "{refused:?}");
    assert!(refused[2].0 == 4 && refused[2].1.starts_with("`pred_1` is not a prediction id"), "{refused:?}");
    assert_eq!(refused[3], (5, "feedback needs a label, a reward, an event or a comment"));

    // sent again, also by another process and after it was sealed, it is kept once
    let again = send(&world, batch()).await;
    assert_eq!((again.kept, again.known, again.refused), (0, 3, kept.refused.clone()));
    let world = reopened(world).await;
    assert_eq!(send(&world, batch()).await.known, 3);
    world.delivery.rotate_feedback().await.unwrap();
    assert!(world.delivery.seal_feedback().await.unwrap() > 0);
    assert_eq!(send(&world, batch()).await.known, 3);
    assert_eq!(told(&world.delivery, &world, &first).await.len(), 1);
    assert_eq!(world.delivery.audit_verify().await.first_bad, None);

    let clerk = world.person("clerk@bank.example", Role::Reader).await;
    assert_eq!(world.delivery.feedback(&clerk, &first, label(&class)).await.unwrap_err().kind, ErrorKind::NotFound);
    let many = SendFeedbacks { feedback: vec![on(&first, label(&class)); 50_001] };
    let refused = world.delivery.feedback_on_many(&world.owner, &project(), many).await.unwrap_err();
    assert_eq!(refused.message, "50001 feedbacks are more than 50000 of one request");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_stays_beside_what_it_corrects_in_rows_of_old_homes_sealed_files_and_the_log() {
    let world = deployed().await;
    let prediction = ask(&world.delivery, 30.0).await;
    let (one, other) = (world.classes[0].clone(), world.classes[1].clone());
    // as a home has it from before there was a feedback log
    let body = format!(r#"{{"label":"{one}","reward":null,"comment":null,"time":5,"from":"olga@bank.example"}}"#);
    let sql = format!("INSERT INTO feedback VALUES (1, 'default', '{prediction}', '{body}')");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(world.home().join("ledger.db"));
    let mut connection = <sqlx::SqliteConnection as sqlx::Connection>::connect_with(&options).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();

    let refused = world.delivery.feedback(&world.owner, &prediction, label(&other)).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Conflict);
    assert_eq!(world.delivery.feedback(&world.owner, &prediction, label(&one)).await.unwrap().time, Timestamp(5));
    let correct = |to: &str, reason: &str| SendFeedback { correction: Some(reason.to_owned()), ..label(to) };
    world.delivery.feedback(&world.owner, &prediction, correct(&other, "the wrong file")).await.unwrap();
    world.delivery.rotate_feedback().await.unwrap();
    assert_eq!(world.delivery.seal_feedback().await.unwrap(), 1);
    world.delivery.rotate_predictions().await.unwrap();
    world.delivery.seal_predictions().await.unwrap();
    world.delivery.feedback(&world.owner, &prediction, correct(&one, "it was right")).await.unwrap();

    let world = reopened(world).await;
    let labels: Vec<_> =
        told(&world.delivery, &world, &prediction).await.into_iter().map(|one| one.label.unwrap()).collect();
    assert_eq!(labels, [one.clone(), other, one]);
    assert_eq!(world.delivery.audit_verify().await.first_bad, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_or_a_unit_finds_the_newest_prediction_in_its_window() {
    let world = deployed().await;
    let now = || world.known().now();
    let early = ask_for(&world.delivery, 30.0, "customer-29", "order-1").await;
    let between = now();
    let late = ask_for(&world.delivery, 71.0, "customer-29", "order-2").await;
    ask_for(&world.delivery, 50.0, "customer-30", "order-3").await;
    let of = |unit: Option<&str>, request: Option<&str>, what: SendFeedback| FeedbackOn {
        endpoint: Some("decision".to_owned()),
        unit: unit.map(str::to_owned),
        request_id: request.map(str::to_owned),
        what,
        ..FeedbackOn::default()
    };
    let batch = |end: Timestamp| {
        vec![
            of(Some("customer-29"), None, repaid(10.0, between)),
            of(Some("customer-29"), None, repaid(20.0, end)),
            of(None, Some("order-1"), repaid(30.0, end)),
            of(Some("customer-31"), None, repaid(40.0, end)),
            of(Some("customer-29"), None, SendFeedback { reward: Some(1.0), ..SendFeedback::default() }),
            FeedbackOn { endpoint: Some("nowhere".to_owned()), ..of(None, Some("order-1"), repaid(1.0, end)) },
        ]
    };
    let end = now();
    for sealed in [false, true] {
        if sealed {
            world.delivery.rotate_predictions().await.unwrap();
            assert_eq!(world.delivery.seal_predictions().await.unwrap(), 1);
        }
        let kept = send(&world, batch(end)).await;
        assert_eq!((kept.kept, kept.known), if sealed { (0, 3) } else { (3, 0) }, "{kept:?}");
        let refused: Vec<_> = kept.refused.iter().map(|one| (one.at, one.reason.as_str())).collect();
        assert!(refused[0].1.starts_with("endpoint `decision` answered nothing for unit `customer-31` between"));
        assert_eq!(refused[1], (4, "it names unit `customer-29` and no time"));
        assert_eq!(refused[2], (5, "there is no endpoint `nowhere` in project `default`"));
    }
    let values = async |id: &PredictionId| -> Vec<f64> {
        let told = told(&world.delivery, &world, id).await;
        told.into_iter().map(|one| one.event.unwrap().value.unwrap()).collect()
    };
    assert_eq!((values(&early).await, values(&late).await), (vec![10.0, 30.0], vec![20.0]));
    let found = told(&world.delivery, &world, &late).await.remove(0).found;
    assert_eq!(found, Some(FoundBy::Unit("customer-29".to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_at_once_are_kept_sealed_and_found() {
    let world = deployed().await;
    let mut predictions = Vec::new();
    for n in 0..20 {
        predictions.push(ask(&world.delivery, 20.0 + f64::from(n)).await);
    }
    let batch: Vec<FeedbackOn> =
        (0..2_000).map(|n| on(&predictions[n % 20], repaid(n as f64, Timestamp(n as i64)))).collect();
    assert_eq!(send(&world, batch.clone()).await.kept, 2_000);
    world.delivery.rotate_feedback().await.unwrap();
    assert_eq!(world.delivery.seal_feedback().await.unwrap(), 1);
    assert_eq!(world.delivery.seal_feedback().await.unwrap(), 0);
    let again = send(&world, batch).await;
    assert_eq!((again.kept, again.known), (0, 2_000));
    for (n, prediction) in predictions.iter().enumerate() {
        let values: Vec<f64> = told(&world.delivery, &world, prediction)
            .await
            .into_iter()
            .map(|one| one.event.unwrap().value.unwrap())
            .collect();
        assert_eq!(values, (0..100).map(|turn| (turn * 20 + n) as f64).collect::<Vec<_>>());
    }
    assert_eq!(world.delivery.audit_verify().await.first_bad, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_of_predictions_becomes_data_below_the_revisions_that_answered() {
    let world = deployed().await;
    let make = async |world: &World, since: Timestamp| {
        let ask = DatasetFromFeedback { dataset: None, since, until: None };
        let endpoint = "decision".parse().unwrap();
        world.delivery.dataset_from_feedback(&world.owner, RequestId::generate(), &project(), &endpoint, ask).await
    };
    let start = world.known().now();
    let nothing = make(&world, start).await.unwrap_err();
    assert!(nothing.message.starts_with("no answered prediction of `decision` from"), "{nothing}");
    let (one, other) = (world.classes[0].clone(), world.classes[1].clone());
    let ids = [ask(&world.delivery, 30.0).await, ask(&world.delivery, 41.0).await, ask(&world.delivery, 52.0).await];
    send(&world, vec![on(&ids[0], label(&one)), on(&ids[1], label(&other))]).await;
    let made = make(&world, start).await.unwrap();
    assert_eq!((made.version.name(), made.rows, made.unchanged), ("decision-feedback@1".to_owned(), 2, false));
    assert_eq!((made.answered_by, made.left_out), (vec!["decision#1".to_owned()], Vec::new()));

    // sealed, and corrected: another version; then the same
    world.delivery.rotate_predictions().await.unwrap();
    world.delivery.seal_predictions().await.unwrap();
    world.delivery.rotate_feedback().await.unwrap();
    world.delivery.seal_feedback().await.unwrap();
    let same = make(&world, start).await.unwrap();
    assert_eq!((same.version.number, same.unchanged), (1, true));
    let correction = SendFeedback { correction: Some("a typo".to_owned()), ..label(&other) };
    world.delivery.feedback(&world.owner, &ids[0], correction).await.unwrap();
    let second = make(&world, start).await.unwrap();
    assert_eq!((second.version.number, second.rows), (2, 2));

    let ask = AskLineage { of: "decision-feedback@2".to_owned(), ..AskLineage::default() };
    let lineage = world.delivery.lineage(&world.owner, &project(), &ask).await.unwrap();
    let labels: Vec<&str> = lineage.tree.nodes.iter().map(|node| node.label.as_str()).collect();
    for above in ["decision#1", "score@1.0.0", "train@1"] {
        assert!(labels.contains(&above), "{above} is not in {labels:?}");
    }
    let clerk = world.person("clerk@bank.example", Role::Reader).await;
    let ask = DatasetFromFeedback { dataset: None, since: start, until: None };
    let endpoint = "decision".parse().unwrap();
    let refused = world.delivery.dataset_from_feedback(&clerk, RequestId::generate(), &project(), &endpoint, ask).await;
    assert_eq!(refused.unwrap_err().kind, ErrorKind::Forbidden);
    assert_eq!(world.delivery.audit_verify().await.first_bad, None);
}
