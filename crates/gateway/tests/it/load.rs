//! Under load: tables are swapped whole, no request fails, each answer comes from one version.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::json;
use stemma_core::route::LogMode;

use crate::support::{House, echo_endpoint, post, request, status_and_json, table};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_swaps_fail_no_request_and_mix_no_versions() {
    let versions = ["1.0.2", "1.1.0"];
    let swapped = |turn: usize| Arc::new(table(vec![echo_endpoint("echo", versions[turn % 2], LogMode::Fast)]));
    let house = Arc::new(House::new(table(vec![echo_endpoint("echo", versions[0], LogMode::Fast)])));
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
                let digest = stemma_core::Digest::of(version.as_bytes()).to_string();
                assert_eq!(answer["parameters"]["digest"], digest);
                seen[usize::from(version == versions[1])] += 1;
            }
            seen
        }));
    }
    for turn in 1..=1000 {
        house.routes.send_replace(swapped(turn));
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
