//! The data test: types, ranges, allowed values and emptiness of a table.

use std::collections::BTreeMap;

use stemma_core::{
    policy::{ColumnRule, ColumnType},
    record::CheckResult,
};

use crate::table::Table;

/// Checks a table; one result for the number of rows and one per declared column.
pub fn check(table: &Table, min_rows: u64, columns: &BTreeMap<String, ColumnRule>) -> Vec<CheckResult> {
    let rows = table.rows.len() as u64;
    let mut results = vec![CheckResult {
        what: format!("`{}` has at least {min_rows} rows", table.name),
        passed: rows >= min_rows,
        found: format!("{rows} rows"),
    }];
    results.extend(columns.iter().map(|(name, rule)| check_column(table, name, rule)));
    results
}

fn check_column(table: &Table, name: &str, rule: &ColumnRule) -> CheckResult {
    let what = format!("column `{name}` {}", describe(rule));
    let Ok(column) = table.column(name) else {
        return CheckResult { what, passed: false, found: "there is no such column".to_owned() };
    };
    let mut bad = 0u64;
    let mut first = None;
    for (row, record) in table.rows.iter().enumerate() {
        let cell = record.get(column).unwrap_or_default();
        if let Some(why) = cell_fault(cell, rule) {
            bad += 1;
            first.get_or_insert_with(|| format!("line {}: {why}", table.line(row)));
        }
    }
    let found = match first {
        None => format!("{} values fit", table.rows.len()),
        Some(first) => format!("{bad} of {} values don't fit; {first}", table.rows.len()),
    };
    CheckResult { what, passed: bad == 0, found }
}

fn describe(rule: &ColumnRule) -> String {
    let mut parts = Vec::new();
    match rule.kind {
        Some(ColumnType::Number) => parts.push("holds numbers".to_owned()),
        Some(ColumnType::Integer) => parts.push("holds whole numbers".to_owned()),
        Some(ColumnType::Text) => parts.push("holds text".to_owned()),
        None => parts.push("exists".to_owned()),
    }
    match (rule.min, rule.max) {
        (Some(min), Some(max)) => parts.push(format!("from {min} to {max}")),
        (Some(min), None) => parts.push(format!("from {min}")),
        (None, Some(max)) => parts.push(format!("up to {max}")),
        (None, None) => {}
    }
    if let Some(values) = &rule.values {
        parts.push(format!("of {}", values.join(", ")));
    }
    parts.push(if rule.nullable { "or nothing" } else { "and is never empty" }.to_owned());
    parts.join(" ")
}

/// Returns what is wrong with one cell.
fn cell_fault(cell: &str, rule: &ColumnRule) -> Option<String> {
    let shown = || cell.chars().take(40).collect::<String>();
    if cell.trim().is_empty() {
        return (!rule.nullable).then(|| "it is empty".to_owned());
    }
    if let Some(values) = &rule.values
        && !values.iter().any(|value| value == cell)
    {
        return Some(format!("`{}` is not one of the allowed values", shown()));
    }
    let bounded = rule.min.is_some() || rule.max.is_some();
    let numeric = matches!(rule.kind, Some(ColumnType::Number | ColumnType::Integer)) || bounded;
    if !numeric {
        return None;
    }
    let number = match cell.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => number,
        _ => return Some(format!("`{}` is not a number", shown())),
    };
    if rule.kind == Some(ColumnType::Integer) && number.fract() != 0.0 {
        return Some(format!("`{}` is not a whole number", shown()));
    }
    let below = rule.min.is_some_and(|min| number < min);
    let above = rule.max.is_some_and(|max| number > max);
    (below || above).then(|| format!("`{}` is out of range", shown()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(csv: &str, rule: ColumnRule) -> (bool, String) {
        let table = Table::parse("t@1", csv.as_bytes()).unwrap();
        let result = check(&table, 1, &BTreeMap::from([("a".to_owned(), rule)])).remove(1);
        (result.passed, result.found)
    }

    fn integer(min: f64, max: f64) -> ColumnRule {
        ColumnRule { kind: Some(ColumnType::Integer), min: Some(min), max: Some(max), ..ColumnRule::default() }
    }

    #[test]
    fn what_fits_passes() {
        assert_eq!(verdicts("a\n18\n75\n", integer(18.0, 120.0)), (true, "2 values fit".to_owned()));
        let nullable = ColumnRule { nullable: true, ..integer(0.0, 9.0) };
        assert!(verdicts("a,b\n,x\n3,y\n", nullable).0);
    }

    #[test]
    fn the_first_fault_is_named_with_its_line() {
        let found = verdicts("a\n18\n17\n1.5\nx\n", integer(18.0, 120.0));
        assert_eq!(found, (false, "3 of 4 values don't fit; line 3: `17` is out of range".to_owned()));
        assert!(!verdicts("a,b\n,x\n", integer(0.0, 1.0)).0);
        assert!(!verdicts("a\nNaN\n", integer(0.0, 1.0)).0);
        let values = ColumnRule { values: Some(vec!["good".into(), "bad".into()]), ..ColumnRule::default() };
        assert!(!verdicts("a\nugly\n", values).0);
        assert_eq!(verdicts("b\n1\n", ColumnRule::default()), (false, "there is no such column".to_owned()));
    }

    #[test]
    fn an_empty_table_fails() {
        let table = Table::parse("t@1", b"a\n").unwrap();
        assert!(!check(&table, 1, &BTreeMap::new())[0].passed);
    }
}
