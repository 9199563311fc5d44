//! Heads of other homes. No right is asked for: what is kept is signed by a home that this server was told to witness, and a
//! head tells how long a history is and nothing of what is in it.

use stemma_api::{
    acts::witness,
    types::{History, HistoryShown, WitnessedHead},
};
use stemma_core::{Clock as _, Problem, SystemClock, id::HomeId};

use crate::{
    call::Call,
    route::{Route, route},
};

pub fn routes() -> Vec<Route> {
    vec![route(&witness::KEEP, keep), route(&witness::KEPT, kept)]
}

async fn keep(call: Call<(), HistoryShown>) -> Result<WitnessedHead, Problem> {
    let not_believed = |why| Problem::invalid(format!("the head can't be believed: {why}"));
    let offered = History::read(call.body, SystemClock.now()).map_err(not_believed)?;
    call.app.engine().keep_head_of(&call.app.access.witness_of, offered)
}

async fn kept(call: Call<(HomeId,)>) -> Result<WitnessedHead, Problem> {
    let (home,) = call.at;
    call.app.engine().kept_head_of(home)
}
