//! The feedback log: kept, found by prediction, sealed sorted, and what is left of it after damage.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use bytes::Bytes;
use proptest::prelude::*;
use stemma_core::{
    SystemClock, Timestamp,
    endpoint::{
        feedback::{FEEDBACK_VERSION, Feedback, FoundBy, Happening, StoredFeedback},
        prediction::{PredictionAddress, PredictionId},
    },
};
use stemma_gateway::{FeedbackLog, FeedbackRows, LogOptions, PlacedFeedback, read_feedback};

use crate::support::KEY;

fn open(folder: &Path) -> FeedbackLog {
    FeedbackLog::open(folder, KEY, Arc::new(SystemClock), LogOptions::default()).unwrap()
}

fn address(endpoint: u16, row: u32) -> PredictionAddress {
    PredictionAddress { segment: 0x0199_0000_0000_0000 + u64::from(row % 3), endpoint, row }
}

fn told(prediction: PredictionAddress, number: i64) -> (PredictionAddress, StoredFeedback) {
    let event = Happening { name: "repaid".to_owned(), value: Some(number as f64), time: Some(Timestamp(number)) };
    let feedback = Feedback {
        label: (number % 2 == 0).then(|| "good".to_owned()),
        reward: (number % 3 == 0).then_some(0.5),
        event: (number % 5 != 0).then_some(event),
        comment: (number % 7 == 0).then(|| "called".to_owned()),
        correction: None,
        key: Some(format!("key-{number}")),
        found: (number % 4 == 0).then(|| FoundBy::RequestId(format!("order-{number}"))),
        time: Timestamp(1_772_366_400_000_000 + number),
        from: "bob@example.org".parse().unwrap(),
    };
    let endpoint = format!("endpoint-{}", prediction.endpoint).parse().unwrap();
    let (project, id) = ("default".parse().unwrap(), PredictionId::seal(prediction, &KEY));
    (prediction, StoredFeedback { v: FEEDBACK_VERSION, project, endpoint, prediction: id, feedback })
}

fn numbers(found: &[PlacedFeedback]) -> Vec<i64> {
    found.iter().map(|one| one.stored.feedback.time.micros() - 1_772_366_400_000_000).collect()
}

#[tokio::test]
async fn feedback_is_found_by_its_prediction_in_the_order_in_which_it_was_told() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let (a, b) = (address(3, 1), address(3, 2));
    log.append(&[told(a, 1), told(b, 2), told(a, 3)]).await.unwrap();
    assert_eq!(numbers(&log.about(&[a])), [1, 3]);
    assert_eq!(numbers(&log.about(&[a, b])), [1, 2, 3]);
    assert_eq!(log.about(&[address(4, 1)]), []);
    log.rotate().await.unwrap().unwrap();
    log.append(&[told(a, 4)]).await.unwrap();
    assert_eq!(numbers(&log.about(&[a])), [1, 3, 4]);
    drop(log);
    let log = open(folder.path());
    assert_eq!(numbers(&log.about(&[a])), [1, 3, 4]);
    assert_eq!(numbers(&log.of_endpoint(3)), [1, 2, 3, 4]);
    assert_eq!(log.unread(), []);
}

#[tokio::test]
async fn a_torn_write_takes_only_what_nobody_was_told_and_damage_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let a = address(3, 1);
    let log = open(folder.path());
    log.append(&[told(a, 1)]).await.unwrap();
    log.append(&[told(a, 2)]).await.unwrap();
    drop(log);
    let segment = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let segment = segment.filter(|path| path.extension().is_some_and(|end| end == "seg")).min().unwrap();
    let sound = fs::read(&segment).unwrap();
    let end = sound.windows(4).rposition(|four| four == b"\xffSF\xfe").unwrap();

    // killed in the middle of the second write
    fs::write(&segment, &sound[..end - 9]).unwrap();
    let log = open(folder.path());
    assert_eq!(numbers(&log.about(&[a])), [1]);
    assert_eq!((log.unread(), log.recovered().iter().map(|one| one.damage).max()), (Vec::new(), Some(None)));
    drop(log);

    let mut flipped = sound.clone();
    flipped[100] ^= 1;
    fs::write(&segment, flipped).unwrap();
    let log = open(folder.path());
    assert_eq!(numbers(&log.about(&[a])), [2]);
    let [unread] = log.unread().try_into().unwrap();
    assert_eq!(unread.what, "it is damaged at byte 32");
    assert!(log.seal(&[unread.segment]).is_err());
}

