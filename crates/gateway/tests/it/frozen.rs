//! Stored formats: what version 1 wrote is read for ever. The samples were written once and never change.
//!
//! `STEMMA_FREEZE=1` writes them anew, for a new version of a format.

use std::path::{Path, PathBuf};

use serde_json::json;
use stemma_core::{
    Digest, Timestamp,
    prediction::{LoggedTensor, Outcome, PredictionAddress, PredictionRecord},
    signature::Datatype,
};
use stemma_gateway::read_sealed;

use crate::support::{KEY, append, open_log, record};

const SEGMENT: u64 = 0x019c_a7c5_2400_1234;

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// An ordinary record, one with everything unusual, and one of another endpoint.
fn records() -> Vec<(u16, PredictionRecord)> {
    let unusual = PredictionRecord {
        time: Timestamp(1_772_366_400_123_456),
        request_id: None,
        unit: Some("customer-\u{1F980}".to_owned()),
        propensity: 0.1,
        outcome: Outcome::Failed { message: "output `p` is not finite".to_owned() },
        inputs: vec![LoggedTensor {
            name: "n".to_owned(),
            datatype: Datatype::Uint64,
            shape: vec![2],
            data: json!([u64::MAX, 9_007_199_254_740_993u64]),
        }],
        outputs: vec![LoggedTensor {
            name: "p".to_owned(),
            datatype: Datatype::Fp32,
            shape: vec![3],
            data: json!(["NaN", "-Infinity", -0.0]),
        }],
        nodes: Vec::new(),
        latency_us: u64::MAX,
        revision_digest: Digest::of(b"other"),
        ..record("credit-offer", 2)
    };
    vec![(3, record("credit-offer", 1)), (3, unusual), (9, record("credit-limit", 3))]
}

fn address(ordinal: u16, row: u32) -> PredictionAddress {
    PredictionAddress { segment: SEGMENT, endpoint: ordinal, row }
}

#[tokio::test]
async fn segments_and_sealed_parts_of_version_1_are_read() {
    if std::env::var_os("STEMMA_FREEZE").is_some() {
        freeze().await;
    }
    let folder = tempfile::tempdir().unwrap();
    let segment = folder.path().join(format!("{SEGMENT:016x}.seg"));
    std::fs::copy(sample("segment-v1.seg"), &segment).unwrap();
    let log = open_log(folder.path());
    let recovered = &log.recovered()[0];
    assert_eq!((recovered.records, recovered.dropped_bytes, recovered.damage), (3, 0, None));
    let expected = records();
    for (address, (_, record)) in [address(3, 0), address(3, 1), address(9, 0)].into_iter().zip(&expected) {
        assert_eq!(log.get(address).unwrap().as_ref(), Some(record));
    }
    for row in 0..2 {
        let file = std::fs::File::open(sample("part-v1.parquet")).unwrap();
        assert_eq!(read_sealed(file, 0, row).unwrap(), expected[row as usize].1);
    }
    let parts = log.seal(SEGMENT).unwrap();
    assert_eq!(parts.len(), 2);
}

/// Writes the samples: a segment under the fixed id, and the part of its first endpoint.
async fn freeze() {
    use std::sync::Arc;
    use stemma_core::ManualClock;
    use stemma_gateway::{LogOptions, PredictionLog};
    let folder = tempfile::tempdir().unwrap();
    // the id that comes after the one remembered, since the clock stands still at the epoch
    std::fs::write(folder.path().join("log.lock"), format!("{:016x}", SEGMENT - 1)).unwrap();
    let clock = Arc::new(ManualClock::at(Timestamp(0)));
    let log = PredictionLog::open(folder.path(), KEY, clock, LogOptions::default()).unwrap();
    for (ordinal, record) in records() {
        append(&log, ordinal, &record).await.unwrap();
    }
    assert_eq!(log.rotate().await.unwrap(), Some(SEGMENT));
    let parts = log.seal(SEGMENT).unwrap();
    std::fs::copy(&parts[0].file, sample("part-v1.parquet")).unwrap();
    std::fs::copy(folder.path().join(format!("{SEGMENT:016x}.seg")), sample("segment-v1.seg")).unwrap();
}
