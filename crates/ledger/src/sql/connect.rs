//! Opening either database, and every place where the two dialects differ.

use std::{fs, os::unix::fs::OpenOptionsExt as _, path::PathBuf, str::FromStr as _, time::Duration};

use sqlx::{
    PgPool, SqlitePool,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{Connection, failed};
use crate::LedgerError;

/// Read connections of one ledger.
const READERS: u32 = 8;
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
const STATEMENT_CACHE: usize = 256;
/// Taken while migrating, so that two processes do not do it at once.
const MIGRATION_LOCK: &str = "SELECT pg_advisory_xact_lock(7386110247701)";

/// Where a ledger lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerUrl {
    Sqlite(PathBuf),
    /// `postgres://user@host/database`, with `?schema=name` for a schema of its own.
    Postgres(String),
}

/// An open database: one writer, some readers.
#[derive(Debug, Clone)]
pub(crate) enum Database {
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    Postgres { writer: PgPool, readers: PgPool },
}

/// What a database is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// It is made if there is none.
    Write,
    /// Nothing in it is changed.
    Audit,
}

impl Database {
    pub async fn open(url: &LedgerUrl, access: Access) -> Result<Self, LedgerError> {
        match url {
            LedgerUrl::Sqlite(path) => open_sqlite(path, access).await,
            LedgerUrl::Postgres(url) => open_postgres(url, access).await,
        }
    }

    /// An empty SQLite database that is gone when closed.
    pub async fn memory() -> Result<Self, LedgerError> {
        let options = SqliteConnectOptions::new().in_memory(true).statement_cache_capacity(STATEMENT_CACHE);
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await
            .map_err(failed("open a database in memory"))?;
        Ok(Self::Sqlite { writer: pool.clone(), readers: pool })
    }

    pub async fn reader(&self) -> Result<Connection, LedgerError> {
        let connection = match self {
            Self::Sqlite { readers, .. } => readers.acquire().await.map(Connection::Sqlite),
            Self::Postgres { readers, .. } => readers.acquire().await.map(Connection::Postgres),
        };
        connection.map_err(failed("connect"))
    }

    pub async fn writer(&self) -> Result<Connection, LedgerError> {
        let connection = match self {
            Self::Sqlite { writer, .. } => writer.acquire().await.map(Connection::Sqlite),
            Self::Postgres { writer, .. } => writer.acquire().await.map(Connection::Postgres),
        };
        connection.map_err(failed("connect"))
    }

    pub async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
        }
    }
}

impl Connection {
    /// Begins a transaction that will write.
    pub async fn begin(&mut self) -> Result<(), LedgerError> {
        self.script(match self {
            Self::Sqlite(_) => "BEGIN IMMEDIATE",
            Self::Postgres(_) => "BEGIN",
        })
        .await
    }

    /// Begins a transaction in which all reads see the same state.
    pub async fn begin_snapshot(&mut self) -> Result<(), LedgerError> {
        self.script(match self {
            Self::Sqlite(_) => "BEGIN DEFERRED",
            Self::Postgres(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        })
        .await
    }

    /// Makes this connection be closed instead of used again.
    pub fn discard(&mut self) {
        match self {
            Self::Sqlite(connection) => connection.close_on_drop(),
            Self::Postgres(connection) => connection.close_on_drop(),
        }
    }

    /// Waits until no other process migrates; inside a transaction, until its end.
    pub(super) async fn lock_migrations(&mut self) -> Result<(), LedgerError> {
        match self {
            // BEGIN IMMEDIATE has locked the whole database
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(_) => self.rows(MIGRATION_LOCK, &[]).await.map(drop),
        }
    }

    /// Gives PostgreSQL the type name `blob`, so that both read the same CREATE TABLE.
    pub(super) async fn create_types(&mut self) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(_) => {
                self.script(
                    "DO $$ BEGIN
                        IF NOT EXISTS (
                            SELECT 1 FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
                            WHERE t.typname = 'blob' AND n.nspname = current_schema()
                        ) THEN CREATE DOMAIN blob AS bytea; END IF;
                    END $$",
                )
                .await
            }
        }
    }
}

async fn open_sqlite(path: &PathBuf, access: Access) -> Result<Database, LedgerError> {
    // the file is made here, so that nobody else may read it; SQLite gives its side files the same mode
    fs::OpenOptions::new()
        .create(access == Access::Write)
        .append(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| LedgerError::file(path, error))?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .statement_cache_capacity(STATEMENT_CACHE);
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options.clone())
        .await
        .map_err(failed("open the database"))?;
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .max_lifetime(None)
        .connect_lazy_with(options.pragma("query_only", "on"));
    Ok(Database::Sqlite { writer, readers })
}

async fn open_postgres(url: &str, access: Access) -> Result<Database, LedgerError> {
    let (url, schema) = split_schema(url)?;
    let mut options = PgConnectOptions::from_str(&url)
        .map_err(|error| LedgerError::Address { url: hide_password(&url), reason: error.to_string() })?;
    options = options.statement_cache_capacity(STATEMENT_CACHE);
    if let Some(schema) = &schema {
        options = options.options([("search_path", schema.as_str())]);
    }
    // a pool of its own, so that readers never keep the writer waiting
    let writer = PgPoolOptions::new()
        .max_connections(1)
        .connect_with(options.clone())
        .await
        .map_err(failed("open the database"))?;
    if let (Some(schema), Access::Write) = (schema, access) {
        create_schema(&writer, &schema).await?;
    }
    let readers = PgPoolOptions::new().max_connections(READERS).connect_lazy_with(options);
    Ok(Database::Postgres { writer, readers })
}

async fn create_schema(pool: &PgPool, schema: &str) -> Result<(), LedgerError> {
    let create = format!("CREATE SCHEMA IF NOT EXISTS {schema}");
    match sqlx::raw_sql(sqlx::AssertSqlSafe(create)).execute(pool).await {
        Ok(_) => Ok(()),
        // two processes at once may both find none
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(()),
        Err(error) => Err(failed("create the schema")(error)),
    }
}

/// Takes `schema=` out of the address: only plain names, because it becomes part of SQL.
fn split_schema(url: &str) -> Result<(String, Option<String>), LedgerError> {
    let Some((base, query)) = url.split_once('?') else {
        return Ok((url.to_owned(), None));
    };
    let (schema, rest): (Vec<&str>, Vec<&str>) =
        query.split('&').partition(|parameter| parameter.starts_with("schema="));
    let url = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
    let Some(schema) = schema.first().map(|parameter| &parameter["schema=".len()..]) else {
        return Ok((url, None));
    };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if schema.is_empty()
        || schema.len() > 63
        || !schema.chars().all(plain)
        || schema.starts_with(|c: char| c.is_ascii_digit())
    {
        return Err(LedgerError::Address {
            url: hide_password(&url),
            reason: format!("`{schema}` is not a schema name of letters, digits and `_`"),
        });
    }
    Ok((url, Some(schema.to_owned())))
}

fn hide_password(url: &str) -> String {
    match (url.find("://"), url.find('@')) {
        (Some(start), Some(end)) if start < end => {
            format!("{}://…{}", &url[..start], &url[end..])
        }
        _ => url.to_owned(),
    }
}
