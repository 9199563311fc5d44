//! Where pages were when they knew one project only. Who may read a page is asked there.

use axum::response::Response;
use http::StatusCode;
use stemma_api::declare;
use stemma_core::Problem;

use super::paper::redirect;
use crate::{
    call::{Call, Text},
    href,
    route::{Route, route},
};

declare! {
    "";
    MODELS: GET /models => Text, Public in Home, Ordinary, "is in its project now";
    MODEL: GET /models/{model: String} => Text, Public in Home, Ordinary, "is in its project now";
    VERSION: GET /models/{model: String}/versions/{version: String} => Text,
        Public in Home, Ordinary, "is in its project now";
    COMPARE: GET /compare => Text, Public in Home, Ordinary, "is in its project now";
    RUNS: GET /runs => Text, Public in Home, Ordinary, "is in its project now";
    RUN: GET /runs/{run: String} => Text, Public in Home, Ordinary, "is in its project now";
    LINEAGE: GET /lineage => Text, Public in Home, Ordinary, "is in its project now";
    DATASETS: GET /datasets => Text, Public in Home, Ordinary, "is in its project now";
    ENDPOINTS: GET /endpoints => Text, Public in Home, Ordinary, "is in its project now";
    ENDPOINT: GET /endpoints/{endpoint: String} => Text, Public in Home, Ordinary, "is in its project now";
}

pub fn routes() -> Vec<Route> {
    vec![
        route(&MODELS, moved),
        route(&MODEL, moved),
        route(&VERSION, moved),
        route(&COMPARE, moved),
        route(&RUNS, moved),
        route(&RUN, moved),
        route(&LINEAGE, moved),
        route(&DATASETS, moved),
        route(&ENDPOINTS, moved),
        route(&ENDPOINT, moved),
    ]
}

async fn moved<At>(call: Call<At>) -> Result<Response, Problem> {
    redirect(StatusCode::PERMANENT_REDIRECT, &href::moved(&call.uri))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_leads_to_a_page() {
        for old in ALL {
            let new = format!("/projects/{{project}}{}", old.pattern);
            assert!(href::ALL.iter().any(|page| page.pattern == new), "{new}");
        }
        assert_eq!(ALL.len(), routes().len());
    }
}
