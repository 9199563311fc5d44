//! Versions by the names that never move.

use std::{collections::BTreeMap, sync::Arc};

use stemma_core::{
    Digest, ManualClock, Timestamp,
    event::{Event, VersionNamed, VersionRegistered},
    id::RunId,
    name::ProjectName,
    version::{GivenName, Naming, VersionNumber},
};
use stemma_ledger::{Ledger, LedgerError, LedgerOptions, View, WhichVersion};

use crate::{
    events::{every_kind, number},
    suite::on_every_database,
    world::{change, commit},
};

/// 2026-11-30T23:12:00Z.
const THEN: i64 = 1_796_080_320_000_000;

fn registered(n: u32, content: &[u8], run: u128) -> Event {
    let event = every_kind(n).into_iter().find(|event| event.kind() == "version_registered").unwrap();
    let Event::VersionRegistered(version) = event else { unreachable!() };
    let (digest, run) = (Digest::of(content), Some(RunId::from_u128(run)));
    Event::VersionRegistered(VersionRegistered { digest, run, ..version })
}

fn named(n: u32, name: GivenName) -> Event {
    Event::VersionNamed(VersionNamed {
        project: ProjectName::default_project(),
        model: "credit-score".parse().unwrap(),
        version: number(n),
        subject: Digest::of(b""),
        name,
    })
}

fn label(text: &str) -> GivenName {
    GivenName::Label(text.parse().unwrap())
}

async fn found(view: &View, name: &str) -> Option<VersionNumber> {
    let model = "credit-score".parse().unwrap();
    let version = view.version(&ProjectName::default_project(), &model, WhichVersion::Named(name)).await.unwrap();
    version.map(|version| version.value.version.number)
}

/// What each version is called: the same whether all are read or one.
async fn names(ledger: &Ledger) -> Vec<BTreeMap<Naming, String>> {
    let (project, model) = (ProjectName::default_project(), "credit-score".parse().unwrap());
    let all = ledger.now().versions(&project, &model).await.unwrap().unwrap();
    let mut names = Vec::new();
    for version in all {
        let which = WhichVersion::Numbered(version.value.version.number);
        let one = ledger.now().version(&project, &model, which).await.unwrap().unwrap();
        assert_eq!(one.value, version.value);
        names.push(version.value.names);
    }
    names
}

#[test]
fn each_name_is_of_one_version_and_stays() {
    on_every_database(async |world| {
        let clock = Arc::new(ManualClock::at(Timestamp(THEN)));
        let ledger = Ledger::open(LedgerOptions { clock: clock.clone(), ..world.options() }).await.unwrap();
        let model =
            Event::ModelCreated { project: ProjectName::default_project(), model: "credit-score".parse().unwrap() };
        // the second is of the same run, and of the same content in the same second
        commit(&ledger, vec![model, registered(0, b"a", 7), registered(1, b"a", 7), registered(2, b"b", 8)]).await;
        let hash = |content: &[u8]| Digest::of(content).hex()[..8].to_owned();
        let (run_7, run_8) = (RunId::from_u128(7), RunId::from_u128(8));
        let expected = [
            vec![
                (Naming::Integer, "1".to_owned()),
                (Naming::TimestampHash, format!("v20261130231200_{}", hash(b"a"))),
                (Naming::Run, format!("run_{run_7}")),
            ],
            vec![(Naming::Integer, "2".to_owned())],
            vec![
                (Naming::Integer, "3".to_owned()),
                (Naming::TimestampHash, format!("v20261130231200_{}", hash(b"b"))),
                (Naming::Run, format!("run_{run_8}")),
            ],
        ];
        let expected: Vec<BTreeMap<Naming, String>> =
            expected.into_iter().map(|names| names.into_iter().collect()).collect();
        assert_eq!(names(&ledger).await, expected);
        for (n, names) in expected.iter().enumerate() {
            for name in names.values() {
                assert_eq!(found(&ledger.now(), name).await, Some(number(n as u32)), "{name}");
            }
        }

        let before = ledger.head_seq();
        clock.advance_micros(1_000_000);
        commit(&ledger, vec![named(1, label("spring")), named(1, GivenName::Semver("1.4.0".parse().unwrap()))]).await;
        assert_eq!(found(&ledger.now(), "spring").await, Some(number(1)));
        assert_eq!(found(&ledger.now(), "v1.4.0").await, Some(number(1)));
        assert_eq!(found(&ledger.after(before), "spring").await, None);
        assert_eq!(names(&ledger).await[1].len(), 3);
        // neither again for another, nor another for the same, nor what follows from a registration
        for event in [named(2, label("spring")), named(1, label("summer")), named(0, label("3"))] {
            let refused = ledger.commit(change(vec![event.clone()])).await;
            assert!(matches!(refused, Err(LedgerError::Unfollowing { .. })), "{event:?}: {refused:?}");
        }
        assert_eq!(ledger.verify().await.first_bad, None);
    });
}

#[test]
fn homes_from_before_there_were_names_have_those_that_follow() {
    on_every_database(async |world| {
        let ledger = world.open().await.unwrap();
        let model =
            Event::ModelCreated { project: ProjectName::default_project(), model: "credit-score".parse().unwrap() };
        commit(&ledger, vec![model, registered(0, b"a", 7), registered(1, b"b", 7)]).await;
        let names_now = names(&ledger).await;
        ledger.close().await;
        world.undo_migrations_from(9).await;
        let ledger = world.open().await.unwrap();
        assert_eq!(names(&ledger).await, names_now);
        assert_eq!(found(&ledger.now(), "2").await, Some(number(1)));
        assert_eq!(ledger.verify().await.first_bad, None);
    });
}
