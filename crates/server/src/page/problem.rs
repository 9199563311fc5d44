//! What went wrong, as a page.

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use stemma_core::{ErrorKind, Problem, name::ProjectName};

use super::{filters, head::Head, paper::html};
use crate::{href, problem::response};

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    head: Head,
    status: StatusCode,
    problem: &'a Problem,
}

/// A problem as a page; of a project if the address names one.
pub fn refuse(problem: Problem, project: Option<ProjectName>) -> Response {
    let status = StatusCode::from_u16(problem.kind.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let head = Head::of_problem(&problem, project);
    let shown = match problem.kind {
        ErrorKind::Internal => {
            tracing::error!(message = %problem.message, "page failed");
            Problem::new(ErrorKind::Internal, "internal error").hint("the server's log has the cause")
        }
        _ => problem,
    };
    match html(ProblemPage { head, status, problem: &shown }) {
        Ok(mut response) => {
            *response.status_mut() = status;
            response
        }
        Err(problem) => response(problem),
    }
}
