//! Endpoints and their deployment revisions.

use stemma_api::{
    act::Nothing,
    acts::endpoint,
    types::{ChangeRollout, Deploy, DeployedRevision, EndpointDetail, Page, Paging, Rollback, Undeploy},
};
use stemma_core::{
    Problem,
    name::{EndpointName, ProjectName},
};

use crate::{
    call::Call,
    route::{Route, route},
};

pub fn routes() -> Vec<Route> {
    vec![
        route(&endpoint::LIST, list),
        route(&endpoint::SHOW, show),
        route(&endpoint::DEPLOY, deploy),
        route(&endpoint::REVISION, revision),
        route(&endpoint::ROLL_OUT, roll_out),
        route(&endpoint::ROLL_BACK, roll_back),
        route(&endpoint::UNDEPLOY, undeploy),
    ]
}

type OfEndpoint = (ProjectName, EndpointName);

async fn list(call: Call<(ProjectName,), Nothing, Paging<EndpointName>>) -> Result<Page<EndpointDetail>, Problem> {
    let (project,) = call.at;
    Ok(Page { items: call.app.delivery.endpoints(&call.caller, &project).await?, next: None })
}

async fn show(call: Call<OfEndpoint>) -> Result<EndpointDetail, Problem> {
    let (project, endpoint) = call.at;
    call.app.delivery.endpoint(&call.caller, &project, &endpoint).await
}

async fn revision(call: Call<(ProjectName, EndpointName, u32)>) -> Result<DeployedRevision, Problem> {
    let (project, endpoint, number) = call.at;
    call.app.known().endpoint_revision(&project, &endpoint, number).await
}

async fn deploy(call: Call<OfEndpoint, Deploy>) -> Result<DeployedRevision, Problem> {
    let (project, endpoint) = call.at;
    call.app.delivery.deploy(&call.caller, call.request, &project, &endpoint, call.body).await
}

async fn roll_out(call: Call<OfEndpoint, ChangeRollout>) -> Result<DeployedRevision, Problem> {
    let (project, endpoint) = call.at;
    call.app.delivery.change_rollout(&call.caller, call.request, &project, &endpoint, call.body).await
}

async fn roll_back(call: Call<OfEndpoint, Rollback>) -> Result<DeployedRevision, Problem> {
    let (project, endpoint) = call.at;
    call.app.delivery.roll_back(&call.caller, call.request, &project, &endpoint, call.body).await
}

async fn undeploy(call: Call<OfEndpoint, Undeploy>) -> Result<EndpointDetail, Problem> {
    let (project, endpoint) = call.at;
    call.app.delivery.undeploy(&call.caller, call.request, &project, &endpoint, call.body).await
}
