//! How many records a second become durable, by how many callers wait at once.
//!
//! `cargo run --release -p stemma-gateway --example append -- [FOLDER]`

use std::{path::PathBuf, sync::Arc, time::Instant};

use serde_json::json;
use stemma_core::{
    Digest, SystemClock, Timestamp,
    endpoint::{
        declaration::LogMode,
        prediction::{
            ArmTaken, Chosen, Draw, GivenBy, LoggedTensor, NodeEnding, NodeRecord, Outcome, PredictionKey,
            PredictionRecord, RECORD_VERSION,
        },
        target::{Identity, StepKind},
    },
    name::ProjectName,
    signature::Datatype,
};
use stemma_gateway::{LogOptions, NewRecord, PredictionLog};

const SECONDS: f64 = 3.0;

fn record() -> Result<PredictionRecord, Box<dyn std::error::Error>> {
    let tensor =
        |name: &str, data| LoggedTensor { name: name.to_owned(), datatype: Datatype::Fp32, shape: vec![1, 20], data };
    Ok(PredictionRecord {
        v: RECORD_VERSION,
        time: Timestamp(1_772_366_400_000_000),
        endpoint: "credit-offer".parse()?,
        revision: 1,
        revision_digest: Digest::of(b"revision"),
        request_id: Some("order-17".to_owned()),
        caller: "shop@example.org".parse()?,
        trace: None,
        subject: None,
        draw: Some(Draw {
            unit: "018f6a3e-5d5c-7a31-9b1e-0123456789ab".to_owned(),
            given_by: GivenBy::Gateway,
            salt: Some("credit-offer".to_owned()),
            bucket: Some(4_089_099_642_262_096),
            partition: None,
            allocation: Some(0),
        }),
        arm: Some(ArmTaken { name: "single".to_owned(), chosen: Chosen::Drawn { propensity: 1.0 } }),
        outcome: Outcome::Answered,
        inputs: vec![tensor("x", json!((0..20).map(f64::from).collect::<Vec<_>>()))],
        outputs: vec![tensor("p", json!([0.25]))],
        nodes: vec![NodeRecord {
            node: "single".to_owned(),
            kind: StepKind::Model,
            what: Identity::Digest(Digest::of(b"model")),
            model: Some("credit-score".parse()?),
            version: Some("1.0.2".parse()?),
            began_us: Some(300),
            latency_us: 12,
            ended: Some(NodeEnding::Answered),
            outputs: Vec::new(),
        }],
        overrides: Vec::new(),
        latency_us: 345,
        reported: None,
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = match std::env::args_os().nth(1) {
        Some(folder) => PathBuf::from(folder),
        None => std::env::temp_dir().join(format!("stemma-append-{}", std::process::id())),
    };
    let key = PredictionKey::from_bytes([7; 32]);
    let log = PredictionLog::open(&folder, key, Arc::new(SystemClock), LogOptions::default())?;
    let record = Arc::new(record()?);
    for waiters in [1, 32, 256] {
        let before = log.stats();
        let start = Instant::now();
        let tasks: Vec<_> =
            (0..waiters).map(|_| tokio::spawn(append_until(log.clone(), Arc::clone(&record), start))).collect();
        let mut latencies = Vec::new();
        for task in tasks {
            latencies.extend(task.await??);
        }
        let seconds = start.elapsed().as_secs_f64();
        latencies.sort_unstable();
        let at = |quantile: f64| latencies[((latencies.len() - 1) as f64 * quantile) as usize];
        let batches = log.stats().batches - before.batches;
        println!(
            "{waiters:>4} waiters: {:>8.0} records/s, {:>5.1} a sync, p50 {} us, p99 {} us",
            latencies.len() as f64 / seconds,
            latencies.len() as f64 / batches as f64,
            at(0.5),
            at(0.99),
        );
    }
    drop(log);
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

async fn append_until(
    log: PredictionLog,
    record: Arc<PredictionRecord>,
    start: Instant,
) -> Result<Vec<u128>, stemma_gateway::AppendError> {
    let project = ProjectName::default_project();
    let mut latencies = Vec::new();
    while start.elapsed().as_secs_f64() < SECONDS {
        let began = Instant::now();
        let new = NewRecord { project: &project, ordinal: 1, record: &record };
        log.append(LogMode::Durable, new.encode()?).await?;
        latencies.push(began.elapsed().as_micros());
    }
    Ok(latencies)
}
