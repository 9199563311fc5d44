//! Appending, reading, rotating and removing.

use std::{collections::BTreeSet, sync::Arc};

use stemma_core::{
    ManualClock, Timestamp,
    endpoint::{
        declaration::LogMode,
        prediction::{ArmTaken, Chosen, Draw, PredictionAddress, PredictionId, PredictionKey, PredictionRecord},
    },
};
use stemma_gateway::{AppendError, LogError, LogOptions, PredictionLog};

use crate::support::{KEY, append, append_as, open_log, open_log_with, record};

fn address(id: &PredictionId) -> PredictionAddress {
    id.open(&KEY).unwrap()
}

#[tokio::test]
async fn a_record_is_found_by_its_id_until_its_segment_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let log = open_log(folder.path());
    let first = append(&log, 3, &record("a", 1)).await.unwrap();
    let second = append(&log, 4, &record("b", 2)).await.unwrap();
    assert_eq!(log.lookup(&first).unwrap(), Some(record("a", 1)));
    assert_eq!(log.lookup(&second).unwrap(), Some(record("b", 2)));
    assert!(log.unsealed().is_empty());

    let ended = log.rotate().await.unwrap().unwrap();
    assert_eq!(log.unsealed(), [ended]);
    assert_eq!(log.rotate().await.unwrap(), None, "an empty segment is not ended");
    assert_eq!(log.lookup(&first).unwrap(), Some(record("a", 1)));
    let third = append(&log, 3, &record("a", 3)).await.unwrap();
    assert_eq!(address(&third).row, 0, "rows begin anew in a new segment");

    let open = address(&third).segment;
    assert!(matches!(log.remove(open), Err(LogError::NoSuchSegment(id)) if id == open));
    assert!(log.stats().unsealed_bytes > 0);
    log.remove(ended).unwrap();
    assert_eq!(log.stats().unsealed_bytes, 0);
    assert_eq!(log.lookup(&first).unwrap(), None);
    assert!(matches!(log.remove(ended), Err(LogError::NoSuchSegment(_))));
}

