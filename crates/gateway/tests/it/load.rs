//! Under load: tables are swapped whole, no request fails or waits, each answer comes from one version.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use serde_json::json;
use stemma_core::{
    Digest,
    endpoint::{declaration::LogMode, target::Target},
};
use stemma_gateway::{Endpoint, Routes, Runtime};
use tokio::{sync::mpsc::channel, task::spawn_blocking, time::timeout};

use crate::support::{Echo, House, counting_echo, echo_signature, post, request, revision, routes, status_and_json};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_swaps_fail_no_request_and_mix_no_versions() {
    let versions = ["1.0.2", "1.1.0"];
    let house = Arc::new(House::new(Routes::default()));
    let swap = |turn: usize| {
        let version = versions[turn % 2];
        let endpoint = counting_echo("echo", version, LogMode::Fast, house.gateway.counters());
        house.gateway.live().show(routes(vec![endpoint]));
    };
    swap(0);
    let done = Arc::new(AtomicBool::new(false));
    let mut askers = Vec::new();
    for _ in 0..8 {
        let (house, done) = (Arc::clone(&house), Arc::clone(&done));
        askers.push(tokio::spawn(async move {
            let body = request("uint8", "UINT8", json!([1]), json!([1])).to_string();
            let mut seen = [0; 2];
            while !done.load(Ordering::SeqCst) {
                let response = house.send(post("/v2/models/echo/infer", body.clone())).await;
                let (status, answer) = status_and_json(&response);
                assert_eq!(status, 200, "{answer}");
                let version = answer["model_version"].as_str().unwrap();
                assert_eq!(answer["parameters"]["version"], version);
                assert_eq!(response.headers()["x-stemma-version"], version);
                let digest = Digest::of(version.as_bytes()).to_string();
                assert_eq!(answer["parameters"]["digest"], digest);
                seen[usize::from(version == versions[1])] += 1;
            }
            seen
        }));
    }
    for turn in 1..=1000 {
        swap(turn);
        tokio::task::yield_now().await;
    }
    done.store(true, Ordering::SeqCst);
    let mut answered = 0;
    for asker in askers {
        let seen = asker.await.unwrap();
        answered += seen[0] + seen[1];
    }
    house.log.flush().await.unwrap();
    assert!(answered > 0);
    assert_eq!(house.log.stats().written, answered);
    assert_eq!(house.gateway.stats()[0].answered, answered);
}

/// Asks within a time: whoever waits for the next table fails.
async fn version_that_answers(house: &House) -> String {
    let body = request("uint8", "UINT8", json!([1]), json!([1]));
    let (status, answer) = timeout(Duration::from_secs(20), house.infer(&body)).await.expect("it waits");
    assert_eq!(status, 200, "{answer}");
    answer["model_version"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn while_models_load_requests_are_answered_by_the_table_before() {
    let house = House::echo();
    let (begun, mut has_begun) = channel(1);
    let (open, gate) = mpsc::channel();
    let gateway = Arc::clone(&house.gateway);
    let load_next = move || {
        // a loader that takes its time
        let load = |_: &Target| {
            begun.blocking_send(()).unwrap();
            gate.recv().map(|()| Arc::new(Echo::new(echo_signature())) as Arc<dyn Runtime>)
        };
        let revision = revision("echo", "1.1.0", LogMode::Durable);
        routes(vec![Endpoint::load(revision, Digest::of(b"next"), gateway.counters(), &load).unwrap()])
    };
    let gateway = Arc::clone(&house.gateway);
    let building = tokio::spawn(async move { gateway.live().renew(spawn_blocking(load_next)).await });
    has_begun.recv().await.unwrap();
    for _ in 0..3 {
        assert_eq!(version_that_answers(&house).await, "1.0.2");
        assert_eq!(house.get("/v2/models/echo").await.1["versions"], json!(["1.0.2"]));
        assert_eq!(house.get("/v2/health/ready").await.0, 200);
    }
    assert!(!building.is_finished());
    open.send(()).unwrap();
    building.await.unwrap().unwrap();
    assert_eq!(version_that_answers(&house).await, "1.1.0");
}
