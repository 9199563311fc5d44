//! Heads of other homes. No right is asked for: what is kept is signed by a home that this server was told to witness, and a
//! head tells how long a history is and nothing of what is in it.

use stemma_api::{
    paths::{self, pattern},
    types::{History, HistoryShown, WitnessedHead},
};
use stemma_core::{Clock as _, Problem, SystemClock};

use super::{Route, json_route};
use crate::context::Context;

pub fn routes() -> Vec<Route> {
    vec![
        json_route!(POST paths::WITNESS_HEADS, Public, "keep the head of another home's history, if it continues the one that is kept", keep, HistoryShown => WitnessedHead),
        json_route!(GET pattern::WITNESS_HEAD, Public, "the head of another home's history that is kept", kept, => WitnessedHead),
    ]
}

async fn keep(mut context: Context) -> Result<WitnessedHead, Problem> {
    let shown: HistoryShown = context.json().await?;
    let not_believed = |why| Problem::invalid(format!("the head can't be believed: {why}"));
    let offered = History::read(shown, SystemClock.now()).map_err(not_believed)?;
    context.app.engine().keep_head_of(&context.app.access.witness_of, offered)
}

async fn kept(context: Context) -> Result<WitnessedHead, Problem> {
    context.app.engine().kept_head_of(context.path("home")?)
}
