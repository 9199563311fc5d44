//! Projects.

use stemma_api::{
    act::Nothing,
    acts::project,
    types::{CreateProject, Page, Paging, Project, WhyProject},
};
use stemma_core::{Problem, name::ProjectName};

use crate::{
    call::Call,
    route::{Route, route},
};

pub fn routes() -> Vec<Route> {
    vec![
        route(&project::LIST, list),
        route(&project::CREATE, create),
        route(&project::SHOW, show),
        route(&project::CLOSE, close),
        route(&project::REOPEN, reopen),
    ]
}

async fn list(call: Call<(), Nothing, Paging<ProjectName>>) -> Result<Page<Project>, Problem> {
    let Paging { cursor, limit } = call.ask;
    call.known.page_of_projects(&call.caller, cursor.as_ref(), limit.get()).await
}

async fn create(call: Call<(), CreateProject>) -> Result<Project, Problem> {
    call.app.engine().create_project(&call.caller, call.request, &call.body.project).await
}

async fn show(call: Call<(ProjectName,)>) -> Result<Project, Problem> {
    call.known.project(&call.at.0).await
}

async fn close(call: Call<(ProjectName,), WhyProject>) -> Result<Project, Problem> {
    call.app.engine().close_project(&call.caller, call.request, &call.at.0, &call.body.reason).await
}

async fn reopen(call: Call<(ProjectName,), WhyProject>) -> Result<Project, Problem> {
    call.app.engine().reopen_project(&call.caller, call.request, &call.at.0, &call.body.reason).await
}
