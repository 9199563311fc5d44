//! How far each column has moved from a reference.

use std::collections::BTreeMap;

use stemma_core::{
    policy::{ColumnRule, ColumnType, DriftRule},
    record::CheckResult,
};
use stemma_stats::{Bin, Bins, kolmogorov_smirnov, population_stability_index};

use super::faults::{number, percent, shortened};
use crate::table::Table;

/// Most different values of a column that are compared as categories.
const CATEGORIES_MAX: usize = 1000;
/// The bin of what is no value.
const EMPTY: &str = "empty";
/// A value that fewer rows have is not named: it could tell who they are.
const NAMED_ROWS_MIN: u64 = 5;

/// One result per column that both tables have, or that the rule names.
pub fn check(
    table: &Table,
    rule: &DriftRule,
    reference: &Table,
    rules: &BTreeMap<String, ColumnRule>,
) -> Vec<CheckResult> {
    let both = || table.columns.iter().filter(|name| reference.columns.contains(name));
    let names: Vec<&String> = if rule.columns.is_empty() { both().collect() } else { rule.columns.iter().collect() };
    let names: Vec<&String> = names.into_iter().filter(|name| !rule.except.contains(name)).collect();
    if names.is_empty() {
        let what = format!("`{}` is as `{}`", table.name, reference.name);
        return vec![CheckResult::new(what, false, "they have no column in common to compare")];
    }
    let columns = names.into_iter().map(|name| (name, is_number(table, reference, name, rules.get(name))));
    // without a limit for categories only numbers are compared, but what was named is never passed over
    let compared = columns.filter(|(_, is_number)| *is_number || rule.psi_max.is_some() || !rule.columns.is_empty());
    compared.map(|(name, is_number)| check_column(table, rule, reference, name, is_number)).collect()
}

fn check_column(table: &Table, rule: &DriftRule, reference: &Table, name: &str, is_number: bool) -> CheckResult {
    let what = describe(rule, &reference.name, name, is_number);
    let measured = match is_number {
        true => measure_numbers(&cells(table, name), &cells(reference, name), rule),
        false => measure_categories(&cells(table, name), &cells(reference, name)),
    };
    let missing = [table, reference].into_iter().find(|table| table.column(name).is_err());
    let result = match (missing, measured) {
        (Some(table), _) => CheckResult::new(what, false, format!("there is no column `{name}` in `{}`", table.name)),
        (None, Err(why)) => CheckResult::new(what, false, why),
        (None, Ok(_)) if !is_number && rule.psi_max.is_none() => {
            CheckResult::new(what, false, "it holds no numbers, and there is no `psi_max`")
        }
        (None, Ok(drift)) => {
            let too_unstable = rule.psi_max.is_some_and(|most| drift.psi > most);
            let too_far = rule.ks_max.is_some_and(|most| drift.ks.is_some_and(|(distance, _)| distance > most));
            CheckResult::new(what, !too_unstable && !too_far, drift.found(rule, too_unstable))
        }
    };
    CheckResult { column: Some(name.to_owned()), ..result }
}

fn describe(rule: &DriftRule, reference: &str, name: &str, is_number: bool) -> String {
    let mut what = format!("`{name}` is as in `{reference}`");
    if let Some(most) = rule.psi_max {
        what.push_str(&format!(", PSI ≤ {most}"));
    }
    if let (Some(most), true) = (rule.ks_max, is_number) {
        what.push_str(&format!(", KS ≤ {most}"));
    }
    what
}

fn cells<'a>(table: &'a Table, name: &str) -> Vec<&'a str> {
    match table.column(name) {
        Ok(column) => table.cells(column).map(str::trim).collect(),
        Err(_) => Vec::new(),
    }
}

/// What is declared counts; else a column is one of numbers if each cell of both tables is one (infinite and NaN, too)
/// or empty.
fn is_number(table: &Table, reference: &Table, name: &str, declared: Option<&ColumnRule>) -> bool {
    match declared.and_then(|rule| rule.kind) {
        Some(ColumnType::Number | ColumnType::Integer) => true,
        Some(ColumnType::Text) => false,
        None => {
            let all = |table| cells(table, name).into_iter().all(|cell| cell.is_empty() || cell.parse::<f64>().is_ok());
            all(table) && all(reference)
        }
    }
}

