//! Who the caller is, what the home is, and the API's own description.

use std::collections::BTreeSet;

use serde_json::Value;
use stemma_api::{
    act::Nothing,
    acts::home,
    openapi,
    types::{Grant, HistoryShown, HomeInfo, Identity, Remembered},
};
use stemma_core::Problem;

use crate::{
    call::Call,
    route::{Route, route},
};

pub fn routes() -> Vec<Route> {
    vec![route(&home::HOME, show), route(&home::HISTORY, history), route(&home::OPENAPI, describe)]
}

async fn show(call: Call) -> Result<HomeInfo, Problem> {
    let caller = &call.caller;
    let roles = caller.rights.grants.iter().map(Grant::from).collect();
    let (denials, scope) = (caller.rights.denials.clone(), caller.rights.scope.clone());
    Ok(HomeInfo {
        home: call.app.known().home_id(),
        stemma_version: env!("CARGO_PKG_VERSION").to_owned(),
        projects: call.app.known().readable_projects(caller),
        you: Identity { principal: caller.actor.principal.clone(), auth: caller.actor.auth, roles, denials, scope },
    })
}

/// Sizes that can be asked for at once.
const SIZES_MAX: usize = 256;

async fn history(call: Call<(), Nothing, Remembered>) -> Result<HistoryShown, Problem> {
    let sizes = call.ask.seen;
    if sizes.len() > SIZES_MAX {
        return Err(Problem::invalid(format!("{} sizes are asked for; at most {SIZES_MAX} are possible", sizes.len())));
    }
    Ok(call.app.engine().history(&BTreeSet::from_iter(sizes)).await?.write())
}

async fn describe(_: Call) -> Result<Value, Problem> {
    Ok(openapi::document())
}
