//! Which number a change deserves, decided from facts and explained in one line.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{comparison::Comparison, number::VersionNumber};
use crate::signature::Signature;

/// What kind of change a version is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    First,
    /// The data contract changed so that existing callers break.
    Major,
    /// The contract holds and the primary metric is shown to be better.
    Minor,
    /// The contract holds and better performance is not shown.
    Pipeline,
}

impl Step {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Major => "major",
            Self::Minor => "minor",
            Self::Pipeline => "pipeline",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is known about performance when a number is decided.
#[derive(Debug, Clone, PartialEq)]
pub enum Performance {
    /// Beside the best of the line.
    Compared { reference: VersionNumber, comparison: Comparison },
    /// Whatever that earned before, it can't earn again.
    Same { reference: VersionNumber, what: Sameness },
    /// No evaluation that we ran ourselves speaks; the text says why.
    Unknown { why: String },
}

/// What a new version has in common with an earlier one, which may be archived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sameness {
    Content,
    /// On each row of the evaluation data.
    Answers {
        rows: u64,
        data: String,
    },
}

/// A version that a new one may be measured against.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferenceVersion {
    pub number: VersionNumber,
    /// `None` if its contract is unknown.
    pub signature: Option<Signature>,
    /// The target column of its declared evaluation; a changed target is a changed contract.
    pub target: Option<String>,
}

/// The facts about a new version from which its number follows.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The error says in a clause that its contract is unknown, and why if there is more to say: "its contract is unknown".
    pub signature: Result<Signature, String>,
    pub target: Option<String>,
    pub performance: Performance,
    /// The interval's lower end must lie above this for a MINOR step.
    pub min_improvement: f64,
}

/// A number with the reason for it.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionDecision {
    pub number: VersionNumber,
    pub step: Step,
    /// One line for people, as in `minor: auc +0.021 [0.004, 0.039] over 1.0.0 on german-credit-test@1`.
    pub reason: String,
    /// What it was measured against.
    pub reference: Option<VersionNumber>,
    /// What the reason rests on, where two were measured.
    pub comparison: Option<Comparison>,
}

/// Returns the versions whose callers would move to the candidate, oldest first.
///
/// `versions` are those that are not archived, oldest first. Their callers are on one MAJOR: that of the newest version
/// whose callers the candidate does not break, so that an old line can be continued beside a new one. If it breaks the
/// callers of all, the line is empty.
pub fn line<'a>(versions: &'a [ReferenceVersion], candidate: &Candidate) -> Vec<&'a ReferenceVersion> {
    let fitting: Vec<&ReferenceVersion> =
        versions.iter().filter(|version| broken_contract(version, candidate).is_empty()).collect();
    let major = fitting.last().map(|newest| newest.number.major);
    fitting.into_iter().filter(|version| Some(version.number.major) == major).collect()
}

/// Decides the number of a new version.
///
/// `versions` are those that are not archived, oldest first, and the candidate's performance is measured against the
/// best of its [`line`]; `used` holds every number ever given, so that none is given twice.
pub fn decide(versions: &[ReferenceVersion], used: &[VersionNumber], candidate: &Candidate) -> VersionDecision {
    let Some(newest) = versions.last() else {
        return VersionDecision {
            number: first_free(used),
            step: Step::First,
            reason: with_contract("first: no earlier version to compare with".to_owned(), candidate),
            reference: None,
            comparison: None,
        };
    };
    let Some(highest) = line(versions, candidate).iter().map(|version| version.number).max() else {
        return VersionDecision {
            number: first_free(used),
            step: Step::Major,
            reason: format!("major: {}", broken_contract(newest, candidate).join(", ")),
            reference: Some(newest.number),
            comparison: None,
        };
    };
    let (step, reason) = performance_step(candidate);
    let (reference, comparison) = match &candidate.performance {
        Performance::Compared { reference, comparison } => (*reference, Some(comparison.clone())),
        Performance::Same { reference, .. } => (*reference, None),
        Performance::Unknown { .. } => (highest, None),
    };
    let number = next_number(step, highest, used);
    VersionDecision { number, step, reason: with_contract(reason, candidate), reference: Some(reference), comparison }
}

