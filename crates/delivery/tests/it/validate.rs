//! What becomes of models that do not behave in the sandbox; that good ones are blessed is a story of the binary.

use stemma_api::types::Validated;
use stemma_core::{id::RequestId, policy::GateSpec};

use crate::world::{World, project, sample};

async fn world() -> World {
    let world = World::new().await;
    world.add_dataset("test", world.csv(0..60)).await;
    let mut policy = world.policy();
    let gate: GateSpec =
        serde_json::from_value(serde_json::json!({ "kind": "validation", "wall_seconds": 1, "memory_mb": 256 }))
            .unwrap();
    policy.gates.insert("sandbox".parse().unwrap(), gate);
    world.set_policy(policy).await;
    let model = world.upload(sample("table_boosting")).await.digest;
    world.register(model).await.unwrap();
    world
}

/// Validates with a stand-in for the program that serves models.
async fn with_server(argv: &[&str]) -> (World, Validated) {
    let world = world().await;
    world.engine().set_model_server(argv.iter().map(Into::into).collect());
    let request = RequestId::generate();
    let found = world.engine().validate(&world.owner, request, &project(), &world.model, "1.0.0").await.unwrap();
    (world, found)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_crashes_calls_out_or_fails_is_not_blessed_and_it_says_why() {
    for (argv, why) in [
        (&["/bin/bash", "-c", "kill -SEGV $$"][..], "it crashed with SIGSEGV"),
        (&["/bin/bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9"], "it tried to reach the network"),
        (&["/bin/bash", "-c", "echo no such operator >&2; exit 3"], "exit code 3: no such operator"),
        (&["/bin/bash", "-c", "echo {}"], "missing field"),
    ] {
        let (_, found) = with_server(argv).await;
        assert!(!found.report.passed);
        let failed = found.report.checks.iter().find(|check| !check.passed).unwrap();
        assert!(failed.found.contains(why), "{argv:?}: {failed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_hangs_or_eats_memory_fails_within_its_own_limits() {
    for (argv, why) in [
        (&["/bin/sleep", "60"][..], "it hung: killed after 1 s"),
        (&["/usr/bin/tail", "/dev/zero"], "memory exhausted"),
    ] {
        let world = world().await;
        world.engine().set_model_server(argv.iter().map(Into::into).collect());
        let gates = stemma_api::types::RunGates { gates: vec!["sandbox".into()] };
        let request = RequestId::generate();
        let found =
            world.engine().run_gates(&world.owner, request, &project(), &world.model, "1.0.0", gates).await.unwrap();
        let [report] = found.results.as_slice() else { panic!("{found:?}") };
        assert!(!report.passed && report.checks[0].found.contains(why), "{argv:?}: {report:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_evidence_is_bound_to_the_version() {
    let (world, found) = with_server(&["/bin/false"]).await;
    let detail = world.known().version(&project(), &world.model, "1.0.0").await.unwrap();
    let evidence = detail.evidence.iter().find(|one| one.evidence == found.evidence).unwrap();
    assert_eq!(
        (evidence.kind.as_str(), evidence.subject, evidence.passed),
        ("validation", detail.version.digest, false)
    );
    assert!(evidence.summary.starts_with("not blessed: it failed with exit code 1"), "{}", evidence.summary);
}
