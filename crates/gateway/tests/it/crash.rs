//! Processes that die while they append, and disks that are full: what was acknowledged is there afterwards.
//!
//! The test binary runs itself again as the process that is to suffer.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::{Resource, Rlimit, setrlimit};
use stemma_core::endpoint::{declaration::LogMode, prediction::PredictionId};
use stemma_gateway::{AppendError, LogOptions, PredictionLog};

use crate::support::{House, append, append_as, open_log, open_log_with, post, record, request, status_and_json};
use serde_json::json;

/// The folder of the log, in processes that are started to suffer.
const CHILD_FOLDER: &str = "STEMMA_TEST_CHILD_FOLDER";

fn child_folder() -> Option<std::path::PathBuf> {
    std::env::var_os(CHILD_FOLDER).map(Into::into)
}

/// Starts one test of this binary as a child whose writes beyond the file size limit fail instead of killing it.
fn start_child(test: &str, folder: &Path) -> Child {
    let program = std::env::current_exe().unwrap();
    Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(program)
        .args(["--exact", test, "--nocapture"])
        .env(CHILD_FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn options() -> LogOptions {
    LogOptions { segment_bytes_max: 32 << 10, ..LogOptions::default() }
}

/// Appends for ever and says what was acknowledged, one line each.
#[test]
fn child_that_appends_until_it_is_killed() {
    let Some(folder) = child_folder() else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let log = open_log_with(&folder, options());
    let appending: Vec<_> = (0..8).map(|task| runtime.spawn(append_for_ever(log.clone(), task))).collect();
    for task in appending {
        runtime.block_on(task).unwrap();
    }
}

async fn append_for_ever(log: PredictionLog, task: u64) {
    for turn in 0..100_000 {
        let number = task * 1_000_000 + turn;
        let id = append(&log, (task % 2) as u16, &record("a", number)).await.unwrap();
        let line = format!("ack {id} {number}\n");
        std::io::stdout().write_all(line.as_bytes()).unwrap();
    }
}

fn acknowledged(line: &str) -> Option<(PredictionId, u64)> {
    // the test harness may have begun the first line
    let (_, rest) = line.split_once("ack ")?;
    let (id, number) = rest.split_once(' ')?;
    Some((id.parse().ok()?, number.parse().ok()?))
}

#[test]
fn whatever_was_acknowledged_survives_a_kill() {
    let rounds = if std::env::var_os("STEMMA_SOAK").is_some() { 1000 } else { 20 };
    let folder = tempfile::tempdir().unwrap();
    let mut seen = BTreeSet::new();
    for round in 0..rounds {
        let mut child = start_child("crash::child_that_appends_until_it_is_killed", folder.path());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let before_kill = 1 + (round * 37) % 211;
        let mut acks: Vec<_> = lines.by_ref().filter_map(|line| acknowledged(&line)).take(before_kill).collect();
        child.kill().unwrap();
        // what it said between the last line read and its death counts too
        acks.extend(lines.filter_map(|line| acknowledged(&line)));
        child.wait().unwrap();
        assert!(acks.len() >= before_kill);

        let log = open_log_with(folder.path(), options());
        for segment in log.recovered() {
            assert_eq!(segment.damage, None);
        }
        for (id, number) in acks {
            let found = log.lookup(&id).unwrap();
            assert_eq!(found, Some(record("a", number)), "round {round}");
            assert!(seen.insert(id), "an id was given twice");
        }
        for segment in log.unsealed() {
            log.remove(segment).unwrap();
        }
    }
}

fn limit_files_to(bytes: Option<u64>) {
    let limit = Rlimit { current: bytes, maximum: None };
    setrlimit(Resource::Fsize, limit).unwrap();
}

/// The disk fills in the middle of a write, stays full, and has room again.
#[test]
fn child_with_a_full_disk() {
    let Some(folder) = child_folder() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let log = open_log(&folder);
    let mut acknowledged = Vec::new();
    limit_files_to(Some(100_000));
    let mut number = 0;
    let mut keep = |log: &PredictionLog, number: u64| {
        let kept = runtime.block_on(append(log, 3, &record("a", number)));
        kept.map(|id| acknowledged.push((id, number)))
    };
    let refused = loop {
        number += 1;
        if let Err(refused) = keep(&log, number) {
            break refused;
        }
        assert!(number < 1000);
    };
    assert_eq!(refused, AppendError::NotWritable);
    assert_eq!(refused.to_string(), "prediction log is not writable");
    assert!(number > 50, "{number}");
    assert!(!log.is_writable());

    for _ in 0..5 {
        assert_eq!(keep(&log, number), Err(AppendError::NotWritable));
    }
    limit_files_to(None);
    for _ in 0..200 {
        number += 1;
        keep(&log, number).unwrap();
    }
    assert!(log.is_writable());
    assert_eq!(log.unsealed().len(), 1);

    // of a fast endpoint, what was answered and could not be written is counted
    limit_files_to(Some(0));
    for _ in 0..3 {
        runtime.block_on(append_as(&log, LogMode::Fast, 3, &record("a", 0))).unwrap();
        runtime.block_on(log.flush()).unwrap();
        runtime.block_on(log.ensure_writable()).unwrap_err();
        limit_files_to(None);
        runtime.block_on(log.ensure_writable()).unwrap();
        limit_files_to(Some(0));
    }
    assert_eq!(log.stats().lost, 3);
    limit_files_to(None);

    let check = |log: &PredictionLog| {
        for (id, number) in &acknowledged {
            assert_eq!(log.lookup(id).unwrap(), Some(record("a", *number)));
        }
    };
    check(&log);
    drop(log);
    let log = open_log(&folder);
    assert!(log.recovered().iter().all(|segment| segment.damage.is_none()));
    check(&log);
    let rows: u64 =
        log.unsealed().into_iter().flat_map(|segment| log.seal(segment).unwrap()).map(|part| part.rows).sum();
    assert_eq!(rows, acknowledged.len() as u64, "what was refused left nothing behind");
    runtime.block_on(a_gateway_on_a_full_disk());
    println!("the disk was full");
}

/// Answers 503 while nothing can be remembered, is not ready, and recovers by itself.
async fn a_gateway_on_a_full_disk() {
    let house = House::echo();
    let body = request("uint8", "UINT8", json!([1]), json!([1]));
    limit_files_to(Some(0));
    for _ in 0..3 {
        let response = house.send(post("/v2/models/echo/infer", body.to_string())).await;
        assert_eq!(response.headers()["retry-after"], "1");
        let (status, answer) = status_and_json(&response);
        assert_eq!((status, &answer["error"]), (503, &json!("prediction log is not writable")));
        assert_eq!(house.get("/v2/health/ready").await.0, 503);
    }
    limit_files_to(None);
    assert_eq!(house.get("/v2/health/ready").await.0, 200);
    assert_eq!(house.infer(&body).await.0, 200);
    let stats = house.gateway.endpoint_stats(&"echo".parse().unwrap()).unwrap();
    assert_eq!((stats.answered, stats.unavailable, stats.errors()), (1, 3, 3));
}

#[test]
fn a_full_disk_refuses_and_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let child = start_child("crash::child_with_a_full_disk", folder.path());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("the disk was full"), "{said}");
}
