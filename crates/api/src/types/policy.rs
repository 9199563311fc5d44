//! The rules of models.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{name::ModelName, policy::ModelPolicy};

/// `PUT …/models/{model}/policy`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SetPolicy {
    pub policy: ModelPolicy,
}

/// `PUT …/policies`: the rules of several models, all or none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SetPolicies {
    pub policies: BTreeMap<ModelName, ModelPolicy>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyStates {
    pub policies: BTreeMap<ModelName, PolicyState>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyState {
    pub policy: ModelPolicy,
    /// False if the policy was so already.
    pub changed: bool,
}
