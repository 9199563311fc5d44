//! Models and their rules.

use stemma_api::{
    act::Nothing,
    acts::model,
    types::{ModelDetail, ModelSummary, Page, Paging, PolicyState, PolicyStates, SetPolicies, SetPolicy},
};
use stemma_core::{
    Problem,
    name::{ModelName, ProjectName},
};

use crate::{
    call::Call,
    route::{Route, route},
};

pub fn routes() -> Vec<Route> {
    vec![
        route(&model::LIST, list),
        route(&model::SHOW, show),
        route(&model::POLICY, policy),
        route(&model::SET_POLICY, set_policy),
        route(&model::SET_POLICIES, set_policies),
    ]
}

type OfModel = (ProjectName, ModelName);

async fn list(call: Call<(ProjectName,), Nothing, Paging<u64>>) -> Result<Page<ModelSummary>, Problem> {
    let ((project,), Paging { cursor, limit }) = (call.at, call.ask);
    call.known.page_of_models(&project, cursor, limit.get()).await
}

async fn show(call: Call<OfModel, Nothing, Paging<u64>>) -> Result<ModelDetail, Problem> {
    let ((project, model), Paging { cursor, limit }) = (call.at, call.ask);
    call.known.model(&project, &model, cursor, limit.get()).await
}

async fn policy(call: Call<OfModel>) -> Result<PolicyState, Problem> {
    let (project, model) = call.at;
    call.known.policy(&project, &model).await
}

async fn set_policy(call: Call<OfModel, SetPolicy>) -> Result<PolicyState, Problem> {
    let (project, model) = call.at;
    call.app.engine().set_policy(&call.caller, call.request, &project, &model, call.body.policy).await
}

async fn set_policies(call: Call<(ProjectName,), SetPolicies>) -> Result<PolicyStates, Problem> {
    let (project,) = call.at;
    let policies = call.app.engine().set_policies(&call.caller, call.request, &project, call.body.policies).await?;
    Ok(PolicyStates { policies })
}
