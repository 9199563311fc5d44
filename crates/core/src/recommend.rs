//! Which of two versions to take, from evidence and not from a glance at two numbers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::version::Comparison;

/// What is recommended. Answers of before say `prefer_a`, `prefer_b` and `not_enough_evidence`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Verdict {
    /// A is better by more than the margin.
    #[serde(rename = "RECOMMEND_A", alias = "prefer_a")]
    RecommendA,
    /// B is better by more than the margin.
    #[serde(rename = "RECOMMEND_B", alias = "prefer_b")]
    RecommendB,
    /// Neither is better by more than the margin.
    #[serde(rename = "SIMILAR_PERFORMANCE")]
    SimilarPerformance,
    /// A is better by more than the margin, and one of its gates does not stand: neither is recommended.
    #[serde(rename = "WITHHELD_A")]
    WithheldA,
    /// B is better by more than the margin, and one of its gates does not stand: neither is recommended.
    #[serde(rename = "WITHHELD_B")]
    WithheldB,
    #[serde(rename = "NOT_ENOUGH_EVIDENCE", alias = "not_enough_evidence")]
    NotEnoughEvidence,
}

impl Verdict {
    /// As it is written and asked for.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RecommendA => "RECOMMEND_A",
            Self::RecommendB => "RECOMMEND_B",
            Self::SimilarPerformance => "SIMILAR_PERFORMANCE",
            Self::WithheldA => "WITHHELD_A",
            Self::WithheldB => "WITHHELD_B",
            Self::NotEnoughEvidence => "NOT_ENOUGH_EVIDENCE",
        }
    }
}

/// A verdict with what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Recommendation {
    pub verdict: Verdict,
    pub reason: String,
    /// Absent if that can't be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative: Option<RelativeScore>,
    /// About how many more rows would decide, if the difference is on all rows what it is on these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more_rows: Option<u64>,
    /// What speaks against the verdict or must be looked at before it is followed.
    pub warnings: Vec<String>,
}

/// By how much B is better, as a share of the score of A.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RelativeScore {
    /// The ends of the interval.
    pub low: f64,
    pub high: f64,
    /// How far it may be from 0 and be called similar.
    pub margin: f64,
}

/// What is known of the second version beside the first.
#[derive(Debug, Clone, PartialEq)]
pub struct CompareFacts {
    /// What was measured, or why they could not be compared.
    pub performance: Result<Measured, String>,
    /// What callers of the first would trip over.
    pub breaking: Vec<String>,
    /// Rows that training had read, of each.
    pub leaky_rows: [u64; 2],
    /// Why more may have been read than was found, of each.
    pub doubts: [Option<String>; 2],
    /// Which gates of each do not stand, and why, as in ``gate `baseline` failed``.
    pub gates: [Vec<String>; 2],
    /// Slices on which the second is shown to be worse, and better, as in `sex = female`.
    pub worse_slices: Vec<String>,
    pub better_slices: Vec<String>,
    /// At what level the producing runs were captured; nothing if no run is known.
    pub capture: [Option<u8>; 2],
}

/// The second as candidate beside the first as reference.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    pub comparison: Comparison,
    /// What the interval and the gates say.
    pub verdict: Verdict,
    /// Nothing if the first one's score is 0.
    pub relative: Option<RelativeScore>,
    pub more_rows: Option<u64>,
}

/// Decides. Nothing is recommended on rows that one of the two has seen, or on none.
pub fn recommend(facts: &CompareFacts) -> Recommendation {
    let is_leaky = facts.leaky_rows.iter().any(|rows| *rows > 0);
    let measured = match &facts.performance {
        Err(why) => return undecided(facts, why.clone()),
        Ok(_) if is_leaky => {
            let why = "training had read a part of the evaluation data, so the rows left say little";
            return undecided(facts, why.to_owned());
        }
        Ok(measured) => measured,
    };
    Recommendation {
        verdict: measured.verdict,
        reason: reason(measured, &facts.gates),
        relative: measured.relative,
        more_rows: measured.more_rows,
        warnings: warnings(facts, measured.verdict),
    }
}

fn undecided(facts: &CompareFacts, reason: String) -> Recommendation {
    let verdict = Verdict::NotEnoughEvidence;
    Recommendation { verdict, reason, relative: None, more_rows: None, warnings: warnings(facts, verdict) }
}

