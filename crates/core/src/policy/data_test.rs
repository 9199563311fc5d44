//! What a table must be like: the declaration of a data test.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::gate_fault::{GateFault, check_range, check_share};

/// Longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 1000;
/// Most memory that a compiled pattern may take.
const PATTERN_MEMORY_MAX: usize = 1 << 20;
/// Bins of a drift check.
const BINS: std::ops::RangeInclusive<u32> = 2..=100;

/// `kind = "data-test"`: a dataset as it must be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataTest {
    /// Dataset name, path in `stemma.lock`, or `name@number`; resolved to a dataset version when declared.
    pub data: String,
    #[serde(default = "one")]
    pub min_rows: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rows: Option<u64>,
    /// There are no columns but those with a rule.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
    /// Sets of columns whose values together occur once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Vec<String>>,
    /// Datasets that share no row with this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub no_overlap: Vec<OverlapRule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftRule>,
    #[serde(default)]
    pub columns: BTreeMap<String, ColumnRule>,
}

const fn one() -> u64 {
    1
}

/// What a column of a table must be.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnRule {
    /// `number`, `integer` or `text`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<ColumnType>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// The only values allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<String>>,
    /// A regular expression that whole cells match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// In characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length_min: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length_max: Option<u64>,
    /// Empty cells are allowed. Default: they are not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nullable: bool,
    /// Empty cells are allowed up to this share of the rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_max: Option<f64>,
    /// No value occurs twice.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unique: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<Bounds>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quantiles: Vec<QuantileRule>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    Number,
    Integer,
    Text,
}

/// Both ends included; at least one is given.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

impl Bounds {
    pub fn hold(&self, value: f64) -> bool {
        self.min.is_none_or(|min| value >= min) && self.max.is_none_or(|max| value <= max)
    }

    /// For people, after the name of a thing: `is from 1 to 2`.
    pub fn describe(&self) -> String {
        match (self.min, self.max) {
            (Some(min), Some(max)) => format!("is from {min} to {max}"),
            (Some(min), None) => format!("is at least {min}"),
            (None, Some(max)) => format!("is at most {max}"),
            (None, None) => "is known".to_owned(),
        }
    }
}

/// The value below which a share of the numbers lies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuantileRule {
    /// From 0 to 1; 0.5 is the median.
    pub at: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

impl QuantileRule {
    pub const fn bounds(&self) -> Bounds {
        Bounds { min: self.min, max: self.max }
    }
}

/// A dataset that shares no row with the tested one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OverlapRule {
    pub data: String,
    /// Rows are the same if they are in these columns; without any, in all columns that both tables have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<String>,
}

/// How far columns may have moved from those of a reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DriftRule {
    pub reference: String,
    /// Most population stability index: of the values, or of bins for numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub psi_max: Option<f64>,
    /// Most Kolmogorov–Smirnov distance, for columns of numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ks_max: Option<f64>,
    /// Numbers are put into this many bins of equal size in the reference.
    #[serde(default = "ten", skip_serializing_if = "is_ten")]
    pub bins: u32,
    /// Only these; without any, all columns that both tables have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<String>,
}

const fn ten() -> u32 {
    10
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_ten(bins: &u32) -> bool {
    *bins == ten()
}

/// Compiles a pattern that whole cells must match; says what is wrong with it.
pub fn compile_pattern(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(format!("it is longer than {PATTERN_BYTES_MAX} bytes"));
    }
    let whole = RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(PATTERN_MEMORY_MAX).build();
    whole.map_err(|error| match error {
        regex::Error::CompiledTooBig(most) => format!("it takes more than {most} bytes of memory"),
        error => error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
    })
}

impl DataTest {
    /// Says what can't mean anything.
    pub(super) fn check(&self) -> Result<(), GateFault> {
        if let Some(max) = self.max_rows
            && max < self.min_rows
        {
            return Err(format!("nothing is between `min_rows` {} and `max_rows` {max}", self.min_rows).into());
        }
        if self.strict && self.columns.is_empty() {
            return Err("`strict` allows no columns but those with a rule, and there are none".into());
        }
        if self.keys.iter().any(Vec::is_empty) {
            return Err("a key has no columns".into());
        }
        self.columns.iter().try_for_each(|(name, rule)| rule.check(name))?;
        self.drift.iter().try_for_each(DriftRule::check)
    }
}

impl ColumnRule {
    fn check(&self, name: &str) -> Result<(), GateFault> {
        check_range(name, self.min, self.max)?;
        check_range(&format!("{name}: length"), self.length_min, self.length_max)?;
        if let Some(share) = self.missing_max {
            check_share(&format!("`missing_max` of `{name}`"), share)?;
        }
        if let Some(pattern) = &self.pattern {
            compile_pattern(pattern).map_err(|why| format!("the pattern of `{name}` can't be used: {why}"))?;
        }
        if let Some(mean) = &self.mean {
            check_bounds(&format!("the mean of `{name}`"), mean)?;
        }
        for quantile in &self.quantiles {
            check_share(&format!("`at` of a quantile of `{name}`"), quantile.at)?;
            check_bounds(&format!("a quantile of `{name}`"), &quantile.bounds())?;
        }
        let of_numbers = self.mean.is_some() || !self.quantiles.is_empty();
        if of_numbers && self.kind == Some(ColumnType::Text) {
            return Err(format!("`{name}` holds text, which has neither mean nor quantiles").into());
        }
        Ok(())
    }
}

fn check_bounds(what: &str, bounds: &Bounds) -> Result<(), GateFault> {
    if (bounds.min, bounds.max) == (None, None) {
        return Err(format!("the bound on {what} has neither `min` nor `max`").into());
    }
    check_range(what, bounds.min, bounds.max)
}

impl DriftRule {
    fn check(&self) -> Result<(), GateFault> {
        if self.psi_max.is_none() && self.ks_max.is_none() {
            return Err("`drift` has neither `psi_max` nor `ks_max`".into());
        }
        if self.psi_max.is_some_and(|most| most < 0.0) {
            return Err("`psi_max` is below 0, which no table could keep".into());
        }
        if let Some(most) = self.ks_max {
            check_share("`ks_max`", most)?;
        }
        if !BINS.contains(&self.bins) {
            return Err(
                format!("`bins` is {}, expected a number from {} to {}", self.bins, BINS.start(), BINS.end()).into()
            );
        }
        Ok(())
    }
}
