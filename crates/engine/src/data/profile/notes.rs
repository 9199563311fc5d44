//! What somebody should look at in a column.

use std::collections::BTreeMap;

use stemma_api::types::ColumnKind;

use crate::data::{
    column::{Column, number},
    data_test::shortened,
};

/// How people write that nothing is there.
const NOTHING: [&str; 12] = ["na", "n/a", "n.a.", "nan", "null", "none", "nil", "?", "-", "--", "unknown", "missing"];
/// A column with a smaller share of values is noted.
const PRESENT_MIN: f64 = 0.5;
/// Of text, a share of numbers from here on makes the others stand out.
const NUMBERS_MIN: f64 = 0.8;
/// Fewer values than so many may each be there once by chance.
const NAMING_MIN: u64 = 10;
const NAMED_MAX: usize = 3;

pub fn notes(column: &Column<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(constant(column));
    notes.extend(mostly_empty(column));
    notes.extend(naming(column));
    if column.kind == ColumnKind::Text {
        notes.extend(nothing_said(column));
        notes.extend(spellings(column));
        notes.extend(nearly_numbers(column));
    }
    notes
}

fn constant(column: &Column<'_>) -> Option<String> {
    (column.distinct() == 1 && column.present() > 1).then(|| "all values are the same".to_owned())
}

fn mostly_empty(column: &Column<'_>) -> Option<String> {
    let (missing, all) = (column.missing(), column.cells.len() as u64);
    let is_rare = all > 0 && (column.present() as f64) < PRESENT_MIN * all as f64;
    is_rare.then(|| format!("{:.1} % of the cells are empty", missing as f64 * 100.0 / all as f64))
}

/// Numbers with fractions are different anyway.
fn naming(column: &Column<'_>) -> Option<String> {
    let may_name = matches!(column.kind, ColumnKind::Text | ColumnKind::Integer);
    let is_naming = may_name && column.present() >= NAMING_MIN && column.distinct() == column.present();
    is_naming.then(|| "each value is there once: it may name the rows, and a model may learn them by heart".to_owned())
}

fn nothing_said(column: &Column<'_>) -> Option<String> {
    let says_nothing = |value: &&&str| NOTHING.contains(&value.trim().to_lowercase().as_str());
    let mut found: Vec<&str> = column.values.keys().filter(says_nothing).copied().collect();
    found.sort_unstable();
    let cells: u64 = found.iter().map(|value| column.values[*value]).sum();
    (cells > 0).then(|| format!("{cells} cells say that nothing is there: {}", named(&found)))
}

fn spellings(column: &Column<'_>) -> Option<String> {
    let mut folded: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for value in column.values.keys() {
        let words: Vec<&str> = value.split_whitespace().collect();
        folded.entry(words.join(" ").to_lowercase()).or_default().push(value);
    }
    let mut several: Vec<&str> = folded.into_values().filter(|spelt| spelt.len() > 1).flatten().collect();
    several.sort_unstable();
    let count = several.len();
    (count > 0).then(|| format!("{count} values differ only in case or white space: {}", named(&several)))
}

fn nearly_numbers(column: &Column<'_>) -> Option<String> {
    let is_number = |value: &&str| number(value.trim()).is_some();
    let all = column.present();
    let numbers: u64 = column.values.iter().filter(|(value, _)| is_number(value)).map(|(_, count)| count).sum();
    if all == 0 || (numbers as f64) < NUMBERS_MIN * all as f64 {
        return None;
    }
    let mut others: Vec<&str> = column.values.keys().filter(|value| !is_number(value)).copied().collect();
    others.sort_unstable();
    let (left, verb) = (all - numbers, if all - numbers == 1 { "is" } else { "are" });
    Some(format!("{left} of {all} values {verb} not a number: {}", named(&others)))
}

fn named(values: &[&str]) -> String {
    let mut named: Vec<String> = values.iter().take(NAMED_MAX).map(|value| format!("`{}`", shortened(value))).collect();
    if values.len() > NAMED_MAX {
        named.push(format!("and {} more", values.len() - NAMED_MAX));
    }
    named.join(", ")
}
