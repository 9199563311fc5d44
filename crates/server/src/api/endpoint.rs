//! Endpoints and their deployment revisions.

use stemma_api::{
    act::Nothing,
    acts::endpoint,
    types::{
        ChangeRollout, DatasetFromFeedback, Deploy, DeployedRevision, EndpointDetail, FeedbackDataset, Page, Paging,
        PredictionsRecorded, RecordPredictions, Rollback, Undeploy,
    },
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
        route(&endpoint::RECORD, record),
        route(&endpoint::DATASET, dataset),
    ]
}

type OfEndpoint = (ProjectName, EndpointName);

async fn list(call: Call<(ProjectName,), Nothing, Paging<u64, 100>>) -> Result<Page<EndpointDetail>, Problem> {
    let delivery = call.delivery();
    let ((project,), Paging { cursor, limit }) = (call.at, call.ask);
    delivery.endpoints(&call.caller, &project, cursor, limit.get()).await
}

async fn show(call: Call<OfEndpoint, Nothing, Paging<u32, 100>>) -> Result<EndpointDetail, Problem> {
    let delivery = call.delivery();
    let ((project, endpoint), Paging { cursor, limit }) = (call.at, call.ask);
    delivery.endpoint(&call.caller, &project, &endpoint, cursor, limit.get()).await
}

async fn revision(call: Call<(ProjectName, EndpointName, u32)>) -> Result<DeployedRevision, Problem> {
    let (project, endpoint, number) = call.at;
    call.known.endpoint_revision(&project, &endpoint, number).await
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

async fn record(call: Call<OfEndpoint, RecordPredictions>) -> Result<PredictionsRecorded, Problem> {
    let (project, endpoint) = call.at;
    call.app.delivery.record_predictions(&call.caller, call.request, &project, &endpoint, call.body).await
}

async fn dataset(call: Call<OfEndpoint, DatasetFromFeedback>) -> Result<FeedbackDataset, Problem> {
    let (project, endpoint) = call.at;
    call.app.delivery.dataset_from_feedback(&call.caller, call.request, &project, &endpoint, call.body).await
}
