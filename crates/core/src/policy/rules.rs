//! All rules of one model.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    evaluation::EvaluationSpec, gate::GateSpec, importance::ImportanceSpec, lifetime::Lifetime, require::Requirements,
    stage::Stage,
};
use crate::{
    Digest, Problem,
    meaning::{Aspect, Said, Statement, TagKey},
    name::{AliasName, GateName, GroupName, PrincipalName},
    signature::Signature,
    version::Naming,
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
    /// The names by which lists call the versions first; without it they are called by their numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub naming: Option<Naming>,
    /// What is to be said of the model, as a declaration has it beside the rules. The rules themselves hold none of it:
    /// statements are facts of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    #[serde(default, alias = "license", skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intended_use: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_model: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<TagKey, String>,
    /// What a registration must bring.
    #[serde(default, skip_serializing_if = "Requirements::is_empty")]
    pub require: Requirements,
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
    /// Takes out what is to be said of the model; what stays are rules.
    pub fn take_said(&mut self) -> Said {
        Said {
            description: self.description.take(),
            owner: self.owner.take(),
            licence: self.licence.take(),
            intended_use: self.intended_use.take(),
            base_model: self.base_model.take(),
            tags: std::mem::take(&mut self.tags),
            ..Said::default()
        }
    }

    /// Adds what is said of the model, as it would be declared.
    #[must_use]
    pub fn with_said(mut self, statements: impl IntoIterator<Item = Statement>) -> Self {
        for Statement { aspect, key, text } in statements {
            match aspect {
                Aspect::Description => self.description = text,
                Aspect::Owner => self.owner = text,
                Aspect::Licence => self.licence = text,
                Aspect::IntendedUse => self.intended_use = text,
                Aspect::BaseModel => self.base_model = text,
                Aspect::Tag => {
                    // none was kept under a key that is none
                    self.tags.extend(TagKey::new(key).ok().zip(text));
                }
                // no part of a declaration: it is a document of its own
                Aspect::Card => {}
            }
        }
        self
    }

    /// Whether all that this declares holds already; what is said beside it does not matter.
    pub fn is_held_by(&self, current: &Self) -> Result<bool, Problem> {
        let (mut rules, mut held) = (self.clone(), current.clone());
        let (said, held_said) = (rules.take_said().statements()?, held.take_said().statements()?);
        let holds = |one: &Statement| match &one.text {
            Some(_) => held_said.contains(one),
            None => held_said.iter().all(|held| (held.aspect, &held.key) != (one.aspect, &one.key)),
        };
        Ok(rules == held && said.iter().all(holds))
    }

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
    fn what_is_said_is_no_part_of_the_rules() {
        let rules = policy();
        let declared = ModelPolicy {
            owner: Some(" risk ".into()),
            licence: Some(String::new()),
            tags: BTreeMap::from([(name("team"), "a".to_owned())]),
            ..rules.clone()
        };
        let mut taken = declared.clone();
        let said = taken.take_said();
        assert_eq!((taken, said.owner.as_deref()), (rules.clone(), Some(" risk ")));
        assert!(!declared.is_held_by(&rules).unwrap());
        let current = rules.clone().with_said(said.statements().unwrap());
        assert_eq!(current.owner.as_deref(), Some("risk"));
        assert!(declared.is_held_by(&current).unwrap());
        assert!(rules.is_held_by(&current).unwrap());
        let described = ModelPolicy { description: Some("by hand".into()), ..current.clone() };
        assert!(declared.is_held_by(&described).unwrap());
        assert!(!declared.is_held_by(&ModelPolicy { owner: Some("fraud".into()), ..current.clone() }).unwrap());
        assert!(!declared.is_held_by(&ModelPolicy { licence: Some("MIT".into()), ..current }).unwrap());
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
