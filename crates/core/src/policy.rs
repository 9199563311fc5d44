//! Who may do what, which gates a model has, and what a promotion needs. Decisions only; facts come from the ledger.

mod data_test;
mod evaluation;
mod gate_check;
mod promotion;
mod standing;

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Digest,
    name::{AliasName, GateName, TreePath},
};
pub use data_test::{Bounds, ColumnRule, ColumnType, DataTest, DriftRule, OverlapRule, QuantileRule, compile_pattern};
pub use evaluation::{CLASS_METRICS, EvaluationSpec, NUMBER_METRICS, SliceSpec};
pub use gate_check::{GATE_METRICS, GateFault};
pub use promotion::{ApprovalFact, GateFact, Maker, Makers, Part, PromotionGrounds, decide_promotion};
pub use standing::{HeldRole, HeldToken, Revocable, Standing};

/// Everything that a route or command may need the right for. Deny by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Liveness, version, static assets: no right needed.
    Public,
    Read,
    /// Runs, content, dataset versions, evaluations and gate results.
    Track,
    Register,
    Approve,
    Promote,
    /// Gates, promotion rules and evaluation declarations.
    SetPolicy,
    Deploy,
    /// Ask an endpoint.
    Invoke,
    Feedback,
    /// See the inputs and outputs of predictions: they are personal data.
    ReadPredictions,
    /// Checkpoints, proofs and verification of the ledger.
    Audit,
    /// Users, roles and tokens.
    ManageRights,
}

impl Action {
    pub const ALL: [Action; 13] = [
        Action::Public,
        Action::Read,
        Action::Track,
        Action::Register,
        Action::Approve,
        Action::Promote,
        Action::SetPolicy,
        Action::Deploy,
        Action::Invoke,
        Action::Feedback,
        Action::ReadPredictions,
        Action::Audit,
        Action::ManageRights,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Read => "read",
            Self::Track => "track",
            Self::Register => "register",
            Self::Approve => "approve",
            Self::Promote => "promote",
            Self::SetPolicy => "set_policy",
            Self::Deploy => "deploy",
            Self::Invoke => "invoke",
            Self::Feedback => "feedback",
            Self::ReadPredictions => "read_predictions",
            Self::Audit => "audit",
            Self::ManageRights => "manage_rights",
        }
    }

    /// What somebody with the right may do, as in "may …".
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Public => "see that the server lives",
            Self::Read => "read models, runs and content",
            Self::Track => "record runs and content",
            Self::Register => "register versions",
            Self::Approve => "approve versions",
            Self::Promote => "promote versions",
            Self::SetPolicy => "set a model's rules",
            Self::Deploy => "deploy and roll back",
            Self::Invoke => "ask endpoints",
            Self::Feedback => "send feedback",
            Self::ReadPredictions => "see inputs and outputs of predictions",
            Self::Audit => "read the ledger",
            Self::ManageRights => "manage roles and tokens",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A named set of rights within a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Reader,
    /// Tracks, registers, predicts. Also what an uncredentialed caller on a loopback address may do.
    Contributor,
    Approver,
    Operator,
    /// May call endpoints and send feedback, nothing else.
    Invoker,
    Owner,
}

impl Role {
    pub const ALL: [Role; 6] =
        [Role::Reader, Role::Contributor, Role::Approver, Role::Operator, Role::Invoker, Role::Owner];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Contributor => "contributor",
            Self::Approver => "approver",
            Self::Operator => "operator",
            Self::Invoker => "invoker",
            Self::Owner => "owner",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    pub const fn allows(self, action: Action) -> bool {
        use Action as A;
        match self {
            Self::Owner => true,
            Self::Reader => matches!(action, A::Public | A::Read | A::Audit),
            Self::Invoker => matches!(action, A::Public | A::Invoke | A::Feedback),
            Self::Contributor => matches!(
                action,
                A::Public | A::Read | A::Track | A::Register | A::Invoke | A::Feedback | A::ReadPredictions | A::Audit
            ),
            Self::Approver => {
                matches!(action, A::Public | A::Read | A::Track | A::Approve | A::ReadPredictions | A::Audit)
            }
            Self::Operator => matches!(
                action,
                A::Public
                    | A::Read
                    | A::Track
                    | A::Promote
                    | A::Deploy
                    | A::Invoke
                    | A::Feedback
                    | A::ReadPredictions
                    | A::Audit
            ),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a model version stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    #[default]
    Development,
    Staging,
    Production,
    Archived,
}

impl Stage {
    pub const ALL: [Stage; 4] = [Stage::Development, Stage::Staging, Stage::Production, Stage::Archived];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Staging => "staging",
            Self::Production => "production",
            Self::Archived => "archived",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == text)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<EvaluationSpec>,
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
    use super::*;

    fn name<T: std::str::FromStr<Err: fmt::Debug>>(text: &str) -> T {
        text.parse().unwrap()
    }

    fn policy() -> ModelPolicy {
        let gate = GateSpec::MetricBaseline { metric: "auc".into(), min: Some(0.7), max: None };
        let rule = PromotionRule { gates: vec![name("baseline")], approvals: 1, alias: Some(name("champion")) };
        ModelPolicy {
            evaluation: None,
            gates: BTreeMap::from([(name("baseline"), gate)]),
            promotions: BTreeMap::from([(Stage::Production, rule)]),
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
            slices: vec![],
            min_improvement: 0.0,
        });
        let gate = name("baseline");
        assert_ne!(before.gate_digest(&gate), after.gate_digest(&gate));
        assert_eq!(before.gate_digest(&name("nothing")), None);
    }

    #[test]
    fn contributors_never_hold_what_needs_a_credential() {
        for action in [Action::Approve, Action::Promote, Action::SetPolicy, Action::ManageRights, Action::Deploy] {
            assert!(!Role::Contributor.allows(action), "{action}");
        }
        for action in Action::ALL {
            assert!(Role::Owner.allows(action));
        }
    }
}
