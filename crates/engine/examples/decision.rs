//! How long one decision on rights takes, with the look-up of its token: `cargo run --profile dist -p stemma-engine
//! --example decision -- [TOKENS]`; 10,000 tokens unless a number is given.
//!
//! Each token's holder has a hundred roles, as many denials, and the token names a hundred projects: more than people have.
//! What is asked for last in each list is decided slowest.

use std::{collections::HashMap, hint::black_box, sync::Arc, time::Instant};

use stemma_core::{
    Timestamp,
    id::TokenId,
    name::ProjectName,
    rights::{Action, Deniable, Denial, Place, Rights, Role, RoleGrant, TokenScope},
};
use stemma_engine::{
    access::{AccessTable, TokenHolder, token_hash},
    directory::Directory,
};

const NAMES: usize = 100;
const ROUNDS: usize = 100_000;

fn main() {
    let tokens = std::env::args().nth(1).map_or(10_000, |text| text.parse().expect("the argument is a number"));
    let table = table(tokens);
    let last = project(NAMES - 1);
    let mut took: Vec<(&str, u128, bool)> = Vec::new();
    for (what, action, place) in [
        ("allowed by the last of the roles", Action::Read, Place::Project(&last)),
        ("denied by the last of the denials", Action::Approve, Place::Project(&last)),
        ("granted by no role", Action::Deploy, Place::Project(&last)),
        ("in the whole home", Action::Audit, Place::Home),
    ] {
        let mut allowed = false;
        let mut times: Vec<u128> = Vec::with_capacity(ROUNDS);
        for round in 0..ROUNDS {
            let token = text(round % tokens);
            let start = Instant::now();
            let caller = table.authenticate(black_box(&token), Timestamp(0)).expect("the token is listed");
            allowed = caller.rights.allow(black_box(action), place);
            times.push(start.elapsed().as_nanos());
        }
        times.sort_unstable();
        took.push((what, times[ROUNDS * 99 / 100], allowed));
        println!(
            "{what}: {} µs in the middle, {} µs at p99, {}",
            micros(times[ROUNDS / 2]),
            micros(times[ROUNDS * 99 / 100]),
            if allowed { "allowed" } else { "not allowed" }
        );
    }
    let answers: Vec<bool> = took.iter().map(|(_, _, allowed)| *allowed).collect();
    assert_eq!(answers, [true, false, false, false], "the decisions are not those that were to be measured");
}

fn micros(nanos: u128) -> String {
    format!("{:.2}", nanos as f64 / 1000.0)
}

fn text(n: usize) -> String {
    format!("stm_{n}")
}

fn project(n: usize) -> ProjectName {
    format!("project{n:03}").parse().expect("letters and digits are a name")
}

fn table(tokens: usize) -> AccessTable {
    let rights = Arc::new(rights());
    let holder = |n: usize| TokenHolder {
        token: TokenId::from_u128(n as u128),
        principal: format!("user{n}").parse().expect("letters and digits are a name"),
        expires: None,
        rights: rights.clone(),
    };
    let holders: HashMap<_, _> = (0..tokens).map(|n| (token_hash(&text(n)), holder(n))).collect();
    AccessTable { holders, projects: Directory::new((0..NAMES).map(|n| (project(n), None))), ..AccessTable::default() }
}

fn rights() -> Rights {
    let denial = |n: usize| Denial {
        principal: "user".parse().expect("letters are a name"),
        what: Deniable::Action(Action::Approve),
        project: Some(project(n)),
    };
    Rights {
        grants: (0..NAMES).map(|n| RoleGrant::new(Role::Approver, Some(project(n)))).collect(),
        denials: (0..NAMES).map(denial).collect(),
        scope: TokenScope { projects: Some((0..NAMES).map(project).collect()), ..TokenScope::default() },
    }
}
