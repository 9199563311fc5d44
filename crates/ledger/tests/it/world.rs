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
    ManualClock, Timestamp,
    event::Event,
    id::RequestId,
    record::{Actor, Auth},
};
use stemma_ledger::{CommitError, Committed, Ledger, LedgerError, LedgerOptions, LedgerUrl};

/// Where PostgreSQL is, for tests; `cargo xtask test` starts one and says so.
const POSTGRES: &str = "STEMMA_TEST_POSTGRES";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// Makes each story a test of its own on each database.
macro_rules! on_both {
    ($($(#[$attribute:meta])* async fn $name:ident($world:ident) $body:block)*) => {
        $($(#[$attribute])* async fn $name($world: crate::world::World) $body)*

        mod sqlite {
            $(#[test]
            fn $name() {
                crate::world::play(crate::world::Kind::Sqlite, super::$name);
            })*
        }

        mod postgres {
            $(#[test]
            fn $name() {
                crate::world::play(crate::world::Kind::Postgres, super::$name);
            })*
        }
    };
}

/// Runs a story on a new world; without PostgreSQL, one for it is skipped loudly, or fails where all must run.
pub fn play<F: Future<Output = ()>>(kind: Kind, story: impl FnOnce(World) -> F) {
    if kind == Kind::Postgres && std::env::var_os(POSTGRES).is_none() {
        let required = ["STEMMA_TEST_REQUIRE_ALL", "CI"].iter().any(|name| std::env::var_os(name).is_some());
        assert!(!required, "{POSTGRES} is not set: run the tests with `cargo xtask test`");
        eprintln!("note: not tested on PostgreSQL, {POSTGRES} is not set; `cargo xtask test` sets it");
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(story(World::new(kind)));
}

pub struct World {
    pub folder: tempfile::TempDir,
    pub kind: Kind,
    pub clock: Arc<ManualClock>,
    schema: String,
}

impl World {
    pub fn new(kind: Kind) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let schema = format!("t{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let clock = Arc::new(ManualClock::at(Timestamp::parse("2026-03-01").unwrap()));
        Self { folder: tempfile::tempdir().unwrap(), kind, clock, schema }
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    pub fn checkpoints(&self) -> PathBuf {
        self.folder.path().join("checkpoints")
    }

    fn url(&self) -> LedgerUrl {
        match self.kind {
            Kind::Sqlite => LedgerUrl::Sqlite(self.file()),
            Kind::Postgres => LedgerUrl::Postgres(self.postgres_url()),
        }
    }

    fn postgres_url(&self) -> String {
        let url = std::env::var(POSTGRES).unwrap();
        let separator = if url.contains('?') { '&' } else { '?' };
        format!("{url}{separator}schema={}", self.schema)
    }

    pub fn options(&self) -> LedgerOptions {
        LedgerOptions {
            url: self.url(),
            checkpoint_dir: self.checkpoints(),
            origin: "stemma.example/audit".to_owned(),
            clock: self.clock.clone(),
        }
    }

    pub async fn open(&self) -> Ledger {
        Ledger::open(self.options()).await.unwrap()
    }

    pub async fn try_open(&self) -> Result<Ledger, LedgerError> {
        Ledger::open(self.options()).await
    }

    /// Runs SQL past the ledger.
    pub async fn by_hand(&self, sql: &str) -> u64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match self.kind {
            Kind::Sqlite => {
                let url = format!("sqlite://{}", self.file().display());
                let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
                let done = sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                done.rows_affected()
            }
            Kind::Postgres => {
                let mut connection = sqlx::PgConnection::connect(&std::env::var(POSTGRES).unwrap()).await.unwrap();
                let path = format!("SET search_path = {}", self.schema);
                sqlx::raw_sql(AssertSqlSafe(path)).execute(&mut connection).await.unwrap();
                let done = sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                done.rows_affected()
            }
        }
    }
}

pub fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

pub fn ada() -> Actor {
    Actor { principal: name("ada@example.org"), auth: Auth::Authenticated }
}

/// Commits events as they are, decided beforehand.
pub async fn commit(ledger: &Ledger, events: Vec<Event>) -> Result<Committed<()>, CommitError> {
    commit_as(ledger, RequestId::generate(), events).await
}

pub async fn commit_as(ledger: &Ledger, request: RequestId, events: Vec<Event>) -> Result<Committed<()>, CommitError> {
    ledger.commit(&ada(), request, move |_| Box::pin(async move { Ok((events, ())) })).await
}

pub fn project_created(number: u32) -> Event {
    Event::ProjectCreated { project: name(&format!("p{number}")) }
}
