//! What a table holds, column by column.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::Digest;

/// `GET …/profile?ref=…`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TableProfile {
    /// In full, as in `german-credit@1`.
    pub name: String,
    pub digest: Digest,
    pub rows: u64,
    /// Rows that another one before them is equal to, cell by cell.
    pub duplicate_rows: u64,
    pub columns: Vec<ColumnProfile>,
    /// Pairs of columns, those that go together most first.
    pub associations: Vec<Association>,
    /// How many more pairs go together a little.
    #[serde(default)]
    pub more_associations: u64,
    /// What was not looked at, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ColumnProfile {
    pub name: String,
    pub kind: ColumnKind,
    /// Cells without a value.
    pub missing: u64,
    /// Different values; numbers are the same if their values are.
    pub distinct: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers: Option<NumberProfile>,
    /// Least and greatest number of characters, of text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lengths: Option<[u64; 2]>,
    /// First and last, of times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<[String; 2]>,
    /// The most frequent values, unless each is there once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frequent: Vec<ValueCount>,
    /// What somebody should look at, as in `3 cells say N/A`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What all cells of a column that have a value are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// No cell has a value.
    Empty,
    Truth,
    Integer,
    Number,
    Time,
    Text,
}

impl ColumnKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Truth => "truth",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Time => "time",
            Self::Text => "text",
        }
    }
}

/// Of the finite numbers of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NumberProfile {
    pub min: f64,
    pub max: f64,
    pub mean: f64,
    /// The standard deviation, with n − 1; absent for one number, and where the squares don't fit in a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviation: Option<f64>,
    /// Pairs of share and value, as in `[0.5, 3.0]`.
    pub quantiles: Vec<[f64; 2]>,
    pub zeros: u64,
    pub negatives: u64,
    /// Infinite ones and NaN, which are in none of the other figures.
    pub not_finite: u64,
    /// One more than there are counts; each range but the last is without its upper end.
    pub edges: Vec<f64>,
    pub counts: Vec<u64>,
}

impl NumberProfile {
    pub fn quantile(&self, share: f64) -> Option<f64> {
        self.quantiles.iter().find(|[at, _]| *at == share).map(|[_, value]| *value)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ValueCount {
    pub value: String,
    pub count: u64,
}

/// How much two columns go together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Association {
    pub a: String,
    pub b: String,
    pub by: AssociationKind,
    /// From 0, of correlations from -1, to 1.
    pub value: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AssociationKind {
    /// Spearman's correlation of two columns of numbers.
    Spearman,
    /// Cramér's V of two columns of categories, corrected for its bias.
    CramersV,
    /// The correlation ratio η of numbers in the groups of categories.
    CorrelationRatio,
}

impl AssociationKind {
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Spearman => "rank correlation",
            Self::CramersV => "Cramér's V",
            Self::CorrelationRatio => "correlation ratio",
        }
    }
}
