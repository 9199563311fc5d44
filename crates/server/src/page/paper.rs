//! What pages are written on.

use askama::Template;
use axum::{body::Body, response::Response};
use http::{HeaderValue, StatusCode, header};
use stemma_core::{ErrorKind, Problem, moment::Moment, visible::visible};

use crate::href;

pub fn redirect(status: StatusCode, to: &str) -> Result<Response, Problem> {
    let to = HeaderValue::from_str(to).map_err(|error| Problem::new(ErrorKind::Internal, format!("page: {error}")))?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(header::LOCATION, to);
    Ok(response)
}

pub fn html(page: impl Template) -> Result<Response, Problem> {
    written(&rendered(&page)?)
}

/// A page that may be about the past: then its links lead to the past too.
pub fn html_at(moment: Option<Moment>, page: impl Template) -> Result<Response, Problem> {
    let text = rendered(&page)?;
    match moment {
        None => written(&text),
        Some(moment) => written(&href::keep_moment(&text, moment)),
    }
}

fn rendered(page: &impl Template) -> Result<String, Problem> {
    page.render().map_err(|error| Problem::new(ErrorKind::Internal, format!("page: {error}")))
}

fn written(text: &str) -> Result<Response, Problem> {
    // the templates hold no such letters: every one is somebody else's
    let text = visible(text).into_owned();
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    Ok(response)
}
