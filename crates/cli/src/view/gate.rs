//! What gates found: the checks, bad rows of data, slices side by side, and regression cases.

use stemma_api::types::{CaseResults, GateStanding};
use stemma_core::{
    case::{CaseResult, RegressionCase},
    record::{CheckResult, GateReport, SliceFound},
};

use super::{count, evaluation::number};
use crate::print::{self, Output};

/// Passed checks of a gate that are listed; more are counted.
const CHECKS_SHOWN: usize = 3;

/// One gate with its checks: those that failed, and the others if they are few.
pub fn report(report: &GateReport, output: &Output) -> String {
    let mut text = format!("{} {}", report.gate, output.verdict(report.passed));
    let passed = report.checks.iter().filter(|check| check.passed).count();
    let hidden = if passed > CHECKS_SHOWN { passed } else { 0 };
    for one in report.checks.iter().filter(|check| !check.passed || hidden == 0) {
        text.push_str(&format!("\n  {}", check(one)));
    }
    if hidden > 0 {
        text.push_str(&format!("\n  ok  {}", count(hidden as u64, "check")));
    }
    if !report.slices.is_empty() {
        for line in slices(&report.slices).lines() {
            text.push_str(&format!("\n      {line}"));
        }
    }
    text
}

/// The newest report of a gate, or that there is none.
pub fn standing(standing: &GateStanding, output: &Output) -> String {
    match &standing.report {
        None => format!("{} has not run", standing.gate),
        Some(one) if standing.stale => {
            format!("{}\n  does not count: its declaration changed since", report(one, output))
        }
        Some(one) => report(one, output),
    }
}

fn check(check: &CheckResult) -> String {
    let mark = if check.passed { "ok" } else { "no" };
    let mut text = format!("{mark}  {}: {}", check.what, check.found);
    for bad in &check.examples {
        let value = if bad.value.is_empty() { String::new() } else { format!("`{}` ", bad.value) };
        text.push_str(&format!("\n        line {}: {value}{}", bad.line, bad.why));
    }
    text
}

fn slices(slices: &[SliceFound]) -> String {
    let row = |slice: &SliceFound| {
        let interval = slice.interval.map(|[low, high]| format!("[{}, {}]", number(low), number(high)));
        vec![
            format!("{} {}", slice.column, slice.value),
            slice.rows.to_string(),
            slice.metric.map_or("–".to_owned(), number),
            interval.unwrap_or_default(),
            if slice.counts { String::new() } else { "too few rows to count".to_owned() },
        ]
    };
    print::table(&["slice", "rows", "value", "95 %", ""], slices.iter().map(row))
}

/// What came of regression cases, those that failed in full.
pub fn case_results(results: &CaseResults, output: &Output) -> String {
    let failed = results.results.iter().filter(|result| !result.passed).count() as u64;
    let all = count(results.results.len() as u64, "case");
    let verdict = match failed {
        0 => output.green(format!("{all} passed")),
        failed => output.red(format!("{failed} of {all} failed")),
    };
    let cases = results.results.iter().map(|result| case_result(result, failed > 0 && result.passed));
    format!("{}  {verdict}\n{}", output.bold(&results.version), cases.collect::<Vec<_>>().join("\n"))
}

fn case_result(result: &CaseResult, only_name: bool) -> String {
    let mark = if result.passed { "ok" } else { "no" };
    let mut text = format!("  {mark}  {}", result.name);
    if only_name {
        return text;
    }
    if let (Some(why), false) = (&result.why, result.passed) {
        text.push_str(&format!("  ({why})"));
    }
    if let Some(problem) = &result.problem {
        text.push_str(&format!("\n        {problem}"));
    }
    for one in result.outputs.iter().filter(|one| !one.passed || result.passed) {
        text.push_str(&format!("\n        {one}"));
        if !one.passed && one.problem.is_none() {
            text.push_str(&format!("; expected {}", one.expected.describe(None)));
        }
    }
    text
}

/// The cases of a workspace.
pub fn cases(cases: &[RegressionCase]) -> String {
    let row = |case: &RegressionCase| {
        let expected = case.expected.iter().map(|(name, one)| format!("`{name}` {}", one.describe(case.tolerance)));
        let from = case.from.map(|id| id.to_string()).unwrap_or_default();
        vec![case.name.to_string(), expected.collect::<Vec<_>>().join(", "), case.why.clone().unwrap_or_default(), from]
    };
    print::table(&["case", "expects", "why", "from"], cases.iter().map(row))
}

#[cfg(test)]
mod tests {
    use stemma_core::record::BadRow;

    use super::*;

    fn check_of(what: &str, passed: bool) -> CheckResult {
        CheckResult::new(what, passed, "found")
    }

    fn gate(checks: Vec<CheckResult>) -> GateReport {
        GateReport { v: 1, gate: "g".into(), passed: false, checks, slices: vec![], latency: None }
    }

    #[test]
    fn a_gate_lists_what_failed_and_counts_what_is_fine() {
        let mut checks: Vec<CheckResult> = ["a", "b", "c"].map(|what| check_of(what, true)).into();
        checks.push(check_of("d", false));
        let output = Output::new(false);
        let mut found = gate(checks);
        let listed = "g failed\n  ok  a: found\n  ok  b: found\n  ok  c: found\n  no  d: found";
        assert_eq!(report(&found, &output), listed);
        found.checks.push(check_of("e", true));
        assert_eq!(report(&found, &output), "g failed\n  no  d: found\n  ok  4 checks");
    }

    #[test]
    fn bad_rows_and_slices_stand_below() {
        let bad = |line, value: &str| BadRow { line, value: value.into(), why: "is out of range".into() };
        let examples = vec![bad(3, "17"), bad(9, "")];
        let mut found = gate(vec![CheckResult { examples, ..check_of("a", false) }]);
        let slice = |value: &str, rows, counts: bool| SliceFound {
            column: "sex".into(),
            value: value.into(),
            rows,
            metric: Some(0.4),
            interval: counts.then_some([0.3, 0.5]),
            counts,
        };
        found.slices = vec![slice("women", 100, true), slice("others", 3, false)];
        let expected = "\
g failed
  no  a: found
        line 3: `17` is out of range
        line 9: is out of range
      SLICE       ROWS  VALUE  95 %
      sex women   100   0.400  [0.300, 0.500]
      sex others  3     0.400                  too few rows to count";
        assert_eq!(report(&found, &Output::new(false)), expected);
    }
}
