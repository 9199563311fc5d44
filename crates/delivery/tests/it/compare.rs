//! Two versions side by side.

use stemma_core::recommend::Verdict;

use crate::world::{World, project, sample};

async fn two(world: &World, names: [&str; 2]) {
    world.add_dataset("test", world.csv(0..200)).await;
    let mut policy = world.policy();
    policy.evaluation.as_mut().unwrap().slices = vec![serde_json::from_str("\"housing\"").unwrap()];
    world.set_policy(policy).await;
    for (at, name) in names.iter().enumerate() {
        let model = world.upload(sample(name)).await.digest;
        let from = 500 + at as u32 * 50;
        let train = world.add_dataset("train", world.csv(from..from + 100)).await;
        world.record_run(&[("data/train.csv", train)], model).await;
        world.register(model).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_versions_are_compared_from_their_data_to_their_answers() {
    let world = World::new().await;
    two(&world, ["table_boosting", "table_logistic"]).await;
    let found = world.engine().compare_versions(&project(), "score@1.0.0", "score@1.0.1").await.unwrap();
    let performance = found.performance.unwrap();
    assert_eq!(performance.primary.rows, 200);
    assert_eq!(performance.slices.len(), 2);
    assert!(performance.slices.iter().all(|slice| slice.rows == 100 && slice.interval.is_some()));
    assert!(performance.metrics.iter().any(|pair| pair.metric == "log_loss" && !pair.higher_is_better));
    // the target follows from nothing that a model could learn
    assert_eq!(found.recommendation.verdict, Verdict::NotEnoughEvidence);
    assert!(found.recommendation.reason.contains("the interval holds zero"), "{:?}", found.recommendation);
    let data = &found.data[0];
    assert_eq!((data.path.as_str(), data.a_rows, data.b_rows, data.shared_rows), ("data/train.csv", 100, 100, 50));
    assert!(found.signature.is_empty());
    let same = world.engine().compare_versions(&project(), "score@1.0.0", "score@1.0.0").await.unwrap();
    assert_eq!(same.performance.unwrap().primary.difference, 0.0);
    assert!(same.files.iter().all(stemma_api::types::FileDifference::is_same) && same.data.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_evaluation_there_is_no_preference_and_it_says_why() {
    let world = World::new().await;
    two(&world, ["table_boosting", "table_dropped"]).await;
    let versions = world.known().model(&project(), &world.model, None, 100).await.unwrap().versions;
    let newest = versions[0].name();
    let found = world.engine().compare_versions(&project(), "score@1.0.0", &newest).await.unwrap();
    assert!(found.performance.is_some());
    let mut policy = world.policy();
    policy.evaluation = None;
    policy.gates.clear();
    policy.promotions.clear();
    world.set_policy(policy).await;
    let found = world.engine().compare_versions(&project(), "score@1.0.0", &newest).await.unwrap();
    assert!(found.performance.is_none());
    assert!(found.recommendation.reason.contains("declares no evaluation"), "{:?}", found.recommendation);
    assert!(world.engine().compare_versions(&project(), "score@9.9.9", &newest).await.is_err());
}
