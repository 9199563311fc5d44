//! Opening databases of other ages.

use stemma_core::ErrorKind;

use crate::world::{commit, project_created};

on_both! {
    async fn a_newer_database_is_refused(world) {
        world.open().await.close().await;
        world.by_hand("UPDATE schema_migration SET number = 99 WHERE number = (SELECT MAX(number) FROM schema_migration)").await;
        let error = world.try_open().await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert_eq!(error.to_string(), "the database has migration 99, this Stemma knows 2");
    }

    async fn a_database_with_another_migration_is_refused(world) {
        world.open().await.close().await;
        world.by_hand("UPDATE schema_migration SET checksum = (SELECT checksum FROM schema_migration WHERE number = 2)
            WHERE number = 1").await;
        let error = world.try_open().await.err().unwrap();
        assert_eq!(error.to_string(), "migration 1 of the database is not the one that this Stemma has");
    }

    async fn many_open_a_new_database_at_once(world) {
        let opened = futures::future::join_all((0..6).map(|_| world.try_open())).await;
        for (number, ledger) in (0..).zip(opened) {
            commit(&ledger.unwrap(), vec![project_created(number)]).await.unwrap();
        }
        assert_eq!(world.open().await.head_seq(), 6);
    }
}

#[test]
fn what_is_no_database_is_said_so() {
    crate::world::play(crate::world::Kind::Sqlite, async |world| {
        std::fs::write(world.file(), "not a database, but long enough to be looked at as if it were one").unwrap();
        let error = world.try_open().await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        let mut options = world.options();
        options.url = stemma_ledger::LedgerUrl::Postgres("postgres://u:secret@127.0.0.1:1/x?schema=a;b".to_owned());
        let error = stemma_ledger::Ledger::open(options).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(!error.to_string().contains("secret"), "{error}");
    });
}
