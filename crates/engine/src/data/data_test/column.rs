//! Rules of one column: its cells, and what they are together.

use std::collections::HashMap;

use regex::Regex;
use stemma_core::{
    policy::{Bounds, ColumnRule, ColumnType, compile_pattern},
    record::CheckResult,
};
use stemma_stats::{mean, quantile};

use super::faults::{Faults, number, percent};
use crate::table::Table;

/// Checks a column: one result for its cells, and one for each rule on all of them together.
pub fn check(table: &Table, name: &str, rule: &ColumnRule) -> Vec<CheckResult> {
    let Ok(column) = table.column(name) else {
        let what = format!("column `{name}` {}", describe(rule));
        return vec![of_column(name, CheckResult::new(what, false, "there is no such column"))];
    };
    let mut results = vec![cells(table, name, column, rule)];
    if let Some(most) = rule.missing_max {
        results.push(missing(table, name, column, most));
    }
    if rule.unique {
        results.push(unique(table, name, column));
    }
    if rule.mean.is_some() || !rule.quantiles.is_empty() {
        results.extend(distribution(table, name, column, rule));
    }
    results.into_iter().map(|result| of_column(name, result)).collect()
}

fn of_column(name: &str, result: CheckResult) -> CheckResult {
    CheckResult { column: Some(name.to_owned()), ..result }
}

fn texts(table: &Table, column: usize) -> impl Iterator<Item = (usize, &str)> {
    table.cells(column).enumerate()
}

fn cells(table: &Table, name: &str, column: usize, rule: &ColumnRule) -> CheckResult {
    let what = format!("column `{name}` {}", describe(rule));
    let pattern = match rule.pattern.as_deref().map(compile_pattern).transpose() {
        Ok(pattern) => pattern,
        Err(why) => return CheckResult::new(what, false, format!("its pattern can't be used: {why}")),
    };
    let mut faults = Faults::new(table);
    for (row, cell) in texts(table, column) {
        if let Some(why) = cell_fault(cell, rule, pattern.as_ref()) {
            faults.add(row, || cell.to_owned(), || why);
        }
    }
    let rows = table.row_count() as u64;
    faults.result(what, rows, "values don't fit", format!("{rows} values fit"))
}

/// Returns what is wrong with one cell.
fn cell_fault(cell: &str, rule: &ColumnRule, pattern: Option<&Regex>) -> Option<String> {
    if cell.trim().is_empty() {
        let allowed = rule.nullable || rule.missing_max.is_some();
        return (!allowed).then(|| "is empty".to_owned());
    }
    if rule.values.as_ref().is_some_and(|values| !values.iter().any(|value| value == cell)) {
        return Some("is not one of the allowed values".to_owned());
    }
    if pattern.is_some_and(|pattern| !pattern.is_match(cell)) {
        return Some("does not match".to_owned());
    }
    length_fault(cell, rule).or_else(|| number_fault(cell, rule))
}

fn length_fault(cell: &str, rule: &ColumnRule) -> Option<String> {
    if rule.length_min.is_none() && rule.length_max.is_none() {
        return None;
    }
    let length = cell.chars().count() as u64;
    let fits = rule.length_min.is_none_or(|min| length >= min) && rule.length_max.is_none_or(|max| length <= max);
    (!fits).then(|| format!("has {length} characters"))
}

fn number_fault(cell: &str, rule: &ColumnRule) -> Option<String> {
    let bounds = Bounds { min: rule.min, max: rule.max };
    let numeric = matches!(rule.kind, Some(ColumnType::Number | ColumnType::Integer));
    if !numeric && bounds == Bounds::default() {
        return None;
    }
    let Some(value) = number(cell) else {
        return Some("is not a number".to_owned());
    };
    if rule.kind == Some(ColumnType::Integer) && value.fract() != 0.0 {
        return Some("is not a whole number".to_owned());
    }
    (!bounds.hold(value)).then(|| "is out of range".to_owned())
}

