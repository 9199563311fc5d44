//! Text with something between its cells.

use std::io::Write as _;

use stemma_table::{Header, Rows};

use crate::{check, read, refused, source};

#[test]
fn dialects() {
    check("a,b\n1,2\n3,4\n", "CSV", "a,b|1,2|3,4");
    check("a,b\r\n1,2\r\n", "CSV", "a,b|1,2");
    check("a,b\n1,2", "CSV", "a,b|1,2");
    check("\u{feff}a,b\n1,2\n", "CSV", "a,b|1,2");
    check("a\tb\n1\tx y\n", "CSV with tabs", "a,b|1,x y");
    check("a;b\n1;2\n", "CSV with `;`", "a,b|1,2");
    check("a|b\n1|2\n", "CSV with `|`", "a,b|1,2");
    check("\"a;x\",b\n\"1,\"\"5\",2\n", "CSV", "a;x,b|1,\"5,2");
    check("'a','b'\n'1,5','x'\n", "CSV", "a,b|1,5,x");
    check("a,b\n\"x\\\"y\",2\n", "CSV", "a,b|x\"y,2");
    check("a,b\n,\n", "CSV", "a,b|,");
    check("a\n1\n", "CSV", "a|1");
    check("1.5e+00 2\n3 -4\n", "CSV with spaces", "1.5e+00,2|3,-4");
}

#[test]
fn a_decimal_comma_is_one_if_something_else_stands_between_cells() {
    check("a;b\n1,5;x\n-0,25;y,z\n", "CSV with `;`", "a,b|1.5,x|-0.25,y,z");
    check("a;b\n1,5;2.5\n", "CSV with `;`", "a,b|1,5,2.5");
    check("a\tb\n1,5e3\t1\n", "CSV with tabs", "a,b|1.5e3,1");
}

#[test]
fn encodings() {
    let utf16 = |units: &mut dyn Iterator<Item = u16>, le: bool| -> Vec<u8> {
        units.flat_map(|unit| if le { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
    };
    let text = "\u{feff}a,b\né,ü\n";
    check(utf16(&mut text.encode_utf16(), true), "CSV", "a,b|é,ü");
    check(utf16(&mut text.encode_utf16(), false), "CSV", "a,b|é,ü");
    check(utf16(&mut "a,b\n1,2\n".encode_utf16(), true), "CSV", "a,b|1,2");
    check(b"a,b\nK\xf6ln,1\nK\xc3\xb6ln,2\n", "CSV", "a,b|Köln,1|Köln,2");
}

#[test]
fn compression_around_a_table() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"a,b\n1,2\n").unwrap();
    let gzip = gzip.finish().unwrap();
    check(gzip.clone(), "CSV, gzip", "a,b|1,2");
    check([gzip.clone(), gzip.clone()].concat(), "CSV, gzip", "a,b|1,2|a,b|1,2");
    check(zstd::encode_all(&b"{\"a\":1}\n"[..], 1).unwrap(), "JSON, zstd", "a|1");
    check(zstd::encode_all(&gzip[..], 1).unwrap(), "CSV, zstd", "a,b|1,2");
    refused(&gzip[..gzip.len() - 9]);
}

#[test]
fn a_first_line_with_a_number_is_a_row_where_that_is_asked() {
    let guessed = |text: &str| read(text, Header::Guessed).unwrap().1;
    assert_eq!(guessed("a,1\n2,3\n"), "0,1|a,1|2,3");
    assert_eq!(guessed("a,b\n2,3\n"), "a,b|2,3");
    check("2019,2020\n1,2\n", "CSV", "2019,2020|1,2");
}

#[test]
fn rows_know_their_lines_and_can_be_passed_over() {
    let mut rows = Rows::open(&source("a\n\"x\ny\"\nz\n"), Header::First).unwrap();
    let batch = rows.next_batch().unwrap().unwrap();
    assert_eq!([0, 1].map(|row| rows.place(row, &batch)), [2, 4]);
    let text: String = (0..2500).map(|row| format!("{row}\n")).collect();
    let mut rows = Rows::open(&source(format!("a\n{text}")), Header::First).unwrap();
    let rest = rows.skip(1500).unwrap().unwrap();
    assert_eq!((rest.num_rows(), rows.next_batch().unwrap().unwrap().num_rows()), (500, 500));
    assert!(rows.next_batch().unwrap().is_none());
}

#[test]
fn what_is_wrong_is_named() {
    assert!(refused("a,b\n1,2\n3\n").contains("line: 3"));
    assert!(refused(format!("a\n\"{}", "x\n".repeat(9 << 20))).contains("quotation mark"));
}
