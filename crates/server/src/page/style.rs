//! How pages look.

use axum::{body::Body, response::Response};
use http::{HeaderValue, header};
use stemma_core::Problem;

use crate::call::Call;

const STYLE: &str = include_str!("../../assets/stemma.css");

pub async fn style(_: Call) -> Result<Response, Problem> {
    let mut response = Response::new(Body::from(STYLE));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=300"));
    Ok(response)
}