struct Drift {
    psi: f64,
    /// Distance and p-value.
    ks: Option<(f64, f64)>,
    /// The bin that moved most, with its shares then and now.
    largest: Option<String>,
}

impl Drift {
    fn found(&self, rule: &DriftRule, too_unstable: bool) -> String {
        let mut found = Vec::new();
        if rule.psi_max.is_some() {
            found.push(format!("PSI {:.4}", self.psi));
        }
        if let (Some((distance, p)), Some(_)) = (self.ks, rule.ks_max) {
            found.push(format!("KS {distance:.4} (p {p:.4})"));
        }
        if let (Some(largest), true) = (&self.largest, too_unstable) {
            found.push(format!("most of it {largest}"));
        }
        found.join(", ")
    }
}

fn measure_numbers(now: &[&str], then: &[&str], rule: &DriftRule) -> Result<Drift, String> {
    let numbers = |cells: &[&str]| -> Vec<f64> { cells.iter().filter_map(|cell| number(cell)).collect() };
    let (new, old) = (numbers(now), numbers(then));
    // without numbers in the reference every number is a new one
    let bins = Bins::of(&old, rule.bins).ok();
    let ranges = bins.as_ref().map_or(1, Bins::count);
    let count = |cells: &[&str]| {
        let mut counts = vec![0; ranges + 1];
        for cell in cells {
            let value = cell.parse::<f64>().ok().filter(|value| !value.is_nan());
            counts[value.map_or(ranges, |value| bins.as_ref().map_or(0, |bins| bins.place(value)))] += 1;
        }
        counts
    };
    let name = |place| match &bins {
        _ if place == ranges => EMPTY.to_owned(),
        Some(bins) => bin_name(bins.bin(place)),
        None => "numbers".to_owned(),
    };
    let names: Vec<String> = (0..=ranges).map(name).collect();
    let mut drift = measure_bins(&count(now), &count(then), &names)?;
    if let Ok(distance) = kolmogorov_smirnov(&old, &new) {
        drift.ks = Some((distance.statistic, distance.p_value));
    } else if rule.ks_max.is_some() {
        return Err("there are no numbers".to_owned());
    }
    Ok(drift)
}

fn bin_name(bin: Bin) -> String {
    match bin {
        Bin::Below(least) => format!("below {least}"),
        Bin::Above(greatest) => format!("above {greatest}"),
        Bin::Range(low, high) => format!("{low} to {high}"),
        Bin::Point(value) => format!("{value}"),
    }
}

fn measure_categories(now: &[&str], then: &[&str]) -> Result<Drift, String> {
    let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for cell in now {
        counts.entry(cell).or_default().0 += 1;
    }
    for cell in then {
        counts.entry(cell).or_default().1 += 1;
    }
    if counts.len() > CATEGORIES_MAX {
        return Err(format!("there are more than {CATEGORIES_MAX} different values; leave it out with `except`"));
    }
    let name = |cell: &&str| if cell.is_empty() { EMPTY.to_owned() } else { format!("`{}`", shortened(cell)) };
    let names: Vec<String> = counts.keys().map(name).collect();
    let (now, then): (Vec<u64>, Vec<u64>) = counts.into_values().unzip();
    measure_bins(&now, &then, &names)
}

fn measure_bins(now: &[u64], then: &[u64], names: &[String]) -> Result<Drift, String> {
    let psi = population_stability_index(then, now).map_err(|error| error.to_string())?;
    let (new, old): (u64, u64) = (now.iter().sum(), then.iter().sum());
    let share = |count: u64, of: u64| count as f64 / of as f64;
    let moved = |bin: &usize| (share(now[*bin], new) - share(then[*bin], old)).abs();
    let largest = (0..names.len())
        .filter(|bin| now[*bin].max(then[*bin]) >= NAMED_ROWS_MIN || names[*bin] == EMPTY)
        .max_by(|a, b| moved(a).total_cmp(&moved(b)))
        .map(|bin| format!("{}: {} then, {} now", names[bin], percent(then[bin], old), percent(now[bin], new)));
    Ok(Drift { psi, ks: None, largest })
}
