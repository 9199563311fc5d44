//! Stored formats: what any version wrote is read for ever. The samples were written once and never change.
//!
//! `STEMMA_FREEZE=1` writes those of the version that is written now, as long as no release has it.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Value, json};
use stemma_core::{
    Digest, ManualClock, Timestamp,
    endpoint::prediction::{PredictionAddress, PredictionRecord},
};
use stemma_gateway::{LogOptions, PredictionLog, count_sealed, read_sealed};

use crate::support::{KEY, append, open_log};

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn tensor(name: &str, datatype: &str, shape: Value, data: Value) -> Value {
    json!({ "name": name, "datatype": datatype, "shape": shape, "data": data })
}

fn read(record: &Value) -> PredictionRecord {
    PredictionRecord::read(&record.to_string()).unwrap()
}

/// With more members, or others instead; `null` takes one away.
fn with(mut record: Value, members: Value) -> Value {
    let all = record.as_object_mut().unwrap();
    for (name, member) in members.as_object().unwrap() {
        match member {
            Value::Null => drop(all.remove(name)),
            member => drop(all.insert(name.clone(), member.clone())),
        }
    }
    record
}

/// A record as version 1 wrote it.
fn first(number: u64) -> Value {
    json!({
        "time": Timestamp(1_772_366_400_000_000 + number as i64 * 1_000), "endpoint": "credit-offer", "revision": 3,
        "revision_digest": Digest::of(b"revision"), "request_id": format!("request-{number}"),
        "caller": "shop@example.org", "variant": "single", "propensity": 1.0, "outcome": { "status": "answered" },
        "inputs": [tensor("amount", "UINT64", json!([1, 1]), json!([number]))],
        "outputs": [tensor("p", "FP32", json!([1, 1]), json!([0.25]))],
        "nodes": [{ "node": "single", "model": "credit-score", "version": "1.0.2", "digest": Digest::of(b"model"),
            "latency_us": 12 }],
        "latency_us": 345,
    })
}

/// An ordinary record, one with everything unusual, and one of another endpoint.
fn of_version_1() -> [(u16, Value); 3] {
    let unusual = json!({
        "time": Timestamp(1_772_366_400_123_456), "request_id": null, "unit": "customer-\u{1F980}", "propensity": 0.1,
        "outcome": { "status": "failed", "message": "output `p` is not finite" },
        "inputs": [tensor("n", "UINT64", json!([2]), json!([u64::MAX, 9_007_199_254_740_993u64]))],
        "outputs": [tensor("p", "FP32", json!([3]), json!(["NaN", "-Infinity", -0.0]))],
        "nodes": [], "latency_us": u64::MAX, "revision_digest": Digest::of(b"other"),
    });
    let other = json!({ "endpoint": "credit-limit" });
    [(3, first(1)), (3, with(first(2), unusual)), (9, with(first(3), other))]
}

/// The same of the last days of version 1: arms of a canary, a sequence, and overrides.
fn of_late_version_1() -> [(u16, Value); 3] {
    let node = |node: &str, version: &str, outputs: Value| {
        let model = format!("credit-{node}");
        json!({ "node": node, "model": model, "version": version, "digest": Digest::of(model.as_bytes()),
            "latency_us": 12, "outputs": outputs })
    };
    let one = |name: &str, data: f64| json!([tensor(name, "FP32", json!([1, 1]), json!([data]))]);
    let both = json!({
        "revision": 4, "variant": "canary", "propensity": 0.2, "unit": "customer-29",
        "inputs": [tensor("amount", "UINT64", json!([1, 1]), json!([u64::MAX]))], "outputs": one("limit", 2000.0),
    });
    let capped = json!({
        "nodes": [node("score", "1.1.0", one("p", 0.25)), node("limit", "1.0.0", one("limit", 9000.5))],
        "overrides": [
            { "name": "cap", "effect": "bounded", "output": "limit", "count": 1, "before": [[0, 9000.5]] },
            { "name": "old", "effect": "expired", "since": Timestamp(1_772_366_000_000_000) },
        ],
    });
    let failed = json!({
        "unit": null, "variant": "stable", "propensity": 0.8, "outputs": [], "nodes": [node("score", "1.0.0", json!([]))],
        "outcome": { "status": "failed", "message": "model `credit-score@1.0.0` failed: no such category" },
    });
    let other = json!({ "endpoint": "credit-limit" });
    [
        (3, with(with(first(1), both.clone()), capped)),
        (3, with(with(first(2), both), failed)),
        (9, with(first(3), other)),
    ]
}

