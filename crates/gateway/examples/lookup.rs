//! How long it takes to find one prediction among a million sealed ones, from opening the file to the record.
//!
//! `cargo run --release -p stemma-gateway --example lookup -- [ROWS]`

use std::{fs::File, sync::Arc, time::Instant};

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
use stemma_gateway::{LogOptions, NewRecord, PredictionLog, read_sealed};

const LOOKUPS: u64 = 500;

fn record(number: u64) -> Result<PredictionRecord, Box<dyn std::error::Error>> {
    let number_as_float = number as f64;
    let inputs = (0..10).map(|feature| {
        let name = format!("feature_{feature}");
        let data = json!([number_as_float * f64::from(feature) / 7.0]);
        LoggedTensor { name, datatype: Datatype::Fp64, shape: vec![1, 1], data }
    });
    Ok(PredictionRecord {
        v: RECORD_VERSION,
        time: Timestamp(1_772_366_400_000_000 + number as i64 * 50),
        endpoint: "credit-offer".parse()?,
        revision: 1,
        revision_digest: Digest::of(b"revision"),
        request_id: Some(format!("order-{number}")),
        caller: "shop@example.org".parse()?,
        trace: None,
        subject: None,
        draw: Some(Draw {
            unit: format!("customer-{}", number % 10_007),
            given_by: GivenBy::Gateway,
            salt: Some("credit-offer".to_owned()),
            bucket: Some(4_089_099_642_262_096),
            partition: None,
            allocation: Some(0),
        }),
        arm: Some(ArmTaken { name: "single".to_owned(), chosen: Chosen::Drawn { propensity: 1.0 } }),
        outcome: Outcome::Answered,
        inputs: inputs.collect(),
        outputs: vec![LoggedTensor {
            name: "p".to_owned(),
            datatype: Datatype::Fp64,
            shape: vec![1, 1],
            data: json!([(number_as_float * 0.37).sin()]),
        }],
        nodes: vec![NodeRecord {
            node: "single".to_owned(),
            kind: StepKind::Model,
            what: Identity::Digest(Digest::of(b"model")),
            model: Some("credit-score".parse()?),
            version: Some("1.0.2".parse()?),
            began_us: Some(300),
            latency_us: number % 97,
            ended: Some(NodeEnding::Answered),
            outputs: Vec::new(),
        }],
        overrides: Vec::new(),
        latency_us: number % 997,
        reported: None,
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rows: u64 = match std::env::args().nth(1) {
        Some(rows) => rows.parse()?,
        None => 1_000_000,
    };
    let folder = std::env::temp_dir().join(format!("stemma-lookup-{}", std::process::id()));
    let options = LogOptions { segment_bytes_max: 8 << 30, queue_bytes_max: 1 << 30, ..LogOptions::default() };
    let key = PredictionKey::from_bytes([7; 32]);
    let log = PredictionLog::open(&folder, key, Arc::new(SystemClock), options)?;
    let project = ProjectName::default_project();
    let start = Instant::now();
    for number in 0..rows {
        let record = record(number)?;
        let new = NewRecord { project: &project, ordinal: 1, record: &record };
        log.append(LogMode::Fast, new.encode()?).await?;
    }
    let segment = log.rotate().await?.ok_or("nothing was appended")?;
    println!("appended {rows} rows in {:.1} s", start.elapsed().as_secs_f64());
    let start = Instant::now();
    let part = log.seal(segment)?.remove(0);
    let bytes = std::fs::metadata(&part.file)?.len();
    println!("sealed them in {:.1} s: {} bytes a row", start.elapsed().as_secs_f64(), bytes / rows);

    let mut latencies = Vec::new();
    for turn in 0..LOOKUPS {
        let row = (turn * 7_919_993 % rows) as u32;
        let start = Instant::now();
        let found = read_sealed(File::open(&part.file)?, part.first_row, row)?;
        latencies.push(start.elapsed().as_micros());
        assert_eq!(found, record(u64::from(row))?);
    }
    latencies.sort_unstable();
    let at = |quantile: f64| latencies[((latencies.len() - 1) as f64 * quantile) as usize];
    println!("one row of them: p50 {} us, p99 {} us, max {} us", at(0.5), at(0.99), at(1.0));
    log.remove(segment)?;
    drop(log);
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