#[tokio::test]
async fn ids_of_another_home_and_unknown_rows_find_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let log = open_log(folder.path());
    let id = append(&log, 3, &record("a", 1)).await.unwrap();
    let foreign = PredictionId::seal(address(&id), &PredictionKey::from_bytes([8; 32]));
    assert_eq!(log.lookup(&foreign).unwrap(), None);
    for (endpoint, row) in [(3, 1), (4, 0)] {
        let segment = address(&id).segment;
        let address = PredictionAddress { segment, endpoint, row };
        assert_eq!(log.get(address).unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tasks_get_dense_rows_and_share_syncs() {
    let folder = tempfile::tempdir().unwrap();
    let options = LogOptions { segment_bytes_max: 1 << 20, ..LogOptions::default() };
    let log = open_log_with(folder.path(), options);
    let mut tasks = Vec::new();
    for task in 0..64u64 {
        let log = log.clone();
        tasks.push(tokio::spawn(async move {
            let mut ids = Vec::new();
            for turn in 0..200 {
                let number = task * 1_000 + turn;
                let ordinal = (number % 3) as u16;
                ids.push((append(&log, ordinal, &record("a", number)).await.unwrap(), number));
            }
            ids
        }));
    }
    let mut rows = BTreeSet::new();
    for task in tasks {
        for (id, number) in task.await.unwrap() {
            let at = address(&id);
            assert!(rows.insert((at.segment, at.endpoint, at.row)), "{at:?} twice");
            if number % 17 == 0 {
                assert_eq!(log.get(at).unwrap(), Some(record("a", number)));
            }
        }
    }
    assert_eq!(rows.len(), 64 * 200);
    let mut previous = None;
    for (segment, endpoint, row) in &rows {
        let expected = match previous {
            Some((s, e, r)) if (s, e) == (*segment, *endpoint) => r + 1,
            _ => 0,
        };
        assert_eq!(*row, expected);
        previous = Some((*segment, *endpoint, *row));
    }
    assert!(log.unsealed().len() >= 5, "segments end by size");
    let stats = log.stats();
    assert_eq!((stats.written, stats.lost), (64 * 200, 0));
    assert!(stats.batches < stats.written / 4, "{stats:?}");
}

#[tokio::test]
async fn segments_end_before_they_outgrow_their_bound() {
    let folder = tempfile::tempdir().unwrap();
    let options = LogOptions { segment_bytes_max: 4096, ..LogOptions::default() };
    let log = open_log_with(folder.path(), options);
    for number in 0..40 {
        append(&log, 3, &record("a", number)).await.unwrap();
    }
    let ended = log.unsealed();
    assert!(ended.len() >= 3);
    assert!(ended.is_sorted());
    for segment in ended {
        let file = folder.path().join(format!("{segment:016x}.seg"));
        let bytes = std::fs::metadata(file).unwrap().len();
        assert!((1000..=4096 + 40).contains(&bytes), "{bytes}");
    }
}

#[tokio::test]
async fn a_record_larger_than_a_segment_gets_one_for_itself() {
    let folder = tempfile::tempdir().unwrap();
    let options = LogOptions { segment_bytes_max: 4096, ..LogOptions::default() };
    let log = open_log_with(folder.path(), options);
    let mut large = record("a", 1);
    large.request_id = Some("x".repeat(100_000));
    let ids = [
        append(&log, 3, &record("a", 0)).await.unwrap(),
        append(&log, 3, &large).await.unwrap(),
        append(&log, 3, &record("a", 2)).await.unwrap(),
    ];
    let segments: BTreeSet<u64> = ids.iter().map(|id| address(id).segment).collect();
    assert_eq!(segments.len(), 3);
    assert_eq!(log.lookup(&ids[1]).unwrap(), Some(large));
}

#[tokio::test]
async fn what_waits_to_be_sealed_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let options = LogOptions { segment_bytes_max: 4096, unsealed_bytes_max: 8192, ..LogOptions::default() };
    let log = open_log_with(folder.path(), options);
    let mut number = 0;
    let refused = loop {
        number += 1;
        match append(&log, 3, &record("a", number)).await {
            Ok(_) => assert!(number < 100),
            Err(error) => break error,
        }
    };
    assert_eq!(refused, AppendError::Backlog);
    for segment in log.unsealed() {
        log.remove(segment).unwrap();
    }
    append(&log, 3, &record("a", number)).await.unwrap();
}

#[tokio::test]
async fn records_that_json_cannot_hold_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = open_log(folder.path());
    let mut bad = record("a", 1);
    bad.arm = Some(ArmTaken { name: "a".into(), chosen: Chosen::Drawn { propensity: f64::NAN } });
    let error = append(&log, 3, &bad).await.unwrap_err();
    assert_eq!(error.to_string(), "prediction record cannot be written as JSON: propensity NaN is not finite");
    let mut huge = record("a", 1);
    huge.request_id = Some("x".repeat((64 << 20) + 1));
    assert!(matches!(append(&log, 3, &huge).await, Err(AppendError::TooLarge { .. })));
}

#[tokio::test]
async fn dropping_the_log_writes_what_waits() {
    let folder = tempfile::tempdir().unwrap();
    let log = open_log(folder.path());
    let mut ids = Vec::new();
    for number in 0..100 {
        ids.push(append_as(&log, LogMode::Fast, 3, &record("a", number)).await.unwrap());
    }
    drop(log);
    let log = open_log(folder.path());
    for (number, id) in ids.iter().enumerate() {
        assert_eq!(log.lookup(id).unwrap(), Some(record("a", number as u64)));
    }
}

