//! Which of two versions to prefer, from evidence and not from a glance at two numbers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::version::Comparison;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    PreferA,
    PreferB,
    NotEnoughEvidence,
}

/// A verdict with what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Recommendation {
    pub verdict: Verdict,
    pub reason: String,
    /// About how many rows in all would show a difference of this size, if it is real.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_needed: Option<u64>,
    /// What speaks against the verdict or must be looked at before it is followed.
    pub warnings: Vec<String>,
}

/// What is known of the second version beside the first.
#[derive(Debug, Clone, PartialEq)]
pub struct CompareFacts {
    /// The second as candidate, the first as reference; or why they could not be compared.
    pub performance: Result<Comparison, String>,
    /// What callers of the first would trip over.
    pub breaking: Vec<String>,
    /// Rows that training had read, of each.
    pub leaky_rows: [u64; 2],
    /// Slices on which the second is shown to be worse, and better, as in `sex = female`.
    pub worse_slices: Vec<String>,
    pub better_slices: Vec<String>,
    /// How the producing runs were captured: level, and whether that is all there was.
    pub capture: [Option<u8>; 2],
}

/// Decides. An interval that holds zero decides nothing, however large the difference looks.
pub fn recommend(facts: &CompareFacts) -> Recommendation {
    let undecided = |reason: String, rows_needed| Recommendation {
        verdict: Verdict::NotEnoughEvidence,
        reason,
        rows_needed,
        warnings: warnings(facts, Verdict::NotEnoughEvidence),
    };
    let compared = match &facts.performance {
        Err(why) => return undecided(why.clone(), None),
        Ok(compared) => compared,
    };
    if facts.leaky_rows.iter().any(|rows| *rows > 0) {
        return undecided("training had read a part of the evaluation data, so the rows left say little".into(), None);
    }
    let verdict = match (compared.low > 0.0, compared.high < 0.0) {
        (true, _) => Verdict::PreferB,
        (_, true) => Verdict::PreferA,
        _ => return undecided(format!("{compared}: the interval holds zero"), rows_needed(compared)),
    };
    let is = if verdict == Verdict::PreferB { "better" } else { "worse" };
    Recommendation {
        verdict,
        reason: format!("{compared} over {} rows: b is shown to be {is}", compared.rows),
        rows_needed: None,
        warnings: warnings(facts, verdict),
    }
}

/// The width of an interval shrinks with the root of the rows.
fn rows_needed(compared: &Comparison) -> Option<u64> {
    let half = (compared.high - compared.low) / 2.0;
    let times = (half / compared.difference).powi(2);
    // beyond a billion the difference is nothing, and who has so many rows needs no advice
    let needed = (compared.rows as f64 * times).ceil();
    (needed.is_finite() && needed < 1e9).then_some(needed.max(compared.rows as f64 + 1.0) as u64)
}

fn warnings(facts: &CompareFacts, verdict: Verdict) -> Vec<String> {
    let mut warnings = Vec::new();
    if !facts.breaking.is_empty() {
        warnings.push(format!("callers of a break with b: {}", facts.breaking.join(", ")));
    }
    for (name, rows) in ["a", "b"].iter().zip(facts.leaky_rows) {
        if rows > 0 {
            warnings.push(format!("{rows} rows of the evaluation data were read when {name} was trained"));
        }
    }
    // slices that agree with the verdict are no news
    if verdict != Verdict::PreferA {
        warnings.extend(facts.worse_slices.iter().map(|slice| format!("b is shown to be worse where {slice}")));
    }
    if verdict != Verdict::PreferB {
        warnings.extend(facts.better_slices.iter().map(|slice| format!("a is shown to be worse where {slice}")));
    }
    match facts.capture {
        [Some(a), Some(b)] if a != b => {
            warnings
                .push(format!("the runs were captured at levels {a} and {b}: what is listed is not equally complete"));
        }
        captured => {
            for (name, _) in ["a", "b"].iter().zip(captured).filter(|(_, level)| level.is_none()) {
                warnings.push(format!("no run is known that made {name}: data, code and packages can't be compared"));
            }
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(difference: f64, low: f64, high: f64) -> Comparison {
        Comparison {
            metric: "auc".into(),
            data: "test@1".into(),
            rows: 300,
            reference: 0.8,
            candidate: 0.8 + difference,
            difference,
            low,
            high,
            confidence: 0.95,
            resamples: 2000,
            by_command: None,
        }
    }

    fn facts(performance: Result<Comparison, String>) -> CompareFacts {
        CompareFacts {
            performance,
            breaking: vec![],
            leaky_rows: [0, 0],
            worse_slices: vec![],
            better_slices: vec![],
            capture: [Some(4), Some(4)],
        }
    }

    #[test]
    fn verdicts_follow_the_interval() {
        let check = |performance, verdict, rows_needed| {
            let found = recommend(&facts(performance));
            assert_eq!((found.verdict, found.rows_needed), (verdict, rows_needed), "{found:?}");
            assert_eq!(found.warnings, [] as [&str; 0]);
        };
        check(Ok(compared(0.1, 0.05, 0.15)), Verdict::PreferB, None);
        check(Ok(compared(-0.1, -0.15, -0.05)), Verdict::PreferA, None);
        // half of 0.04 is twice 0.01: four times the rows
        check(Ok(compared(0.01, -0.01, 0.03)), Verdict::NotEnoughEvidence, Some(1200));
        check(Ok(compared(0.0, -0.01, 0.01)), Verdict::NotEnoughEvidence, None);
        check(Err("no evaluation is declared".into()), Verdict::NotEnoughEvidence, None);
    }

    #[test]
    fn leaky_rows_decide_nothing_and_everything_odd_is_said() {
        let mut odd = facts(Ok(compared(0.1, 0.05, 0.15)));
        odd.leaky_rows = [0, 40];
        odd.breaking = vec!["input `age` removed".into()];
        odd.worse_slices = vec!["sex = female".into()];
        odd.capture = [Some(4), None];
        let found = recommend(&odd);
        assert_eq!(found.verdict, Verdict::NotEnoughEvidence);
        assert_eq!(found.warnings.len(), 4, "{:?}", found.warnings);
    }
}