fn reason(measured: &Measured, [of_a, of_b]: &[Vec<String>; 2]) -> String {
    let Measured { comparison, verdict, relative, .. } = measured;
    let seen = format!("{comparison} over {} rows", comparison.rows);
    let Some(RelativeScore { low, high, margin }) = relative else {
        return format!("{seen}: a scores 0, so nothing can be said as a share of it");
    };
    let percent = |share: f64| format!("{:+.1} %", share * 100.0);
    let within = format!("±{} %", margin * 100.0);
    let seen = format!("{seen}, from {} to {} of a's score", percent(*low), percent(*high));
    let shown = |is: &str| format!("{seen}: b is shown to be {is} by more than {within}");
    match verdict {
        Verdict::RecommendA => shown("worse"),
        Verdict::RecommendB => shown("better"),
        Verdict::WithheldA => format!("{}, but of a {}", shown("worse"), of_a.join(", ")),
        Verdict::WithheldB => format!("{}, but of b {}", shown("better"), of_b.join(", ")),
        Verdict::SimilarPerformance => format!("{seen}: all of it within {within}"),
        Verdict::NotEnoughEvidence => {
            let is_shown = match (*low > 0.0, *high < 0.0) {
                (true, _) => "b is shown to be better, but not whether by more than",
                (_, true) => "b is shown to be worse, but not whether by more than",
                _ => "it may lie within or beyond",
            };
            format!("{seen}: {is_shown} {within}")
        }
    }
}

fn warnings(facts: &CompareFacts, verdict: Verdict) -> Vec<String> {
    let mut warnings = Vec::new();
    if !facts.breaking.is_empty() {
        warnings.push(format!("callers of a break with b: {}", facts.breaking.join(", ")));
    }
    let names = ["a", "b"];
    for (name, gates) in names.iter().zip(&facts.gates) {
        warnings.extend(gates.iter().map(|gate| format!("of {name} {gate}")));
    }
    for (name, rows) in names.iter().zip(facts.leaky_rows) {
        if rows > 0 {
            warnings.push(format!("{rows} rows of the evaluation data were read when {name} was trained"));
        }
    }
    for (name, doubt) in names.iter().zip(&facts.doubts) {
        warnings.extend(doubt.iter().map(|doubt| format!("of {name}: {doubt}")));
    }
    // slices that agree with the verdict are no news
    if !matches!(verdict, Verdict::RecommendA | Verdict::WithheldA) {
        warnings.extend(facts.worse_slices.iter().map(|slice| format!("b is shown to be worse where {slice}")));
    }
    if !matches!(verdict, Verdict::RecommendB | Verdict::WithheldB) {
        warnings.extend(facts.better_slices.iter().map(|slice| format!("a is shown to be worse where {slice}")));
    }
    warnings.extend(of_capture(facts.capture));
    warnings
}