/// Why callers of the reference can't move to the candidate.
///
/// Within a MAJOR contracts are known and hold, or none is known: what callers of an unknown contract rely on can't be
/// compared with anything, so to learn a contract or to lose it begins a new MAJOR.
fn broken_contract(reference: &ReferenceVersion, candidate: &Candidate) -> Vec<String> {
    let number = reference.number;
    let mut breaks: Vec<String> = match (&reference.signature, &candidate.signature) {
        (Some(old), Ok(new)) => {
            old.changes_to(new).into_iter().filter(|change| change.breaking).map(|change| change.what).collect()
        }
        (None, Err(_)) => Vec::new(),
        (Some(_), Err(unknown)) => vec![format!("{unknown}, that of {number} is not")],
        (None, Ok(_)) => vec![format!("the contract of {number} is unknown, its own is not")],
    };
    if let (Some(old), Some(new)) = (&reference.target, &candidate.target)
        && old != new
    {
        breaks.push(format!("target changed from `{old}` to `{new}`"));
    }
    breaks
}

/// Says of what holds under no known contract that it does.
fn with_contract(reason: String, candidate: &Candidate) -> String {
    match &candidate.signature {
        Ok(_) => reason,
        Err(unknown) => format!("{reason}; {unknown}"),
    }
}

fn performance_step(candidate: &Candidate) -> (Step, String) {
    // equal is never better, whatever is declared
    let least = candidate.min_improvement.max(0.0);
    match &candidate.performance {
        Performance::Compared { reference, comparison } if comparison.low > least => {
            (Step::Minor, format!("minor: {}", comparison.beside("over", *reference)))
        }
        Performance::Compared { reference, comparison } => {
            let shown = match (comparison.low > 0.0, comparison.high < 0.0) {
                (_, true) => "shown to be worse".to_owned(),
                (true, _) => format!("not shown to be better by more than {least}"),
                _ => "not shown to be better".to_owned(),
            };
            (Step::Pipeline, format!("pipeline: {}, {shown}", comparison.beside("against", *reference)))
        }
        Performance::Same { reference, what: Sameness::Content } => {
            (Step::Pipeline, format!("pipeline: the same content as {reference}"))
        }
        Performance::Same { reference, what: Sameness::Answers { rows, data } } => {
            (Step::Pipeline, format!("pipeline: the same answers as {reference} on all {rows} rows of {data}"))
        }
        Performance::Unknown { why } => (Step::Pipeline, format!("pipeline: {why}")),
    }
}

fn first_free(used: &[VersionNumber]) -> VersionNumber {
    match used.iter().map(|number| number.major).max() {
        None => VersionNumber::FIRST,
        Some(major) => VersionNumber { major: major + 1, minor: 0, pipeline: 0 },
    }
}

