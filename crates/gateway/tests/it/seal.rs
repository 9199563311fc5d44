//! Sealed parts: every record comes back exactly, each row is where its number says.

use std::{fs::File, path::Path};

use bytes::Bytes;
use proptest::prelude::*;
use stemma_core::{
    Timestamp,
    endpoint::{
        declaration::LogMode,
        prediction::{ArmTaken, Chosen, Outcome, PredictionRecord, RefusalKind},
    },
};
use stemma_gateway::{PredictionLog, SealedError, SealedPart, count_sealed, read_sealed, read_sealed_rows};

use crate::{
    any_record::any_record,
    support::{append_as, open_log, record},
};

async fn sealed(folder: &Path, records: &[(u16, PredictionRecord)]) -> (PredictionLog, Vec<SealedPart>) {
    let log = open_log(folder);
    for (ordinal, record) in records {
        append_as(&log, LogMode::Fast, *ordinal, record).await.unwrap();
    }
    let segment = log.rotate().await.unwrap().unwrap();
    let parts = log.seal(segment).unwrap();
    (log, parts)
}

fn read_back(part: &SealedPart) -> Vec<PredictionRecord> {
    let bytes = Bytes::from(std::fs::read(&part.file).unwrap());
    let one = |row| read_sealed(bytes.clone(), part.first_row, row).unwrap();
    (part.first_row..=part.last_row).map(one).collect()
}

#[tokio::test]
async fn a_segment_becomes_one_file_for_each_endpoint_and_day() {
    let folder = tempfile::tempdir().unwrap();
    let midnight = Timestamp::parse("2026-03-02").unwrap();
    let at = |endpoint: &str, number, micros: i64| {
        let time = Timestamp(midnight.micros() + micros);
        PredictionRecord { time, ..record(endpoint, number) }
    };
    let records = [
        (3, at("a", 0, -2_000_000)),
        (4, at("b", 1, -1_500_000)),
        (3, at("a", 2, -1)),
        (3, at("a", 3, 5)),
        // began before midnight, was written after one that began later
        (3, at("a", 4, -3)),
        (3, at("a", 5, 9)),
    ];
    let (log, parts) = sealed(folder.path(), &records).await;
    let shape = |part: &SealedPart| (part.ordinal, part.endpoint.to_string(), part.day, part.first_row, part.last_row);
    let shapes: Vec<_> = parts.iter().map(shape).collect();
    assert_eq!(
        shapes,
        [(3, "a".to_owned(), 20513, 0, 1), (3, "a".to_owned(), 20514, 2, 4), (4, "b".to_owned(), 20513, 0, 0),]
    );
    assert_eq!(parts[1].rows, 3);
    assert_eq!(parts[1].first_time, Timestamp(midnight.micros() - 3));
    assert_eq!(parts[1].last_time, Timestamp(midnight.micros() + 9));
    assert_eq!(parts[1].project.as_str(), "default");
    let of_a: Vec<PredictionRecord> = records.iter().filter(|(o, _)| *o == 3).map(|(_, r)| r.clone()).collect();
    let back: Vec<PredictionRecord> = parts[..2].iter().flat_map(read_back).collect();
    assert_eq!(back, of_a);

    let again = log.seal(parts[0].segment).unwrap();
    assert_eq!(again, parts);
    log.remove(parts[0].segment).unwrap();
    assert!(parts.iter().all(|part| !part.file.exists()));
}

#[tokio::test]
async fn sealing_again_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let records: Vec<_> = (0..50).map(|number| (3, record("a", number))).collect();
    let (log, parts) = sealed(folder.path(), &records).await;
    let first = std::fs::read(&parts[0].file).unwrap();
    log.seal(parts[0].segment).unwrap();
    assert_eq!(std::fs::read(&parts[0].file).unwrap(), first);
}

