//! All rules of one model.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{evaluation::EvaluationSpec, gate::GateSpec, lifetime::Lifetime, stage::Stage};
use crate::{
    Digest,
    name::{AliasName, GateName, GroupName, PrincipalName},
    signature::Signature,
};

/// What entering a stage needs: `[model.<name>.promotion.<stage>]` of `stemma.toml`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromotionRule {
    #[serde(default)]
    pub gates: Vec<GateName>,
    /// How many people must approve; each counts once.
    #[serde(default)]
    pub approvals: u32,
    /// Groups of which somebody must approve, each another person.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupName>,
    /// After that, an approval counts no more, as in `30d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals_expire: Option<Lifetime>,
    /// After that, what a gate found counts no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence_expires: Option<Lifetime>,
    /// Moved to the version by the same promotion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<AliasName>,
}

/// All rules of one model.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelPolicy {
    /// The contract of versions whose content states none. Content that states another is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<EvaluationSpec>,
    #[serde(default, rename = "gate")]
    pub gates: BTreeMap<GateName, GateSpec>,
    #[serde(default, rename = "promotion")]
    pub promotions: BTreeMap<Stage, PromotionRule>,
    /// Who is in which group.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<GroupName, BTreeSet<PrincipalName>>,
    /// The e-mail addresses under which people commit code.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub emails: BTreeMap<PrincipalName, BTreeSet<String>>,
}

impl PromotionRule {
    /// Whether somebody has to approve.
    pub fn asks_people(&self) -> bool {
        self.approvals > 0 || !self.groups.is_empty()
    }

    /// Whether what a promotion rested on may be too old one day.
    pub const fn lets_expire(&self) -> bool {
        self.approvals_expire.is_some() || self.evidence_expires.is_some()
    }
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
            approvals: u32::from(production),
            alias: production.then(|| AliasName::new("champion").expect("a plain word is a valid name")),
            ..PromotionRule::default()
        }
    }

    /// The stage whose promotions move an alias, if there is one: then nothing else moves it.
    pub fn protects(&self, alias: &AliasName) -> Option<Stage> {
        Stage::ALL.into_iter().find(|stage| self.promotion(*stage).alias.as_ref() == Some(alias))
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
        let rule = PromotionRule {
            gates: vec![name("baseline")],
            approvals: 1,
            alias: Some(name("leader")),
            ..PromotionRule::default()
        };
        ModelPolicy {
            gates: BTreeMap::from([(name("baseline"), gate)]),
            promotions: BTreeMap::from([(Stage::Production, rule)]),
            ..ModelPolicy::default()
        }
    }

    #[test]
    fn what_a_promotion_moves_nothing_else_does() {
        let check =
            |policy: &ModelPolicy, alias: &str, stage| assert_eq!(policy.protects(&name(alias)), stage, "{alias}");
        check(&ModelPolicy::default(), "champion", Some(Stage::Production));
        check(&ModelPolicy::default(), "leader", None);
        check(&policy(), "leader", Some(Stage::Production));
        // the rule that is declared moves another
        check(&policy(), "champion", None);
    }

    #[test]
    fn rules_from_before_people_were_named_stay_as_they_were() {
        let text = r#"{"gate":{},"promotion":{"production":{"gates":[],"approvals":2,"alias":"champion"}}}"#;
        let before: ModelPolicy = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&before).unwrap(), text);
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
