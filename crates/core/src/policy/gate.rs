//! Gates, as they are declared.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::data_test::DataTest;
use crate::{Digest, name::TreePath};

/// A check that a version must pass: `[model.<name>.gate.<gate>]` of `stemma.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum GateSpec {
    /// A dataset is as it must be.
    DataTest(DataTest),
    /// A bound on a metric of the version's own evaluation, overall.
    MetricBaseline {
        metric: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<f64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<f64>,
    },
    /// A bound on how far a metric differs between the slices of a column.
    SliceGap {
        metric: String,
        /// A column that the evaluation is sliced by.
        slice: String,
        /// Most that the highest slice is above the lowest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_gap: Option<f64>,
        /// Least share of the highest slice that the lowest reaches; 0.8 is the four-fifths rule.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min_ratio: Option<f64>,
        /// Slices of fewer rows are only reported. For a rate of a class, rows of that class.
        #[serde(default = "thirty")]
        min_rows: u64,
    },
    /// A bound on a metric in every slice.
    SliceBaseline {
        metric: String,
        /// A column that the evaluation is sliced by; without it, all of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        slice: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<f64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<f64>,
        #[serde(default = "thirty")]
        min_rows: u64,
    },
    /// The version loads and answers in a sandboxed process as its evaluation recorded.
    Validation(ValidationSpec),
    /// Single decisions that must come out as they should.
    RegressionCases {
        /// Folder of the workspace with one JSON file per case.
        path: TreePath,
        /// Content: the cases as they were when the rules were applied.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cases: Option<Digest>,
    },
}

const fn thirty() -> u64 {
    30
}

/// Under which limits a version must answer in a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ValidationSpec {
    /// For loading and answering together.
    pub wall_seconds: u64,
    /// Address space, in MiB.
    pub memory_mb: u64,
    /// Rows of the evaluation data that it is asked.
    pub rows: u64,
}

impl Default for ValidationSpec {
    fn default() -> Self {
        Self { wall_seconds: 10, memory_mb: 1024, rows: 100 }
    }
}

impl GateSpec {
    /// Evidence counts only for the declaration under which it was made.
    pub fn digest(&self) -> Digest {
        crate::canonical::digest(self).expect("a gate read from TOML or JSON has finite numbers").0
    }

    /// The datasets that the gate names, to be replaced by their versions.
    pub fn datasets_mut(&mut self) -> Vec<&mut String> {
        let Self::DataTest(test) = self else {
            return Vec::new();
        };
        let overlaps = test.no_overlap.iter_mut().map(|rule| &mut rule.data);
        let reference = test.drift.iter_mut().map(|drift| &mut drift.reference);
        std::iter::once(&mut test.data).chain(overlaps).chain(reference).collect()
    }
}
