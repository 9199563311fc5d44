//! What a ledger shows of its history, who signs it, and the time in it.

use std::{collections::BTreeSet, sync::Arc};

use stemma_core::{
    ManualClock, Timestamp,
    event::Event,
    history::{KeySuccession, SignedHead, merkle::is_beginning},
    id::RequestId,
};
use stemma_ledger::{Ledger, LedgerError, LedgerOptions};

use crate::{
    suite::on_every_database,
    world::{actor, commit},
};

fn project(n: u64) -> Event {
    Event::ProjectCreated { project: format!("p{n}").parse().unwrap() }
}

/// Commits events one by one and returns the head after each.
async fn heads(ledger: &Ledger, count: u64) -> Vec<SignedHead> {
    let mut heads = Vec::new();
    for n in 0..count {
        commit(ledger, vec![project(n)]).await;
        heads.push(ledger.checkpoint().await.unwrap());
    }
    heads
}

#[test]
fn every_head_that_was_signed_is_proved_to_be_a_beginning() {
    on_every_database(async |world| {
        let ledger = world.open().await.unwrap();
        let heads = heads(&ledger, 21).await;
        let sizes: BTreeSet<u64> = (0..=40).collect();
        let shown = ledger.history(&sizes).await.unwrap();
        // of what is not there nothing can be proved
        assert_eq!(shown.proofs.keys().copied().collect::<Vec<_>>(), (0..=21).collect::<Vec<_>>());
        for head in heads {
            let proof = &shown.proofs[&head.size()];
            assert!(proof.len() <= 6, "{}", proof.len());
            assert!(is_beginning(head.size(), head.root(), shown.head.size(), shown.head.root(), proof));
        }
    });
}

#[test]
fn a_key_signs_from_its_event_on_and_what_the_one_before_signed_stays() {
    on_every_database(async |world| {
        let ledger = world.open().await.unwrap();
        let first = ledger.verifier();
        let before = heads(&ledger, 3).await.pop().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let path = elsewhere.path().join("stemma.key");
        ledger.rotate_key(actor(), RequestId::generate(), None).await.unwrap();
        let second = ledger.verifier();
        ledger.rotate_key(actor(), RequestId::generate(), Some(&path)).await.unwrap();
        let third = ledger.verifier();
        assert!(first != second && second != third);

        let shown = ledger.history(&BTreeSet::from([before.size()])).await.unwrap();
        assert_eq!((shown.head.key(), shown.head.size()), (&third, 5));
        assert!(KeySuccession::lead(&shown.successions, &first, &third));
        assert_eq!(SignedHead::open(&before.note(), &first).unwrap(), before);
        assert_eq!(ledger.verify().await.first_bad, None);
        ledger.close().await;

        // the key left the home: without its place there is none, and no other is made
        assert!(matches!(world.open().await, Err(LedgerError::Key(_))));
        let options = || LedgerOptions { signing_key: Some(path.clone()), ..world.options() };
        let again = Ledger::open(options()).await.unwrap();
        assert_eq!((again.verifier(), again.checkpoint().await.unwrap()), (third, shown.head));
        assert_eq!(again.verify().await.first_bad, None);
        again.close().await;
        // a key that no event names
        std::fs::write(&path, [9; 32]).unwrap();
        assert!(matches!(Ledger::open(options()).await, Err(LedgerError::Key(_))));
    });
}

#[test]
fn t46_a_clock_that_was_set_back_does_not_set_the_ledger_back() {
    on_every_database(async |world| {
        let clock = Arc::new(ManualClock::at(Timestamp(10_000_000_000)));
        let ledger = Ledger::open(LedgerOptions { clock: clock.clone(), ..world.options() }).await.unwrap();
        for (n, step) in (0..).zip([1_000_000, -3_600_000_000, 5_000_000, 3_600_000_000]) {
            clock.advance_micros(step);
            commit(&ledger, vec![project(n)]).await;
        }
        let times: Vec<i64> = ledger.events(0, 10).await.unwrap().iter().map(|event| event.time.micros()).collect();
        assert_eq!(times, [10_001_000_000, 10_001_000_000, 10_001_000_000, 10_006_000_000]);
    });
}
