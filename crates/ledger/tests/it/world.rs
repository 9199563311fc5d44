//! A ledger to test on, on either database, and a hand that alters it behind its back.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use sqlx::{AssertSqlSafe, Connection as _};
use stemma_core::{
    SystemClock,
    event::Event,
    id::RequestId,
    record::{Actor, Auth},
};
use stemma_ledger::{Commit, Ledger, LedgerError, LedgerOptions, LedgerUrl, Outcome};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// The databases that can be tested here. PostgreSQL is started by `cargo xtask test`, which names it in the environment.
pub fn kinds() -> Vec<Kind> {
    if std::env::var_os("STEMMA_TEST_POSTGRES").is_some() {
        return vec![Kind::Sqlite, Kind::Postgres];
    }
    let required = std::env::var_os("STEMMA_TEST_REQUIRE_ALL").is_some() || std::env::var_os("CI").is_some();
    assert!(!required, "STEMMA_TEST_POSTGRES is not set: run the tests with `cargo xtask test`");
    eprintln!("note: PostgreSQL is not tested, STEMMA_TEST_POSTGRES is not set; `cargo xtask test` sets it");
    vec![Kind::Sqlite]
}

/// What later migrations made.
const MADE: [(i64, &str); 21] = [
    (8, "TABLE contract"),
    (8, "TABLE contract_field"),
    (8, "TABLE search_entry"),
    (8, "TABLE search_fact"),
    (8, "TABLE search_run"),
    (8, "TABLE search_run_fact"),
    (9, "TABLE version_name"),
    (10, "TABLE meaning"),
    (10, "TABLE meaning_word"),
    (11, "TABLE held_role"),
    (11, "TABLE denial"),
    (11, "TABLE token_scope"),
    (11, "TABLE token_end"),
    (11, "TABLE project_closed"),
    (12, "INDEX promotion_by_model"),
    (12, "TABLE quarantine"),
    (12, "TABLE promotion_request"),
    (12, "TABLE request_comment"),
    (12, "TABLE request_closing"),
    (13, "TABLE password"),
    (13, "TABLE password_hash"),
];

pub struct World {
    pub folder: tempfile::TempDir,
    pub kind: Kind,
    schema: String,
}

impl World {
    pub fn new(kind: Kind) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let schema = format!("t{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self { folder: tempfile::tempdir().unwrap(), kind, schema }
    }

    pub fn url(&self) -> LedgerUrl {
        match self.kind {
            Kind::Sqlite => LedgerUrl::Sqlite(self.file()),
            Kind::Postgres => {
                let server = std::env::var("STEMMA_TEST_POSTGRES").unwrap();
                LedgerUrl::Postgres(format!("{server}?schema={}", self.schema).parse().unwrap())
            }
        }
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    pub fn options(&self) -> LedgerOptions {
        LedgerOptions {
            url: self.url(),
            checkpoints: self.folder.path().to_owned(),
            signing_key: None,
            origin: "stemma.example/test".to_owned(),
            clock: Arc::new(SystemClock),
        }
    }

    pub async fn open(&self) -> Result<Ledger, LedgerError> {
        Ledger::open(self.options()).await
    }

    /// Leaves the database as it was before these migrations.
    pub async fn undo_migrations_from(&self, first: i64) {
        for (number, made) in MADE.into_iter().filter(|(number, _)| *number >= first) {
            self.alter(&format!("DROP {made}")).await;
            self.alter(&format!("DELETE FROM migration WHERE number = {number}")).await;
        }
    }

    /// Runs SQL as somebody who has the database's password but not the program.
    pub async fn alter(&self, sql: &str) -> u64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match self.url() {
            LedgerUrl::Sqlite(path) => {
                let url = format!("sqlite://{}", path.display());
                let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
                sqlx::query(sql).execute(&mut connection).await.unwrap().rows_affected()
            }
            LedgerUrl::Postgres(_) => {
                let server = std::env::var("STEMMA_TEST_POSTGRES").unwrap();
                let mut connection = sqlx::PgConnection::connect(&server).await.unwrap();
                sqlx::query(AssertSqlSafe(format!("SET search_path TO {}", self.schema)))
                    .execute(&mut connection)
                    .await
                    .unwrap();
                sqlx::query(sql).execute(&mut connection).await.unwrap().rows_affected()
            }
        }
    }
}

pub fn actor() -> Actor {
    Actor { principal: "ada@example.org".parse().unwrap(), auth: Auth::Authenticated }
}

pub fn change(events: Vec<Event>) -> Commit {
    Commit { actor: actor(), request: RequestId::generate(), premises: None, events, secret: None }
}

pub async fn commit(ledger: &Ledger, events: Vec<Event>) -> u64 {
    match ledger.commit(change(events)).await.unwrap() {
        Outcome::Committed { first, repeated: false, .. } => {
            ledger.checkpoint().await.unwrap();
            first
        }
        other => panic!("{other:?}"),
    }
}
