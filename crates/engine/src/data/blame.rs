//! The story of one record: which versions of a dataset added, changed or removed it.

use std::{collections::HashSet, sync::Arc};

use serde_json::Value;
use stemma_api::types::{Blame, CellChange, DatasetVersion, KeyCell, RecordChange, RecordFate};
use stemma_core::{
    ContentId, Problem,
    name::{DatasetName, ProjectName},
};
use stemma_store::BlobReader;

use crate::{
    Known,
    data::rows::{SCANS, open_readable},
    problem::internal,
    scan::{CsvRows, Format, Lines, columns, open_parquet, parquet_rows, text_of},
    table::no_column,
};

/// Most columns of a key.
const KEY_COLUMNS_MAX: usize = 16;

/// The cells of a record, in the order of the columns.
type Record = Vec<(String, Option<String>)>;

/// What one version says of the record.
enum Found {
    Record(Record),
    Absent,
    /// The table lacks a column of the key, so it has no such record.
    NoKey(Problem),
}

impl Known {
    /// Follows a record through all versions of a dataset, reading each content once.
    pub async fn blame(
        &self,
        project: &ProjectName,
        dataset: &DatasetName,
        key: Vec<KeyCell>,
    ) -> Result<Blame, Problem> {
        check_key(&key)?;
        let mut versions = self.dataset_versions(project, dataset).await?;
        versions.reverse();
        let mut blame = Blame { dataset: dataset.clone(), key, changes: Vec::new(), versions: 0, notes: Vec::new() };
        let _turn = SCANS.acquire().await.map_err(internal)?;
        let (mut known, mut last, mut keyless) = (None, None, None);
        for version in versions {
            if last == Some(version.digest) {
                continue;
            }
            last = Some(version.digest);
            if let Some(external) = &version.external {
                blame.notes.push(format!("`{}@{}` was not read: {external}", version.dataset, version.number));
                continue;
            }
            let record = match self.find_record(project, &version, &blame.key).await? {
                Found::Record(record) => Some(record),
                Found::Absent => None,
                Found::NoKey(problem) => {
                    blame.notes.push(problem.message.clone());
                    keyless = Some(problem);
                    None
                }
            };
            blame.versions += 1;
            let what = fate(known.as_ref(), record.as_ref());
            blame.changes.extend(what.map(|what| change(&version, what, known.as_ref(), record.as_ref())));
            known = record;
        }
        match keyless {
            Some(problem) if blame.changes.is_empty() => Err(problem),
            _ if blame.changes.is_empty() => Err(not_found(&blame)),
            _ => Ok(blame),
        }
    }

    async fn find_record(
        &self,
        project: &ProjectName,
        version: &DatasetVersion,
        key: &[KeyCell],
    ) -> Result<Found, Problem> {
        let name = format!("{}@{}", version.dataset, version.number);
        let blob = open_readable(self, project, ContentId::Blake3(version.digest)).await?;
        let key = key.to_vec();
        tokio::task::spawn_blocking(move || find(&name, &blob, &key)).await.map_err(internal)?
    }
}

fn check_key(key: &[KeyCell]) -> Result<(), Problem> {
    let hint = "write `--key id=42`, once for each column that tells records apart";
    let mut seen = HashSet::new();
    match key.iter().find(|cell| !seen.insert(cell.column.as_str())) {
        Some(twice) => Err(Problem::invalid(format!("the key names `{}` twice", twice.column)).hint(hint)),
        None if key.is_empty() => Err(Problem::invalid("no key was given").hint(hint)),
        None if key.len() > KEY_COLUMNS_MAX => {
            Err(Problem::invalid(format!("a key of more than {KEY_COLUMNS_MAX} columns")))
        }
        None => Ok(()),
    }
}

fn not_found(blame: &Blame) -> Problem {
    let read = match blame.versions {
        0 => "none of its versions is kept here".to_owned(),
        1 => "its only version was read".to_owned(),
        count => format!("all of its {count} versions were read"),
    };
    Problem::not_found(format!("no version of `{}` has a record with {}", blame.dataset, words(&blame.key)))
        .hint(format!("{read}; values are compared as they are written, so `07` is not `7`"))
}

fn words(key: &[KeyCell]) -> String {
    key.iter().map(|cell| format!("`{}={}`", cell.column, cell.value)).collect::<Vec<_>>().join(" and ")
}

fn fate(before: Option<&Record>, after: Option<&Record>) -> Option<RecordFate> {
    match (before, after) {
        (None, Some(_)) => Some(RecordFate::Added),
        (Some(_), None) => Some(RecordFate::Removed),
        (Some(before), Some(after)) if !cells(Some(before), Some(after)).is_empty() => Some(RecordFate::Changed),
        _ => None,
    }
}

fn change(version: &DatasetVersion, what: RecordFate, before: Option<&Record>, after: Option<&Record>) -> RecordChange {
    RecordChange {
        version: format!("{}@{}", version.dataset, version.number),
        what,
        cells: cells(before, after),
        run: version.run,
        source: version.source.clone(),
        why: version.why.clone(),
        added: version.added.clone(),
    }
}

