//! One table in many forms, and inputs that hold no part of it.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;

use super::{Looked, look, wanted::Wanted};
use crate::table::Table;

const DATA: &str = "x,z,c,y\n-2.25,1,a,no\n-1.5123456789,2,b,yes\n0.5,3,a,no\n1.25,4,b,yes\n";

fn wanted(text: &str) -> Wanted {
    let table = Table::parse("test@1", text.as_bytes()).unwrap();
    let target = table.columns.len() - 1;
    Wanted::of(Arc::new(table), target)
}

fn told(data: &str, input: Vec<u8>) -> String {
    match look(&(Arc::new(input) as stemma_table::Source), &wanted(data)) {
        Ok(Looked::Same) => "the same".to_owned(),
        Ok(Looked::NoTable(why)) => why,
        Ok(Looked::Table(found)) => match found.unlabelled_count() {
            0 => format!("{}: {}", found.format, found.leaky_count()),
            count => format!("{}: {}, and {count} without target", found.format, found.leaky_count()),
        },
        Err(why) => format!("not searched: {why}"),
    }
}

#[track_caller]
fn check(input: impl Into<Vec<u8>>, expected: &str) {
    assert_eq!(told(DATA, input.into()), expected);
}

fn parquet(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

#[test]
fn rows_are_found_in_any_text() {
    check(DATA, "CSV: 4");
    check(DATA.replace(',', "\t"), "CSV with tabs: 4");
    check(DATA.replace(',', ";").replace('.', ","), "CSV with `;`: 4");
    check(DATA.replace('\n', "\r\n"), "CSV: 4");
    check(format!("{DATA}9,9,\u{e9},no\n").chars().map(|c| c as u8).collect::<Vec<_>>(), "CSV: 4");
    check(DATA.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(), "CSV: 4");
    check("{\"y\":\"no\",\"c\":\"a\",\"x\":-2.25,\"z\":1.0}\n{\"x\":7,\"z\":1,\"c\":\"a\",\"y\":\"no\"}", "JSON: 1");
    check("{\"x\":[0.5,7],\"z\":[3,4],\"c\":[\"a\",\"b\"],\"y\":[\"no\",\"no\"]}", "JSON: 1");
}

#[test]
fn rows_are_found_in_typed_files() {
    let single: ArrayRef = Arc::new(Float32Array::from(vec![-1.512_345_7, 9.0]));
    let z: ArrayRef = Arc::new(Int64Array::from(vec![2, 3]));
    let c: ArrayRef = Arc::new(StringArray::from(vec!["b", "a"]));
    let y: ArrayRef = Arc::new(StringArray::from(vec!["yes", "no"]));
    check(parquet(vec![("y", y), ("c", c), ("z", z), ("x", single)]), "Parquet: 1");
}

#[test]
fn columns_may_come_go_and_be_renamed() {
    check("id,x,z,c,y,w\n7,0.5,3,a,no,1\n", "CSV: 1");
    check("x,z,y\n0.5,3,no\n", "CSV: 1");
    check("x,z,c,label\n0.5,3,a,0\n1.25,4,b,1\n", "CSV: 2");
    check("x,z,c,y\n0.5,3,a,0\n1.25,4,b,1\n", "CSV: 2");
    check("x,z,c,y\n-2.25,1,a,no\n0.5,3,a,yes\n1.25,4,b,yes\n", "CSV: 2");
    check("x,z,c,label\n0.5,3,a,no\n1.25,4,b,yes\n", "CSV: 2");
    check("f1,f2,f3,f4\n0.5,3,a,no\n1.25,4,b,yes\n", "CSV: 2");
    check("0.5,3,a,no\n1.25,4,b,yes\n", "CSV: 2");
    check("no,a,3,0.5\n", "CSV: 1");
    check("0,0.5,3,a,0\n1,1.25,4,b,1\n2,7,7,a,0\n", "CSV: 2");
    check("[[0.5,3,\"a\",\"no\"],[9,9,\"a\",\"no\"]]", "JSON: 1");
    check("{\"features\":[0.5,3,\"a\"],\"label\":\"no\"}\n{\"features\":[9,9,\"a\"],\"label\":\"no\"}", "JSON: 1");
}

#[test]
fn rows_without_what_is_to_be_predicted_are_told_apart() {
    check("x,z,c\n0.5,3,a\n1.25,4,b\n", "CSV: 0, and 2 without target");
    check("x,z,c,w\n0.5,3,a,7\n1.25,4,b,7\n", "CSV: 0, and 2 without target");
    check("a,b,c2\n0.5,3,a\n1.25,4,b\n", "CSV: 0, and 2 without target");
}

#[test]
fn one_of_many_columns_may_differ() {
    let names = |last: &str| (0..12).map(|at| format!("f{at},")).collect::<String>() + last;
    let row = |first: &str, row: usize, last: &str| {
        first.to_owned() + &(1..12).map(|at| format!(",{}", at * 100 + row * 7)).collect::<String>() + "," + last
    };
    let data = format!("{}\n{}\n{}\n{}\n", names("y"), row("1", 1, "no"), row("2", 2, "yes"), row("3", 3, "no"));
    let scaled = format!("{}\n{}\n{}\n", names("y"), row("0.3", 2, "yes"), row("0.4", 9, "no"));
    assert_eq!(told(&data, scaled.into_bytes()), "CSV: 1");
    let renamed = format!("{}\n{}\n", row("0.3", 2, "1"), row("0.4", 3, "0"));
    assert_eq!(told(&data, renamed.into_bytes()), "CSV: 2");
}

#[test]
fn what_is_alike_by_chance_is_no_leak() {
    let names = (0..12).map(|at| format!("f{at},")).collect::<String>() + "y";
    let row = |first: usize, row: usize, last: &str| {
        first.to_string() + &(1..12).map(|at| format!(",{}", at * 1_000 + row * 7)).collect::<String>() + "," + last
    };
    let table = |rows: Vec<String>| format!("{names}\n{}\n", rows.join("\n"));
    let data = table((0..60).map(|at| row(at, at, if at % 2 == 0 { "yes" } else { "no" })).collect());
    let others = || (100..160).map(|at| row(at, at, if at % 3 == 0 { "yes" } else { "no" })).collect::<Vec<_>>();
    let beside = |extra: &[String]| told(&data, table([&others()[..], extra].concat()).into_bytes());
    assert_eq!(beside(&[row(999, 4, "yes")]), "CSV: 0", "one cell differs in one row");
    assert_eq!(beside(&[row(4, 4, "no")]), "CSV: 0", "the same application, and another answer");
    assert_eq!(beside(&[row(4, 4, "yes")]), "CSV: 1", "the same row");
    let many: Vec<String> = (0..6).map(|at| row(900 + at, at, if at % 2 == 0 { "yes" } else { "no" })).collect();
    assert_eq!(beside(&many), "CSV: 6", "a column was written anew");
    let swapped: Vec<String> = (0..6).map(|at| row(at, at, if at % 2 == 0 { "no" } else { "yes" })).collect();
    assert_eq!(beside(&swapped), "CSV: 6", "the two answers changed places");
}

#[test]
fn a_number_that_is_predicted_has_no_code() {
    let row = |at: usize, amount: usize| format!("{at},{},{amount}\n", at * 3);
    let data = (0..200).fold("a,b,amount\n".to_owned(), |text, at| text + &row(at, 10_000 + at));
    let other = (500..700).fold("a,b,amount\n".to_owned(), |text, at| text + &row(at, 20_000 + at));
    assert_eq!(told(&data, (other.clone() + &row(7, 5)).into_bytes()), "CSV: 0", "alike, and another amount");
    assert_eq!(told(&data, (other + &row(7, 10_007)).into_bytes()), "CSV: 1");
}

#[test]
fn other_tables_hold_none() {
    check("x,z,c,y\n-2.25,2,a,no\n7,7,b,yes\n", "CSV: 0");
    check("country,code\nDE,49\nFR,33\n", "CSV: 0");
    check("learning_rate = 0.1\ndepth = 3\n", "CSV: 0");
    check("{\"learning_rate\": 0.1, \"depth\": 3}", "JSON: 0");
    check("a note\nof, several, words\n\nin lines", "it is a text without the values of any row");
    let ids = "id,y\n9007199254740993,1\n1152921504606846977,0\n";
    assert_eq!(told(ids, b"id,y\n9007199254740992,1\n1152921504606846976,0\n".to_vec()), "CSV: 0");
}

#[test]
fn what_can_not_hold_rows_is_cleared_and_the_rest_is_named() {
    let model = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../onnx/tests/data/table_logistic.onnx")).unwrap();
    check(model, "it is an ONNX model");
    check(b"\x89PNG\r\n\x1a\n\0\0\0\0".to_vec(), "it is an image");
    check(b"ab".to_vec(), "it is shorter than a row");
    check(b"\x80\x04\x95\x10\0\0\0\0\0\0\0.".to_vec(), "not searched: it is a Python pickle");
    check(b"\x00\x01\x02\x03\x04\x05".to_vec(), "not searched: it is of no format that is read as a table");
    check(
        "rows: 0.5 3 a no\nsome: other text, that is no table\n",
        "not searched: CSV error: record 1 (line: 2, byte: 17): found record with 2 fields, but the previous record has 1 fields",
    );
    let nested = format!("{{\"train\":{{\"rows\":[{}]}}}}", "[0.5,3],".repeat(60) + "[1,2]");
    check(nested.into_bytes(), "JSON: 0");
}
