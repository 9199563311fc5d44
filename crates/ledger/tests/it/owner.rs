//! A ledger in a database: one owner at a time, looked at by anybody, and told when it can't be reached.

use stemma_core::ErrorKind;
use stemma_ledger::{Ledger, LedgerAtRest, LedgerError, LedgerOptions, LedgerUrl};

use crate::{
    events::every_kind,
    suite::on_every_database,
    world::{Kind, commit},
};

#[test]
fn t47_a_database_has_one_owner_at_a_time() {
    on_every_database(async |world| {
        let first = Ledger::own(world.options()).await.unwrap();
        commit(&first, every_kind(0)).await;
        if world.kind == Kind::Postgres {
            let Err(error @ LedgerError::InUse(_)) = Ledger::own(world.options()).await else { panic!("two owners") };
            assert_eq!(error.kind(), ErrorKind::Conflict);
        }
        // looking is free
        let looked = LedgerAtRest::open(&world.url()).await.unwrap();
        assert_eq!(looked.size().await.unwrap(), first.head_seq());
        let report = looked.verify(world.folder.path(), "stemma.example/test").await;
        assert_eq!((report.first_bad, report.events), (None, first.head_seq()));
        first.close().await;
        let second = Ledger::own(world.options()).await.unwrap();
        commit(&second, every_kind(1)[1..].to_vec()).await;
        // as if it was killed
        drop(second);
        Ledger::own(world.options()).await.unwrap().close().await;
    });
}

#[test]
fn what_is_not_there_or_is_no_ledger_is_looked_at_and_stays_as_it_is() {
    on_every_database(async |world| {
        if world.kind == Kind::Postgres {
            for _ in 0..2 {
                let nothing = LedgerAtRest::open(&world.url()).await.unwrap();
                assert_eq!(nothing.size().await.unwrap(), 0);
                assert!(nothing.home().await.is_err());
            }
            let made = "DO $$ BEGIN IF current_schema() IS NOT NULL THEN RAISE 'made'; END IF; END $$";
            world.alter(made).await;
        } else {
            assert!(matches!(LedgerAtRest::open(&world.url()).await, Err(LedgerError::File { .. })));
            assert!(!world.file().exists());
        }
    });
}

#[test]
fn a_database_that_cannot_be_reached_is_named_without_its_password() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let at = LedgerUrl::Postgres("postgres://ada:hunter2@127.0.0.1:1/x".parse().unwrap());
        let options = LedgerOptions {
            url: at.clone(),
            checkpoints: folder.path().to_owned(),
            signing_key: None,
            origin: "stemma.example/test".to_owned(),
            clock: std::sync::Arc::new(stemma_core::SystemClock),
        };
        let opened = [Ledger::open(options.clone()).await.err(), Ledger::own(options).await.err()];
        for error in opened.into_iter().chain([LedgerAtRest::open(&at).await.err()]) {
            let error = error.unwrap();
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert!(error.to_string().contains("`postgres://ada@127.0.0.1:1/x` can't be reached"), "{error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    });
}
