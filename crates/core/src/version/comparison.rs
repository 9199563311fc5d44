//! What a new version is worth beside an earlier one.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::number::VersionNumber;

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
    /// Whose answers a command gave; absent if nobody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_command: Option<Side>,
}

/// Which of two versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    Reference,
    Candidate,
    Both,
}

impl Comparison {
    /// Whose answers a command gave, of two versions that are called `a` and `b`: `, b by command`.
    pub const fn by(&self) -> &'static str {
        match self.by_command {
            None => "",
            Some(Side::Reference) => ", a by command",
            Some(Side::Candidate) => ", b by command",
            Some(Side::Both) => ", both by command",
        }
    }
}

impl Comparison {
    pub const fn improvement(&self) -> Improvement {
        Improvement { difference: self.difference, low: self.low, high: self.high }
    }

    /// As in `auc +0.021 [0.004, 0.039] over 1.0.0 on test@1`.
    pub(super) fn beside(&self, word: &str, reference: VersionNumber) -> String {
        let by = match self.by_command {
            None => String::new(),
            Some(Side::Reference) => format!(", {reference} by command"),
            Some(Side::Candidate | Side::Both) => ", by command".to_owned(),
        };
        format!("{} {} {word} {reference} on {}{by}", self.metric, self.improvement(), self.data)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} on {}", self.metric, self.improvement(), self.data)
    }
}

/// How much better a new version is than its reference, with the interval: positive is better.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Improvement {
    pub difference: f64,
    pub low: f64,
    pub high: f64,
}

impl Improvement {
    /// Reads it back from the reason of a version that was registered before comparisons were stored: to three digits.
    pub fn of_reason(reason: &str) -> Option<Self> {
        // of the others nothing was measured, and they name inputs as people called them
        let measured = reason.strip_prefix("minor: ").or_else(|| reason.strip_prefix("pipeline: "))?;
        let (before, rest) = measured.split_once(" [")?;
        let (low, high) = rest.split_once(']')?.0.split_once(", ")?;
        let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
        let difference = before.rsplit(' ').next().filter(|text| text.starts_with(['+', '-']))?;
        Some(Self { difference: number(difference)?, low: number(low)?, high: number(high)? })
    }
}

impl fmt::Display for Improvement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { difference, low, high } = self;
        write!(f, "{difference:+.3} [{low:.3}, {high:.3}]")
    }
}