fn missing(table: &Table, name: &str, column: usize, most: f64) -> CheckResult {
    let what = format!("at most {} % of column `{name}` is empty", in_percent(most));
    let mut faults = Faults::new(table);
    for (row, cell) in texts(table, column) {
        if cell.trim().is_empty() {
            faults.add(row, String::new, || "is empty".to_owned());
        }
    }
    let (empty, rows) = (faults.count, table.row_count() as u64);
    if empty as f64 <= most * rows as f64 {
        return CheckResult::new(what, true, format!("{empty} of {rows} cells are ({})", percent(empty, rows)));
    }
    faults.result(what, rows, "cells are empty", String::new())
}

/// Empty cells are no values: any number of them may be there.
fn unique(table: &Table, name: &str, column: usize) -> CheckResult {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut faults = Faults::new(table);
    let mut values = 0;
    for (row, cell) in texts(table, column).filter(|(_, cell)| !cell.trim().is_empty()) {
        values += 1;
        let first = *seen.entry(cell.trim()).or_insert(row);
        if first != row {
            faults.add(row, || cell.to_owned(), || format!("is also in line {}", table.line(first)));
        }
    }
    let what = format!("no value of column `{name}` occurs twice");
    faults.result(what, values, "values occur again", format!("{values} different values"))
}

/// Mean and quantiles of what is a number; what isn't is the cell check's business.
fn distribution(table: &Table, name: &str, column: usize, rule: &ColumnRule) -> Vec<CheckResult> {
    let numbers: Vec<f64> = texts(table, column).filter_map(|(_, cell)| number(cell)).collect();
    let result = |what: String, bounds: Bounds, value: Option<f64>| match value {
        None => CheckResult::new(what, false, "there are no numbers"),
        Some(value) => CheckResult::new(what, bounds.hold(value), format!("{value:.4}")),
    };
    let of_mean = rule
        .mean
        .iter()
        .map(|bounds| result(format!("the mean of `{name}` {}", bounds.describe()), *bounds, mean(&numbers).ok()));
    let of_quantiles = rule.quantiles.iter().map(|rule| {
        let bounds = rule.bounds();
        let what = format!("the {} % quantile of `{name}` {}", in_percent(rule.at), bounds.describe());
        result(what, bounds, quantile(&numbers, rule.at).ok())
    });
    of_mean.chain(of_quantiles).collect()
}

/// A declared share, without the rounding that 0.07 · 100 has.
fn in_percent(share: f64) -> f64 {
    (share * 1e10).round() / 1e8
}

fn describe(rule: &ColumnRule) -> String {
    let mut parts = vec![match rule.kind {
        Some(ColumnType::Number) => "holds numbers".to_owned(),
        Some(ColumnType::Integer) => "holds whole numbers".to_owned(),
        Some(ColumnType::Text) => "holds text".to_owned(),
        None => "exists".to_owned(),
    }];
    match (rule.min, rule.max) {
        (Some(min), Some(max)) => parts.push(format!("from {min} to {max}")),
        (Some(min), None) => parts.push(format!("from {min}")),
        (None, Some(max)) => parts.push(format!("up to {max}")),
        (None, None) => {}
    }
    if let Some(values) = &rule.values {
        parts.push(format!("of {}", values.join(", ")));
    }
    if let Some(pattern) = &rule.pattern {
        parts.push(format!("matching `{pattern}`"));
    }
    match (rule.length_min, rule.length_max) {
        (Some(min), Some(max)) => parts.push(format!("of {min} to {max} characters")),
        (Some(min), None) => parts.push(format!("of at least {min} characters")),
        (None, Some(max)) => parts.push(format!("of at most {max} characters")),
        (None, None) => {}
    }
    let may_be_empty = rule.nullable || rule.missing_max.is_some();
    parts.push(if may_be_empty { "or nothing" } else { "and is never empty" }.to_owned());
    parts.join(" ")
}
