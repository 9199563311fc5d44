//! What asks whether the server lives, and whether it can work.

use axum::response::Response;
use stemma_api::declare;
use stemma_core::Problem;

use crate::{
    call::{Call, Text},
    page,
    route::{Table, route},
};

declare! {
    "";
    HEALTH: GET /health => Text, Public in Home, Free, "liveness";
    READY: GET /health/ready => Text,
        Public in Home, Free, "whether ledger, prediction log and content can be written, and all endpoints answer";
}

pub fn table() -> Table {
    Table { routes: vec![route(&HEALTH, health), route(&READY, ready)], refuse: page::refuse, are_pages: false }
}

async fn health(_: Call) -> Result<Response, Problem> {
    Ok(Response::new("OK\n".into()))
}

async fn ready(call: Call) -> Result<Response, Problem> {
    call.app.delivery.ready().await?;
    Ok(Response::new("ready\n".into()))
}
