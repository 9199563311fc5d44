//! `MAJOR.MINOR.PIPELINE`: which number a change deserves, decided from facts and explained in one line.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::signature::Signature;

/// A version number; orders by its three parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionNumber {
    pub major: u32,
    pub minor: u32,
    pub pipeline: u32,
}

/// A text that is not `MAJOR.MINOR.PIPELINE`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a version number; expected MAJOR.MINOR.PIPELINE, as in `1.2.0`")]
pub struct VersionNumberError(pub String);

impl VersionNumber {
    /// What the first version of every model is called.
    pub const FIRST: Self = Self { major: 1, minor: 0, pipeline: 0 };
}

impl fmt::Display for VersionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.pipeline)
    }
}

impl FromStr for VersionNumber {
    type Err = VersionNumberError;
    fn from_str(text: &str) -> Result<Self, VersionNumberError> {
        let part = |part: &str| {
            let plain = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            let shortest = part == "0" || !part.starts_with('0');
            if plain && shortest { part.parse::<u32>().ok() } else { None }
        };
        let parts: Option<Vec<u32>> = text.split('.').map(part).collect();
        match parts.as_deref() {
            Some(&[major, minor, pipeline]) => Ok(Self { major, minor, pipeline }),
            _ => Err(VersionNumberError(text.to_owned())),
        }
    }
}

impl schemars::JsonSchema for VersionNumber {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "VersionNumber".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9]+[.][0-9]+[.][0-9]+$" })
    }
}

impl Serialize for VersionNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for VersionNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

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

/// The primary metric of a new version beside its reference, on the same rows, evaluated by us.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    pub metric: String,
    /// The evaluation data, as in `german-credit-test@1`.
    pub data: String,
    pub rows: u64,
    pub reference: f64,
    pub candidate: f64,
    /// Improvement: positive is better whatever the metric's direction.
    pub difference: f64,
    /// Paired interval of the improvement.
    pub low: f64,
    pub high: f64,
    /// For example 0.95.
    pub confidence: f64,
    pub resamples: u32,
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { metric, difference, low, high, data, .. } = self;
        write!(f, "{metric} {difference:+.3} [{low:.3}, {high:.3}] on {data}")
    }
}

/// What is known about performance when a number is decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Performance {
    Compared(Comparison),
    /// No evaluation that we ran ourselves speaks; the text says why.
    Unknown {
        why: String,
    },
}

/// The version that a new one is measured against.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    pub number: VersionNumber,
    pub signature: Signature,
    /// The target column of its declared evaluation; a changed target is a changed contract.
    pub target: Option<String>,
}

/// The facts about a new version from which its number follows.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    pub signature: Signature,
    pub target: Option<String>,
    pub performance: Performance,
    /// The interval's lower end must lie above this for a MINOR step.
    pub min_improvement: f64,
}

/// A number with the reason for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionDecision {
    pub number: VersionNumber,
    pub step: Step,
    /// One line for people, as in `minor: auc +0.021 [0.004, 0.039] on german-credit-test@1`.
    pub reason: String,
}

/// Chooses the version that a candidate is measured against from those that are not archived, oldest first.
///
/// The newest whose callers the candidate does not break, so that an old line can be continued beside a new one;
/// if it breaks all of them, the newest.
pub fn reference<'a>(versions: &'a [Reference], candidate: &Candidate) -> Option<&'a Reference> {
    let fits = |version: &&Reference| broken_contract(version, candidate).is_empty();
    versions.iter().rev().find(fits).or(versions.last())
}

/// Decides the number of a new version.
///
/// `reference` comes from [`reference()`]; `used` holds every number ever given, so that none is given twice.
pub fn decide(reference: Option<&Reference>, used: &[VersionNumber], candidate: &Candidate) -> VersionDecision {
    let Some(reference) = reference else {
        return VersionDecision {
            number: first_free(used),
            step: Step::First,
            reason: "first: no earlier version to compare with".to_owned(),
        };
    };
    let breaks = broken_contract(reference, candidate);
    let (step, reason) = if breaks.is_empty() {
        performance_step(candidate)
    } else {
        (Step::Major, format!("major: {}", breaks.join(", ")))
    };
    VersionDecision { number: next_number(step, reference.number, used), step, reason }
}

fn broken_contract(reference: &Reference, candidate: &Candidate) -> Vec<String> {
    let mut breaks: Vec<String> = reference
        .signature
        .changes_to(&candidate.signature)
        .into_iter()
        .filter(|change| change.breaking)
        .map(|change| change.what)
        .collect();
    if let (Some(old), Some(new)) = (&reference.target, &candidate.target)
        && old != new
    {
        breaks.push(format!("target changed from `{old}` to `{new}`"));
    }
    breaks
}

