//! All that is registered, searched at once.

use stemma_api::{
    act::Nothing,
    acts::registry,
    types::{FoundThings, SearchRegistry},
};
use stemma_core::Problem;
use stemma_engine::search::search;

use crate::{
    call::Call,
    route::{Route, route},
};

pub fn routes() -> Vec<Route> {
    vec![route(&registry::SEARCH, find)]
}

async fn find(call: Call<(), Nothing, SearchRegistry>) -> Result<FoundThings, Problem> {
    search(call.app.known(), &call.caller, &call.ask).await
}
