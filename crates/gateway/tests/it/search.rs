//! Looking for rows: whatever filters and statistics rule out, no row is lost that is looked for.

use std::{fs::File, path::Path};

use bytes::Bytes;
use proptest::prelude::*;
use stemma_core::{
    Timestamp,
    endpoint::{
        declaration::LogMode,
        prediction::{FailureKind, Hex, Outcome, PredictionRecord, Trace},
        search::{Asked, Wanted},
    },
    name::ProjectName,
};
use stemma_gateway::{Effort, OpenPart, PredictionLog, SealedPart, Sifted};

use crate::{
    any_record::any_record,
    support::{append_as, open_log, record},
};

const ORDINAL: u16 = 3;

async fn sealed(folder: &Path, records: &[PredictionRecord]) -> (PredictionLog, Vec<SealedPart>) {
    let log = open_log(folder);
    for record in records {
        append_as(&log, LogMode::Fast, ORDINAL, record).await.unwrap();
    }
    let segment = log.rotate().await.unwrap().unwrap();
    let parts = log.seal(segment).unwrap();
    (log, parts)
}

fn sift(part: &SealedPart, wanted: &Wanted) -> Sifted {
    OpenPart::open(File::open(&part.file).unwrap(), part.first_row).unwrap().sift(wanted).unwrap()
}

fn of_unit(unit: &str) -> Wanted {
    Wanted { unit: Some(unit.to_owned()), ..Wanted::default() }
}

#[tokio::test]
async fn one_unit_of_many_is_found_and_one_that_is_not_there_costs_no_row() {
    let folder = tempfile::tempdir().unwrap();
    let records: Vec<_> = (0..3000).map(|number| record("a", number)).collect();
    let (log, parts) = sealed(folder.path(), &records).await;
    let [part] = parts.as_slice() else { panic!("{parts:?}") };
    let found = sift(part, &of_unit("unit-1234"));
    assert_eq!(found.rows, [(records[1234].time, 1234)]);
    assert_eq!(found.effort, Effort { ruled_out: 0, unfiltered: 0, rows: 3000 });
    // one in a hundred may pass a filter
    let ruled_out = (3000..4000).filter(|number| sift(part, &of_unit(&format!("unit-{number}"))).effort.rows == 0);
    assert!(ruled_out.count() > 950);
    let requested = Wanted { request_id: Some("request-7".to_owned()), ..Wanted::default() };
    assert_eq!(sift(part, &requested).rows, [(records[7].time, 7)]);
    let traced = Wanted { trace_id: Some(Hex::from_bytes([7; 16])), ..Wanted::default() };
    assert_eq!(sift(part, &traced).effort, Effort { ruled_out: 1, unfiltered: 0, rows: 0 }, "no record has a trace");
    // the log, before it is sealed, says the same
    let held = log.held().into_iter().find(|segment| segment.id() == part.segment).unwrap();
    let of_log = held.sift(&ProjectName::default_project(), ORDINAL, &of_unit("unit-1234"));
    assert_eq!((of_log.rows, of_log.unreadable), (found.rows, 0));
    assert_eq!(held.sift(&"other".parse().unwrap(), ORDINAL, &Wanted::default()).rows, []);

    let file = OpenPart::open(File::open(&part.file).unwrap(), part.first_row).unwrap();
    let mut read = Vec::new();
    let rows = [0, 1, 2, 255, 256, 1234, 2999];
    file.read(&rows, |row, record| read.push((row, record))).unwrap();
    assert!(read.iter().map(|(row, _)| *row).eq(rows));
    assert!(read.iter().all(|(row, found)| *found == records[*row as usize]));
    assert!(file.read(&[3000], |_, _| panic!("there is no such row")).is_err());
}

#[tokio::test]
async fn statistics_rule_out_other_times_versions_and_outcomes() {
    let folder = tempfile::tempdir().unwrap();
    let records: Vec<_> = (0..100).map(|number| record("a", number)).collect();
    let (_log, parts) = sealed(folder.path(), &records).await;
    let last = records[99].time;
    let costs = |wanted: Wanted| sift(&parts[0], &wanted).effort.rows;
    assert_eq!(costs(Wanted { since: Some(Timestamp(last.micros() + 1)), ..Wanted::default() }), 0);
    assert_eq!(costs(Wanted { until: Some(Timestamp(records[0].time.micros() - 1)), ..Wanted::default() }), 0);
    assert_eq!(costs(Wanted { unanswered: true, ..Wanted::default() }), 0);
    let version = |text: &str| Asked::Version("credit-score".parse().unwrap(), text.parse().unwrap());
    assert_eq!(costs(Wanted { asked: Some(version("1.0.3")), ..Wanted::default() }), 0);
    let other = Asked::Version("fraud".parse().unwrap(), "1.0.2".parse().unwrap());
    assert_eq!(costs(Wanted { asked: Some(other), ..Wanted::default() }), 0);
    let asked = Wanted { asked: Some(version("1.0.2")), since: Some(last), ..Wanted::default() };
    assert_eq!(sift(&parts[0], &asked).rows, [(last, 99)]);
}

