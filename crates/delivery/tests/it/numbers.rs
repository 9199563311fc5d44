//! Which number a version earns, beside the best of its line.

use serde_json::json;
use stemma_api::types::ModelVersion;

use crate::world::{World, own, project};

/// The model with a threshold of its own, at another threshold.
fn with_threshold(threshold: f32) -> Vec<u8> {
    replaced("own_threshold", 0.2f32, threshold)
}

/// A sample in which one number is another one.
fn replaced(name: &str, old: f32, new: f32) -> Vec<u8> {
    let (mut bytes, old) = (own(name), old.to_le_bytes());
    let at = bytes.windows(4).position(|window| window == old).unwrap();
    bytes[at..at + 4].copy_from_slice(&new.to_le_bytes());
    bytes
}

/// The same model with a remark.
fn remarked(name: &str) -> Vec<u8> {
    // field 6 of a model is its documentation
    [own(name), b"\x32\x03new".to_vec()].concat()
}

/// Rows of which the sign of `x` is the class, many of them near zero.
async fn world() -> World {
    let world = World::new().await;
    let rows: String = (1..=120)
        .map(|row| format!("{x},{y}\n", x = f64::from(row - 60) / 60.0 - 0.001, y = u8::from(row > 60)))
        .collect();
    world.add_dataset("test", format!("x,y\n{rows}")).await;
    let evaluation = json!({ "data": "test", "target": "y", "positive": "1", "primary": "accuracy" });
    world.set_policy(serde_json::from_value(json!({ "evaluation": evaluation })).unwrap()).await;
    world
}

async fn register(world: &World, bytes: Vec<u8>) -> ModelVersion {
    let digest = world.upload(bytes).await.digest;
    // each time from a run of its own: the same content from the same facts is the same version
    let train = world.upload(format!("training {}", stemma_core::id::RunId::generate())).await.digest;
    world.record_run(&[("train.txt", train)], digest).await;
    world.register(digest).await.unwrap().version
}

fn told(version: &ModelVersion) -> (String, String) {
    (version.number.to_string(), version.reason.clone())
}

#[tokio::test]
async fn a_minor_beats_the_best_of_its_line_and_is_earned_once() {
    let world = world().await;
    let first = register(&world, own("own_threshold")).await;
    assert_eq!(told(&first).0, "1.0.0");
    let better = register(&world, own("two_classes")).await;
    let (number, reason) = told(&better);
    assert_eq!((number.as_str(), better.reference), ("1.1.0", Some(first.number)));
    assert!(reason.starts_with("minor: accuracy +0.3") && reason.ends_with("] over 1.0.0 on test@1"), "{reason}");
    // what it rests on is stored as it is, and the reason is only one way to say it
    let comparison = better.comparison.as_ref().unwrap();
    assert_eq!((comparison.metric.as_str(), comparison.rows, first.comparison), ("accuracy", 120, None));
    assert_eq!(format!("minor: accuracy {} over 1.0.0 on test@1", comparison.improvement()), reason);
    assert_eq!(better.improvement(), Some(comparison.improvement()));

    let worse = register(&world, with_threshold(0.1)).await;
    let (number, reason) = told(&worse);
    assert_eq!((number.as_str(), worse.reference), ("1.1.1", Some(better.number)));
    assert!(reason.starts_with("pipeline: accuracy -0.") && reason.contains(" against 1.1.0 on test@1"), "{reason}");
    assert!(reason.ends_with(", shown to be worse"), "{reason}");
    assert!(worse.improvement().unwrap().high < 0.0);

    // after a worse one nothing is earned that was earned before
    let again = register(&world, own("two_classes")).await;
    assert_eq!(told(&again), ("1.1.2".to_owned(), "pipeline: the same content as 1.1.0".to_owned()));
    assert_eq!(again.improvement(), None);
    let remarked = register(&world, remarked("two_classes")).await;
    let same = "pipeline: the same answers as 1.1.0 on all 120 rows of test@1";
    assert_eq!(told(&remarked), ("1.1.3".to_owned(), same.to_owned()));
    let other = register(&world, own("decision_values")).await;
    let (number, reason) = told(&other);
    assert_eq!(number, "1.1.4");
    let equal = "pipeline: accuracy +0.000 [0.000, 0.000] against 1.1.0 on test@1, not shown to be better";
    assert_eq!(reason, equal);
}

#[tokio::test]
async fn a_line_is_measured_on_the_data_of_today() {
    let world = world().await;
    register(&world, own("own_threshold")).await;
    register(&world, own("two_classes")).await;
    // the other class for all: what was best is worst now
    let rows: String =
        (1..=120).map(|row| format!("{},{}\n", f64::from(row - 60) / 60.0 - 0.001, u8::from(row <= 60))).collect();
    world.add_dataset("test", format!("x,y\n{rows}")).await;
    let evaluation = json!({ "data": "test", "target": "y", "positive": "1", "primary": "accuracy" });
    world.set_policy(serde_json::from_value(json!({ "evaluation": evaluation })).unwrap()).await;
    let version = register(&world, replaced("two_classes", 0.9, 0.8)).await;
    let (number, reason) = told(&version);
    assert_eq!(number, "1.1.1", "it goes on from the highest number of its line");
    assert!(reason.contains(" against 1.0.0 on test@2, shown to be worse"), "{reason}");
    assert_eq!(world.known().model(&project(), &world.model, None, 100).await.unwrap().versions.len(), 3);
}