/// Of version 2: with everything it can say, and three that could say little.
fn of_version_2() -> [(u16, Value); 4] {
    let none = json!({ "variant": null, "propensity": null, "v": 2, "request_id": null, "inputs": [], "outputs": [], "nodes": [] });
    let draw = |by: &str| {
        json!({ "unit": "customer-29", "given_by": by, "salt": "credit-offer/2026", "bucket": (1u64 << 53) - 1,
            "partition": "staff", "allocation": 7 })
    };
    let node = |name: &str, kind: &str, what: Value, ended: &str| {
        with(what, json!({ "node": name, "kind": kind, "began_us": 20, "latency_us": 12, "ended": ended }))
    };
    let model = json!({ "digest": Digest::of(b"model"), "model": "credit-score", "version": "1.1.0" });
    let p = json!([tensor("p", "FP32", json!([1, 1]), json!([0.25]))]);
    let whole = json!({
        "request_id": "order-17", "subject": "person-4",
        "trace": { "trace_id": "4b".repeat(16), "parent_id": "f0".repeat(8), "flags": 1 },
        "draw": draw("caller"), "arm": { "name": "challenger", "chosen": "drawn", "propensity": 0.1 },
        "inputs": [tensor("amount", "UINT64", json!([1, 1]), json!([u64::MAX]))],
        "outputs": [tensor("limit", "FP32", json!([1, 1]), json!([2000.0]))],
        "nodes": [
            node("features", "feature", json!({ "digest": Digest::of(b"features"), "outputs": p }), "answered"),
            node("score", "model", model, "answered"),
            node("ask", "remote", json!({ "external": "https://models.example/score" }), "timed_out"),
            node("run", "process", json!({ "digest": Digest::of(b"lock") }), "failed"),
            node("bureau", "external", json!({ "external": "credit bureau" }), "skipped"),
        ],
        "overrides": [{ "name": "cap", "effect": "bounded", "output": "limit", "count": 1, "before": [[0, 9000.5]] }],
    });
    let forced = json!({ "arm": { "name": "champion", "chosen": "forced", "by": "ada@example.org" }, "draw": draw("gateway"),
        "outcome": { "status": "failed", "kind": "timed_out", "message": "it took more than 2 s" } });
    let fallback =
        json!({ "arm": { "name": "champion", "chosen": "fallback", "from": "challenger", "because": "it failed" } });
    let refused = json!({ "endpoint": "credit-limit",
        "outcome": { "status": "refused", "kind": "overloaded", "message": "too many requests at once" } });
    let one = |number, members| with(with(first(number), none.clone()), members);
    [(3, one(1, whole)), (3, one(2, forced)), (3, one(3, fallback)), (9, one(4, refused))]
}

