//! The API: every declared act with its handler.

mod audit;
mod content;
mod dataset;
mod decision;
mod endpoint;
mod home;
mod lineage;
mod meaning;
mod model;
mod prediction;
mod project;
mod registry;
mod rights;
mod run;
mod version;
mod witness;

use crate::{
    problem,
    route::{Route, Table},
};

pub fn table() -> Table {
    Table { routes: routes(), refuse: |refused, _| problem::response(refused), are_pages: false }
}

fn routes() -> Vec<Route> {
    let nouns = [
        home::routes(),
        project::routes(),
        content::routes(),
        dataset::routes(),
        run::routes(),
        lineage::routes(),
        model::routes(),
        version::routes(),
        meaning::routes(),
        decision::routes(),
        registry::routes(),
        endpoint::routes(),
        prediction::routes(),
        rights::routes(),
        audit::routes(),
        witness::routes(),
    ];
    nouns.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use stemma_api::{act::Declaration, acts};

    use super::*;

    #[test]
    fn every_declared_act_has_one_route_and_every_route_is_of_a_declared_act() {
        let name = |act: &Declaration| format!("{} {}", act.method, act.pattern);
        let (mut declared, mut routed): (Vec<String>, Vec<String>) =
            (acts::all().map(name).collect(), routes().iter().map(|route| name(route.act)).collect());
        declared.sort();
        routed.sort();
        assert_eq!(routed, declared);
    }
}
