//! Replaying the events into an empty database gives the same tables.

use proptest::{prelude::*, test_runner::TestRunner};

use crate::{
    story::{STEPS, Story},
    world::{Kind, World, commit},
};

fn histories_replay(kind: Kind, cases: u32) {
    crate::world::play(kind, async |_| {
        let mut runner =
            TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() });
        let steps = prop::collection::vec((0..STEPS, 0u32..60, 1usize..4), 20..120);
        let handle = tokio::runtime::Handle::current();
        tokio::task::block_in_place(|| {
            runner
                .run(&steps, |steps| {
                    handle.block_on(replays(World::new(kind), steps));
                    Ok(())
                })
                .unwrap();
        });
    });
}

async fn replays(world: World, steps: Vec<(u8, u32, usize)>) {
    let ledger = world.open().await;
    let mut story = Story::default();
    let mut waiting = vec![story.home_created()];
    for (step, pick, together) in steps {
        waiting.extend(story.next(step, pick));
        if waiting.len() >= together {
            commit(&ledger, std::mem::take(&mut waiting)).await.unwrap();
        }
        world.clock.advance_micros(i64::from(pick));
    }
    let report = ledger.verify().await.unwrap();
    assert!(report.passed(), "{report:?}");
    assert_eq!(report.events, ledger.head_seq());
    ledger.close().await;
}

#[test]
fn sqlite_histories_replay() {
    histories_replay(Kind::Sqlite, 12);
}

#[test]
fn postgres_histories_replay() {
    histories_replay(Kind::Postgres, 6);
}

on_both! {
    async fn every_kind_of_event_is_read_back_as_it_was(world) {
        let ledger = world.open().await;
        let events = Story::whole();
        let kinds: std::collections::BTreeSet<&str> = events.iter().map(|event| event.kind()).collect();
        assert_eq!(kinds.len(), 18, "all but runs_sealed, which has stories of its own: {kinds:?}");
        commit(&ledger, events.clone()).await.unwrap();
        let read: Vec<_> = ledger.events(0, 1000).await.unwrap().into_iter().map(|row| row.event).collect();
        assert_eq!(read, events);
        ledger.checkpoint().await.unwrap();
        let report = ledger.verify().await.unwrap();
        let size = events.len();
        let expected = [
            format!("{size} events match their bodies, leaves, tree hashes and head"),
            format!("{size} events give the head that was signed last"),
            format!("{size} events replayed give every row of every table"),
            format!("{size} events with every sealed run as it was"),
        ];
        assert_eq!((report.passed(), &report.checks[..]), (true, &expected[..]));
    }
}
