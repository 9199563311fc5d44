//! The one way to change governed state.

use std::sync::Arc;

use stemma_core::{
    ErrorKind, Problem,
    event::Event,
    id::{RequestId, TokenId},
    record::{Actor, Auth},
};
use stemma_ledger::{CommitError, Committed};
use tokio::task::JoinSet;

use crate::world::{ada, commit, commit_as, name, project_created};

fn kind_of<T: std::fmt::Debug>(result: Result<T, CommitError>) -> ErrorKind {
    Problem::from(result.unwrap_err()).kind
}

on_both! {
    async fn events_get_dense_numbers_and_their_rows(world) {
        let ledger = world.open().await;
        let first = commit(&ledger, vec![project_created(1), project_created(2)]).await.unwrap();
        assert_eq!(first.seqs(), 1..3);
        assert_eq!(commit(&ledger, vec![project_created(3)]).await.unwrap().seqs(), 3..4);
        assert_eq!(ledger.head_seq(), 3);
        let projects = ledger.read().await.unwrap().projects().await.unwrap();
        assert_eq!(projects, [name("p1"), name("p2"), name("p3")]);
    }

    async fn a_request_is_done_once(world) {
        let ledger = world.open().await;
        let request = RequestId::generate();
        let first = commit_as(&ledger, request, vec![project_created(1), project_created(2)]).await.unwrap();
        // the second time nothing is even decided
        let again = ledger
            .commit(&ada(), request, |_| Box::pin(async { panic!("decided twice") }))
            .await
            .unwrap();
        assert_eq!(again, Committed::Before::<()> { seqs: first.seqs() });
        assert_eq!(ledger.head_seq(), 2);
        let events = ledger.read().await.unwrap().events_of_request(request).await.unwrap();
        assert_eq!(events.len(), 2);

        let eve = Actor { principal: name("eve@example.org"), auth: Auth::Asserted };
        let stolen = ledger.commit(&eve, request, |_| Box::pin(async { Ok((vec![], ())) })).await;
        assert_eq!(kind_of(stolen), ErrorKind::Conflict);
    }

    async fn a_decision_reads_what_it_changes(world) {
        let ledger = world.open().await;
        let count = |ledger: stemma_ledger::Ledger| async move {
            ledger
                .commit(&ada(), RequestId::generate(), |tx| {
                    Box::pin(async move {
                        let number = tx.projects().await?.len() as u32;
                        Ok((vec![project_created(number)], number))
                    })
                })
                .await
        };
        let mut tasks = JoinSet::new();
        for _ in 0..40 {
            tasks.spawn(count(ledger.clone()));
        }
        let mut numbers: Vec<u32> = tasks.join_all().await.into_iter().map(|done| done.unwrap().value().unwrap()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..40).collect::<Vec<u32>>());
    }

    async fn a_refusal_undoes_nothing_but_itself(world) {
        let ledger = world.open().await;
        let mut tasks = JoinSet::new();
        for number in 0..60 {
            let ledger = ledger.clone();
            tasks.spawn(async move {
                let events = vec![project_created(number), project_created(number + 1000)];
                let done = ledger.commit(&ada(), RequestId::generate(), move |tx| Box::pin(async move {
                    tx.projects().await?;
                    match number % 3 {
                        0 => Ok((events, ())),
                        1 => Err(Problem::new(ErrorKind::Refused, "no").into()),
                        // the second event breaks a rule of the tables after the first was written
                        _ => Ok((vec![events[0].clone(), events[0].clone()], ())),
                    }
                })).await;
                (number, done)
            });
        }
        for (number, done) in tasks.join_all().await {
            match number % 3 {
                0 => assert!(done.is_ok()),
                1 => assert_eq!(kind_of(done), ErrorKind::Refused),
                _ => assert_eq!(kind_of(done), ErrorKind::Conflict),
            }
        }
        assert_eq!(ledger.head_seq(), 40);
        assert!(ledger.verify().await.unwrap().passed());
    }

    async fn a_panic_in_a_decision_harms_nobody_else(world) {
        let ledger = world.open().await;
        let done = ledger.commit(&ada(), RequestId::generate(), |tx| {
            Box::pin(async move {
                tx.projects().await?;
                if tx.head_seq() == 0 {
                    panic!("a mistake");
                }
                Ok((vec![], ()))
            })
        }).await;
        let error = done.unwrap_err();
        assert_eq!(error.to_string(), "a change to the ledger stopped half-way: a mistake");
        assert!(commit(&ledger, vec![project_created(1)]).await.is_ok());
    }

    async fn nothing_is_undone_when_nobody_waits_for_it(world) {
        let ledger = world.open().await;
        let waiting = commit(&ledger, vec![project_created(1)]);
        // polled once, so that it is queued, and then dropped
        let _ = futures::FutureExt::now_or_never(waiting);
        commit(&ledger, vec![project_created(2)]).await.unwrap();
        assert_eq!(ledger.head_seq(), 2);
    }

    async fn what_only_one_database_would_keep_is_refused(world) {
        let ledger = world.open().await;
        let issued = Event::TokenIssued {
            token: TokenId::generate(),
            principal: name("ada"),
            label: "a\0b".to_owned(),
            expires: None,
        };
        assert_eq!(kind_of(commit(&ledger, vec![issued]).await), ErrorKind::Invalid);
        let long = Event::TokenIssued {
            token: TokenId::generate(),
            principal: name("ada"),
            label: "x".repeat(2 << 20),
            expires: None,
        };
        assert_eq!(kind_of(commit(&ledger, vec![long]).await), ErrorKind::Invalid);
        let many = (0..5000).map(project_created).collect();
        assert_eq!(kind_of(commit(&ledger, many).await), ErrorKind::Invalid);
        assert_eq!(ledger.head_seq(), 0);
    }

    async fn an_event_that_follows_from_nothing_is_refused(world) {
        let ledger = world.open().await;
        let revoked = Event::TokenRevoked { token: TokenId::generate() };
        assert_eq!(kind_of(commit(&ledger, vec![revoked]).await), ErrorKind::Invalid);
    }

    async fn hashes_of_tokens_stay_out_of_leaves_and_bodies(world) {
        let ledger = world.open().await;
        let (token, hash) = (TokenId::generate(), [0xab; 32]);
        let done = ledger.commit(&ada(), RequestId::generate(), move |tx| Box::pin(async move {
            tx.put_token_hash(token, hash);
            let principal = name("ada@example.org");
            Ok((vec![Event::TokenIssued { token, principal, label: String::new(), expires: None }], ()))
        })).await;
        done.unwrap();
        let mut view = ledger.read().await.unwrap();
        let now = stemma_core::Clock::now(&*world.clock);
        assert_eq!(view.principal_of_token(hash, now).await.unwrap(), Some(name("ada@example.org")));
        assert_eq!(view.principal_of_token([1; 32], now).await.unwrap(), None);
        assert_eq!(world.by_hand("UPDATE event SET leaf = leaf WHERE leaf LIKE '%abababab%'").await, 0);
        assert_eq!(world.by_hand("UPDATE event_body SET body = body WHERE body LIKE '%abababab%'").await, 0);

        let orphan = ledger.commit(&ada(), RequestId::generate(), move |tx| Box::pin(async move {
            tx.put_token_hash(TokenId::generate(), [1; 32]);
            Ok((vec![], ()))
        })).await;
        assert_eq!(kind_of(orphan), ErrorKind::Internal);
    }

    async fn time_never_goes_back(world) {
        let ledger = world.open().await;
        commit(&ledger, vec![project_created(1)]).await.unwrap();
        world.clock.advance_micros(-3_600_000_000);
        commit(&ledger, vec![project_created(2)]).await.unwrap();
        let events = ledger.events(0, 10).await.unwrap();
        assert_eq!(events[0].time, events[1].time);
        assert!(ledger.verify().await.unwrap().passed());
    }

    async fn whoever_listens_is_told_after_the_commit(world) {
        let ledger = world.open().await;
        let mut listener = ledger.subscribe();
        commit(&ledger, vec![project_created(1)]).await.unwrap();
        listener.changed().await.unwrap();
        assert_eq!(*listener.borrow(), 1);
    }

    async fn ten_thousand_commits_of_many_leave_no_gap(world) {
        let ledger = Arc::new(world.open().await);
        let mut tasks = JoinSet::new();
        for task in 0..64u32 {
            let ledger = ledger.clone();
            tasks.spawn(async move {
                let mut seqs = Vec::new();
                for number in (task..COMMITS).step_by(64) {
                    let done = commit(&ledger, vec![project_created(number)]).await.unwrap();
                    seqs.push(done.seqs().start);
                }
                seqs
            });
        }
        let mut seqs: Vec<u64> = tasks.join_all().await.into_iter().flatten().collect();
        seqs.sort_unstable();
        assert!(seqs.into_iter().eq(1..=u64::from(COMMITS)));
        let head = ledger.head().await.unwrap();
        assert_eq!(head.size(), u64::from(COMMITS));
    }

    async fn closing_finishes_what_waits(world) {
        let ledger = world.open().await;
        let mut waiting = Vec::new();
        for number in 0..30 {
            let ledger = ledger.clone();
            waiting.push(tokio::spawn(async move { commit(&ledger, vec![project_created(number)]).await }));
        }
        let mut done = 0;
        for task in waiting {
            done += u64::from(task.await.unwrap().is_ok());
        }
        ledger.close().await;
        assert_eq!(kind_of(commit(&ledger, vec![project_created(99)]).await), ErrorKind::Unavailable);
        assert_eq!(world.open().await.head().await.unwrap().size(), done);
    }

    async fn two_instances_share_one_history(world) {
        let (one, two) = (world.open().await, world.open().await);
        let mut tasks = JoinSet::new();
        for number in 0..200 {
            let ledger = if number % 2 == 0 { one.clone() } else { two.clone() };
            tasks.spawn(async move { commit(&ledger, vec![project_created(number)]).await.unwrap().seqs().start });
        }
        let mut seqs = tasks.join_all().await;
        seqs.sort_unstable();
        assert!(seqs.into_iter().eq(1..=200));
        assert!(one.verify().await.unwrap().passed());
    }

    async fn the_same_request_on_two_instances_is_done_once(world) {
        let (one, two) = (world.open().await, world.open().await);
        for number in 0..20 {
            let request = RequestId::generate();
            let events = vec![project_created(number)];
            let (a, b) =
                tokio::join!(commit_as(&one, request, events.clone()), commit_as(&two, request, events.clone()));
            assert_eq!(a.unwrap().seqs(), b.unwrap().seqs());
        }
        assert_eq!(one.head().await.unwrap().size(), 20);
    }
}

const COMMITS: u32 = 10_000;
