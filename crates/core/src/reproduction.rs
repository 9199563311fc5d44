//! How equal a model is to one that was trained before from the same things: the ladder, and the rule that climbs it.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Digest, Problem,
    id::RunId,
    record::{ExitStatus, Metrics},
};

/// A rung of the ladder. Ordered by how much it says, least first: R0 < R5 < R4 < R3 < R2 < R1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ReproductionLevel {
    R0,
    R5,
    R4,
    R3,
    R2,
    R1,
}

impl ReproductionLevel {
    /// In the order in which they are shown: what has to be had first, then from the strongest to the weakest.
    pub const ALL: [Self; 6] = [Self::R0, Self::R1, Self::R2, Self::R3, Self::R4, Self::R5];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::R0 => "R0",
            Self::R1 => "R1",
            Self::R2 => "R2",
            Self::R3 => "R3",
            Self::R4 => "R4",
            Self::R5 => "R5",
        }
    }

    /// What it says of the model, in one line.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::R0 => "data, code and packages were had again",
            Self::R1 => "the same bytes",
            Self::R2 => "the same model: operators and every number, whatever its names and notes",
            Self::R3 => "the same structure, and all numbers within tolerance",
            Self::R4 => "the same answers on the evaluation data, overall and in each slice",
            Self::R5 => "metrics as far apart as those of repeated trainings are",
        }
    }
}

impl fmt::Display for ReproductionLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ReproductionLevel {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        Self::ALL.into_iter().find(|level| level.as_str().eq_ignore_ascii_case(text)).ok_or_else(|| {
            Problem::invalid(format!("`{text}` is no level of the ladder"))
                .hint("the levels are R0, R1, R2, R3, R4, R5")
        })
    }
}

/// What was found out about one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    Yes,
    No,
    /// Could not be asked, or was not.
    Unknown,
}

impl Finding {
    pub const fn of(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }

    pub const fn is_yes(self) -> bool {
        matches!(self, Self::Yes)
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "not known",
        }
    }

    /// What holds of several: no if it fails for one, else not known if it is not known of one.
    pub fn all(findings: impl IntoIterator<Item = Self>) -> Self {
        let mut findings: Vec<Self> = findings.into_iter().collect();
        findings.sort_by_key(|finding| match finding {
            Self::No => 0,
            Self::Unknown => 1,
            Self::Yes => 2,
        });
        findings.first().copied().unwrap_or(Self::Unknown)
    }
}

/// What is known when everything has been tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReproductionFacts {
    /// All recorded data and code were there, with the recorded digests.
    pub inputs: bool,
    /// The interpreter and the packages are those that were recorded.
    pub environment: bool,
    /// Every training ended well and wrote the model.
    pub trained: bool,
    pub bytes: Finding,
    pub content: Finding,
    pub numbers: Finding,
    pub predictions: Finding,
    pub metrics: Finding,
}

/// Returns the strongest rung that holds; none if not even what went in was the same.
///
/// A model that came out equal is equal, even if something of its environment was not: the lower rungs don't carry it.
pub fn decide_level(facts: &ReproductionFacts) -> Option<ReproductionLevel> {
    use ReproductionLevel as Level;
    if !facts.inputs {
        return None;
    }
    let rungs = [
        (facts.bytes, Level::R1),
        (facts.content, Level::R2),
        (facts.numbers, Level::R3),
        (facts.predictions, Level::R4),
        (facts.metrics, Level::R5),
    ];
    let reached = rungs.into_iter().find(|(finding, _)| finding.is_yes()).map(|(_, level)| level);
    match reached.filter(|_| facts.trained) {
        Some(level) => Some(level),
        None => facts.environment.then_some(Level::R0),
    }
}

/// One rung, with what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReproductionStep {
    pub level: ReproductionLevel,
    pub holds: Finding,
    /// One line: on what it rests.
    pub found: String,
}

/// One time that the command was run again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RepeatedTraining {
    pub exit: ExitStatus,
    pub wall_us: u64,
    /// Content of the file that was the model; absent if it was not written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Digest>,
    /// On the declared evaluation; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Metrics>,
    /// The run in the ledger, if it was asked to be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
}

/// A file that the recorded run wrote, and what the repeated one wrote there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RepeatedOutput {
    pub path: String,
    pub recorded: Digest,
    /// Absent if it was not written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeated: Option<Digest>,
}

impl RepeatedOutput {
    pub fn is_same(&self) -> bool {
        self.repeated == Some(self.recorded)
    }
}

/// Something of the environment that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EnvironmentDifference {
    pub part: EnvironmentPart,
    pub what: String,
    /// Absent if it is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<String>,
    /// Absent if it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeated: Option<String>,
}

