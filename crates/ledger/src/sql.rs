//! The seam over the two databases: one SQL text with `$1` parameters, five values, rows with typed getters.
//!
//! Works on sqlx's two concrete drivers. Dialect differences live in `sql/connect.rs`.

mod connect;
mod many;
mod migrate;
mod row;
mod value;

use std::sync::Arc;

use sqlx::{AssertSqlSafe, Postgres, Sqlite, pool::PoolConnection};

pub use self::connect::LedgerUrl;
pub(crate) use self::value::{Kind, Value};
pub(crate) use self::{connect::Database, many::KEYS_AT_ONCE, row::Row};
use crate::LedgerError;

/// One connection to either database.
pub(crate) enum Connection {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

impl Connection {
    /// Runs one statement; returns how many rows it touched.
    pub async fn execute(&mut self, sql: &'static str, values: &[Value]) -> Result<u64, LedgerError> {
        value::check(sql, values)?;
        let done = match self {
            Self::Sqlite(connection) => value::bind_sqlite(sqlx::query(sql), values)
                .execute(&mut **connection)
                .await
                .map(|done| done.rows_affected()),
            Self::Postgres(connection) => value::bind_postgres(sqlx::query(sql), values)
                .execute(&mut **connection)
                .await
                .map(|done| done.rows_affected()),
        };
        done.map_err(failed("write"))
    }

    /// Runs one query; returns all its rows, so callers bound them.
    pub async fn rows(&mut self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>, LedgerError> {
        self.rows_of(sql.into(), values).await
    }

    /// Like [`Self::rows`], for SQL put together from constant pieces; never from data.
    pub async fn rows_of(
        &mut self,
        sql: std::borrow::Cow<'static, str>,
        values: &[Value],
    ) -> Result<Vec<Row>, LedgerError> {
        value::check(&sql, values)?;
        match self {
            Self::Sqlite(connection) => value::bind_sqlite(sqlx::query(AssertSqlSafe(sql)), values)
                .fetch_all(&mut **connection)
                .await
                .map_err(failed("read"))?
                .iter()
                .map(Row::from_sqlite)
                .collect(),
            Self::Postgres(connection) => value::bind_postgres(sqlx::query(AssertSqlSafe(sql)), values)
                .fetch_all(&mut **connection)
                .await
                .map_err(failed("read"))?
                .iter()
                .map(Row::from_postgres)
                .collect(),
        }
    }

    /// Runs one query that gives at most one row.
    pub async fn row(&mut self, sql: &'static str, values: &[Value]) -> Result<Option<Row>, LedgerError> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    /// Runs several statements without parameters, as in a migration.
    pub async fn script(&mut self, sql: &'static str) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite(connection) => sqlx::raw_sql(sql).execute(&mut **connection).await.map(drop),
            Self::Postgres(connection) => sqlx::raw_sql(sql).execute(&mut **connection).await.map(drop),
        }
        .map_err(failed("run a script"))
    }
}

/// Names what was being done when the driver failed.
pub(crate) fn failed(what: &'static str) -> impl Fn(sqlx::Error) -> LedgerError {
    move |source| LedgerError::Database { what, source: Arc::new(source) }
}
