//! What people declare of an endpoint, before versions are chosen.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{graph::StepSpec, overrule::Override, source::Source};

/// What a prediction's answer waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogMode {
    /// Answered only after the record is on disk.
    #[default]
    Durable,
    /// Answered at once; a crash may lose the last moments, and what is lost is counted.
    Fast,
    Off,
}

/// What people declare of an endpoint: `[endpoint.<name>]` of `stemma.toml`, or the arguments of a command.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointSpec {
    #[serde(default, rename = "step")]
    pub steps: Vec<StepSpec>,
    /// Output of the endpoint → where it comes from; empty: the outputs of the last step.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, Source>,
    #[serde(default, rename = "override", skip_serializing_if = "BTreeMap::is_empty")]
    pub overrides: BTreeMap<String, Override>,
    #[serde(default)]
    pub log: LogMode,
}

impl EndpointSpec {
    /// One model, as in `credit-score@champion`.
    pub fn of_one(model: String, log: LogMode) -> Self {
        let name = model.split('@').next().unwrap_or(&model).to_owned();
        Self { steps: vec![StepSpec { name, model, inputs: BTreeMap::new() }], log, ..Self::default() }
    }
}
