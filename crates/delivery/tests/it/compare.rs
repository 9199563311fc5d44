//! Two versions side by side.

use stemma_api::types::{PerformanceComparison, RunGates, Several};
use stemma_core::{
    Digest,
    event::Event,
    id::{EvidenceId, RequestId},
    recommend::Verdict,
};

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
    let told = &found.recommendation.reason;
    assert!(told.ends_with("it may lie within or beyond ±5 %"), "{told}");
    // the gate that is declared has not run
    let warnings = &found.recommendation.warnings;
    assert!(warnings.contains(&"of b gate `baseline` did not run".to_owned()), "{warnings:?}");
    let data = &found.data[0];
    assert_eq!((data.path.as_str(), data.a_rows, data.b_rows, data.shared_rows), ("data/train.csv", 100, 100, 50));
    assert!(found.signature.is_empty());
    let same = world.engine().compare_versions(&project(), "score@1.0.0", "score@1.0.0").await.unwrap();
    assert_eq!(same.performance.unwrap().primary.difference, 0.0);
    assert!(same.files.iter().all(stemma_api::types::FileDifference::is_same) && same.data.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_tested_is_one_family_of_metrics_and_slices() {
    let world = World::new().await;
    two(&world, ["table_boosting", "table_logistic"]).await;
    let found = world.engine().compare_versions(&project(), "score@1.0.0", "score@1.0.1").await.unwrap();
    let PerformanceComparison { tests, delta, uses, untested, primary, .. } = found.performance.unwrap();
    let names: Vec<(&str, Option<&str>, &str)> =
        tests.iter().map(|test| (test.metric.as_str(), test.slice.as_deref(), test.test.as_str())).collect();
    let kind = |metric| names.iter().find(|(name, slice, _)| *name == metric && slice.is_none()).unwrap().2;
    assert_eq!(kind("auc"), "delong");
    assert!(kind("accuracy").starts_with("mcnemar_") && kind("brier").starts_with("wilcoxon_"), "{names:?}");
    let slices: Vec<_> = names.iter().filter_map(|(metric, slice, _)| Some((*metric, (*slice)?))).collect();
    assert_eq!(slices, [("auc", "housing = own"), ("auc", "housing = rent")]);
    // Holm: the smallest counts as often as there are tests, and none is smaller than it was
    let least = tests.iter().min_by(|one, other| one.p_value.total_cmp(&other.p_value)).unwrap();
    assert_eq!(least.adjusted, (least.p_value * tests.len() as f64).min(1.0));
    assert!(tests.iter().all(|test| test.adjusted >= test.p_value), "{tests:?}");
    let of_auc = tests.iter().find(|test| test.metric == "auc" && test.slice.is_none()).unwrap();
    assert!((of_auc.improvement - primary.difference).abs() < 1e-12);
    assert!(untested[0].contains("gini") && untested[0].ends_with("no paired test fits"), "{untested:?}");
    // of an order of rows there is no loss: what is said of each is a probability
    let delta = delta.unwrap();
    assert_eq!((delta.loss.as_str(), delta.rows), ("Brier loss", 200));
    assert!(delta.residual_change.is_some() && delta.low <= delta.improvement && delta.improvement <= delta.high);
    let uses = uses.unwrap();
    assert_eq!((uses.evaluations, uses.checks, uses.comparisons), (2, 0, 1));
    let gates = RunGates::default();
    let request = RequestId::generate();
    world.engine().run_gates(&world.owner, request, &project(), &world.model, "1.0.0", gates).await.unwrap();
    let found = world.engine().compare_versions(&project(), "score@1.0.0", "score@1.0.1").await.unwrap();
    let again = found.performance.unwrap().uses.unwrap();
    // what was compared meanwhile left no trace, and says so
    assert_eq!((again.evaluations, again.checks, again.comparisons), (2, 1, 1));
    assert!(again.unseen[0].contains("only looked at"), "{:?}", again.unseen);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_tested_on_rows_that_one_of_them_has_seen() {
    let world = World::new().await;
    world.add_dataset("test", world.csv(0..200)).await;
    world.set_policy(world.policy()).await;
    for (name, rows) in [("table_boosting", 500..600), ("table_logistic", 150..300)] {
        let model = world.upload(sample(name)).await.digest;
        let train = world.add_dataset("train", world.csv(rows)).await;
        world.record_run(&[("data/train.csv", train)], model).await;
        world.register(model).await.unwrap();
    }
    let found = world.engine().compare_versions(&project(), "score@1.0.0", "score@1.0.1").await.unwrap();
    assert_eq!(found.recommendation.verdict, Verdict::NotEnoughEvidence);
    let performance = found.performance.unwrap();
    assert_eq!(performance.untested, ["the rows differ: 200 and 150 were judged, 150 of them are in both"]);
    assert!(performance.tests.is_empty() && performance.delta.is_none());
    let names = ["score@1.0.0", "score@1.0.1"].map(str::to_owned).to_vec();
    let table = world.known().compare_several(&project(), &Several { of: names, model: None }).await.unwrap();
    let [beside] = table.beside_first.as_slice() else { panic!("{table:?}") };
    assert!(beside.comparison.is_none() && beside.why.as_ref().unwrap().starts_with("the rows differ: "), "{beside:?}");
    // the one that was judged on fewer rows is never the best
    assert!(table.metrics.iter().all(|metric| metric.best.is_none()), "{:?}", table.metrics);
    assert_eq!(table.versions[1].doubt.as_deref(), Some("rows that training had read were left out"));
}

/// Versions with an evaluation each, as facts alone: nothing of their content is needed.
async fn with_versions(world: &World, count: u32) {
    let digest = Digest::of(b"model");
    let mut events = vec![];
    for number in 0..count {
        let version = serde_json::json!({
            "type": "version_registered", "project": "default", "model": world.model, "integer": number + 1,
            "number": format!("1.0.{number}"), "step": "pipeline", "reason": "pipeline", "digest": digest,
            "sha256": null, "size": 0, "file_name": "model.onnx", "format": "onnx",
            "signature": { "inputs": [], "outputs": [] }, "run": null, "trainer": null, "reference": null,
            "evaluation": null, "target": "outcome", "facts": Digest::of(&number.to_le_bytes()),
        });
        let found = serde_json::json!({ "auc": 0.5 + f64::from(number) / 4000.0, "accuracy": 0.5, "log_loss": 0.7 });
        let evidence = serde_json::json!({
            "type": "evidence_recorded", "project": "default", "evidence": EvidenceId::generate(),
            "kind": "evaluation", "model": world.model, "version": format!("1.0.{number}"), "subject": digest,
            "gate": null, "spec_digest": digest, "passed": true, "summary": "auc on test@1 (200 rows), by command",
            "report": digest, "data": "test@1", "leaky": false, "metrics": found,
        });
        events.extend([version, evidence].map(|event| serde_json::from_value::<Event>(event).unwrap()));
    }
    for events in events.chunks(500) {
        world
            .engine()
            .change(&world.owner, RequestId::generate(), || async move { Ok(events.to_vec()) })
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_versions_are_compared_by_what_the_ledger_kept() {
    let world = World::new().await;
    world.add_dataset("test", world.csv(0..200)).await;
    world.set_policy(world.policy()).await;
    with_versions(&world, 1001).await;
    let known = world.known();
    let all = Several { of: vec![], model: Some(world.model.clone()) };
    let began = std::time::Instant::now();
    let table = known.compare_several(&project(), &all).await.unwrap();
    println!("1,000 versions took {} ms", began.elapsed().as_millis());
    assert_eq!((table.versions.len(), table.versions[0].version.as_str()), (1000, "score@1.0.1"));
    let metric = |name| table.metrics.iter().find(|metric| metric.metric == name).unwrap();
    assert_eq!((metric("auc").best, metric("auc").higher_is_better), (Some(0.75), true));
    assert_eq!(table.versions.iter().filter(|one| table.is_best(one, metric("auc"))).count(), 1);
    assert!(table.versions.iter().all(|one| one.by_command), "{:?}", table.versions[0]);
    assert!(table.beside_first.is_empty());
    let notes = table.notes.join("; ");
    assert!(
        notes.contains("the 1 oldest versions of `score`") && notes.contains("at most 10 versions, not 1000"),
        "{notes}"
    );
    // named one by one it is the same table
    let named = table.versions.iter().map(|one| one.version.clone()).collect();
    let again = known.compare_several(&project(), &Several { of: named, model: None }).await.unwrap();
    assert_eq!(again.versions, table.versions);
    let many: Vec<String> = (0..1001).map(|number| format!("score@1.0.{number}")).collect();
    let refused = known.compare_several(&project(), &Several { of: many, model: None }).await.unwrap_err();
    assert_eq!(refused.message, "1001 versions are too many: at most 1000 can be compared at once");
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
