//! Which gates a model has, and what a promotion needs. Decisions only; facts come from the ledger.

mod approval;
mod code;
mod data_test;
mod evaluation;
mod evaluation_check;
mod free;
mod gate;
mod gate_check;
mod gate_fault;
mod importance;
mod lifetime;
mod makers;
mod people;
mod previous;
mod promotion;
mod require;
mod rules;
mod stage;

pub use self::{
    approval::ApprovalFact,
    code::{CodeOf, committers},
    data_test::{Bounds, ColumnRule, ColumnType, DataTest, DriftRule, OverlapRule, QuantileRule, compile_pattern},
    evaluation::{EvaluationSpec, SliceSpec},
    evaluation_check::{EvaluationFault, PLACEHOLDERS},
    free::{Holder, Taken, check_alias, check_label, check_semver},
    gate::{GateSpec, ValidationSpec},
    gate_fault::GateFault,
    importance::ImportanceSpec,
    lifetime::{Lifetime, NoLifetime},
    makers::{Maker, Makers, Part},
    people::rule_makers,
    previous::version_before,
    promotion::{GateFact, PromotionFacts, PromotionGrounds, decide_promotion},
    require::{Brought, BroughtRun, Requirements, decide_registration},
    rules::{ModelPolicy, PromotionRule},
    stage::Stage,
};
