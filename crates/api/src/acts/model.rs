//! Models and their rules.

use stemma_core::name::{ModelName, ProjectName};

use crate::types::*;

acts! {
    LIST as models: GET /projects/{project: ProjectName}/models ? Paging<ModelName> => Page<ModelSummary>,
        Read in Project, Ordinary, "all models";
    SHOW as model: GET /projects/{project: ProjectName}/models/{model: ModelName} => ModelDetail,
        Read in Project, Ordinary, "a model with its versions";
    POLICY as policy: GET /projects/{project: ProjectName}/models/{model: ModelName}/policy => PolicyState,
        Read in Project, Ordinary, "a model's evaluation, gates and promotion rules";
    SET_POLICY as set_policy: PUT /projects/{project: ProjectName}/models/{model: ModelName}/policy,
        SetPolicy => PolicyState,
        SetPolicy in Project, Heavy, "declare a model's evaluation, gates and promotion rules";
    /// Sets the rules of several models, all or none.
    SET_POLICIES as set_policies: PUT /projects/{project: ProjectName}/policies, SetPolicies => PolicyStates,
        SetPolicy in Project, Heavy, "declare the rules of several models, all or none";
}