/// What of the recipes can't be compared.
fn of_capture(capture: [Option<u8>; 2]) -> Vec<String> {
    if let [Some(a), Some(b)] = capture {
        let unlike = format!("the runs were captured at levels {a} and {b}: what is listed is not equally complete");
        return if a == b { Vec::new() } else { vec![unlike] };
    }
    let unknown = ["a", "b"].into_iter().zip(capture).filter(|(_, level)| level.is_none());
    unknown
        .map(|(name, _)| format!("no run is known that made {name}: data, code and packages can't be compared"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(verdict: Verdict, low: f64, high: f64) -> Measured {
        let comparison = Comparison {
            metric: "auc".into(),
            data: "test@1".into(),
            rows: 300,
            reference: 0.5,
            candidate: 0.5 + (low + high) / 2.0,
            difference: (low + high) / 2.0,
            low,
            high,
            confidence: 0.95,
            resamples: 2000,
            by_command: None,
        };
        let relative = Some(RelativeScore { low: low / 0.5, high: high / 0.5, margin: 0.05 });
        Measured { comparison, verdict, relative, more_rows: None }
    }

    fn facts(performance: Result<Measured, String>) -> CompareFacts {
        CompareFacts {
            performance,
            breaking: vec![],
            leaky_rows: [0, 0],
            doubts: [None, None],
            gates: [vec![], vec![]],
            worse_slices: vec![],
            better_slices: vec![],
            capture: [Some(4), Some(4)],
        }
    }

    #[test]
    fn each_verdict_says_what_was_seen_and_what_that_shows() {
        let check = |verdict, low, high, reason: &str| {
            let found = recommend(&facts(Ok(measured(verdict, low, high))));
            assert_eq!((found.verdict, found.reason.as_str()), (verdict, reason));
            assert_eq!(found.warnings, [] as [&str; 0]);
        };
        check(
            Verdict::RecommendB,
            0.05,
            0.15,
            "auc +0.100 [0.050, 0.150] on test@1 over 300 rows, from +10.0 % to +30.0 % of a's score: b is shown to be \
             better by more than ±5 %",
        );
        check(
            Verdict::RecommendA,
            -0.15,
            -0.05,
            "auc -0.100 [-0.150, -0.050] on test@1 over 300 rows, from -30.0 % to -10.0 % of a's score: b is shown to \
             be worse by more than ±5 %",
        );
        check(
            Verdict::SimilarPerformance,
            -0.01,
            0.02,
            "auc +0.005 [-0.010, 0.020] on test@1 over 300 rows, from -2.0 % to +4.0 % of a's score: all of it within \
             ±5 %",
        );
        for (low, high, shown) in [
            (-0.1, 0.2, "it may lie within or beyond ±5 %"),
            (0.01, 0.2, "b is shown to be better, but not whether by more than ±5 %"),
            (-0.2, -0.01, "b is shown to be worse, but not whether by more than ±5 %"),
        ] {
            let found = recommend(&facts(Ok(measured(Verdict::NotEnoughEvidence, low, high))));
            assert!(found.reason.ends_with(shown), "{found:?}");
        }
    }

    #[test]
    fn without_a_score_to_compare_with_or_without_rows_nothing_is_decided() {
        let of_nothing = Measured { relative: None, ..measured(Verdict::NotEnoughEvidence, 0.0, 0.1) };
        let found = recommend(&facts(Ok(of_nothing)));
        assert!(found.reason.ends_with("a scores 0, so nothing can be said as a share of it"), "{found:?}");
        let found = recommend(&facts(Err("no evaluation is declared".into())));
        assert_eq!((found.verdict, found.reason.as_str()), (Verdict::NotEnoughEvidence, "no evaluation is declared"));
    }

    #[test]
    fn what_is_withheld_says_which_gate_is_in_the_way() {
        let mut barred = facts(Ok(measured(Verdict::WithheldB, 0.05, 0.15)));
        barred.gates[1] = vec!["gate `baseline` failed".into()];
        let found = recommend(&barred);
        assert!(found.reason.ends_with("better by more than ±5 %, but of b gate `baseline` failed"), "{found:?}");
        assert_eq!(found.warnings, ["of b gate `baseline` failed"]);
    }

    #[test]
    fn leaky_rows_decide_nothing_and_everything_odd_is_said() {
        let mut odd = facts(Ok(measured(Verdict::RecommendB, 0.05, 0.15)));
        odd.leaky_rows = [0, 40];
        odd.doubts = [Some("what it was trained on is not known".into()), None];
        odd.breaking = vec!["input `age` removed".into()];
        odd.worse_slices = vec!["sex = female".into()];
        odd.capture = [Some(4), None];
        let found = recommend(&odd);
        assert_eq!((found.verdict, found.relative), (Verdict::NotEnoughEvidence, None));
        assert_eq!(found.warnings.len(), 5, "{:?}", found.warnings);
    }

    #[test]
    fn verdicts_are_read_as_they_are_written_now_and_as_they_were() {
        for verdict in [
            Verdict::RecommendA,
            Verdict::RecommendB,
            Verdict::SimilarPerformance,
            Verdict::WithheldA,
            Verdict::WithheldB,
            Verdict::NotEnoughEvidence,
        ] {
            let text = format!("\"{}\"", verdict.as_str());
            assert_eq!(serde_json::to_string(&verdict).unwrap(), text);
            assert_eq!(serde_json::from_str::<Verdict>(&text).unwrap(), verdict);
        }
        // as `stemma compare --json` wrote it
        let before = r#"{"verdict":"prefer_b","reason":"auc +0.1","rows_needed":1200,"warnings":[]}"#;
        let read: Recommendation = serde_json::from_str(before).unwrap();
        assert_eq!((read.verdict, read.more_rows), (Verdict::RecommendB, None));
        let read = |text| serde_json::from_str::<Verdict>(text).unwrap();
        assert_eq!(read("\"prefer_a\""), Verdict::RecommendA);
        assert_eq!(read("\"not_enough_evidence\""), Verdict::NotEnoughEvidence);
    }
}
