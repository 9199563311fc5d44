//! What is read back after a crash or damage: a correct prefix or an error, never a wrong record.

use std::path::{Path, PathBuf};

use stemma_core::endpoint::prediction::{PredictionAddress, PredictionRecord};
use stemma_gateway::{LogError, PredictionLog, SealError};

use crate::support::{KEY, append, open_log, record};

const RECORDS: u64 = 6;

/// A folder with one ended segment: two endpoints, records written one by one.
async fn sample() -> (tempfile::TempDir, u64, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let log = open_log(folder.path());
    let mut segment = 0;
    for number in 0..RECORDS {
        let id = append(&log, (number % 2) as u16, &record("a", number)).await.unwrap();
        segment = id.open(&KEY).unwrap().segment;
    }
    drop(log);
    let bytes = std::fs::read(path(folder.path(), segment)).unwrap();
    (folder, segment, bytes)
}

fn path(folder: &Path, segment: u64) -> PathBuf {
    folder.join(format!("{segment:016x}.seg"))
}

/// Opens the log over these bytes and returns which records it finds, after comparing each with what was written.
fn found(folder: &Path, segment: u64, bytes: &[u8]) -> (PredictionLog, Vec<u64>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::remove_file(path).unwrap();
        }
    }
    std::fs::write(path(folder, segment), bytes).unwrap();
    let log = open_log(folder);
    let mut found = Vec::new();
    for number in 0..RECORDS {
        if let Some(read) = read(&log, segment, number) {
            assert_eq!(read, record("a", number));
            found.push(number);
        }
    }
    (log, found)
}

fn read(log: &PredictionLog, segment: u64, number: u64) -> Option<PredictionRecord> {
    let (endpoint, row) = ((number % 2) as u16, (number / 2) as u32);
    log.get(PredictionAddress { segment, endpoint, row }).unwrap()
}

fn is_prefix(found: &[u64]) -> bool {
    found.iter().copied().eq(0..found.len() as u64)
}

/// Every length is tried on the reader of frames itself; here a sample goes all the way to sealing.
#[tokio::test]
async fn any_truncation_gives_a_correct_prefix_and_can_be_sealed() {
    let (folder, segment, bytes) = sample().await;
    let mut longest = 0;
    for length in (0..=bytes.len()).step_by(29).chain([bytes.len()]) {
        let mut cut = bytes[..length].to_vec();
        if length % 2 == 0 {
            cut.resize(length + 4096, 0);
        }
        let (log, found) = found(folder.path(), segment, &cut);
        assert!(is_prefix(&found), "{length}: {found:?}");
        longest = longest.max(found.len());
        let report = &log.recovered()[0];
        assert_eq!((report.damage, report.records), (None, found.len() as u64));
        assert!(report.dropped_bytes <= length as u64);
        if found.is_empty() {
            assert!(log.unsealed().is_empty());
            continue;
        }
        let parts = log.seal(segment).unwrap();
        let rows: u64 = parts.iter().map(|part| part.rows).sum();
        assert_eq!(rows, found.len() as u64);
    }
    assert_eq!(longest as u64, RECORDS);
}

#[tokio::test]
async fn a_recovered_segment_is_ended_so_that_later_damage_is_seen() {
    let (folder, segment, bytes) = sample().await;
    let (log, first) = found(folder.path(), segment, &bytes[..bytes.len() - 41]);
    assert_eq!(first.len() as u64, RECORDS - 1);
    assert!(log.recovered()[0].dropped_bytes > 0);
    drop(log);
    let mut again = std::fs::read(path(folder.path(), segment)).unwrap();
    let (log, second) = found(folder.path(), segment, &again);
    assert_eq!((first, log.recovered()[0].dropped_bytes), (second, 0));
    drop(log);
    let at = again.len() - 60;
    again[at] ^= 1;
    let (log, _) = found(folder.path(), segment, &again);
    assert!(log.recovered()[0].damage.is_some());
}

/// Every bit is tried on the reader of frames itself; here a sample goes all the way to sealing.
#[tokio::test]
async fn any_flipped_byte_is_reported_and_never_a_wrong_record() {
    let (folder, segment, bytes) = sample().await;
    for at in (0..bytes.len() - 40).step_by(37) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        let (log, found) = found(folder.path(), segment, &flipped);
        let report = &log.recovered()[0];
        let damage = report.damage.unwrap_or_else(|| panic!("byte {at} went unseen"));
        assert!(damage <= at as u64);
        let lost = if at < 32 { 0 } else { 1 };
        assert_eq!(found.len() as u64, RECORDS - lost, "{at}: {found:?}");
        let refused = log.seal(segment);
        assert!(matches!(refused, Err(SealError::Log(LogError::Corrupt { .. }))));
        let rows: u64 = log.seal_remains(segment).unwrap().iter().map(|part| part.rows).sum();
        assert_eq!(rows, RECORDS - lost);
    }
}

#[tokio::test]
async fn a_flipped_byte_in_the_end_frame_costs_no_record() {
    let (folder, segment, bytes) = sample().await;
    for at in (bytes.len() - 40..bytes.len()).step_by(7) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        let (_, found) = found(folder.path(), segment, &flipped);
        assert_eq!(found.len() as u64, RECORDS);
    }
}

#[tokio::test]
async fn a_damaged_file_is_left_as_it_is() {
    let (folder, segment, mut bytes) = sample().await;
    bytes[100] ^= 1;
    drop(found(folder.path(), segment, &bytes));
    assert_eq!(std::fs::read(path(folder.path(), segment)).unwrap(), bytes);
}

#[tokio::test]
async fn foreign_files_are_left_alone() {
    let (folder, segment, bytes) = sample().await;
    let foreign = folder.path().join("notes.txt");
    let upper = folder.path().join("00000000000000AB.seg");
    drop(found(folder.path(), segment, &bytes));
    std::fs::write(&foreign, "mine").unwrap();
    std::fs::write(&upper, "mine").unwrap();
    drop(open_log(folder.path()));
    assert!(foreign.exists() && upper.exists());
}
