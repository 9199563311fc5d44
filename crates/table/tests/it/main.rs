//! Tables in every form, and files that are none.

mod hostile;
mod json;
mod text;
mod typed;

use std::sync::Arc;

use stemma_table::{Cell, Header, Rows, Source, TableError};

fn source(bytes: impl Into<Vec<u8>>) -> Source {
    Arc::new(bytes.into())
}

/// The names of the columns, then each row's cells: as `a,b|1,2`.
fn read(bytes: impl Into<Vec<u8>>, header: Header) -> Result<(String, String), TableError> {
    let mut rows = Rows::open(&source(bytes), header)?;
    let names: Vec<&str> = rows.schema.fields().iter().map(|field| field.name().as_str()).collect();
    let mut lines = vec![names.join(",")];
    while let Some(batch) = rows.next_batch()? {
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().map(|column| shown(&Cell::at(column, row)));
            lines.push(cells.collect::<Vec<_>>().join(","));
        }
    }
    Ok((rows.format.to_string(), lines.join("|")))
}

fn shown(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Null => "∅".to_owned(),
        Cell::List(list) => {
            let items: Vec<String> = (0..list.len()).map(|at| shown(&Cell::at(list, at))).collect();
            format!("[{}]", items.join(" "))
        }
        cell => cell.text().into_owned(),
    }
}

#[track_caller]
fn check(bytes: impl Into<Vec<u8>>, format: &str, expected: &str) {
    assert_eq!(read(bytes, Header::First).unwrap(), (format.to_owned(), expected.to_owned()));
}

#[track_caller]
fn refused(bytes: impl Into<Vec<u8>>) -> String {
    read(bytes, Header::First).unwrap_err().to_string()
}

#[test]
fn rows_can_be_read_on_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<Rows>();
}

#[test]
fn all_test_files_are_part_of_this_binary() {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let main = include_str!("main.rs");
    for file in std::fs::read_dir(here).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let module = name.trim_end_matches(".rs");
        assert!(module == "main" || main.contains(&format!("mod {module};")), "{name} is forgotten");
    }
}
