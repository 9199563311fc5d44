//! Two versions side by side.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{
    Digest, behaviour::Behaviour, name::ModelName, policy::ImportanceSpec, recommend::Recommendation, record::Latency,
    signature::ContractChange, version::Comparison,
};

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
    /// How much the change from a to b matters; absent from servers that did not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub importance: Option<Importance>,
    /// How much of what is known of each is the same; absent from servers that did not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub similarity: Option<FactSimilarity>,
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
    /// That b answers as a did, wherever answers of a are recorded and could be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behaves_as: Option<Behaviour>,
    /// What could not be compared, one line each.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PerformanceComparison {
    pub primary: Comparison,
    pub metrics: Vec<MetricPair>,
    pub slices: Vec<SliceComparison>,
    /// How much less a row costs; absent if the rows differ, which `untested` then says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<LossDelta>,
    /// All tests that were made, of metrics and of slices: one family.
    #[serde(default)]
    pub tests: Vec<PairedTest>,
    /// What was not tested, and why, one line each.
    #[serde(default)]
    pub untested: Vec<String>,
    /// How often the data has been used; absent from servers that did not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<DataUses>,
}

/// ΔP = mean(loss of a − loss of b) on the same rows: positive is better.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LossDelta {
    /// What a row costs, as in `squared error`; rankings are judged by query.
    pub loss: String,
    pub a: f64,
    pub b: f64,
    pub improvement: f64,
    /// By the paired bootstrap.
    pub low: f64,
    pub high: f64,
    /// By Student's distribution; absent if all rows improved alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub t_interval: Option<[f64; 2]>,
    /// mean\[(y − ŷ of b) − (y − ŷ of a)\]: how much more the truth lies above what is predicted; absent where a
    /// prediction is no number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub residual_change: Option<f64>,
    pub rows: u64,
    pub confidence: f64,
    /// About how many more rows would exclude 0, with a probability of 0.8, if the improvement is on all rows what it is
    /// on these.
    pub more_rows: MoreRows,
}

/// How many more rows would decide whether there is a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MoreRows {
    /// These rows do.
    Decided,
    About(u64),
    /// No number of rows: there is no difference, or next to none.
    None,
}

/// Whether two versions differ on the same rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PairedTest {
    pub metric: String,
    /// The slice that was looked at, as in `sex = female`; absent of all rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
    /// `mcnemar_exact`, `mcnemar_chi2`, `wilcoxon_exact`, `wilcoxon_asymptotic` or `delong`.
    pub test: String,
    /// Rows, or queries of a ranking.
    pub rows: u64,
    /// By how much b is better: of the area under the curve, or of the mean over rows.
    pub improvement: f64,
    pub p_value: f64,
    /// Holm's, for all tests of this comparison.
    pub adjusted: f64,
}

impl PairedTest {
    /// Up to this adjusted value a difference is told to be shown.
    pub const ALPHA: f64 = 0.05;

    pub fn is_shown(&self) -> bool {
        self.adjusted <= Self::ALPHA
    }
}

/// How often a dataset version was used to judge models, as far as the ledger of this project tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DataUses {
    /// As in `test@1`.
    pub data: String,
    pub evaluations: u64,
    /// Gates and validations that rested on it.
    pub checks: u64,
    /// Comparisons that gave a version its number.
    pub comparisons: u64,
    /// Of which models, by their names.
    pub models: Vec<ModelUses>,
    /// What is not counted here, one line each.
    pub unseen: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelUses {
    pub model: ModelName,
    pub versions: u64,
    pub evaluations: u64,
    pub checks: u64,
    pub comparisons: u64,
}

/// How much a change matters when it is better and slower at once: the weight of the improvement times the primary
/// metric's improvement, less the weight of latency times the seconds that an answer takes longer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Importance {
    /// Above 0 the change is worth it; absent if a part of it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    pub weights: ImportanceSpec,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub improvement: Option<f64>,
    /// Of a and b, as their newest validations measured them.
    pub latency: [Option<Latency>; 2],
}

impl Importance {
    /// What the improvement alone counts.
    pub fn of_improvement(&self) -> Option<f64> {
        self.improvement.map(|improvement| self.weights.improvement * improvement)
    }
}

/// |A ∩ B| / |A ∪ B| of the facts `kind:name=value` that are known of two versions, and which they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FactSimilarity {
    /// Absent if nothing is known of either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    pub shared: FactList,
    pub only_a: FactList,
    pub only_b: FactList,
    /// What could not be among the facts, one line each.
    pub unseen: Vec<String>,
}

/// Facts in order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct FactList {
    pub count: u64,
    /// The first of them.
    pub first: Vec<String>,
}

impl FactList {
    /// How many are not listed.
    pub fn left_out(&self) -> u64 {
        self.count - self.first.len() as u64
    }
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
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
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
