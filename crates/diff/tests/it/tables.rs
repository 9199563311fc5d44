use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use arrow_array::{ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use proptest::prelude::*;
use stemma_diff::{TableDiff, TableError, TableOptions, diff_tables};
use stemma_table::Source;

fn csv(text: &str) -> Source {
    Arc::new(text.as_bytes().to_vec())
}

fn options(key: &[&str]) -> TableOptions {
    TableOptions { key: key.iter().map(|key| (*key).to_owned()).collect(), ..TableOptions::default() }
}

fn diff(before: &str, after: &str, key: &[&str]) -> TableDiff {
    diff_tables(&csv(before), &csv(after), &options(key), |_| ()).unwrap()
}

fn counts(found: &TableDiff) -> [u64; 4] {
    [found.added, found.removed, found.changed, found.unchanged]
}

const BEFORE: &str = "id,name,age\n1,ann,30\n2,bob,41\n3,\"c, d\",22\n4,dan,9\n";

#[test]
fn rows_are_matched_by_their_key_wherever_they_are() {
    let found = diff(BEFORE, "age,id,name\n22,3,\"c, d\"\n31,1,ann\n7,5,eve\n9,4,Dan\n", &["id"]);
    assert_eq!(counts(&found), [1, 1, 2, 1]);
    assert_eq!((found.rows_before, found.rows_after, found.has_same_schema()), (4, 4, true));
    let columns: Vec<_> = found.column_changes.iter().map(|column| (&*column.column, column.changed)).collect();
    assert_eq!(columns, [("age", 1), ("name", 1)]);
    let changed: Vec<_> = found.first_changed.iter().map(|row| (row.number, row.key[0].clone().unwrap())).collect();
    assert_eq!(changed, [(2, "1".to_owned()), (4, "4".to_owned())]);
    let cell = &found.first_changed[0].cells[0];
    assert_eq!((&*cell.column, cell.before.as_deref(), cell.after.as_deref()), ("age", Some("30"), Some("31")));
    assert_eq!((found.first_added[0].number, found.first_removed[0].number), (3, 2));
    assert_eq!(found.columns, ["id", "age", "name"]);
    assert_eq!(found.first_removed[0].cells, ["2", "41", "bob"].map(|cell| Some(cell.to_owned())));
}

#[test]
fn without_a_key_a_row_is_itself() {
    let found = diff("a,b\n1,x\n1,x\n2,y\n3,z\n", "a,b\n3,z\n1,x\n2,Y\n4,z\n", &[]);
    assert_eq!(counts(&found), [2, 2, 0, 2]);
    // one of the two rows `1,x`
    assert_eq!(found.first_removed.iter().map(|row| row.number).collect::<Vec<_>>(), [1, 3]);
    assert!(diff("a,b\n1,x\n2,y\n", "b,a\nx,1\ny,2\n", &[]).is_same());
}

#[test]
fn keys_that_are_there_twice_are_reported_and_counted_nowhere_else() {
    let found = diff("id,v\n1,a\n1,b\n2,c\n3,d\n", "id,v\n1,a\n2,c\n3,x\n3,d\n", &["id"]);
    assert_eq!((counts(&found), found.duplicate_keys), ([0, 0, 0, 1], 2));
    let duplicates: Vec<_> =
        found.first_duplicates.iter().map(|key| (key.key[0].as_deref(), key.rows_before, key.rows_after)).collect();
    assert_eq!(duplicates, [(Some("1"), 2, 1), (Some("3"), 1, 2)]);
    // a key whose two rows are the same on both sides is still no key
    assert_eq!(diff("id,v\n1,a\n1,a\n", "id,v\n1,a\n1,a\n", &["id"]).duplicate_keys, 1);
}

#[test]
fn columns_come_and_go_and_rows_are_compared_in_the_others() {
    let found = diff("id,a,b\n1,x,y\n", "id,b,c\n1,y,z\n", &["id"]);
    assert_eq!(
        (found.columns_added.as_slice(), found.columns_removed.as_slice()),
        (["c".to_owned()].as_slice(), ["a".to_owned()].as_slice())
    );
    assert_eq!((counts(&found), found.is_same()), ([0, 0, 0, 1], false));
}

#[test]
fn tables_that_make_no_sense_are_refused_by_name() {
    let error =
        |before, after, key: &[&str]| diff_tables(&csv(before), &csv(after), &options(key), |_| ()).unwrap_err();
    assert!(matches!(error("a\n1\n", "a\n1\n", &["id"]), TableError::NoColumn { column, .. } if column == "id"));
    assert!(matches!(error("a,a\n", "a\n", &[]), TableError::ColumnTwice { .. }));
    assert!(matches!(error("a\n", "b\n", &[]), TableError::NothingShared));
    assert!(error("a,b\n1,2\n3\n", "a,b\n", &[]).to_string().starts_with("the old table can't be read: CSV error"));
    let endless = error("x\n", &"x".repeat(17 << 20), &[]);
    assert!(endless.to_string().contains("a row is longer than"), "{endless}");
}

#[test]
fn other_delimiters_are_found_in_the_header() {
    let found = diff("id;v\n1;a,b\n", "\u{feff}id\tv\n1\ta,b\n", &["id"]);
    assert!(found.is_same() && found.unchanged == 1, "{found:?}");
}

fn parquet(columns: Vec<(&str, ArrayRef)>) -> Source {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    Arc::new(bytes)
}

#[test]
fn parquet_has_types_and_empty_cells() {
    let before = parquet(vec![
        ("id", Arc::new(Int64Array::from(vec![1, 2, 3]))),
        ("n", Arc::new(Int32Array::from(vec![Some(1), None, Some(3)]))),
        ("s", Arc::new(StringArray::from(vec![Some("a"), Some(""), None]))),
        ("f", Arc::new(Float64Array::from(vec![0.1, f64::NAN, 1e300]))),
    ]);
    let after = parquet(vec![
        ("id", Arc::new(Int64Array::from(vec![3, 2, 1]))),
        ("n", Arc::new(Int64Array::from(vec![Some(3), Some(0), Some(1)]))),
        ("s", Arc::new(StringArray::from(vec![Some(""), Some(""), Some("a")]))),
        ("f", Arc::new(Float64Array::from(vec![1e300, f64::NAN, 0.1]))),
    ]);
    let found = diff_tables(&before, &after, &options(&["id"]), |_| ()).unwrap();
    assert_eq!(counts(&found), [0, 0, 2, 1]);
    assert_eq!((&*found.columns_retyped[0].before, &*found.columns_retyped[0].after), ("Int32", "Int64"));
    let cell = &found.first_changed[1].cells[0];
    assert_eq!((&*cell.column, &cell.before, cell.after.as_deref()), ("n", &None, Some("0")));
    let as_text = diff_tables(
        &parquet(vec![("id", Arc::new(Int64Array::from(vec![7])))]),
        &csv("id\n7\n"),
        &options(&["id"]),
        |_| (),
    );
    assert_eq!(as_text.unwrap().unchanged, 1);
}

#[test]
fn what_does_not_fit_into_memory_goes_through_files() {
    let rows = |rows: &mut dyn Iterator<Item = u32>| {
        rows.fold("id,v\n".to_owned(), |text, row| text + &format!("{row},value {}\n", row / 2))
    };
    let (before, after) = (rows(&mut (0..20_000)), rows(&mut (5_000..25_000).rev()));
    let folder = tempfile::tempdir().unwrap();
    let folder_path = folder.path().to_owned();
    for key in [&["id"][..], &[]] {
        let small = TableOptions { held_max: 10_000, folder: folder_path.clone(), ..options(key) };
        let found = diff_tables(&csv(&before), &csv(&after), &small, |_| ()).unwrap();
        assert_eq!(counts(&found), [5_000, 5_000, 0, 15_000]);
        assert_eq!(found, diff_tables(&csv(&before), &csv(&after), &options(key), |_| ()).unwrap());
    }
    let missing = TableOptions { held_max: 10_000, folder: folder_path.join("none"), ..options(&["id"]) };
    assert!(matches!(diff_tables(&csv(&before), &csv(&after), &missing, |_| ()), Err(TableError::Temporary(_))));
}

/// The same by plain maps.
fn expected(before: &[(u8, u8)], after: &[(u8, u8)]) -> ([u64; 4], u64) {
    let rows = |side: &[(u8, u8)]| {
        let mut rows: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
        side.iter().for_each(|(key, value)| rows.entry(*key).or_default().push(*value));
        rows
    };
    let (before, after) = (rows(before), rows(after));
    let keys: BTreeSet<u8> = before.keys().chain(after.keys()).copied().collect();
    let (mut counts, mut duplicates) = ([0; 4], 0);
    for key in keys {
        match (before.get(&key).map(Vec::as_slice), after.get(&key).map(Vec::as_slice)) {
            (None, Some([_])) => counts[0] += 1,
            (Some([_]), None) => counts[1] += 1,
            (Some([a]), Some([b])) => counts[if a == b { 3 } else { 2 }] += 1,
            _ => duplicates += 1,
        }
    }
    (counts, duplicates)
}

proptest! {
    #[test]
    fn counts_are_those_of_plain_maps(
        before in proptest::collection::vec((0u8..20, 0u8..3), 0..25),
        after in proptest::collection::vec((0u8..20, 0u8..3), 0..25),
        held_max in 0usize..200,
    ) {
        let text = |rows: &[(u8, u8)]| rows.iter().fold("k,v\n".to_owned(), |text, (k, v)| text + &format!("{k},{v}\n"));
        let options = TableOptions { held_max, ..options(&["k"]) };
        let found = diff_tables(&csv(&text(&before)), &csv(&text(&after)), &options, |_| ()).unwrap();
        prop_assert_eq!((counts(&found), found.duplicate_keys), expected(&before, &after));
        // without a key what is there must be explained too
        let whole = diff(&text(&before), &text(&after), &[]);
        prop_assert_eq!(whole.rows_before, whole.unchanged + whole.removed);
        prop_assert_eq!(whole.rows_after, whole.unchanged + whole.added);
    }

    /// Damage is an error, not a wrong answer; Parquet's own checks are another crate's.
    #[test]
    fn no_csv_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let source: Source = Arc::new(bytes);
        if let Ok(found) = diff_tables(&source, &source, &options(&[]), |_| ()) {
            prop_assert!(found.is_same());
        }
    }
}

#[test]
fn a_file_that_is_no_parquet_is_refused() {
    let file: Source = Arc::new(b"PAR1 and nothing else".to_vec());
    assert!(matches!(diff_tables(&file, &file, &options(&[]), |_| ()), Err(TableError::Malformed { .. })));
}