fn performance_step(candidate: &Candidate) -> (Step, String) {
    match &candidate.performance {
        Performance::Compared(comparison) if comparison.low > candidate.min_improvement => {
            (Step::Minor, format!("minor: {comparison}"))
        }
        Performance::Compared(comparison) => {
            (Step::Pipeline, format!("pipeline: {comparison}, not shown to be better"))
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
    use crate::signature::{Datatype, Field};

    fn signature(names: &[&str]) -> Signature {
        let field =
            |name: &&str| Field { name: (*name).into(), datatype: Datatype::Fp32, shape: vec![-1, 1], optional: false };
        Signature { inputs: names.iter().map(field).collect(), outputs: vec![] }
    }

    fn number(text: &str) -> VersionNumber {
        text.parse().unwrap()
    }

    fn compared(difference: f64, low: f64, high: f64) -> Performance {
        Performance::Compared(Comparison {
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
        })
    }

    fn check(reference: &str, used: &[&str], inputs: &[&str], performance: Performance, number: &str, reason: &str) {
        let reference = Reference {
            number: reference.parse().unwrap(),
            signature: signature(&["age", "amount"]),
            target: Some("creditability".into()),
        };
        let used: Vec<VersionNumber> = used.iter().map(|text| text.parse().unwrap()).collect();
        let candidate = Candidate {
            signature: signature(inputs),
            target: Some("creditability".into()),
            performance,
            min_improvement: 0.0,
        };
        let decision = decide(Some(&reference), &used, &candidate);
        assert_eq!((decision.number.to_string().as_str(), decision.reason.as_str()), (number, reason));
    }

    #[test]
    fn better_on_the_same_data_is_minor() {
        let reason = "minor: auc +0.021 [0.004, 0.039] on german-credit-test@1";
        check("1.0.3", &["1.0.0", "1.0.3"], &["age", "amount"], compared(0.021, 0.004, 0.039), "1.1.0", reason);
    }

    #[test]
    fn not_shown_to_be_better_is_pipeline() {
        let reason = "pipeline: auc +0.005 [-0.012, 0.022] on german-credit-test@1, not shown to be better";
        check("1.1.0", &["1.0.0", "1.1.0"], &["age", "amount"], compared(0.005, -0.012, 0.022), "1.1.1", reason);
        // an interval that ends at exactly zero shows nothing
        let reason = "pipeline: auc +0.005 [0.000, 0.022] on german-credit-test@1, not shown to be better";
        check("1.1.0", &["1.1.0"], &["age", "amount"], compared(0.005, 0.0, 0.022), "1.1.1", reason);
    }

    #[test]
    fn a_broken_contract_is_major_however_good_the_model_is() {
        check("1.1.1", &["1.1.1"], &["amount"], compared(0.2, 0.1, 0.3), "2.0.0", "major: input `age` removed");
    }

    #[test]
    fn numbers_of_archived_versions_are_not_given_again() {
        let reason = "minor: auc +0.021 [0.004, 0.039] on german-credit-test@1";
        check(
            "1.0.0",
            &["1.0.0", "1.1.0", "1.2.0"],
            &["age", "amount"],
            compared(0.021, 0.004, 0.039),
            "1.3.0",
            reason,
        );
        check(
            "1.0.0",
            &["1.0.0", "2.0.0"],
            &["age"],
            compared(0.0, 0.0, 0.0),
            "3.0.0",
            "major: input `amount` removed",
        );
    }

    #[test]
    fn without_an_evaluation_the_reason_says_so() {
        let why = Performance::Unknown { why: "no evaluation is declared".into() };
        check("1.0.0", &["1.0.0"], &["age", "amount"], why, "1.0.1", "pipeline: no evaluation is declared");
    }

    #[test]
    fn an_old_line_goes_on_beside_a_new_one() {
        let version = |text: &str, inputs: &[&str]| Reference {
            number: number(text),
            signature: signature(inputs),
            target: None,
        };
        let versions = [version("1.1.0", &["age", "amount"]), version("2.0.0", &["amount"])];
        let chosen = |inputs: &[&str]| {
            let performance = Performance::Unknown { why: String::new() };
            let candidate = Candidate { signature: signature(inputs), target: None, performance, min_improvement: 0.0 };
            reference(&versions, &candidate).map(|reference| reference.number.to_string())
        };
        assert_eq!(chosen(&["age", "amount"]).as_deref(), Some("1.1.0"));
        assert_eq!(chosen(&["amount"]).as_deref(), Some("2.0.0"));
        assert_eq!(chosen(&["income"]).as_deref(), Some("2.0.0"));
    }

    #[test]
    fn the_first_is_1_0_0() {
        let candidate = Candidate {
            signature: signature(&[]),
            target: None,
            performance: Performance::Unknown { why: "nothing".into() },
            min_improvement: 0.0,
        };
        assert_eq!(decide(None, &[], &candidate).number, VersionNumber::FIRST);
        assert_eq!(decide(None, &[number("4.1.0")], &candidate).number, number("5.0.0"));
    }

    #[test]
    fn odd_spellings_of_numbers_are_refused() {
        for text in ["1.2", "1.2.3.4", "01.2.3", "1.+2.3", "", "1..3", "v1.2.3", "1.2.99999999999"] {
            assert!(text.parse::<VersionNumber>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_decided_number_is_new_and_above_its_reference(
            used in proptest::collection::vec((1u32..4, 0u32..4, 0u32..4), 1..12),
            pick in any::<proptest::sample::Index>(),
            low in -0.1f64..0.1,
            removes in any::<bool>(),
        ) {
            let used: Vec<VersionNumber> =
                used.into_iter().map(|(major, minor, pipeline)| VersionNumber { major, minor, pipeline }).collect();
            let number = *pick.get(&used);
            let reference = Reference { number, signature: signature(&["a", "b"]), target: None };
            let inputs: &[&str] = if removes { &["a"] } else { &["a", "b"] };
            let candidate = Candidate {
                signature: signature(inputs), target: None, performance: compared(low, low, 0.2), min_improvement: 0.0,
            };
            let decision = decide(Some(&reference), &used, &candidate);
            prop_assert!(!used.contains(&decision.number));
            prop_assert!(decision.number > number);
        }
    }
}
