//! Endpoints and their deployment revisions.

use stemma_api::{
    paths::pattern,
    types::{ChangeRollout, Deploy, DeployedRevision, EndpointDetail, Page, Rollback, Undeploy},
};
use stemma_core::{Problem, name::EndpointName};

use super::{Route, json_route};
use crate::context::Context;

pub fn routes() -> Vec<Route> {
    vec![
        json_route!(GET pattern::ENDPOINTS, Read, "all endpoints", list, => Page<EndpointDetail>),
        json_route!(GET pattern::ENDPOINT, Read, "an endpoint with its revisions", show, => EndpointDetail),
        json_route!(POST pattern::REVISIONS, Deploy, "deploy model versions behind an endpoint", deploy, Deploy => DeployedRevision),
        json_route!(GET pattern::REVISION, Read, "a deployment revision", revision, => DeployedRevision),
        json_route!(POST pattern::ROLLOUT, Deploy, "change a canary's share, let it take over, or end it", roll_out, ChangeRollout => DeployedRevision),
        json_route!(POST pattern::ROLLBACK, Deploy, "let an earlier revision answer again", roll_back, Rollback => DeployedRevision),
        json_route!(POST pattern::UNDEPLOY, Deploy, "take an endpoint down", undeploy, Undeploy => EndpointDetail),
    ]
}

async fn list(context: Context) -> Result<Page<EndpointDetail>, Problem> {
    Ok(Page { items: context.app.delivery.endpoints(&context.caller, &context.project()?).await?, next: None })
}

async fn show(context: Context) -> Result<EndpointDetail, Problem> {
    context.app.delivery.endpoint(&context.caller, &context.project()?, &context.path("endpoint")?).await
}

async fn revision(context: Context) -> Result<DeployedRevision, Problem> {
    let (endpoint, number): (EndpointName, u32) = (context.path("endpoint")?, context.path("number")?);
    context.app.known().endpoint_revision(&context.project()?, &endpoint, number).await
}

async fn deploy(mut context: Context) -> Result<DeployedRevision, Problem> {
    let (project, endpoint): (_, EndpointName) = (context.project()?, context.path("endpoint")?);
    let deploy: Deploy = context.json().await?;
    context.app.delivery.deploy(&context.caller, context.request, &project, &endpoint, deploy).await
}

async fn roll_out(mut context: Context) -> Result<DeployedRevision, Problem> {
    let (project, endpoint): (_, EndpointName) = (context.project()?, context.path("endpoint")?);
    let change: ChangeRollout = context.json().await?;
    context.app.delivery.change_rollout(&context.caller, context.request, &project, &endpoint, change).await
}

async fn roll_back(mut context: Context) -> Result<DeployedRevision, Problem> {
    let (project, endpoint): (_, EndpointName) = (context.project()?, context.path("endpoint")?);
    let rollback: Rollback = context.json().await?;
    context.app.delivery.roll_back(&context.caller, context.request, &project, &endpoint, rollback).await
}

async fn undeploy(mut context: Context) -> Result<EndpointDetail, Problem> {
    let (project, endpoint): (_, EndpointName) = (context.project()?, context.path("endpoint")?);
    let undeploy: Undeploy = context.json().await?;
    context.app.delivery.undeploy(&context.caller, context.request, &project, &endpoint, undeploy).await
}