fn next_number(step: Step, reference: VersionNumber, used: &[VersionNumber]) -> VersionNumber {
    match step {
        Step::First | Step::Major => first_free(used),
        Step::Minor => {
            let same = used.iter().filter(|n| n.major == reference.major).map(|n| n.minor);
            let newest = same.max().unwrap_or(reference.minor).max(reference.minor);
            VersionNumber { major: reference.major, minor: newest + 1, pipeline: 0 }
        }
        Step::Pipeline => {
            let same = used.iter().filter(|n| (n.major, n.minor) == (reference.major, reference.minor));
            let newest = same.map(|n| n.pipeline).max().unwrap_or(reference.pipeline).max(reference.pipeline);
            VersionNumber { pipeline: newest + 1, ..reference }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        signature::{Datatype, Field},
        version::Improvement,
    };

    fn signature(names: &[&str]) -> Signature {
        let field =
            |name: &&str| Field { name: (*name).into(), datatype: Datatype::Fp32, shape: vec![-1, 1], optional: false };
        Signature { inputs: names.iter().map(field).collect(), outputs: vec![] }
    }

    fn number(text: &str) -> VersionNumber {
        text.parse().unwrap()
    }

    fn compared_with(reference: &str, difference: f64, low: f64, high: f64) -> Performance {
        let comparison = Comparison {
            metric: "auc".into(),
            data: "german-credit-test@1".into(),
            rows: 300,
            reference: 0.7,
            candidate: 0.7 + difference,
            difference,
            low,
            high,
            confidence: 0.95,
            resamples: 2000,
            by_command: None,
        };
        Performance::Compared { reference: number(reference), comparison }
    }

    fn compared(difference: f64, low: f64, high: f64) -> Performance {
        compared_with("1.0.0", difference, low, high)
    }

    fn version(text: &str, inputs: &[&str]) -> ReferenceVersion {
        ReferenceVersion {
            number: number(text),
            signature: Some(signature(inputs)),
            target: Some("creditability".into()),
        }
    }

    fn candidate(inputs: &[&str], performance: Performance) -> Candidate {
        let target = Some("creditability".into());
        Candidate { signature: Ok(signature(inputs)), target, performance, min_improvement: 0.0 }
    }

    /// What a candidate is called after live versions of one line; archived ones have numbers too.
    fn check(live: &[&str], archived: &[&str], inputs: &[&str], performance: Performance, number: &str, reason: &str) {
        let versions: Vec<ReferenceVersion> = live.iter().map(|text| version(text, &["age", "amount"])).collect();
        let used: Vec<VersionNumber> = live.iter().chain(archived).map(|text| text.parse().unwrap()).collect();
        let decision = decide(&versions, &used, &candidate(inputs, performance));
        assert_eq!((decision.number.to_string().as_str(), decision.reason.as_str()), (number, reason));
    }

    const BOTH: &[&str] = &["age", "amount"];

    #[test]
    fn better_on_the_same_data_is_minor() {
        let reason = "minor: auc +0.021 [0.004, 0.039] over 1.0.0 on german-credit-test@1";
        check(&["1.0.0", "1.0.3"], &[], BOTH, compared(0.021, 0.004, 0.039), "1.1.0", reason);
    }

    #[test]
    fn not_shown_to_be_better_is_pipeline() {
        let reason =
            "pipeline: auc +0.005 [-0.012, 0.022] against 1.0.0 on german-credit-test@1, not shown to be better";
        check(&["1.0.0", "1.1.0"], &[], BOTH, compared(0.005, -0.012, 0.022), "1.1.1", reason);
        // an interval that ends at exactly zero shows nothing
        let reason =
            "pipeline: auc +0.005 [0.000, 0.022] against 1.0.0 on german-credit-test@1, not shown to be better";
        check(&["1.0.0", "1.1.0"], &[], BOTH, compared(0.005, 0.0, 0.022), "1.1.1", reason);
    }

    #[test]
    fn a_decision_says_what_it_was_measured_by() {
        let decided = |live: &[&str], inputs: &[&str], performance: Performance| {
            let versions: Vec<ReferenceVersion> = live.iter().map(|text| version(text, BOTH)).collect();
            let used: Vec<VersionNumber> = live.iter().map(|text| number(text)).collect();
            decide(&versions, &used, &candidate(inputs, performance)).comparison
        };
        for performance in [compared(0.021, 0.004, 0.039), compared(-0.051, -0.09, -0.012)] {
            let Performance::Compared { comparison, .. } = performance.clone() else { unreachable!() };
            assert_eq!(decided(&["1.0.0"], BOTH, performance.clone()), Some(comparison));
            // nothing was measured against a version whose callers it breaks, or where there is none
            assert_eq!(decided(&["1.0.0"], &["amount"], performance.clone()), None);
            assert_eq!(decided(&[], BOTH, performance), None);
        }
        let same = Performance::Same { reference: number("1.0.0"), what: Sameness::Content };
        assert_eq!(decided(&["1.0.0"], BOTH, same), None);
    }

    #[test]
    fn an_older_reason_still_tells_its_improvement() {
        let told = |reason: &str| Improvement::of_reason(reason);
        let expected = Some(Improvement { difference: 0.021, low: 0.004, high: 0.039 });
        assert_eq!(told("minor: auc +0.021 [0.004, 0.039] over 1.0.0 on german-credit-test@1"), expected);
        let worse = "pipeline: auc -0.051 [-0.090, -0.012] against 1.1.0 on test@1, shown to be worse";
        assert_eq!(told(worse), Some(Improvement { difference: -0.051, low: -0.09, high: -0.012 }));
        for reason in [
            "first: no earlier version to compare with",
            "major: input `a [b]` removed",
            "major: input `a +1 [2, 3]` removed",
            "pipeline: 3 [1, 2]",
            "pipeline: auc NaN [NaN, NaN] against 1.0.0 on test@1",
        ] {
            assert_eq!(told(reason), None, "{reason}");
        }
    }

    #[test]
    fn worse_is_said() {
        let reason = "pipeline: auc -0.051 [-0.090, -0.012] against 1.1.0 on german-credit-test@1, shown to be worse";
        let worse = compared_with("1.1.0", -0.051, -0.09, -0.012);
        check(&["1.0.0", "1.1.0"], &[], BOTH, worse, "1.1.1", reason);
    }

    #[test]
    fn an_improvement_must_be_as_large_as_declared() {
        let at_least = |min_improvement: f64, low: f64| {
            let performance = compared(0.02, low, 0.04);
            let candidate = Candidate { min_improvement, ..candidate(BOTH, performance) };
            decide(&[version("1.0.0", BOTH)], &[VersionNumber::FIRST], &candidate).reason
        };
        assert!(at_least(0.01, 0.011).starts_with("minor: "));
        let reason = at_least(0.01, 0.005);
        assert!(reason.starts_with("pipeline: ") && reason.ends_with("not shown to be better by more than 0.01"));
        // what is no improvement can't be declared one
        assert!(at_least(-0.1, 0.0).starts_with("pipeline: "));
    }

    #[test]
    fn what_was_there_before_earns_nothing() {
        let same = |what| Performance::Same { reference: number("1.1.0"), what };
        check(
            &["1.0.0", "1.0.1"],
            &["1.1.0"],
            BOTH,
            same(Sameness::Content),
            "1.0.2",
            "pipeline: the same content as 1.1.0",
        );
        let answers = same(Sameness::Answers { rows: 300, data: "test@1".into() });
        let reason = "pipeline: the same answers as 1.1.0 on all 300 rows of test@1";
        check(&["1.1.0", "1.1.1"], &[], BOTH, answers, "1.1.2", reason);
    }

    #[test]
    fn a_broken_contract_is_major_however_good_the_model_is() {
        check(&["1.1.1"], &[], &["amount"], compared(0.2, 0.1, 0.3), "2.0.0", "major: input `age` removed");
    }

    #[test]
    fn numbers_of_archived_versions_are_not_given_again() {
        let reason = "minor: auc +0.021 [0.004, 0.039] over 1.0.0 on german-credit-test@1";
        check(&["1.0.0"], &["1.1.0", "1.2.0"], BOTH, compared(0.021, 0.004, 0.039), "1.3.0", reason);
        check(&["1.0.0"], &["2.0.0"], &["age"], compared(0.0, 0.0, 0.0), "3.0.0", "major: input `amount` removed");
    }

    #[test]
    fn without_an_evaluation_the_reason_says_so() {
        let why = Performance::Unknown { why: "no evaluation is declared".into() };
        check(&["1.0.0"], &[], BOTH, why, "1.0.1", "pipeline: no evaluation is declared");
    }

    #[test]
    fn an_old_line_goes_on_beside_a_new_one() {
        let versions = [version("1.0.0", BOTH), version("1.1.0", BOTH), version("2.0.0", &["amount"])];
        let lines = |inputs: &[&str]| {
            let candidate = candidate(inputs, Performance::Unknown { why: String::new() });
            line(&versions, &candidate).iter().map(|one| one.number.to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(lines(BOTH), "1.0.0 1.1.0");
        assert_eq!(lines(&["amount"]), "2.0.0");
        assert_eq!(lines(&["income"]), "");
        let decided = |inputs: &[&str]| {
            let used: Vec<VersionNumber> = versions.iter().map(|version| version.number).collect();
            decide(&versions, &used, &candidate(inputs, Performance::Unknown { why: String::new() })).number.to_string()
        };
        assert_eq!((decided(BOTH), decided(&["income"])), ("1.1.1".to_owned(), "3.0.0".to_owned()));
    }

    #[test]
    fn contracts_that_are_not_known_are_a_line_of_their_own() {
        let unknown = |text: &str| ReferenceVersion { signature: None, ..version(text, &[]) };
        let decided = |versions: &[ReferenceVersion], signature: Option<&[&str]>, performance: Performance| {
            let used: Vec<VersionNumber> = versions.iter().map(|version| version.number).collect();
            let mut candidate = candidate(signature.unwrap_or_default(), performance);
            if signature.is_none() {
                candidate.signature = Err("its contract is unknown".into());
            }
            let decision = decide(versions, &used, &candidate);
            format!("{} {}", decision.number, decision.reason)
        };
        let nothing = || Performance::Unknown { why: "no evaluation is declared".into() };
        assert_eq!(
            decided(&[], None, nothing()),
            "1.0.0 first: no earlier version to compare with; its contract is unknown"
        );
        assert_eq!(
            decided(&[unknown("1.0.0")], None, nothing()),
            "1.0.1 pipeline: no evaluation is declared; its contract is unknown"
        );
        assert_eq!(
            decided(&[unknown("1.0.0")], None, compared(0.021, 0.004, 0.039)),
            "1.1.0 minor: auc +0.021 [0.004, 0.039] over 1.0.0 on german-credit-test@1; its contract is unknown"
        );
        assert_eq!(
            decided(&[version("1.0.0", BOTH)], None, nothing()),
            "2.0.0 major: its contract is unknown, that of 1.0.0 is not"
        );
        assert_eq!(
            decided(&[unknown("1.0.0")], Some(BOTH), nothing()),
            "2.0.0 major: the contract of 1.0.0 is unknown, its own is not"
        );
        // each goes on in its own line
        let both = [unknown("1.0.0"), version("2.0.0", BOTH)];
        assert!(decided(&both, None, nothing()).starts_with("1.0.1 "));
        assert!(decided(&both, Some(BOTH), nothing()).starts_with("2.0.1 "));
    }

    #[test]
    fn the_first_is_1_0_0() {
        let candidate = candidate(&[], Performance::Unknown { why: "nothing".into() });
        assert_eq!(decide(&[], &[], &candidate).number, VersionNumber::FIRST);
        assert_eq!(decide(&[], &[number("4.1.0")], &candidate).number, number("5.0.0"));
    }

    #[test]
    fn odd_spellings_of_numbers_are_refused() {
        for text in ["1.2", "1.2.3.4", "01.2.3", "1.+2.3", "", "1..3", "v1.2.3", "1.2.99999999999"] {
            assert!(text.parse::<VersionNumber>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_decided_number_is_new_and_above_its_line(
            used in proptest::collection::vec((1u32..4, 0u32..4, 0u32..4), 1..12),
            pick in any::<proptest::sample::Index>(),
            low in -0.1f64..0.1,
            removes in any::<bool>(),
        ) {
            let used: Vec<VersionNumber> =
                used.into_iter().map(|(major, minor, pipeline)| VersionNumber { major, minor, pipeline }).collect();
            let newest = *pick.get(&used);
            let versions = [ReferenceVersion { number: newest, signature: Some(signature(&["a", "b"])), target: None }];
            let inputs: &[&str] = if removes { &["a"] } else { &["a", "b"] };
            let decision = decide(&versions, &used, &candidate(inputs, compared(low, low, 0.2)));
            prop_assert!(!used.contains(&decision.number));
            prop_assert!(decision.number > newest);
        }
    }
}
