//! What people say of things.

use stemma_api::{
    act::Nothing,
    acts::meaning,
    types::{Describe, Described, Meaning, ModelCard, OfThing, Page, StatementMade, StatementsOf},
};
use stemma_core::{
    Problem,
    name::{ModelName, ProjectName},
};

use crate::{
    call::Call,
    route::{Route, route},
};

pub fn routes() -> Vec<Route> {
    vec![
        route(&meaning::SHOW, show),
        route(&meaning::DESCRIBE, describe),
        route(&meaning::HISTORY, history),
        route(&meaning::CARD, card),
    ]
}

async fn show(call: Call<(ProjectName,), Nothing, OfThing>) -> Result<Meaning, Problem> {
    let (project,) = call.at;
    call.known.meaning(&project, &call.ask.of).await
}

async fn describe(call: Call<(ProjectName,), Describe>) -> Result<Described, Problem> {
    let (project,) = call.at;
    call.app.engine().describe(&call.caller, call.request, &project, call.body).await
}

async fn history(call: Call<(ProjectName,), Nothing, StatementsOf>) -> Result<Page<StatementMade>, Problem> {
    let ((project,), StatementsOf { of, cursor, limit }) = (call.at, call.ask);
    call.known.statements(&project, &of, cursor, limit.get()).await
}

async fn card(call: Call<(ProjectName, ModelName, String)>) -> Result<ModelCard, Problem> {
    let (project, model, version) = call.at;
    call.known.card(&project, &model, &version).await
}
