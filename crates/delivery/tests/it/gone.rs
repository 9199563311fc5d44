//! Sealed files that are gone: what does not need them goes on, and what does says so.

use stemma_api::types::{
    DatasetFromFeedback, FeedbackOn, Happening, Purge, RegisterVersion, ReportedPrediction, SendFeedback, SendFeedbacks,
};
use stemma_core::{Digest, Timestamp, endpoint::prediction::PredictionId, id::RequestId};

use crate::{
    collect::lose,
    report::{record, record_as, report},
    serving::{ask, ask_for, deployed},
    world::{World, own, project},
};

async fn seal(world: &World) {
    world.delivery.rotate_predictions().await.unwrap();
    world.delivery.seal_predictions().await.unwrap();
}

async fn part(world: &World, endpoint: &str, at: usize) -> Digest {
    world.known().sealed_parts(&endpoint.parse().unwrap()).await.unwrap()[at].digest
}

/// Has a sealed file removed for good.
async fn purge(world: World, digest: Digest) -> World {
    // a project may have removed what somebody of it brought
    let bytes = world.known().read_content(digest, u64::MAX).await.unwrap();
    assert_eq!(world.upload(bytes).await.digest, digest);
    let world = world.reopened().await;
    let ask = Purge { content: digest.to_string(), reason: "they asked for it".into(), force: false };
    world.engine().purge(&world.owner, RequestId::generate(), &project(), ask).await.unwrap();
    world
}

fn reward(prediction: &PredictionId) -> FeedbackOn {
    let what = SendFeedback { reward: Some(1.0), ..SendFeedback::default() };
    FeedbackOn { prediction: Some(prediction.to_string()), what, ..FeedbackOn::default() }
}

fn label(prediction: &PredictionId, label: &str) -> FeedbackOn {
    let what = SendFeedback { label: Some(label.to_owned()), ..SendFeedback::default() };
    FeedbackOn { what, ..reward(prediction) }
}

