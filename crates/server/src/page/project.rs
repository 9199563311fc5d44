//! All projects that the caller may read.

use askama::Template;
use axum::response::Response;
use stemma_api::{
    act::Nothing,
    types::{Page, Paging, Project},
};
use stemma_core::{Problem, name::ProjectName};

use super::{filters, head::Head, paper::html_at};
use crate::{call::Call, href};

#[derive(Template)]
#[template(path = "projects.html")]
struct ProjectsPage {
    head: Head,
    projects: Page<Project>,
}

pub async fn projects(call: Call<(), Nothing, Paging<ProjectName, 100>>) -> Result<Response, Problem> {
    let head = Head::of_home_call(&call).await?;
    let (Paging { cursor, limit }, known) = (call.ask, call.known);
    let projects = known.page_of_projects(&call.caller, cursor.as_ref(), limit.get()).await?;
    html_at(known.moment(), ProjectsPage { head, projects })
}
