//! Two predictions side by side, and which inputs make the difference.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{
    Digest, Timestamp,
    endpoint::prediction::{LoggedTensor, PredictionId},
    name::EndpointName,
};

use crate::act::Query;

/// The other prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct With {
    pub with: PredictionId,
}

impl Query for With {
    const EXAMPLE: &'static str = "with=pred_…";
}

/// `GET /api/v1/predictions/{prediction}/compare?with=…`: the prediction is a, the other is b.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PredictionComparison {
    pub a: ComparedPrediction,
    pub b: ComparedPrediction,
    pub inputs: Vec<ComparedValue>,
    pub steps: Vec<ComparedStep>,
    /// Overrides that one of them met.
    pub rules: Vec<ComparedRule>,
    pub outputs: Vec<ComparedValue>,
    /// What a's route answers to values of b; absent if it could not be asked.
    pub effects: Option<Effects>,
    /// What could not be told, and why, one line each.
    pub reasons: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComparedPrediction {
    pub prediction: PredictionId,
    pub time: Timestamp,
    pub endpoint: EndpointName,
    pub revision: u32,
    pub revision_digest: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arm: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// `answered`, `failed` or `refused`.
    pub status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// A value that both have or only one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComparedValue {
    pub name: String,
    pub a: Option<LoggedTensor>,
    pub b: Option<LoggedTensor>,
}

impl ComparedValue {
    pub fn is_same(&self) -> bool {
        self.a == self.b
    }
}

/// What a step asked and gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComparedStep {
    pub step: String,
    /// As in `credit-score@1.1.0`.
    pub a: Option<String>,
    pub b: Option<String>,
    /// Both asked the very same content, or nothing.
    pub same: bool,
    /// What they gave, where that is not the answer.
    pub outputs: Vec<ComparedValue>,
}

/// What an override did, in words; absent where it did nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ComparedRule {
    pub name: String,
    pub a: Option<String>,
    pub b: Option<String>,
}

/// What the revision, arm and overrides of a, as they held at its time, answer to values of b.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Effects {
    /// With its own values, a's route gives what was recorded, to the last bit.
    pub same_bits: bool,
    /// How often the route was run.
    pub runs: u64,
    /// Of each output that differs.
    pub outputs: Vec<OutputEffects>,
}

/// Which inputs make the difference of one output.
///
/// Distances are the sum of the absolute differences of all elements; of texts and truth values, how many are unequal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutputEffects {
    pub output: String,
    pub a: LoggedTensor,
    pub b: LoggedTensor,
    /// From what a's route gives to what b got.
    pub distance: f64,
    /// What a's route gives with all inputs of b; absent if it fails on them.
    pub with_all: Option<LoggedTensor>,
    /// How far that is from what b got: not due to the inputs, but to versions or overrides.
    pub rest: Option<f64>,
    /// Each differing input of b put in alone, those that come nearest to b first.
    pub alone: Vec<InputEffect>,
    /// Inputs of b put in one after the other, each time the one that comes nearest to b, until nothing is left but the rest.
    /// That is greedy: another order may need fewer.
    pub in_order: Vec<InputEffect>,
}

/// What the output is when an input has b's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InputEffect {
    /// Its name; of an input that holds several values, one of them, as `x[3]`, counted from 0.
    pub input: String,
    pub output: LoggedTensor,
    /// What is left to what b got.
    pub distance: f64,
}

impl OutputEffects {
    /// How much of the way from a to b an effect goes, in percent: negative if it leads away.
    pub fn percent(&self, effect: &InputEffect) -> f64 {
        (self.distance - effect.distance) / self.distance * 100.0
    }
}