/// The samples of one version: a segment's file, a part of endpoint 3 sealed by that version, and what both say.
fn check(id: u64, segment: &str, part: &str, records: &[(u16, Value)]) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(sample(segment), folder.path().join(format!("{id:016x}.seg"))).unwrap();
    let log = open_log(folder.path());
    let recovered = &log.recovered()[0];
    assert_eq!((recovered.records, recovered.dropped_bytes, recovered.damage), (records.len() as u64, 0, None));
    let of = |ordinal: u16| records.iter().filter(move |(of, _)| *of == ordinal).map(|(_, record)| read(record));
    let parts = log.seal(id).unwrap();
    assert_eq!(parts.len(), 2);
    for (row, record) in (0..).zip(of(3)) {
        assert_eq!(log.get(PredictionAddress { segment: id, endpoint: 3, row }).unwrap().as_ref(), Some(&record));
        // as the version itself sealed it, and as it is sealed now
        for file in [&sample(part), &parts[0].file] {
            assert_eq!(read_sealed(File::open(file).unwrap(), 0, row).unwrap(), record, "{}", file.display());
        }
    }
    let other = of(9).next().unwrap();
    assert_eq!(log.get(PredictionAddress { segment: id, endpoint: 9, row: 0 }).unwrap(), Some(other.clone()));
    assert_eq!(read_sealed(File::open(&parts[1].file).unwrap(), 0, 0).unwrap(), other);
    let counts = count_sealed(File::open(sample(part)).unwrap()).unwrap();
    assert_eq!(counts, log.counts(3).1);
    assert_eq!(counts.values().sum::<u64>(), of(3).count() as u64);
}

#[test]
fn segments_and_sealed_parts_of_version_1_are_read() {
    check(0x019c_a7c5_2400_1234, "segment-v1.seg", "part-v1.parquet", &of_version_1());
    check(0x019c_a7c5_2400_5678, "segment-v1-overridden.seg", "part-v1-overridden.parquet", &of_late_version_1());
}

#[test]
fn what_version_1_did_not_know_stays_unknown() {
    let [(_, capped), (_, failed), _] = of_late_version_1().map(|(ordinal, record)| (ordinal, read(&record)));
    assert_eq!((capped.v, capped.trace, &capped.subject), (1, None, &None));
    let draw = capped.draw.unwrap();
    assert_eq!((draw.unit.as_str(), draw.salt, draw.bucket, draw.allocation), ("customer-29", None, None, None));
    assert!(capped.nodes.iter().all(|node| node.ended.is_none() && node.began_us.is_none()));
    assert_eq!((failed.draw, failed.outcome.kind()), (None, None));
    assert_eq!(failed.arm.unwrap().to_string(), "stable, drawn with probability 0.8");
}

#[tokio::test]
async fn segments_and_sealed_parts_of_version_2_are_read() {
    const SEGMENT: u64 = 0x019c_a7c5_2400_9abc;
    if std::env::var_os("STEMMA_FREEZE").is_some() {
        freeze(SEGMENT, "segment-v2.seg", "part-v2.parquet", &of_version_2()).await;
    }
    check(SEGMENT, "segment-v2.seg", "part-v2.parquet", &of_version_2());
    for (_, record) in of_version_2() {
        assert_eq!(serde_json::to_value(read(&record)).unwrap(), record);
    }
}

#[test]
fn what_a_newer_stemma_wrote_is_not_read_as_something_else() {
    let record = with(first(1), json!({ "v": 3 })).to_string();
    let error = PredictionRecord::read(&record).unwrap_err().to_string();
    assert_eq!(error, "the record is of version 3, which a newer Stemma wrote; this one reads up to 2");
}

/// Writes the samples: a segment under the fixed id, and the part of its first endpoint.
async fn freeze(id: u64, segment: &str, part: &str, records: &[(u16, Value)]) {
    let folder = tempfile::tempdir().unwrap();
    // the id that comes after the one remembered, since the clock stands still at the epoch
    std::fs::write(folder.path().join("log.lock"), format!("{:016x}", id - 1)).unwrap();
    let clock = Arc::new(ManualClock::at(Timestamp(0)));
    let log = PredictionLog::open(folder.path(), KEY, clock, LogOptions::default()).unwrap();
    for (ordinal, record) in records {
        append(&log, *ordinal, &read(record)).await.unwrap();
    }
    assert_eq!(log.rotate().await.unwrap(), Some(id));
    let parts = log.seal(id).unwrap();
    std::fs::copy(&parts[0].file, sample(part)).unwrap();
    std::fs::copy(folder.path().join(format!("{id:016x}.seg")), sample(segment)).unwrap();
}
