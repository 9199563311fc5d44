//! Rules of a whole table: how many rows, which columns, which rows again or elsewhere.

use std::collections::{BTreeMap, HashMap};

use stemma_core::{
    policy::{ColumnRule, ColumnType, OverlapRule},
    record::CheckResult,
};
use stemma_table::{Key, Sameness};

use super::faults::Faults;
use crate::table::{Pair, Table};

/// Unknown columns that are named.
const COLUMNS_NAMED: usize = 10;

pub fn count(table: &Table, min: u64, max: Option<u64>) -> CheckResult {
    let rows = table.row_count() as u64;
    let what = match max {
        None => format!("`{}` has at least {}", table.name, counted(min, "row")),
        Some(max) => format!("`{}` has from {min} to {max} rows", table.name),
    };
    CheckResult::new(what, rows >= min && max.is_none_or(|max| rows <= max), counted(rows, "row"))
}

/// `1 row`, `2 rows`.
fn counted(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

pub fn known_columns(table: &Table, rules: &BTreeMap<String, ColumnRule>) -> CheckResult {
    let what = format!("`{}` has no columns but those with a rule", table.name);
    let unknown: Vec<String> =
        table.columns.iter().filter(|name| !rules.contains_key(*name)).map(|name| format!("`{name}`")).collect();
    if unknown.is_empty() {
        return CheckResult::new(what, true, format!("{} columns", table.columns.len()));
    }
    let more = if unknown.len() > COLUMNS_NAMED { ", …" } else { "" };
    let named = unknown[..unknown.len().min(COLUMNS_NAMED)].join(", ");
    CheckResult::new(what, false, format!("{}: {named}{more}", counted(unknown.len() as u64, "unknown column")))
}

pub fn unique_key(table: &Table, key: &[String]) -> CheckResult {
    let named: Vec<String> = key.iter().map(|name| format!("`{name}`")).collect();
    let what = format!("no values of {} occur together twice", named.join(", "));
    let columns = match positions(table, key) {
        Ok(columns) => columns,
        Err(name) => return CheckResult::new(what, false, format!("there is no column `{name}`")),
    };
    let mut seen: HashMap<Key, usize> = HashMap::new();
    let mut faults = Faults::new(table);
    for row in 0..table.row_count() {
        let first = *seen.entry(table.text_key(row, &columns)).or_insert(row);
        if first != row {
            let why = || format!("is also in line {}", table.line(first));
            faults.add(row, || cells(table, row, &columns), why);
        }
    }
    let rows = table.row_count() as u64;
    faults.result(what, rows, "rows occur again", format!("{rows} different rows"))
}

/// Numbers are compared as numbers, unless the column is declared as text.
pub fn no_overlap(
    table: &Table,
    rule: &OverlapRule,
    other: &Table,
    rules: &BTreeMap<String, ColumnRule>,
) -> CheckResult {
    let on: Vec<String> = rule.on.iter().map(|name| format!("`{name}`")).collect();
    let what = match on.is_empty() {
        true => format!("no row of `{}` is in `{}`", table.name, other.name),
        false => format!("no {} of `{}` is in `{}`", on.join(", "), table.name, other.name),
    };
    let fails = |found: String| CheckResult::new(&what, false, found);
    let shared = match rule.on.is_empty() {
        true => table.columns.iter().filter(|name| other.columns.contains(name)).cloned().collect(),
        false => rule.on.clone(),
    };
    if shared.is_empty() {
        return fails("they have no column in common".to_owned());
    }
    let (mine, theirs) = match (positions(table, &shared), positions(other, &shared)) {
        (Ok(mine), Ok(theirs)) => (mine, theirs),
        (Err(name), _) => return fails(format!("`{}` has no column `{name}`", table.name)),
        (_, Err(name)) => return fails(format!("`{}` has no column `{name}`", other.name)),
    };
    let mut faults = Faults::new(table);
    let sameness = |name: &String| match rules.get(name).and_then(|rule| rule.kind) {
        Some(ColumnType::Text) => Sameness::Text,
        _ => Sameness::Value,
    };
    let pairs = mine.iter().zip(theirs).zip(&shared);
    let pairs: Vec<Pair> =
        pairs.map(|((mine, theirs), name)| Pair { mine: *mine, theirs, sameness: sameness(name) }).collect();
    for (row, also) in table.rows_in(other, &pairs).into_iter().enumerate() {
        if also {
            faults.add(row, || cells(table, row, &mine), || "is in both".to_owned());
        }
    }
    let rows = table.row_count() as u64;
    faults.result(what, rows, "rows are", format!("none of {rows} rows is"))
}

/// Where columns stand; `Err` names the first that is not there.
fn positions<'a>(table: &Table, names: &'a [String]) -> Result<Vec<usize>, &'a str> {
    names.iter().map(|name| table.columns.iter().position(|c| c == name).ok_or(name.as_str())).collect()
}

fn cells(table: &Table, row: usize, columns: &[usize]) -> String {
    let cells: Vec<&str> = columns.iter().map(|column| table.cell(row, *column)).collect();
    cells.join(", ")
}
