//! Searches of random registries, each beside a plain filter over everything that there is.

mod check;
mod dice;
mod filter;
mod names;
mod question;
mod registry;
mod thing;

use stemma_core::search::{Order, Query, Realm};
use stemma_ledger::{Descendants, MarkKey, Search};

use self::{
    check::{all_pages, check, readable},
    dice::Dice,
    names::{DATASETS, READABLE},
    question::{any_order, any_query},
    registry::Registry,
    thing::Thing,
};
use crate::suite::on_every_database;

#[test]
fn a_search_finds_what_a_plain_filter_finds() {
    on_every_database(async |world| {
        let mut registry = Registry::grow(&world, 7, 250).await;
        registry.talk(120).await;
        let mut dice = Dice::new(8);
        let runs = registry.runs.iter().take(4).map(|(record, _)| (record.project.clone(), record.id.to_string()));
        let below = [Descendants { dataset: DATASETS[0].parse().unwrap(), number: None, runs: runs.collect() }];
        for _ in 0..200 {
            let realm = dice.one_of(&[Realm::Versions, Realm::Versions, Realm::Datasets, Realm::Runs]);
            let (query, order) = (dice.draw(any_query(realm)), dice.draw(any_order(realm)));
            let page = dice.one_of(&[1usize, 3, 1000]);
            // as it is read back from what people see
            assert_eq!(Query::parse(&query.to_string()).as_ref(), Ok(&query));
            check(&registry, realm, &query, &order, &below, page).await;
        }
        registry.ledger.checkpoint().await.unwrap();
        let report = registry.ledger.verify().await;
        assert!(report.passed, "{report:#?}");
    });
}

#[test]
fn what_was_found_at_a_moment_is_found_again() {
    on_every_database(async |world| {
        let mut registry = Registry::grow(&world, 21, 60).await;
        let then = registry.ledger.head_seq();
        let projects = readable();
        let query = Query::parse("not stage = archived or alias:champion or fraud").unwrap();
        let order = Order::default();
        let (realm, contracts) = (Realm::Versions, None);
        let search =
            Search { realm, projects: &projects, query: Some(&query), contracts, descendants: &[], order: &order };
        let before = registry.ledger.now().search(&search, None, 1000).await.unwrap();
        assert!(!before.0.is_empty());
        for n in 0..60 {
            registry.decide(1000 + n).await;
        }
        registry.talk(60).await;
        registry.register(2000).await;
        assert_ne!(registry.ledger.now().search(&search, None, 1000).await.unwrap(), before);
        assert_eq!(registry.ledger.after(then).search(&search, None, 1000).await.unwrap(), before);
    });
}

#[test]
fn a_page_goes_on_behind_what_lacks_the_order() {
    on_every_database(async |world| {
        let registry = Registry::grow(&world, 3, 80).await;
        let projects = readable();
        let order = Order::parse("auc desc").unwrap();
        let (realm, contracts) = (Realm::Versions, None);
        let search = Search { realm, projects: &projects, query: None, contracts, descendants: &[], order: &order };
        let whole = all_pages(&registry.ledger, &search, 1000).await;
        assert!(whole.iter().any(|one| one.shown.is_empty()) && whole.iter().any(|one| !one.shown.is_empty()));
        assert_eq!(all_pages(&registry.ledger, &search, 2).await, whole);
        let (_, next) = registry.ledger.now().search(&search, None, 1).await.unwrap();
        assert!(matches!(next.unwrap().key, Some(MarkKey::Number(_))));
    });
}

#[test]
fn contracts_are_told_that_ask_for_nothing_else() {
    on_every_database(async |world| {
        let registry = Registry::grow(&world, 5, 80).await;
        let projects = readable();
        let named = async |names: &[&str]| {
            let contracts = registry.ledger.now().contracts_within(&projects, names).await.unwrap();
            contracts.into_iter().map(|(_, signature)| signature.inputs.len()).collect::<Vec<_>>()
        };
        assert_eq!(named(&["age"]).await, [1]);
        let mut two = named(&["income", "age", "other"]).await;
        two.sort_unstable();
        assert_eq!(two, [1, 2]);
        assert_eq!(named(&["income"]).await, [0; 0]);
        let none = registry.ledger.now().contracts_within(&[], &["age"]).await.unwrap();
        assert_eq!(none, []);
    });
}