/// The cells that differ, in the order of the columns; those of columns that are gone come last.
fn cells(before: Option<&Record>, after: Option<&Record>) -> Vec<CellChange> {
    let value = |record: Option<&Record>, column: &str| {
        record.and_then(|cells| cells.iter().find(|(name, _)| name == column)).and_then(|(_, value)| value.clone())
    };
    let columns = |record: Option<&Record>| -> Vec<String> {
        record.map(|cells| cells.iter().map(|(name, _)| name.clone()).collect()).unwrap_or_default()
    };
    let mut names = columns(after);
    let known: HashSet<String> = names.iter().cloned().collect();
    names.extend(columns(before).into_iter().filter(|name| !known.contains(name)));
    let changes = names.into_iter().map(|column| {
        let (before, after) = (value(before, &column), value(after, &column));
        CellChange { column, before, after }
    });
    changes.filter(|change| change.before != change.after).collect()
}

fn find(name: &str, blob: &Arc<BlobReader>, key: &[KeyCell]) -> Result<Found, Problem> {
    match Format::of(blob)? {
        Format::Csv => find_in_csv(name, blob, key),
        Format::JsonLines => find_in_lines(name, blob, key),
        Format::Parquet => find_in_parquet(name, blob, key),
    }
}

/// The one record that was found, with its row.
struct Single<'a> {
    name: &'a str,
    key: &'a [KeyCell],
    found: Option<(u64, Record)>,
}

impl Single<'_> {
    fn put(&mut self, row: u64, record: Record) -> Result<(), Problem> {
        if let Some((first, _)) = &self.found {
            let message =
                format!("`{}` has more than one record with {}: rows {first} and {row}", self.name, words(self.key));
            return Err(Problem::invalid(message).hint("add a column that tells them apart, with another `--key`"));
        }
        self.found = Some((row, record));
        Ok(())
    }

    fn end(self) -> Found {
        self.found.map_or(Found::Absent, |(_, record)| Found::Record(record))
    }
}

/// Positions of the key's columns, or what is missing.
fn positions(name: &str, columns: &[String], key: &[KeyCell]) -> Result<Vec<usize>, Problem> {
    let position = |cell: &KeyCell| columns.iter().position(|column| *column == cell.column);
    key.iter().map(|cell| position(cell).ok_or_else(|| no_column(name, &cell.column, columns))).collect()
}

fn find_in_csv(name: &str, blob: &Arc<BlobReader>, key: &[KeyCell]) -> Result<Found, Problem> {
    let mut rows = CsvRows::open(name, blob)?;
    let positions = match positions(name, &rows.columns, key) {
        Ok(positions) => positions,
        Err(problem) => return Ok(Found::NoKey(problem)),
    };
    let columns = rows.columns.clone();
    let mut single = Single { name, key, found: None };
    let (mut row, mut number) = (csv::ByteRecord::new(), 0);
    while rows.next(&mut row)? {
        let fits = |(at, cell): (&usize, &KeyCell)| row.get(*at) == Some(cell.value.as_bytes());
        if positions.iter().zip(key).all(fits) {
            let text = |cell: &[u8]| Some(String::from_utf8_lossy(cell).into_owned());
            single.put(number, columns.iter().cloned().zip(row.iter().map(text)).collect())?;
        }
        number += 1;
    }
    Ok(single.end())
}

fn find_in_lines(name: &str, blob: &Arc<BlobReader>, key: &[KeyCell]) -> Result<Found, Problem> {
    let mut lines = Lines::open(name, blob);
    let mut single = Single { name, key, found: None };
    let (mut line, mut number, mut columns, mut has_key) = (Vec::new(), 0, Vec::new(), false);
    while lines.next(&mut line)? {
        let object = lines.parse(&line)?;
        has_key |= key.iter().all(|cell| object.contains_key(&cell.column));
        let fits = |cell: &KeyCell| object.get(&cell.column).and_then(text_of).as_ref() == Some(&cell.value);
        if key.iter().all(fits) {
            single.put(number, object.iter().map(|(column, value)| (column.clone(), text_of(value))).collect())?;
        }
        if number == 0 {
            columns = object.keys().cloned().collect();
        }
        number += 1;
    }
    let missing = key.iter().find(|cell| !columns.contains(&cell.column));
    match missing.filter(|_| !has_key && number > 0) {
        Some(cell) => Ok(Found::NoKey(no_column(name, &cell.column, &columns))),
        None => Ok(single.end()),
    }
}

fn find_in_parquet(name: &str, blob: &Arc<BlobReader>, key: &[KeyCell]) -> Result<Found, Problem> {
    let reader = open_parquet(name, blob)?;
    let columns = columns(&reader);
    let positions = match positions(name, &columns, key) {
        Ok(positions) => positions,
        Err(problem) => return Ok(Found::NoKey(problem)),
    };
    let mut single = Single { name, key, found: None };
    let mut visit = |number: u64, cells: Vec<Value>| {
        let value = |at: usize| cells.get(at).and_then(text_of);
        if positions.iter().zip(key).all(|(at, cell)| value(*at).as_ref() == Some(&cell.value)) {
            single.put(number, columns.iter().cloned().zip(cells.iter().map(text_of)).collect())?;
        }
        Ok(true)
    };
    parquet_rows(name, reader, 0, &mut visit)?;
    Ok(single.end())
}

/// Reads `column=value`.
pub fn key_cell(text: &str) -> Result<KeyCell, Problem> {
    match text.split_once('=') {
        Some((column, value)) if !column.is_empty() => {
            Ok(KeyCell { column: column.to_owned(), value: value.to_owned() })
        }
        _ => Err(Problem::invalid(format!("`{text}` is not a key")).hint("write `column=value`, as in `--key id=42`")),
    }
}
