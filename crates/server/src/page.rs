//! Pages, rendered on the server, complete without script. Each is drawn from the structs that the API sends.

mod access;
mod act;
mod card;
mod chart;
mod compare;
mod compare_predictions;
mod dataset;
mod endpoint;
mod filters;
mod front;
mod head;
mod history;
mod ledger;
mod lineage;
mod login;
mod model;
mod moved;
mod paper;
mod people;
mod prediction;
mod problem;
mod profile;
mod project;
mod registry;
mod request;
mod run;
mod search;
mod style;
mod tree;

pub use self::{
    login::{lead_to_login, leads_to_login},
    problem::refuse,
};
use crate::{
    href,
    route::{Route, Table, route},
};

pub fn table() -> Table {
    let mut routes = pages();
    routes.extend(moved::routes());
    Table { routes, refuse, are_pages: true }
}

fn pages() -> Vec<Route> {
    vec![
        route(&href::FRONT, front::front),
        route(&href::PROJECTS, project::projects),
        route(&href::OVERVIEW, front::overview),
        route(&href::MODELS, model::models),
        route(&href::MODEL, model::model),
        route(&href::VERSION, model::version),
        route(&href::CARD, card::card),
        route(&href::COMPARE, compare::compare),
        route(&href::REQUESTS, request::requests),
        route(&href::RUNS, run::runs),
        route(&href::RUN, run::run),
        route(&href::LINEAGE, lineage::lineage),
        route(&href::DATASETS, dataset::datasets),
        route(&href::DATASET, dataset::dataset),
        route(&href::PROFILE, profile::profile),
        route(&href::ENDPOINTS, endpoint::endpoints),
        route(&href::ENDPOINT, endpoint::endpoint),
        route(&href::PREDICTIONS, search::predictions),
        route(&href::PREDICTION, prediction::prediction),
        route(&href::COMPARE_PREDICTIONS, compare_predictions::compare),
        route(&href::SEARCH, registry::search),
        route(&href::LOGIN, login::login),
        route(&href::SIGN_IN, login::sign_in),
        route(&href::SIGN_OUT, login::sign_out),
        route(&href::APPROVE, act::version::approve),
        route(&href::PROMOTE, act::version::promote),
        route(&href::QUARANTINE, act::version::quarantine),
        route(&href::LIFT, act::version::lift),
        route(&href::REQUEST, act::version::request),
        route(&href::SET_ALIAS, act::version::set_alias),
        route(&href::COMMENT, act::request::comment),
        route(&href::REFUSE, act::request::refuse),
        route(&href::ROLL_BACK, act::endpoint::roll_back),
        route(&href::ROLL_OUT, act::endpoint::roll_out),
        route(&href::LEDGER, ledger::ledger),
        route(&href::ACCESS, access::access),
        route(&href::HISTORY, ledger::kept_head),
        route(&href::PEOPLE, people::people),
        route(&href::STYLE, style::style),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_that_has_an_address_is_drawn() {
        let drawn: Vec<&str> = pages().iter().map(|route| route.act.pattern).collect();
        let declared: Vec<&str> = href::ALL.iter().map(|page| page.pattern).collect();
        assert_eq!(drawn, declared);
    }
}
