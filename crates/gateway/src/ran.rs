//! What became of a request: what each step gave, which overrides had a say, and the answer or why there is none.

use std::time::Instant;

use stemma_core::endpoint::{
    prediction::{NodeEnding, OverrideEffect, OverrideRecord},
    target::Target,
};
use stemma_tensor::Tensor;

/// What became of a request.
#[derive(Debug)]
pub struct Ran {
    /// Every step that was begun, in order.
    pub steps: Vec<StepRan>,
    pub overrides: Vec<OverrideRecord>,
    pub result: Result<Vec<(String, Tensor)>, Failure>,
}

#[derive(Debug)]
pub struct StepRan {
    pub name: String,
    pub target: Target,
    pub began: Instant,
    pub latency_us: u64,
    pub ended: NodeEnding,
    /// Empty if it failed.
    pub outputs: Vec<(String, Tensor)>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// What the caller sent doesn't fit.
    Request(String),
    /// A model failed on inputs that fit.
    Model(String),
}

impl Ran {
    /// Names of the overrides that changed the answer.
    pub fn fired(&self) -> Vec<String> {
        let changed = self.overrides.iter().filter(|one| matches!(one.effect, OverrideEffect::Bounded { .. }));
        changed.map(|one| one.name.clone()).collect()
    }

    /// `score=credit-score@1.1.0,limit=credit-limit@1.0.0`; nothing for one model alone.
    pub fn named_steps(&self) -> String {
        if self.steps.len() < 2 {
            return String::new();
        }
        let named = self.steps.iter().map(|step| format!("{}={}", step.name, step.target));
        named.collect::<Vec<_>>().join(",")
    }
}