/// Where an environment differs, in the order in which that is likely to change a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnvironmentPart {
    Package,
    Interpreter,
    Cpu,
    Blas,
    Gpu,
    Threads,
    Variable,
    System,
}

impl EnvironmentPart {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Package => "package",
            Self::Interpreter => "interpreter",
            Self::Cpu => "cpu",
            Self::Blas => "blas",
            Self::Gpu => "gpu",
            Self::Threads => "threads",
            Self::Variable => "variable",
            Self::System => "system",
        }
    }

    /// True for what was to be installed as recorded; the rest belongs to the machine.
    pub const fn is_installed(self) -> bool {
        matches!(self, Self::Package | Self::Interpreter)
    }
}

/// What came of training a version again. Stored-format version 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReproductionReport {
    pub v: u32,
    /// Content of the version.
    pub model_digest: Digest,
    /// The recorded run that was repeated.
    pub run: RunId,
    /// Absent if not even R0 holds.
    pub level: Option<ReproductionLevel>,
    /// What was asked for; evidence passes from there on.
    pub required: ReproductionLevel,
    pub steps: Vec<ReproductionStep>,
    pub trainings: Vec<RepeatedTraining>,
    /// Outputs of the first training.
    pub outputs: Vec<RepeatedOutput>,
    /// The likeliest cause first.
    pub environment: Vec<EnvironmentDifference>,
    /// What could not be had, one line each.
    pub missing: Vec<String>,
    pub notes: Vec<String>,
}

impl ReproductionReport {
    pub fn passed(&self) -> bool {
        self.level.is_some_and(|level| level >= self.required)
    }

    /// One line for people.
    pub fn summary(&self) -> String {
        let times = match self.trainings.len() {
            0 => "not trained again".to_owned(),
            1 => "trained again".to_owned(),
            times => format!("trained again {times} times"),
        };
        match (self.level, self.missing.first()) {
            (Some(level), _) => format!("{level}, {times}: {}", level.meaning()),
            (None, Some(missing)) => format!("below R0, {times}: {missing}"),
            (None, None) => format!("below R0, {times}: the environment could not be had as it was recorded"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Finding::{No, Unknown, Yes};
    use ReproductionLevel::{R0, R1, R2, R3, R4, R5};

    /// Inputs, environment, trained; then bytes, content, numbers, predictions, metrics.
    fn check(had: [bool; 3], equal: [Finding; 5], expected: Option<ReproductionLevel>) {
        let [inputs, environment, trained] = had;
        let [bytes, content, numbers, predictions, metrics] = equal;
        let facts = ReproductionFacts { inputs, environment, trained, bytes, content, numbers, predictions, metrics };
        assert_eq!(decide_level(&facts), expected, "{facts:?}");
    }

    #[test]
    fn the_level_is_the_strongest_that_holds() {
        let all = [true; 3];
        check(all, [Yes, Yes, Yes, Yes, Yes], Some(R1));
        check(all, [No, Yes, Yes, Yes, Unknown], Some(R2));
        check(all, [No, No, Yes, Yes, Unknown], Some(R3));
        check(all, [No, No, No, Yes, Unknown], Some(R4));
        check(all, [No, No, No, No, Yes], Some(R5));
        check(all, [No, No, No, No, No], Some(R0));
        // no evaluation is declared, or the model is in a format of which nothing is known
        check(all, [No, Unknown, Unknown, Unknown, Unknown], Some(R0));
        check(all, [Yes, Unknown, Unknown, Unknown, Unknown], Some(R1));
        // the command failed
        check([true, true, false], [Unknown; 5], Some(R0));
        check([true, true, false], [Yes; 5], Some(R0));
        // other packages: what came out equal is equal all the same
        check([true, false, true], [Yes; 5], Some(R1));
        check([true, false, true], [No, No, No, No, No], None);
        check([true, false, false], [Unknown; 5], None);
        // data is missing
        check([false, true, false], [Unknown; 5], None);
        check([false, true, true], [Yes; 5], None);
    }

    #[test]
    fn levels_are_ordered_by_what_they_say() {
        let mut levels = ReproductionLevel::ALL;
        levels.sort();
        assert_eq!(levels, [R0, R5, R4, R3, R2, R1]);
        assert_eq!("r4".parse::<ReproductionLevel>().unwrap(), R4);
        assert!("R6".parse::<ReproductionLevel>().is_err());
    }

    #[test]
    fn several_trainings_must_all_agree() {
        assert_eq!(Finding::all([Yes, Yes]), Yes);
        assert_eq!(Finding::all([Yes, Unknown, No]), No);
        assert_eq!(Finding::all([Yes, Unknown]), Unknown);
        assert_eq!(Finding::all([]), Unknown);
    }
}