async fn send(world: &World, feedback: Vec<FeedbackOn>) -> stemma_api::types::FeedbackKept {
    world.delivery.feedback_on_many(&world.owner, &project(), SendFeedbacks { feedback }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn feedback_on_what_is_gone_is_refused_and_the_rest_is_kept() {
    let world = deployed().await;
    let gone = ask(&world.delivery, 30.0).await;
    seal(&world).await;
    let sealed = ask(&world.delivery, 40.0).await;
    seal(&world).await;
    let lost = ask(&world.delivery, 50.0).await;
    seal(&world).await;
    let open = ask(&world.delivery, 60.0).await;
    let digest = part(&world, "decision", 0).await;
    let world = purge(world, digest).await;
    lose(&world, part(&world, "decision", 2).await);
    let kept = send(&world, [gone, sealed, lost, open].iter().map(reward).collect()).await;
    assert_eq!((kept.kept, kept.refused_count), (2, 2), "{kept:?}");
    assert!(kept.refused[0].at == 0 && kept.refused[0].reason.contains("they asked for it"), "{kept:?}");
    assert!(kept.refused[1].at == 2 && kept.refused[1].reason.contains("is lost"), "{kept:?}");
    let impact = world.delivery.impact(&world.owner, &project(), "score@1.0.0").await.unwrap();
    assert!(impact.reasons.iter().any(|reason| reason.starts_with("the log of 2 answers of `decision`")), "{impact:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_prediction_is_not_taken_for_the_newest_where_that_one_is_gone() {
    let world = deployed().await;
    ask_for(&world.delivery, 30.0, "customer-29", "order-1").await;
    seal(&world).await;
    let between = world.known().now();
    ask_for(&world.delivery, 40.0, "customer-29", "order-2").await;
    seal(&world).await;
    let digest = part(&world, "decision", 1).await;
    let world = purge(world, digest).await;
    let of = |until: Timestamp| FeedbackOn {
        endpoint: Some("decision".to_owned()),
        unit: Some("customer-29".to_owned()),
        until: Some(until),
        what: SendFeedback { reward: Some(1.0), ..SendFeedback::default() },
        ..FeedbackOn::default()
    };
    let kept = send(&world, vec![of(world.known().now()), of(between)]).await;
    assert_eq!((kept.kept, kept.refused_count), (1, 1), "{kept:?}");
    assert!(kept.refused[0].at == 0 && kept.refused[0].reason.contains("may not be the one of"), "{kept:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_can_hold_no_report_of_a_version_does_not_weaken_its_impact() {
    let world = deployed().await;
    ask(&world.delivery, 30.0).await;
    seal(&world).await;
    let digest = part(&world, "decision", 0).await;
    let world = purge(world, digest).await;
    let content = world.upload(own("two_classes")).await.digest;
    let register = RegisterVersion::new(content, "limit.onnx");
    let model = "limit".parse().unwrap();
    let registered = world.engine().register(&world.owner, RequestId::generate(), &project(), &model, register).await;
    let limit = registered.unwrap().version.name();
    let weakened = async |of: &str| {
        let impact = world.delivery.impact(&world.owner, &project(), of).await.unwrap();
        impact.reasons.iter().any(|reason| reason.starts_with("the log of 1 answers of `decision`"))
    };
    assert!(weakened("score@1.0.0").await);
    assert!(!weakened(&limit).await, "it was registered after all that was in the file had been recorded");
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_go_on_after_a_purge_and_say_what_they_could_not_look_at() {
    let world = deployed().await;
    let like = report(&world, "a", &ask(&world.delivery, 30.0).await).await;
    let at = |id: &str, micros: i64| ReportedPrediction {
        id: id.to_owned(),
        time: Timestamp(like.time.micros() + micros),
        ..like.clone()
    };
    record(&world, vec![at("a", -10), at("b", 10)]).await;
    seal(&world).await;
    let digest = part(&world, "edge", 0).await;
    let world = purge(world, digest).await;
    let within = record(&world, vec![at("c", 0)]).await;
    assert_eq!((within.recorded, within.gaps.len()), (1, 1), "{within:?}");
    assert!(within.gaps[0].contains("they asked for it"), "{within:?}");
    let outside = record(&world, vec![at("d", 100)]).await;
    assert_eq!((outside.recorded, outside.gaps.len()), (1, 0), "{outside:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_and_is_lost_is_not_told_against_and_why_says_so() {
    let world = deployed().await;
    let (one, two) = (ask(&world.delivery, 30.0).await, ask(&world.delivery, 40.0).await);
    let (good, bad) = (world.classes[0].clone(), world.classes[1].clone());
    send(&world, vec![label(&one, &good)]).await;
    world.delivery.rotate_feedback().await.unwrap();
    world.delivery.seal_feedback().await.unwrap();
    let ordinal = world.known().found_endpoint(&project(), &"decision".parse().unwrap()).await.unwrap().ordinal;
    let digest = world.known().feedback_parts(ordinal).await.unwrap()[0].digest;
    let world = world.reopened().await;
    lose(&world, digest);
    let kept = send(&world, vec![label(&one, &bad), label(&two, &good)]).await;
    assert_eq!((kept.kept, kept.refused_count), (1, 1), "{kept:?}");
    assert!(kept.refused[0].reason.starts_with("what was told of it before can't be read: "), "{kept:?}");
    assert_eq!(kept.gaps.len(), 1, "{kept:?}");
    let why = world.delivery.why(&world.owner, &one).await.unwrap();
    assert!(
        why.feedback.is_empty() && why.reasons.iter().any(|reason| reason.contains("is lost")),
        "{:?}",
        why.reasons
    );
    let ask = DatasetFromFeedback { dataset: None, since: Timestamp(0), until: None };
    let endpoint = "decision".parse().unwrap();
    let project = project();
    let made = world.delivery.dataset_from_feedback(&world.owner, RequestId::generate(), &project, &endpoint, ask);
    let made = made.await.unwrap();
    assert_eq!((made.rows, made.left_out.len()), (1, 1), "{made:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_on_a_report_of_a_model_that_is_not_run_here_is_kept_as_it_was_told() {
    let world = deployed().await;
    let digest = world.upload(b"\x80\x04K\x01.".to_vec()).await.digest;
    let register = RegisterVersion::new(digest, "forest.pkl");
    let model = "forest".parse().unwrap();
    let registered = world.engine().register(&world.owner, RequestId::generate(), &project(), &model, register).await;
    let forest = registered.unwrap().version.name();
    let like = report(&world, "a", &ask(&world.delivery, 30.0).await).await;
    let of = |id: &str, version: &str| ReportedPrediction {
        id: id.to_owned(),
        version: Some(version.to_owned()),
        ..like.clone()
    };
    let reports = vec![of("pickle", &forest), of("onnx", "score@1.0.0")];
    let ids = record_as(&world, &world.owner, "edge", reports).await.unwrap().predictions;
    let kept = send(&world, vec![label(&ids[0], "oak"), label(&ids[1], "oak")]).await;
    assert_eq!((kept.kept, kept.refused_count), (1, 1), "{kept:?}");
    assert!(kept.refused[0].at == 1 && kept.refused[0].reason.contains("is none of the classes"), "{kept:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn feedback_of_several_endpoints_and_segments_is_found_again_in_one_batch() {
    let world = deployed().await;
    let like = report(&world, "a", &ask(&world.delivery, 30.0).await).await;
    let mut ids = Vec::new();
    for round in 0..4 {
        for endpoint in ["edge", "truck"] {
            let one = ReportedPrediction { id: format!("{round}"), ..like.clone() };
            ids.extend(record_as(&world, &world.owner, endpoint, vec![one]).await.unwrap().predictions);
        }
        world.delivery.rotate_predictions().await.unwrap();
    }
    let happened = |at: usize| FeedbackOn {
        what: SendFeedback {
            event: Some(Happening { name: "repaid".to_owned(), value: Some(at as f64), time: None }),
            ..SendFeedback::default()
        },
        ..reward(&ids[at])
    };
    let all: Vec<FeedbackOn> = (0..ids.len()).map(happened).collect();
    assert_eq!(send(&world, all.clone()).await.kept, 8);
    world.delivery.rotate_feedback().await.unwrap();
    world.delivery.seal_feedback().await.unwrap();
    let again = send(&world, all).await;
    assert_eq!((again.kept, again.known), (0, 8), "{again:?}");
    for (at, id) in ids.iter().enumerate() {
        let told = world.delivery.why(&world.owner, id).await.unwrap().feedback;
        assert_eq!(told.iter().map(|one| one.event.as_ref().unwrap().value).collect::<Vec<_>>(), [Some(at as f64)]);
    }
}
