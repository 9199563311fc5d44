//! What is cut off half-way: what was written before is there once, and what is sent again is kept once.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use serde_json::json;
use stemma_api::types::{FeedbackOn, Happening, ReportedPrediction, SendFeedback, SendFeedbacks};
use stemma_core::ErrorKind;

use crate::{
    report::{record, record_as, report},
    serving::{ask, deployed},
    world::{World, project},
};

/// More than a segment takes: the writer begins another one in between.
const LONG: usize = 1 << 20;

/// Takes the folder of a log away, so that no further segment can be begun, and brings it back.
struct NoFolder {
    folder: PathBuf,
    away: PathBuf,
}

impl NoFolder {
    fn take(world: &World, name: &str) -> Self {
        let (folder, away) = (world.home().join(name), world.folder.path().join("away"));
        fs::rename(&folder, &away).unwrap();
        Self { folder, away }
    }

    fn bring_back(self) {
        fs::rename(self.away, self.folder).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_of_which_half_was_written_are_recorded_once() {
    let world = deployed().await;
    let like = report(&world, "a", &ask(&world.delivery, 30.0).await).await;
    // what is known of the endpoint is in memory
    assert_eq!(record(&world, vec![like.clone()]).await.recorded, 1);
    let long = json!("x".repeat(LONG));
    let one = |at: usize| {
        let mut one = ReportedPrediction { id: format!("long-{at}"), ..like.clone() };
        one.inputs.insert("purpose".to_owned(), long.clone());
        one
    };
    let all: Vec<ReportedPrediction> = (0..72).map(one).collect();
    let no_folder = NoFolder::take(&world, "predictions");
    let failed = record_as(&world, &world.owner, "edge", all.clone()).await.unwrap_err();
    assert_eq!(failed.kind, ErrorKind::Unavailable, "{failed:?}");
    no_folder.bring_back();
    let again = record(&world, all.clone()).await;
    assert!(again.known > 0 && again.recorded > 0, "{} of {} were written", again.known, all.len());
    assert_eq!(again.known + again.recorded, all.len() as u64);
    assert_eq!(record(&world, all.clone()).await.known, all.len() as u64);
    let impact = world.delivery.impact(&world.owner, &project(), "score@1.0.0").await.unwrap();
    let edge = impact.revisions.iter().find(|one| one.endpoint.as_str() == "edge").unwrap();
    assert_eq!(edge.predictions, 1 + all.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn feedback_of_which_half_was_written_is_kept_once() {
    let world = deployed().await;
    let mut predictions = Vec::new();
    for at in 0..20 {
        predictions.push(ask(&world.delivery, 20.0 + f64::from(at)).await);
    }
    let name = "x".repeat(4_000);
    let one = |at: usize| FeedbackOn {
        prediction: Some(predictions[at % predictions.len()].to_string()),
        what: SendFeedback {
            event: Some(Happening { name: name.clone(), value: Some(at as f64), time: None }),
            key: Some(format!("{name}-{at}")),
            ..SendFeedback::default()
        },
        ..FeedbackOn::default()
    };
    let all: Vec<FeedbackOn> = (0..9_000).map(one).collect();
    let send = async || {
        world.delivery.feedback_on_many(&world.owner, &project(), SendFeedbacks { feedback: all.clone() }).await
    };
    let no_folder = NoFolder::take(&world, "feedback");
    let failed = send().await.unwrap_err();
    assert_eq!(failed.kind, ErrorKind::Unavailable, "{failed:?}");
    no_folder.bring_back();
    let again = send().await.unwrap();
    assert!(again.known > 0 && again.kept > 0, "{again:?}");
    assert_eq!((again.known + again.kept, again.refused_count), (9_000, 0));
    let told = world.delivery.why(&world.owner, &predictions[7]).await.unwrap().feedback;
    assert_eq!(told.len(), 9_000 / 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_of_feedback_that_is_sealed_and_was_not_removed_counts_once_and_goes() {
    let world = deployed().await;
    let prediction = ask(&world.delivery, 30.0).await;
    let event = |at: f64| SendFeedback {
        event: Some(Happening { name: "repaid".to_owned(), value: Some(at), time: None }),
        ..SendFeedback::default()
    };
    for at in [1.0, 2.0] {
        world.delivery.feedback(&world.owner, &prediction, event(at)).await.unwrap();
    }
    let folder = world.home().join("feedback");
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    let segment = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let segment = segment.filter(|path| path.extension().is_some_and(|end| end == "seg")).min().unwrap();
    world.delivery.rotate_feedback().await.unwrap();
    let bytes = fs::read(&segment).unwrap();
    assert_eq!(world.delivery.seal_feedback().await.unwrap(), 1);
    assert!(!segment.exists());

    // as if the process had died between the fact and the removal
    fs::write(&segment, bytes).unwrap();
    let world = world.reopened().await;
    let told = async |world: &World| world.delivery.why(&world.owner, &prediction).await.unwrap().feedback.len();
    assert_eq!(told(&world).await, 2);
    world.delivery.feedback(&world.owner, &prediction, event(2.0)).await.unwrap();
    assert_eq!(told(&world).await, 2);
    assert_eq!(world.delivery.seal_feedback().await.unwrap(), 0);
    assert!(!segment.exists());
    assert_eq!(told(&world).await, 2);
    assert_eq!(world.delivery.audit_verify().await.first_bad, None);
}