#[tokio::test]
async fn row_groups_without_what_is_asked_for_are_not_read() {
    const ROWS: u32 = 80_000;
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let of = |row: u32| PredictionAddress { segment: 0x0199_0000_0000_0000 + u64::from(row / 1000), endpoint: 3, row };
    let all: Vec<_> = (0..ROWS).map(|row| told(of(row), i64::from(row))).collect();
    log.append(&all).await.unwrap();
    log.rotate().await.unwrap();
    let [part] = log.seal(&log.unsealed()).unwrap().try_into().unwrap();
    let sound = Bytes::from(fs::read(&part.file).unwrap());
    let (first, last) = (of(7), of(ROWS - 7));
    assert_eq!(numbers(&read_feedback(&sound, &[first, last]).unwrap()), [7, i64::from(ROWS - 7)]);
    assert_eq!(read_feedback(&sound, &[PredictionAddress { segment: 1, ..last }]).unwrap(), []);

    // what is not read may be anything
    let metadata = parquet::file::metadata::ParquetMetaDataReader::new().parse_and_finish(&sound).unwrap();
    assert!(metadata.num_row_groups() > 1);
    let mut altered = sound.to_vec();
    for column in metadata.row_group(0).columns() {
        let (start, length) = column.byte_range();
        altered[start as usize..(start + length) as usize].fill(0xff);
    }
    let altered = Bytes::from(altered);
    assert_eq!(numbers(&read_feedback(&altered, &[last]).unwrap()), [i64::from(ROWS - 7)]);
    assert!(read_feedback(&altered, &[first]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]
    #[test]
    fn sealed_files_hold_everything_once_sorted_by_prediction(
        first in prop::collection::vec((3u16..5, 0u32..40), 1..300),
        second in prop::collection::vec((3u16..5, 0u32..40), 1..60),
        asked in prop::collection::btree_set(0u32..50, 0..20),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let log = open(folder.path());
        let mut number = 0;
        let mut numbered = |rows: &[(u16, u32)]| -> Vec<_> {
            rows.iter().map(|(endpoint, row)| { number += 1; told(address(*endpoint, *row), number) }).collect()
        };
        let (one, two) = (numbered(&first), numbered(&second));
        runtime.block_on(async {
            log.append(&one).await.unwrap();
            log.rotate().await.unwrap();
            log.append(&two).await.unwrap();
            log.rotate().await.unwrap();
        });
        let mut expected: BTreeMap<u16, Vec<_>> = BTreeMap::new();
        for (prediction, stored) in one.into_iter().chain(two) {
            expected.entry(prediction.endpoint).or_default().push((prediction, stored));
        }
        let ended = log.unsealed();
        let parts = log.seal(&ended).unwrap();
        prop_assert_eq!(parts.len(), expected.len());
        for part in &parts {
            let bytes = Bytes::from(fs::read(&part.file).unwrap());
            let all: Vec<PlacedFeedback> = FeedbackRows::open(&bytes).unwrap().flat_map(|rows| rows.unwrap()).collect();
            let mut wanted = expected.remove(&part.ordinal).unwrap();
            // stable: what was told first stays first
            wanted.sort_by_key(|(prediction, _)| *prediction);
            let found: Vec<_> = all.iter().map(|one| (one.prediction, one.stored.clone())).collect();
            prop_assert_eq!(&found, &wanted);
            prop_assert_eq!((part.first, part.last), (wanted[0].0, wanted.last().unwrap().0));
            prop_assert_eq!(part.rows, wanted.len() as u64);
            prop_assert_eq!(part.segments.iter().map(|(_, rows)| rows).sum::<u64>(), part.rows);
            let mut about: Vec<PredictionAddress> = asked.iter().map(|row| address(part.ordinal, *row)).collect();
            about.sort_unstable();
            let some = read_feedback(&bytes, &about).unwrap();
            let expected: Vec<_> = all.into_iter().filter(|one| about.contains(&one.prediction)).collect();
            prop_assert_eq!(some, expected);
        }
        log.remove(&ended, &parts).unwrap();
        prop_assert_eq!(log.of_endpoint(3).len() + log.of_endpoint(4).len(), 0);
        prop_assert!(log.unsealed().is_empty());
    }
}
