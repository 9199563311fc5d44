//! All rules of one model.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{evaluation::EvaluationSpec, gate::GateSpec, importance::ImportanceSpec, stage::Stage};
use crate::{
    Digest,
    name::{AliasName, GateName},
    signature::Signature,
    version::Naming,
};

/// What entering a stage needs: `[model.<name>.promotion.<stage>]` of `stemma.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromotionRule {
    #[serde(default)]
    pub gates: Vec<GateName>,
    #[serde(default)]
    pub approvals: u32,
    /// Moved to the version by the same promotion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<AliasName>,
}

/// All rules of one model.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelPolicy {
    /// The names by which lists call the versions first; without it they are called by their numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub naming: Option<Naming>,
    /// The contract of versions whose content states none. Content that states another is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<EvaluationSpec>,
    /// By what weights `stemma compare` says how much a change matters; the usual ones if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub importance: Option<ImportanceSpec>,
    #[serde(default, rename = "gate")]
    pub gates: BTreeMap<GateName, GateSpec>,
    #[serde(default, rename = "promotion")]
    pub promotions: BTreeMap<Stage, PromotionRule>,
}

impl ModelPolicy {
    /// Digest of what a gate's evidence was made under: its declaration, and for a metric also that of the evaluation
    /// and the rules that it follows.
    pub fn gate_digest(&self, gate: &GateName) -> Option<Digest> {
        let spec = self.gates.get(gate)?;
        match spec {
            GateSpec::DataTest(_) | GateSpec::RegressionCases { .. } | GateSpec::Validation(_) => Some(spec.digest()),
            GateSpec::MetricBaseline { .. } | GateSpec::SliceGap { .. } | GateSpec::SliceBaseline { .. } => {
                let rules = self.evaluation.as_ref().and_then(EvaluationSpec::rules);
                // what was declared before there were rules of a later version keeps its digest
                let digest = match rules {
                    Some(rules) => crate::canonical::digest(&(spec, &self.evaluation, rules)),
                    None => crate::canonical::digest(&(spec, &self.evaluation)),
                };
                Some(digest.expect("declarations read from TOML or JSON have finite numbers").0)
            }
        }
    }

    /// The rule for a stage. Without a declared one, production needs one approval and moves `@champion`; others need nothing.
    pub fn promotion(&self, stage: Stage) -> PromotionRule {
        if let Some(rule) = self.promotions.get(&stage) {
            return rule.clone();
        }
        let production = stage == Stage::Production;
        PromotionRule {
            gates: Vec::new(),
            approvals: u32::from(production),
            alias: production.then(|| AliasName::new("champion").expect("a plain word is a valid name")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    fn name<T: std::str::FromStr<Err: fmt::Debug>>(text: &str) -> T {
        text.parse().unwrap()
    }

    fn policy() -> ModelPolicy {
        let gate = GateSpec::MetricBaseline { metric: "auc".into(), min: Some(0.7), max: None };
        let rule = PromotionRule { gates: vec![name("baseline")], approvals: 1, alias: Some(name("champion")) };
        ModelPolicy {
            gates: BTreeMap::from([(name("baseline"), gate)]),
            promotions: BTreeMap::from([(Stage::Production, rule)]),
            ..ModelPolicy::default()
        }
    }

    #[test]
    fn a_metric_measured_under_another_evaluation_is_stale() {
        let before = policy();
        let mut after = policy();
        after.evaluation = Some(EvaluationSpec {
            data: "easier@1".into(),
            target: "outcome".into(),
            positive: Some("bad".into()),
            primary: "auc".into(),
            ..EvaluationSpec::default()
        });
        let gate = name("baseline");
        assert_ne!(before.gate_digest(&gate), after.gate_digest(&gate));
        assert_eq!(before.gate_digest(&name("nothing")), None);
    }
}