#[tokio::test]
async fn recent_records_come_newest_first_across_segments() {
    let folder = tempfile::tempdir().unwrap();
    let log = open_log(folder.path());
    for number in 0..5 {
        append(&log, 3, &record("a", number)).await.unwrap();
        append(&log, 9, &record("b", 100 + number)).await.unwrap();
        if number == 2 {
            log.rotate().await.unwrap();
        }
    }
    let recent = log.recent(3, 4).unwrap();
    let numbers: Vec<String> = recent.iter().filter_map(|(_, record)| record.request_id.clone()).collect();
    assert_eq!(numbers, ["request-4", "request-3", "request-2", "request-1"]);
    assert_eq!(log.lookup(&recent[2].0).unwrap(), Some(recent[2].1.clone()));
    assert_eq!(log.recent(3, 100).unwrap().len(), 5);
    assert!(log.recent(7, 100).unwrap().is_empty());
}

#[tokio::test]
async fn segment_ids_rise_even_if_the_clock_goes_back_and_the_segments_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let mut newest = 0;
    for millis in [2_000_000, 1_000_000, 1_000_000, 3_000_000] {
        let clock = Arc::new(ManualClock::at(Timestamp(millis * 1_000)));
        let log = PredictionLog::open(folder.path(), KEY, clock, LogOptions::default()).unwrap();
        let id = append(&log, 3, &record("a", 1)).await.unwrap();
        let segment = address(&id).segment;
        assert!(segment > newest, "{segment} after {newest}");
        newest = segment;
        log.rotate().await.unwrap();
        log.remove(segment).unwrap();
    }
    assert_eq!(newest >> 16, 3_000_000);
}

#[tokio::test]
async fn a_log_has_one_owner() {
    let folder = tempfile::tempdir().unwrap();
    let log = open_log(folder.path());
    let clock = Arc::new(stemma_core::SystemClock);
    let second = PredictionLog::open(folder.path(), KEY, clock, LogOptions::default());
    assert!(matches!(second, Err(LogError::InUse(_))));
    drop(log);
    open_log(folder.path());
}

#[tokio::test]
async fn bytes_altered_under_a_running_log_are_never_returned() {
    let folder = tempfile::tempdir().unwrap();
    let log = open_log(folder.path());
    let id = append(&log, 3, &record("a", 1)).await.unwrap();
    log.rotate().await.unwrap();
    let file = folder.path().join(format!("{:016x}.seg", address(&id).segment));
    let whole = std::fs::read(&file).unwrap();
    for at in 32..whole.len() - 40 {
        let mut altered = whole.clone();
        altered[at] ^= 0x20;
        std::fs::write(&file, altered).unwrap();
        assert!(matches!(log.lookup(&id), Err(LogError::Corrupt { .. })), "{at}");
    }
}

#[tokio::test]
async fn records_are_found_by_what_names_them_as_if_all_were_read() {
    let folder = tempfile::tempdir().unwrap();
    let options = LogOptions { segment_bytes_max: 1 << 16, ..LogOptions::default() };
    let log = open_log_with(folder.path(), options);
    let names = ["request-0", "request-7", "unit-3", "unit-7", "nobody"];
    let named = |record: &PredictionRecord| {
        let by_request = record.request_id.as_deref().is_some_and(|id| names.contains(&id));
        by_request || record.draw.as_ref().is_some_and(|draw| names.contains(&draw.unit.as_str()))
    };
    // asked again after more came: what was looked at before is not read twice, and nothing is missed
    for turn in 0..4u64 {
        for number in turn * 100..(turn + 1) * 100 {
            let mut record = record("a", number);
            record.request_id = (number % 3 != 0).then(|| format!("request-{}", number % 11));
            let unit = format!("unit-{}", number % 13);
            record.draw = record.draw.filter(|_| number % 4 != 0).map(|draw| Draw { unit, ..draw });
            append(&log, (number % 2) as u16, &record).await.unwrap();
        }
        for ordinal in [0, 1, 2] {
            let (mut all, mut found) = (Vec::new(), Vec::new());
            let whole = log.each(ordinal, |_| true, |address, record| all.extend(named(&record).then_some(address)));
            let seen = log.named(ordinal, names.into_iter(), |address, _| found.push(address));
            assert_eq!((&found, &seen), (&all, &whole), "endpoint {ordinal} after {turn}");
            assert_eq!(found.is_empty(), ordinal == 2);
        }
    }
    assert!(log.segments().len() > 2);
}