#[test]
fn what_a_search_is_blind_to_is_counted() {
    on_every_database(async |world| {
        let registry = Registry::grow(&world, 9, 200).await;
        let projects = readable();
        let blind = registry.ledger.now().search_blind(&projects).await.unwrap();
        let all = registry.things[Realm::Versions.as_str()].iter();
        let ours: Vec<&Thing> = all.filter(|thing| READABLE.contains(&thing.project.as_str())).collect();
        let number = |is: &dyn Fn(&Thing) -> bool| ours.iter().filter(|thing| is(thing)).count() as u64;
        assert_eq!(blind.without_run, number(&|thing| thing.run.is_none()));
        assert_eq!(blind.without_contract, number(&|thing| thing.inputs.is_empty()));
        assert!(blind.unmeasured > 0 && blind.unmeasured < ours.len() as u64);
        assert_eq!(registry.ledger.now().search_blind(&[]).await.unwrap(), stemma_ledger::Blind::default());
    });
}

#[test]
fn an_alteration_of_what_is_searched_is_noticed() {
    on_every_database(async |world| {
        let mut registry = Registry::grow(&world, 11, 60).await;
        registry.talk(20).await;
        registry.ledger.checkpoint().await.unwrap();
        assert!(registry.ledger.verify().await.passed);
        for (sql, back) in [
            (
                "UPDATE search_run SET registrant = registrant || 'x'",
                "UPDATE search_run SET registrant = substr(registrant, 1, length(registrant) - 1)",
            ),
            ("UPDATE search_run SET id = -id", "UPDATE search_run SET id = -id"),
            ("UPDATE search_run_fact SET rank = rank + 1", "UPDATE search_run_fact SET rank = rank - 1"),
            ("UPDATE search_run_fact SET id = id + 1000", "UPDATE search_run_fact SET id = id - 1000"),
            ("UPDATE contract_field SET optional = 1", "UPDATE contract_field SET optional = 0"),
            ("UPDATE contract SET body = body || ' '", "UPDATE contract SET body = substr(body, 1, length(body) - 1)"),
            ("UPDATE search_fact SET rank = rank + 1", "UPDATE search_fact SET rank = rank - 1"),
            ("UPDATE meaning SET key = key || 'x'", "UPDATE meaning SET key = substr(key, 1, length(key) - 1)"),
            (
                "UPDATE meaning_word SET word = word || 'x'",
                "UPDATE meaning_word SET word = substr(word, 1, length(word) - 1)",
            ),
        ] {
            assert!(world.alter(sql).await > 0, "{sql}");
            assert!(!registry.ledger.verify().await.passed, "not noticed: {sql}");
            world.alter(back).await;
            let report = registry.ledger.verify().await;
            assert!(report.passed, "{back}: {report:#?}");
        }
    });
}

#[test]
fn things_of_a_ledger_from_before_there_was_a_search_are_found() {
    on_every_database(async |world| {
        let registry = Registry::grow(&world, 13, 120).await;
        let projects = readable();
        let query = Query::parse("not name = none").unwrap();
        let order = Order::parse("auc").unwrap();
        let mut before = Vec::new();
        for realm in Realm::ALL {
            let by = if realm == Realm::Datasets { Order::default() } else { order.clone() };
            let query = Some(&query);
            let search = Search { realm, projects: &projects, query, contracts: None, descendants: &[], order: &by };
            before.push(all_pages(&registry.ledger, &search, 1000).await);
        }
        registry.ledger.checkpoint().await.unwrap();
        registry.ledger.close().await;
        world.undo_migrations_from(8).await;
        let ledger = world.open().await.unwrap();
        for (realm, before) in Realm::ALL.into_iter().zip(before) {
            let by = if realm == Realm::Datasets { Order::default() } else { order.clone() };
            let query = Some(&query);
            let search = Search { realm, projects: &projects, query, contracts: None, descendants: &[], order: &by };
            assert_eq!(all_pages(&ledger, &search, 1000).await, before);
        }
        let report = ledger.verify().await;
        assert!(report.passed, "{report:#?}");
    });
}