#[test]
fn files_from_before_there_were_filters_are_read_whole() {
    let sample = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    for (name, has_units) in [("part-v1.parquet", true), ("part-v2.parquet", true)] {
        let file = OpenPart::open(Bytes::from(std::fs::read(sample(name)).unwrap()), 0).unwrap();
        let all = file.sift(&Wanted::default()).unwrap();
        let mut records = Vec::new();
        let rows: Vec<u32> = all.rows.iter().map(|(_, row)| *row).collect();
        file.read(&rows, |_, record| records.push(record)).unwrap();
        assert_eq!(records.len(), all.rows.len());
        let unit = records.iter().find_map(|record| record.draw.as_ref()).map(|draw| draw.unit.clone());
        assert_eq!(unit.is_some(), has_units);
        let found = file.sift(&of_unit(&unit.unwrap())).unwrap();
        assert!(!found.rows.is_empty() && found.effort.unfiltered == 1, "{name}: {found:?}");
    }
}

/// Somebody who looks for what one of the records says, or for something else.
fn any_wanted(records: Vec<PredictionRecord>) -> impl Strategy<Value = (Vec<PredictionRecord>, Wanted)> {
    let about = prop::sample::select(records.clone());
    let picks = prop::collection::vec(prop::bool::weighted(0.3), 7);
    (about, picks, -2i64..2).prop_map(move |(about, picks, shift)| {
        let pick = |at: usize| picks[at];
        let near = Timestamp(about.time.micros().saturating_add(shift));
        let asked = about.nodes.first().and_then(|node| match (&node.model, node.version, node.what.digest()) {
            (Some(model), Some(version), _) => Some(Asked::Version(model.clone(), version)),
            (_, _, digest) => digest.map(Asked::Digest),
        });
        let wanted = Wanted {
            unit: about.draw.as_ref().map(|draw| draw.unit.clone()).filter(|_| pick(0)),
            request_id: about.request_id.clone().filter(|_| pick(1)),
            trace_id: about.trace.map(|trace: Trace| trace.trace_id).filter(|_| pick(2)),
            since: pick(3).then_some(near),
            until: pick(4).then_some(near),
            asked: asked.filter(|_| pick(5)),
            unanswered: pick(6),
        };
        (records.clone(), wanted)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_row_that_is_looked_for_is_ruled_out(
        (records, wanted) in prop::collection::vec(any_record(), 1..20).prop_flat_map(any_wanted),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (log, parts) = runtime.block_on(sealed(folder.path(), &records));
        let expected: Vec<u32> =
            (0u32..).zip(&records).filter(|(_, record)| wanted.fits(record)).map(|(row, _)| row).collect();
        let mut found = Vec::new();
        for part in &parts {
            let file = OpenPart::open(File::open(&part.file).unwrap(), part.first_row).unwrap();
            let rows: Vec<u32> = file.sift(&wanted).unwrap().rows.iter().map(|(_, row)| *row).collect();
            file.read(&rows, |row, record| if wanted.fits(&record) { found.push(row) }).unwrap();
        }
        prop_assert_eq!(&found, &expected);
        let held = log.held().into_iter().find(|segment| segment.id() == parts[0].segment).unwrap();
        let of_log = held.sift(&ProjectName::default_project(), ORDINAL, &wanted);
        prop_assert!(of_log.rows.iter().map(|(_, row)| *row).eq(expected), "{:?}", of_log);
    }
}

#[tokio::test]
async fn a_failed_request_is_found_among_many_that_were_answered() {
    let folder = tempfile::tempdir().unwrap();
    let mut records: Vec<_> = (0..500).map(|number| record("a", number)).collect();
    records[321].outcome = Outcome::Failed { kind: Some(FailureKind::Model), message: "it broke".to_owned() };
    let (_log, parts) = sealed(folder.path(), &records).await;
    let failed = Wanted { unanswered: true, ..Wanted::default() };
    assert_eq!(sift(&parts[0], &failed).rows, [(records[321].time, 321)]);
}
