//! Many versions side by side, by what was measured when they were evaluated.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{
    name::{AliasName, ModelName},
    policy::Stage,
    version::{Comparison, VersionNumber},
};

use super::{
    asked::{given, given_of},
    compare::{PairedTest, Sides},
    fact::Fact,
};
use crate::act::Query;

/// Which versions are compared.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Several {
    /// As in `credit-score@1.0.0`; said once for each.
    #[serde(default, deserialize_with = "given_of", skip_serializing_if = "Vec::is_empty")]
    pub of: Vec<String>,
    /// All versions of this model, behind those that are named.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelName>,
}

impl Query for Several {
    const EXAMPLE: &'static str = "of=MODEL@VERSION&of=MODEL@VERSION&of=MODEL@VERSION";
}

/// What a page compares: two versions, as `a` and `b` or `of` both, or several.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Beside {
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub a: Option<String>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub b: Option<String>,
    #[serde(default, deserialize_with = "given_of", skip_serializing_if = "Vec::is_empty")]
    pub of: Vec<String>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelName>,
}

impl Query for Beside {
    const EXAMPLE: &'static str = "a=MODEL@VERSION&b=MODEL@VERSION";
}

impl Beside {
    /// Two, if two are named and no more.
    pub fn two(&self) -> Option<Sides> {
        let Self { a, b, of, model } = self;
        let mut named = a.iter().chain(b).chain(of).cloned();
        let (a, b) = (named.next()?, named.next()?);
        (named.next().is_none() && model.is_none()).then_some(Sides { a, b })
    }

    pub fn several(self) -> Several {
        let Self { a, b, of, model } = self;
        Several { of: a.into_iter().chain(b).chain(of).collect(), model }
    }
}

/// `GET …/comparison?of=…&of=…`: versions in the order in which they were named, those of a model oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VersionTable {
    pub versions: Vec<ComparedVersion>,
    /// Every metric that some of them have, those of most versions first.
    pub metrics: Vec<ComparedMetric>,
    /// By what they are judged, if their models agree on it.
    pub primary: Option<String>,
    /// The data that most were judged on; only these are drawn, and only of these there is a best one.
    pub data: Option<String>,
    /// Each other version beside the first on the same rows; empty of more than a few.
    pub beside_first: Vec<BesideFirst>,
    /// What is not compared, and why, one line each.
    pub notes: Vec<String>,
}

impl VersionTable {
    /// Whether a version has the best value of a metric, alone or with others.
    pub fn is_best(&self, version: &ComparedVersion, metric: &ComparedMetric) -> bool {
        let is_asked = version.data == self.data && version.doubt.is_none();
        is_asked && metric.best.is_some() && version.metrics.get(&metric.metric).copied() == metric.best
    }
}

/// One of many versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComparedVersion {
    /// As in `credit-score@1.0.0`.
    pub version: String,
    pub model: ModelName,
    pub number: VersionNumber,
    pub stage: Stage,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<AliasName>,
    pub registered: Fact,
    /// What the newest evaluation was made on; absent if there is none.
    pub data: Option<String>,
    /// As the newest evaluation found them.
    pub metrics: BTreeMap<String, f64>,
    /// Whether a command answered.
    pub by_command: bool,
    /// Why the metrics are missing or are not to be trusted; absent if nothing is in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComparedMetric {
    pub metric: String,
    pub higher_is_better: bool,
    /// The best of several on [`VersionTable::data`]; whether by chance alone is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<f64>,
}

/// One version beside the first of many.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BesideFirst {
    pub version: String,
    /// With the first as reference; absent if they can't be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// Adjusted for all that are beside the first; absent if none fits the metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<PairedTest>,
    /// Why there is no comparison or test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_are_two_however_they_are_named() {
        let text = |name: &str| name.to_owned();
        let of = |names: &[&str]| Beside { of: names.iter().map(|name| text(name)).collect(), ..Beside::default() };
        let sides = Some(Sides { a: "m@1.0.0".into(), b: "m@1.1.0".into() });
        let named = Beside { a: Some("m@1.0.0".into()), b: Some("m@1.1.0".into()), ..Beside::default() };
        assert_eq!((named.two(), of(&["m@1.0.0", "m@1.1.0"]).two()), (sides.clone(), sides));
        assert_eq!((of(&["m@1.0.0"]).two(), of(&["m@1", "m@2", "m@3"]).two()), (None, None));
        let with_all = Beside { model: Some("m".parse().unwrap()), ..named };
        assert_eq!((with_all.two(), with_all.several().of), (None, vec!["m@1.0.0".to_owned(), "m@1.1.0".to_owned()]));
    }
}
