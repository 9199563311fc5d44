//! The way to production, and everything that does not lead there.

use stemma_api::types::{Approve, Deploy, Promote, RegisterVersion, RunGates};
use stemma_core::{ErrorKind, id::RequestId, policy::Stage, rights::Role, version::VersionNumber};

use crate::world::{Ran, World, project, sample};

fn approve() -> Approve {
    Approve { stage: Stage::Production, reason: "looks right".into(), card: None }
}

fn promote() -> Promote {
    Promote { stage: Stage::Production, reason: String::new(), archive_others: false }
}

async fn registered() -> World {
    let world = World::new().await;
    world.add_dataset("test", world.csv(0..120)).await;
    world.set_policy(world.policy()).await;
    let model = world.upload(sample("table_boosting")).await.digest;
    world.register(model).await.unwrap();
    world
}

#[tokio::test]
async fn the_same_facts_are_the_same_version() {
    let world = registered().await;
    let model = world.upload(sample("table_boosting")).await.digest;
    let again = world.register(model).await.unwrap();
    assert!(again.unchanged);
    assert_eq!(again.version.number, VersionNumber::FIRST);
    // the same bytes from another recipe are another version
    let train = world.upload(world.csv(500..600)).await.digest;
    world.record_run(&[("train.csv", train)], model).await;
    let other = world.register(model).await.unwrap();
    assert!(!other.unchanged);
    assert_eq!(other.version.number.to_string(), "1.0.1");
    assert_eq!(other.version.reason, "pipeline: the same content as 1.0.0");
}

#[tokio::test]
async fn only_evidence_and_another_person_lead_to_production() {
    let world = registered().await;
    let (delivery, model, request) = (&world.delivery, &world.model, RequestId::generate);
    let refused =
        delivery.engine().promote(&world.owner, request(), &project(), model, "1.0.0", promote()).await.unwrap_err();
    assert_eq!((refused.kind, refused.missing.len()), (ErrorKind::Refused, 2));
    let deploy = || Deploy::of_model("score@1.0.0");
    let endpoint = "decision".parse().unwrap();
    let refused = delivery.deploy(&world.owner, request(), &project(), &endpoint, deploy()).await.unwrap_err();
    assert_eq!((refused.kind, refused.missing.len()), (ErrorKind::Refused, 2));
    // an approval before the gates ran does not cover what they find
    delivery.engine().approve(&world.reviewer, request(), &project(), model, "1.0.0", approve()).await.unwrap();
    delivery
        .engine()
        .run_gates(&world.owner, request(), &project(), model, "1.0.0", RunGates::default())
        .await
        .unwrap();
    let refused =
        delivery.engine().promote(&world.owner, request(), &project(), model, "1.0.0", promote()).await.unwrap_err();
    assert_eq!(refused.missing.len(), 1, "{:?}", refused.missing);
    // whoever registered it can't approve it
    let own =
        delivery.engine().approve(&world.owner, request(), &project(), model, "1.0.0", approve()).await.unwrap_err();
    assert_eq!(own.kind, ErrorKind::Refused);
    delivery.engine().approve(&world.reviewer, request(), &project(), model, "1.0.0", approve()).await.unwrap();
    let promoted =
        delivery.engine().promote(&world.owner, request(), &project(), model, "1.0.0", promote()).await.unwrap();
    assert_eq!(promoted.version.stage, Stage::Production);
    assert_eq!(promoted.alias.map(|alias| alias.to_string()).as_deref(), Some("champion"));
    assert_eq!((promoted.promotion.evidence.len(), promoted.promotion.approvals.len()), (1, 1));
    let again =
        delivery.engine().promote(&world.owner, request(), &project(), model, "1.0.0", promote()).await.unwrap_err();
    assert_eq!(again.kind, ErrorKind::Refused);
    delivery.deploy(&world.owner, request(), &project(), &endpoint, deploy()).await.unwrap();
    assert_eq!(delivery.audit_verify().await.first_bad, None);
}

