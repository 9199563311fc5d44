//! Two versions side by side.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{Digest, recommend::Recommendation, signature::ContractChange, version::Comparison};

use super::version::ModelVersion;
use crate::act::Query;

/// `GET …/compare?a=…&b=…`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VersionComparison {
    pub a: ModelVersion,
    pub b: ModelVersion,
    pub recommendation: Recommendation,
    /// On the same rows, evaluated by us; absent if that is not possible.
    pub performance: Option<PerformanceComparison>,
    /// Parameters of the producing runs that differ or that only one has.
    pub parameters: Vec<Difference>,
    /// What the runs read and wrote, by path.
    pub files: Vec<FileDifference>,
    /// From a to b.
    pub signature: Vec<ContractChange>,
    pub environment: Vec<Difference>,
    /// Code files that differ.
    pub code: Vec<CodeDifference>,
    /// Tables that both runs read under one path with other content.
    pub data: Vec<TableDifference>,
    /// What could not be compared, one line each.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PerformanceComparison {
    pub primary: Comparison,
    pub metrics: Vec<MetricPair>,
    pub slices: Vec<SliceComparison>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricPair {
    pub metric: String,
    pub higher_is_better: bool,
    pub a: Option<f64>,
    pub b: Option<f64>,
}

/// The primary metric on one slice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SliceComparison {
    pub column: String,
    pub value: String,
    pub rows: u64,
    pub a: Option<f64>,
    pub b: Option<f64>,
    /// Paired interval of the improvement from a to b; absent on few rows.
    pub interval: Option<[f64; 2]>,
}

/// Something that both have or only one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    pub what: String,
    pub a: Option<String>,
    pub b: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileDifference {
    pub path: String,
    /// `input` or `output`.
    pub direction: String,
    pub a: Option<Digest>,
    pub b: Option<Digest>,
}

impl FileDifference {
    pub fn is_same(&self) -> bool {
        self.a == self.b
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CodeDifference {
    pub path: String,
    pub added_lines: u64,
    pub removed_lines: u64,
    /// Unified diff, cut at a bound; empty if one side is missing or no text.
    pub diff: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TableDifference {
    pub path: String,
    pub a_rows: u64,
    pub b_rows: u64,
    /// Rows that both have, in the columns that both have.
    pub shared_rows: u64,
    pub columns_added: Vec<String>,
    pub columns_removed: Vec<String>,
    /// Columns of numbers whose distribution moved most, by the Kolmogorov–Smirnov distance.
    pub moved: Vec<MovedColumn>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MovedColumn {
    pub column: String,
    pub distance: f64,
    pub a_mean: f64,
    pub b_mean: f64,
}

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sides {
    /// As in `credit-score@1.0.0`.
    pub a: String,
    pub b: String,
}

impl Query for Sides {
    const EXAMPLE: &'static str = "a=MODEL@VERSION&b=MODEL@VERSION";
}
