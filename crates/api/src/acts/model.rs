//! Models and their rules.

use stemma_core::{
    Problem,
    name::{ModelName, ProjectName},
};

use crate::{Client, act::Nothing, types::*};

acts! {
    LIST as models: GET /projects/{project: ProjectName}/models ? Paging<u64> => Page<ModelSummary>,
        Read in Project at any time, Ordinary, "all models";
    SHOW: GET /projects/{project: ProjectName}/models/{model: ModelName} ? Paging<u64> => ModelDetail,
        Read in Project at any time, Ordinary, "a model with its versions";
    POLICY as policy: GET /projects/{project: ProjectName}/models/{model: ModelName}/policy => PolicyState,
        Read in Project at any time, Ordinary, "a model's evaluation, gates and promotion rules";
    SET_POLICY as set_policy: PUT /projects/{project: ProjectName}/models/{model: ModelName}/policy,
        SetPolicy => PolicyState,
        SetPolicy in Project, Heavy, "declare a model's evaluation, gates and promotion rules";
    /// Sets the rules of several models, all or none.
    SET_POLICIES as set_policies: PUT /projects/{project: ProjectName}/policies, SetPolicies => PolicyStates,
        SetPolicy in Project, Heavy, "declare the rules of several models, all or none";
}

impl Client {
    /// A model with all its versions.
    pub async fn model(&self, project: &ProjectName, model: &ModelName) -> Result<ModelDetail, Problem> {
        let mut paging = Paging::default();
        let mut whole = self.call(&SHOW, (project, model), &paging, &Nothing).await?;
        while let Some(next) = whole.next.take() {
            paging.go_on(&next)?;
            let more = self.call(&SHOW, (project, model), &paging, &Nothing).await?;
            whole.versions.extend(more.versions);
            whole.primary.extend(more.primary);
            whole.next = more.next;
        }
        Ok(whole)
    }
}