#[tokio::test]
async fn a_changed_gate_makes_its_evidence_stale() {
    let world = registered().await;
    let (delivery, model, request) = (&world.delivery, &world.model, RequestId::generate);
    delivery
        .engine()
        .run_gates(&world.owner, request(), &project(), model, "1.0.0", RunGates::default())
        .await
        .unwrap();
    delivery.engine().approve(&world.reviewer, request(), &project(), model, "1.0.0", approve()).await.unwrap();
    let mut policy = world.policy();
    let gate =
        stemma_core::policy::GateSpec::MetricBaseline { metric: "accuracy".into(), min: Some(0.9999), max: None };
    policy.gates.insert("baseline".parse().unwrap(), gate);
    world.set_policy(policy).await;
    let refused =
        delivery.engine().promote(&world.owner, request(), &project(), model, "1.0.0", promote()).await.unwrap_err();
    assert_eq!(refused.missing[0], "gate `baseline` changed since it ran on this version");
    let results = delivery
        .engine()
        .run_gates(&world.owner, request(), &project(), model, "1.0.0", RunGates::default())
        .await
        .unwrap();
    assert!(!results.results[0].passed);
    let refused =
        delivery.engine().promote(&world.owner, request(), &project(), model, "1.0.0", promote()).await.unwrap_err();
    assert_eq!(refused.missing[0], "gate `baseline` failed on this version");
}

#[tokio::test]
async fn a_request_that_is_sent_twice_is_done_once() {
    let world = registered().await;
    let (delivery, request) = (&world.delivery, RequestId::generate());
    let first = delivery
        .engine()
        .approve(&world.reviewer, request, &project(), &world.model, "1.0.0", approve())
        .await
        .unwrap();
    let second = delivery
        .engine()
        .approve(&world.reviewer, request, &project(), &world.model, "1.0.0", approve())
        .await
        .unwrap();
    assert_eq!(first, second);
    let detail = delivery.known().version(&project(), &world.model, "1.0.0").await.unwrap();
    assert_eq!(detail.approvals.len(), 1);
}

#[tokio::test]
async fn an_unproved_registrant_leads_nowhere_but_may_be_replaced() {
    let world = World::new().await;
    world.add_dataset("test", world.csv(0..120)).await;
    world.set_policy(world.policy()).await;
    let (delivery, name, request) = (&world.delivery, &world.model, RequestId::generate);
    let digest = world.upload(sample("table_boosting")).await.digest;
    let robot = stemma_engine::Caller::uncredentialed(Some("robot".parse().unwrap()));
    let register = RegisterVersion::new(digest, "model.onnx");
    delivery.engine().register(&robot, request(), &project(), name, register).await.unwrap();
    delivery.engine().run_gates(&world.owner, request(), &project(), name, "1.0.0", RunGates::default()).await.unwrap();
    delivery.engine().approve(&world.reviewer, request(), &project(), name, "1.0.0", approve()).await.unwrap();
    let refused =
        delivery.engine().promote(&world.owner, request(), &project(), name, "1.0.0", promote()).await.unwrap_err();
    assert_eq!(refused.missing, ["it was registered under an unproved name; register it again with a credential"]);
    assert_eq!(world.register(digest).await.unwrap().version.number.to_string(), "1.0.1");
    assert!(world.register(digest).await.unwrap().unchanged);
}

#[tokio::test]
async fn only_a_run_that_wrote_it_can_have_made_a_version() {
    let world = registered().await;
    let (train, other) = (world.upload(world.csv(500..600)).await.digest, world.upload("other").await.digest);
    let run = world.record_run(&[("train.csv", train)], other).await;
    let digest = world.upload(sample("table_logistic")).await.digest;
    let register = RegisterVersion { run: Some(run), ..RegisterVersion::new(digest, "model.onnx") };
    let request = RequestId::generate();
    let refused = world.engine().register(&world.owner, request, &project(), &world.model, register).await.unwrap_err();
    assert!(refused.message.contains("did not write this content"), "{refused}");
}