#[tokio::test]
async fn any_row_of_many_pages_and_ranges_of_rows_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let log = open_log(folder.path());
    let rows = 3000;
    for number in 0..rows {
        append_as(&log, LogMode::Fast, 3, &record("a", number)).await.unwrap();
    }
    let segment = log.rotate().await.unwrap().unwrap();
    let part = log.seal(segment).unwrap().remove(0);
    assert_eq!(part.rows, rows);
    let open = || File::open(&part.file).unwrap();
    for row in [0, 1, 255, 256, 257, 1023, 1024, 2048, 2999] {
        assert_eq!(read_sealed(open(), 0, row).unwrap(), record("a", u64::from(row)));
    }
    let range = read_sealed_rows(open(), 0, 250, 10).unwrap();
    assert!(range.iter().map(|(row, _)| *row).eq(250..260));
    assert!(range.iter().all(|(row, found)| *found == record("a", u64::from(*row))));
    assert_eq!(read_sealed_rows(open(), 0, 2995, 100).unwrap().len(), 5);
    let missing = read_sealed(open(), 0, 3000);
    assert!(matches!(missing, Err(SealedError::NoSuchRow { row: 3000, first: 0, end: 3000 })));
    assert!(matches!(read_sealed(open(), 5, 4), Err(SealedError::NoSuchRow { .. })));
    assert!(matches!(read_sealed(open(), 5, 7), Err(SealedError::Corrupt { row: 7 })), "another part's first row");
}

#[tokio::test]
async fn what_an_arm_answered_is_counted_and_what_was_refused_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let by = |arm: &str, number| PredictionRecord {
        arm: Some(ArmTaken { name: arm.to_owned(), chosen: Chosen::Drawn { propensity: 0.5 } }),
        ..record("a", number)
    };
    let failed = Outcome::Failed { kind: None, message: "it broke".to_owned() };
    let refused = Outcome::Refused { kind: RefusalKind::Input, message: "it does not fit".to_owned() };
    let records = [
        by("stable", 0),
        by("canary", 1),
        PredictionRecord { outcome: failed, ..by("canary", 2) },
        PredictionRecord { outcome: refused.clone(), ..by("canary", 3) },
        PredictionRecord { outcome: refused, arm: None, draw: None, ..record("a", 4) },
    ];
    let records = records.map(|record| (3, record));
    let expected = [((3, "canary".to_owned()), 2), ((3, "stable".to_owned()), 1)].into();
    let log = open_log(folder.path());
    for (ordinal, record) in &records {
        append_as(&log, LogMode::Durable, *ordinal, record).await.unwrap();
    }
    assert_eq!(log.counts(3).1, expected);
    let segment = log.rotate().await.unwrap().unwrap();
    let part = log.seal(segment).unwrap().remove(0);
    assert_eq!(count_sealed(File::open(&part.file).unwrap()).unwrap(), expected);
}

#[test]
fn what_is_not_parquet_is_an_error() {
    for bytes in [&b""[..], b"PAR1", b"PAR1\0\0\0\0PAR1", &[0xff; 4096]] {
        assert!(matches!(read_sealed(Bytes::from_static(bytes), 0, 0), Err(SealedError::Parquet(_))));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn every_record_comes_back_exactly_from_log_and_parquet(
        records in prop::collection::vec((0u16..3, any_record()), 1..30),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (log, parts) = runtime.block_on(sealed(folder.path(), &records));
        for ordinal in 0..3 {
            let written: Vec<_> = records.iter().filter(|(o, _)| *o == ordinal).map(|(_, r)| r.clone()).collect();
            let sealed: Vec<_> = parts.iter().filter(|part| part.ordinal == ordinal).flat_map(read_back).collect();
            prop_assert_eq!(&sealed, &written);
            let mut logged: Vec<_> = log.recent(ordinal, 100).unwrap().into_iter().map(|(_, r)| r).collect();
            logged.reverse();
            prop_assert_eq!(&logged, &written);
        }
    }
}
