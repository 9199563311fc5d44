//! The data test: is a table as its rules say?

mod column;
mod drift;
mod faults;
mod rows;

use stemma_core::{policy::DataTest, record::CheckResult};

pub(crate) use self::faults::shortened;
use crate::table::Table;

/// The tables that a data test compares with.
#[derive(Debug, Default)]
pub struct Beside {
    /// In the order of the rules.
    pub overlaps: Vec<Table>,
    pub reference: Option<Table>,
}

/// Checks a table against all its rules, in the order in which they are declared and documented.
pub fn check(table: &Table, test: &DataTest, beside: &Beside) -> Vec<CheckResult> {
    let mut results = vec![rows::count(table, test.min_rows, test.max_rows)];
    if test.strict {
        results.push(rows::known_columns(table, &test.columns));
    }
    for (name, rule) in &test.columns {
        results.extend(column::check(table, name, rule));
    }
    results.extend(test.keys.iter().map(|key| rows::unique_key(table, key)));
    for (rule, other) in test.no_overlap.iter().zip(&beside.overlaps) {
        results.push(rows::no_overlap(table, rule, other, &test.columns));
    }
    if let (Some(rule), Some(reference)) = (&test.drift, &beside.reference) {
        results.extend(drift::check(table, rule, reference, &test.columns));
    }
    results
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn table(csv: &str) -> Table {
        Table::parse("t@1", csv.as_bytes()).unwrap()
    }

    /// Checks a table by the given rules; returns what failed, with the examples' lines and reasons.
    fn failed(csv: &str, rules: Value, beside: Beside) -> Vec<String> {
        let mut rules = rules;
        rules["data"] = json!("t@1");
        let test: DataTest = serde_json::from_value(rules).unwrap();
        let results = check(&table(csv), &test, &beside);
        let told = |check: CheckResult| {
            let examples: Vec<String> =
                check.examples.iter().map(|bad| format!("{} `{}` {}", bad.line, bad.value, bad.why)).collect();
            format!("{}: {} | {}", check.what, check.found, examples.join("; "))
        };
        results.into_iter().filter(|check| !check.passed).map(told).collect()
    }

    fn alone(csv: &str, rules: Value) -> Vec<String> {
        failed(csv, rules, Beside::default())
    }

    #[test]
    fn what_fits_passes() {
        let rules = json!({ "max_rows": 3, "strict": true, "keys": [["a", "b"]], "columns": {
            "a": { "type": "integer", "min": 18, "max": 75, "mean": { "min": 46, "max": 47 },
                   "quantiles": [{ "at": 0.5, "max": 46.5 }] },
            "b": { "pattern": "[a-z]+[0-9]?", "length_min": 1, "length_max": 3, "missing_max": 0.5, "unique": true },
        }});
        assert_eq!(alone("a,b\n18,x\n75,yz1\n", rules), Vec::<String>::new());
        let nullable = json!({ "columns": { "a": { "type": "number", "nullable": true, "unique": true } } });
        assert_eq!(alone("a,b\n,x\n,x\n3,y\n", nullable), Vec::<String>::new());
    }

    #[test]
    fn each_bad_cell_is_named_with_line_value_and_reason() {
        let age = json!({ "columns": { "a": { "type": "integer", "min": 18, "max": 120 } } });
        assert_eq!(
            alone("a\n18\n17\n1.5\nx\nNaN\n", age),
            ["column `a` holds whole numbers from 18 to 120 and is never empty: 4 of 5 values don't fit (80.0 %) | \
              3 `17` is out of range; 4 `1.5` is not a whole number; 5 `x` is not a number; 6 `NaN` is not a number"]
        );
        for (rule, cell, expected) in [
            (json!({}), "\"\"", "is empty"),
            (json!({ "values": ["good", "bad"] }), "ugly", "is not one of the allowed values"),
            (json!({ "pattern": "[a-z]+" }), "abc1", "does not match"),
            (json!({ "length_min": 2 }), "é", "has 1 characters"),
            (json!({ "length_max": 2 }), "abc", "has 3 characters"),
        ] {
            let found = alone(&format!("a,b\n{cell},1\n"), json!({ "columns": { "a": rule } }));
            assert!(found[0].ends_with(expected), "{cell}: {found:?}");
        }
    }

    #[test]
    fn examples_are_few_and_short() {
        let csv = format!("a\n{}", format!("{}\n", "x".repeat(200)).repeat(9));
        let test = json!({ "data": "t@1", "columns": { "a": { "type": "number" } } });
        let found = check(&table(&csv), &serde_json::from_value(test).unwrap(), &Beside::default()).remove(1);
        assert_eq!((found.bad_rows, found.examples.len(), found.column.as_deref()), (Some([9, 9]), 5, Some("a")));
        assert_eq!(found.examples[0].value.chars().count(), 81);
    }

    #[test]
    fn missing_shares_duplicates_means_and_quantiles() {
        let rule = |rule: Value| json!({ "columns": { "a": rule } });
        for (csv, rules, expected) in [
            (
                "a,b\n,1\n2,1\n,1\n",
                rule(json!({ "missing_max": 0.5 })),
                "at most 50 % of column `a` is empty: 2 of 3 cells are empty (66.7 %) | 2 `` is empty; 4 `` is empty",
            ),
            (
                "a\n1\n2\n1\n1\n",
                rule(json!({ "unique": true })),
                "no value of column `a` occurs twice: 2 of 4 values occur again (50.0 %) | \
                 4 `1` is also in line 2; 5 `1` is also in line 2",
            ),
            ("a\n1\n2\n", rule(json!({ "mean": { "min": 2.0 } })), "the mean of `a` is at least 2: 1.5000 | "),
            (
                "a\n1\n2\n10\n",
                rule(json!({ "quantiles": [{ "at": 0.5, "max": 1.0 }] })),
                "the 50 % quantile of `a` is at most 1: 2.0000 | ",
            ),
            (
                "a\nx\n",
                rule(json!({ "mean": { "max": 2.0 } })),
                "the mean of `a` is at most 2: there are no numbers | ",
            ),
            (
                "a,b\n1,x\n2,x\n1,x\n",
                json!({ "keys": [["a", "b"]] }),
                "no values of `a`, `b` occur together twice: 1 of 3 rows occur again (33.3 %) | \
                 4 `1, x` is also in line 2",
            ),
        ] {
            assert_eq!(alone(csv, rules), [expected]);
        }
    }

    #[test]
    fn the_shape_of_a_table_is_checked() {
        for (csv, rules, expected) in [
            ("a\n", json!({}), "`t@1` has at least 1 row: 0 rows | "),
            ("a\n1\n2\n3\n", json!({ "max_rows": 2 }), "`t@1` has from 1 to 2 rows: 3 rows | "),
            (
                "b\n1\n",
                json!({ "columns": { "a": {} } }),
                "column `a` exists and is never empty: there is no such column | ",
            ),
            ("b\n1\n", json!({ "keys": [["a"]] }), "no values of `a` occur together twice: there is no column `a` | "),
            (
                "a,b,c\n1,2,3\n",
                json!({ "strict": true, "columns": { "a": {} } }),
                "`t@1` has no columns but those with a rule: 2 unknown columns: `b`, `c` | ",
            ),
        ] {
            assert_eq!(alone(csv, rules), [expected]);
        }
    }

    fn overlap(csv: &str, rule: Value, other: &str) -> Vec<String> {
        let beside = Beside { overlaps: vec![table(other)], reference: None };
        failed(csv, json!({ "no_overlap": [rule] }), beside)
    }

    #[test]
    fn rows_that_another_table_has_are_found() {
        let rule = || json!({ "data": "t@1" });
        assert_eq!(overlap("a,b\n1,x\n2,y\n", rule(), "b,a\nz,1\nx,2\n"), Vec::<String>::new());
        assert_eq!(
            overlap("a,b\n1,x\n2,y\n", rule(), "b,a,c\ny,2.0,q\n"),
            ["no row of `t@1` is in `t@1`: 1 of 2 rows are (50.0 %) | 3 `2, y` is in both"]
        );
        let on = json!({ "data": "t@1", "on": ["a"] });
        assert_eq!(overlap("a,b\n1,x\n2,y\n", on.clone(), "a,b\n1,q\n").len(), 1);
        let ids = "a,b\n9007199254740993,x\n";
        assert_eq!(overlap(ids, on.clone(), "a,b\n9007199254740992,x\n"), Vec::<String>::new());
        assert_eq!(overlap("a,b\n01067,x\n", on.clone(), "a,b\n1067,x\n"), Vec::<String>::new());
        let texts = json!({ "no_overlap": [{ "data": "t@1", "on": ["a"] }], "columns": { "a": { "type": "text" } } });
        let beside = |other| Beside { overlaps: vec![table(other)], reference: None };
        assert_eq!(failed("a\n1e5\n", texts.clone(), beside("a\n100000\n")), Vec::<String>::new());
        assert_eq!(failed("a\n1e5\n", texts, beside("a\n1e5\n")).len(), 1);
        assert!(overlap("a,b\n1,x\n", on, "b\nx\n")[0].contains("`t@1` has no column `a`"));
        assert!(overlap("a\n1\n", rule(), "b\n1\n")[0].contains("they have no column in common"));
    }

    fn drifted(csv: &str, rule: Value, reference: &str) -> Vec<String> {
        let mut rule = rule;
        rule["reference"] = json!("r@1");
        let beside = Beside { overlaps: vec![], reference: Some(Table::parse("r@1", reference.as_bytes()).unwrap()) };
        failed(csv, json!({ "min_rows": 0, "drift": rule }), beside)
    }

    fn numbers(range: std::ops::Range<u32>) -> String {
        format!("a\n{}", range.map(|n| format!("{n}\n")).collect::<String>())
    }

    #[test]
    fn numbers_that_moved_are_found() {
        let limits = || json!({ "psi_max": 0.2, "ks_max": 0.1 });
        assert_eq!(drifted(&numbers(0..100), limits(), &numbers(0..100)), Vec::<String>::new());
        let moved = drifted(&numbers(50..150), limits(), &numbers(0..100));
        assert_eq!(moved.len(), 1, "{moved:?}");
        assert!(moved[0].contains("KS 0.5000 (p 0.0000)"), "{moved:?}");
        assert!(moved[0].starts_with("`a` is as in `r@1`, PSI ≤ 0.2, KS ≤ 0.1: PSI "), "{moved:?}");
    }

    #[test]
    fn a_value_that_most_rows_have_hides_nothing() {
        let limits = || json!({ "psi_max": 0.2 });
        let rows = |zeros: usize, ones: usize| format!("a\n{}{}", "0\n".repeat(zeros), "1\n".repeat(ones));
        assert_eq!(drifted(&rows(92, 8), limits(), &rows(92, 8)), Vec::<String>::new());
        let moved = drifted(&rows(0, 100), limits(), &rows(92, 8));
        assert!(
            moved[0].ends_with("most of it 0: 92.0 % then, 0.0 % now | ") || moved[0].contains("0 to 1: 8.0 % then"),
            "{moved:?}"
        );
        let constant = |value: u32| format!("a\n{}", format!("{value}\n").repeat(50));
        assert_eq!(drifted(&constant(5), limits(), &constant(5)), Vec::<String>::new());
        assert!(drifted(&constant(6), limits(), &constant(5))[0].contains("PSI"));
        let outside = format!("{}{}", numbers(0..90), "1000000\n".repeat(10));
        assert!(drifted(&outside, limits(), &numbers(0..100))[0].contains("above 99: 0.0 % then, 10.0 % now"));
        let undefined = format!("{}{}", numbers(0..60), "NaN\n".repeat(40));
        assert!(drifted(&undefined, limits(), &numbers(0..100))[0].contains("empty: 0.0 % then, 40.0 % now"));
    }

    #[test]
    fn categories_that_moved_are_found_and_the_largest_shift_is_named() {
        let csv = |x: usize, y: usize| format!("a\n{}{}", "x\n".repeat(x), "y\n".repeat(y));
        let limit = || json!({ "psi_max": 0.2 });
        assert_eq!(drifted(&csv(52, 48), limit(), &csv(50, 50)), Vec::<String>::new());
        assert_eq!(
            drifted(&csv(90, 10), limit(), &csv(50, 50)),
            ["`a` is as in `r@1`, PSI ≤ 0.2: PSI 0.8789, most of it `y`: 50.0 % then, 10.0 % now | "]
        );
    }

    #[test]
    fn what_can_not_be_compared_fails_and_says_why() {
        let limit = || json!({ "psi_max": 0.2 });
        assert!(drifted("a\n", limit(), "a\n1\n")[0].contains("there are no rows"));
        assert!(drifted("a\n1\n", limit(), "a\n")[0].contains("there are no rows"));
        assert!(drifted("a\n1\n", limit(), "b\n1\n")[0].contains("no column in common"));
        let named = json!({ "psi_max": 0.2, "columns": ["b"] });
        assert!(drifted("a\n1\n", named, "a\n1\n")[0].contains("there is no column `b`"));
        let names: String = (0..1100).map(|n| format!("name{n}\n")).collect();
        let many = format!("a\n{names}");
        assert!(drifted(&many, limit(), &many)[0].contains("more than 1000 different values"));
        let named = || json!({ "ks_max": 0.2, "columns": ["a"] });
        assert!(drifted("a\nx\n", named(), "a\nx\n")[0].contains("it holds no numbers"));
        assert_eq!(drifted("a,b\nx,1\n", json!({ "ks_max": 0.2 }), "a,b\ny,1\n"), Vec::<String>::new());
        let except = json!({ "psi_max": 0.2, "except": ["a"] });
        assert_eq!(drifted("a,b\n1,1\n", except, "a,b\n7,1\n"), Vec::<String>::new());
    }

    #[test]
    fn empty_cells_are_a_bin_of_their_own() {
        let some = "a,b\n1,1\n1,1\n1,1\n1,1\n";
        let none = "a,b\n1,1\n1,1\n,1\n,1\n";
        let found = drifted(none, json!({ "psi_max": 0.2, "ks_max": 1.0 }), some);
        assert!(found[0].contains("PSI ") && found[0].contains("empty"), "{found:?}");
    }
}