#[tokio::test]
async fn an_altered_run_is_noticed_once_it_is_sealed() {
    let world = registered().await;
    let (train, model) = (world.upload(world.csv(500..600)).await.digest, world.upload("model").await.digest);
    world.record_run(&[("train.csv", train)], model).await;
    world.delivery.close().await;
    let file = world.home().join("ledger.db");
    let script = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\n\
                  c.execute(\"UPDATE run SET record = replace(record, 'train.csv', 'other.csv')\")\nc.commit()";
    let altered = std::process::Command::new("python3").args(["-c", script]).arg(&file).status().unwrap();
    assert!(altered.success());
    let World { folder, delivery, .. } = world;
    drop(delivery);
    let home = folder.path().join("home");
    let again = stemma_delivery::Delivery::open(&home, std::sync::Arc::new(stemma_core::SystemClock)).await.unwrap();
    let report = again.audit_verify().await;
    assert!(report.first_bad.unwrap().what.contains("its record was altered"));
}

/// Registers what somebody's runs made and has it approved; what is missing for production then.
async fn missing_after_approval(world: &World, digest: stemma_core::Digest) -> Vec<String> {
    let (delivery, request) = (&world.delivery, RequestId::generate);
    let version = world.register(digest).await.unwrap().version.number.to_string();
    delivery
        .engine()
        .run_gates(&world.owner, request(), &project(), &world.model, &version, RunGates::default())
        .await
        .unwrap();
    delivery.engine().approve(&world.reviewer, request(), &project(), &world.model, &version, approve()).await.unwrap();
    let promoted =
        delivery.engine().promote(&world.owner, request(), &project(), &world.model, &version, promote()).await;
    promoted.map_or_else(|problem| problem.missing, |_| Vec::new())
}

async fn with_rules() -> World {
    let world = World::new().await;
    world.add_dataset("test", world.csv(0..120)).await;
    world.set_policy(world.policy()).await;
    world
}

#[tokio::test]
async fn a_trainer_whose_name_nobody_proved_may_be_the_approver() {
    let world = with_rules().await;
    let train = world.upload(world.csv(500..600)).await.digest;
    let model = world.upload(sample("table_boosting")).await.digest;
    let anybody = stemma_engine::Caller::uncredentialed(Some("somebody@bank.example".parse().unwrap()));
    let (inputs, outputs) = ([("train.csv", train)], [("model.onnx", model)]);
    world.record_ran(Ran { inputs: &inputs, outputs: &outputs, by: Some(&anybody), ..Ran::default() }).await;
    let missing = missing_after_approval(&world, model).await;
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert!(missing[0].contains("trained under the unproved name `somebody@bank.example`"), "{missing:?}");
    assert!(world.register(model).await.unwrap().unchanged, "to register it again proves nothing of its training");
    // trained again with a token it is another version, and that one may go on
    world.record_ran(Ran { inputs: &inputs, outputs: &outputs, started: 2000, ..Ran::default() }).await;
    assert_eq!(world.register(model).await.unwrap().version.number.to_string(), "1.0.1");
    assert_eq!(missing_after_approval(&world, model).await, [""; 0]);
}

#[tokio::test]
async fn a_copy_under_a_proved_name_does_not_hide_who_trained() {
    let world = with_rules().await;
    let model = world.upload(sample("table_boosting")).await.digest;
    let anybody = stemma_engine::Caller::uncredentialed(Some("somebody@bank.example".parse().unwrap()));
    let (pickle, hers) = (world.upload("weights").await.digest, [("eve.onnx", model)]);
    for (by, inputs, outputs, started) in [
        (Some(&anybody), &[][..], &[("weights.pkl", pickle)][..], 1000),
        (None, &[("weights.pkl", pickle)], &hers, 2000),
        (None, &[("eve.onnx", model)], &[("model.onnx", model)], 3000),
    ] {
        world.record_ran(Ran { inputs, outputs, started, by, ..Ran::default() }).await;
    }
    let missing = missing_after_approval(&world, model).await;
    assert!(missing.len() == 1 && missing[0].contains("what it was trained on was made under"), "{missing:?}");
}

#[tokio::test]
async fn who_made_what_it_was_trained_on_is_no_other_eye() {
    let world = with_rules().await;
    let model = world.upload(sample("table_boosting")).await.digest;
    let features = world.upload(world.csv(500..600)).await.digest;
    let outputs = [("features.csv", features)];
    world.record_ran(Ran { outputs: &outputs, by: Some(&world.reviewer), ..Ran::default() }).await;
    let (inputs, outputs) = ([("features.csv", features)], [("model.onnx", model)]);
    world.record_ran(Ran { inputs: &inputs, outputs: &outputs, started: 2000, ..Ran::default() }).await;
    world.register(model).await.unwrap();
    let (delivery, request) = (&world.delivery, RequestId::generate);
    let own = delivery
        .engine()
        .approve(&world.reviewer, request(), &project(), &world.model, "1.0.0", approve())
        .await
        .unwrap_err();
    assert_eq!(own.kind, ErrorKind::Refused);
    let other = world.person("rolf@bank.example", Role::Approver).await;
    delivery.engine().approve(&other, request(), &project(), &world.model, "1.0.0", approve()).await.unwrap();
}

#[tokio::test]
async fn a_run_that_is_recorded_after_the_registration_counts() {
    let world = with_rules().await;
    let model = world.upload(sample("table_boosting")).await.digest;
    world.register(model).await.unwrap();
    let anybody = stemma_engine::Caller::uncredentialed(Some("somebody@bank.example".parse().unwrap()));
    let outputs = [("model.onnx", model)];
    world.record_ran(Ran { outputs: &outputs, by: Some(&anybody), ..Ran::default() }).await;
    let missing = world.known().version(&project(), &world.model, "1.0.0").await.unwrap().missing_for_production;
    assert!(missing.iter().any(|line| line.contains("unproved name `somebody@bank.example`")), "{missing:?}");
}
