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
pub(crate) use self::{
    connect::{Access, Database},
    many::KEYS_AT_ONCE,
    row::Row,
};
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The databases that can be tested here.
    async fn databases() -> Vec<Database> {
        let mut databases = vec![Database::memory().await.unwrap()];
        if let Ok(url) = std::env::var("STEMMA_TEST_POSTGRES") {
            let schema = format!("seam_{}", std::process::id());
            let url = LedgerUrl::Postgres(format!("{url}?schema={schema}"));
            databases.push(Database::open(&url, Access::Write).await.unwrap());
        }
        databases
    }

    #[tokio::test]
    async fn every_value_comes_back_as_it_went_in() {
        let rows = [
            [Value::from("ü \"'; --\n"), Value::Int(i64::MIN), Value::Real(5e-324), Value::Blob(vec![0, 255])],
            [Value::from(""), Value::Int(i64::MAX), Value::Real(-1e308), Value::Blob(vec![])],
            [Value::from("1"), Value::Int(0), Value::Real(3.0), Value::Blob(vec![7; 100_000])],
            [Kind::Text, Kind::Int, Kind::Real, Kind::Blob].map(Value::Null),
        ];
        for database in databases().await {
            let mut connection = database.writer().await.unwrap();
            connection.begin().await.unwrap();
            connection.create_types().await.unwrap();
            let create = "CREATE TABLE seam (id BIGINT, t TEXT, i BIGINT, r DOUBLE PRECISION, b BLOB, yes INTEGER)";
            connection.script(create).await.unwrap();
            for (id, row) in (0i64..).zip(&rows) {
                let mut values = vec![Value::Int(id)];
                values.extend(row.iter().cloned());
                let sql = "INSERT INTO seam (id, t, i, r, b, yes) VALUES ($1, $2, $3, $4, $5, 1)";
                assert_eq!(connection.execute(sql, &values).await.unwrap(), 1);
            }
            let zero = [Value::Real(-0.0)];
            let found = connection.row("SELECT $1 AS zero", &zero).await.unwrap().unwrap();
            assert_eq!(found.opt_real("zero").unwrap().unwrap().to_bits(), 0);
            let found = connection.rows("SELECT * FROM seam ORDER BY id", &[]).await.unwrap();
            for (row, found) in rows.iter().zip(&found) {
                let [Value::Text(text), Value::Int(int), Value::Real(real), Value::Blob(blob)] = row else {
                    assert!(found.opt_text("t").unwrap().is_none() && found.opt_int("i").unwrap().is_none());
                    assert!(found.opt_real("r").unwrap().is_none() && found.opt_blob("b").unwrap().is_none());
                    continue;
                };
                assert_eq!((found.text("t").unwrap(), found.int("i").unwrap()), (text.as_str(), *int));
                assert_eq!(found.opt_real("r").unwrap().unwrap().to_bits(), real.to_bits());
                assert_eq!(found.blob("b").unwrap(), blob);
                assert!(found.bool("yes").unwrap());
            }
        }
    }

    #[tokio::test]
    async fn a_wrong_column_is_named() {
        for database in databases().await {
            let mut connection = database.reader().await.unwrap();
            let row = connection.row("SELECT 'x' AS word, 300 AS number", &[]).await.unwrap().unwrap();
            assert_eq!(
                row.int("word").unwrap_err().to_string(),
                "column `word` holds text data instead of a whole number"
            );
            assert_eq!(row.number::<u8>("number").unwrap_err().to_string(), "column `number` holds 300, out of range");
            assert_eq!(row.text("other").unwrap_err().to_string(), "the database holds no column `other`");
            let stage = row.word("word", stemma_core::policy::Stage::parse).unwrap_err();
            assert_eq!(stage.to_string(), "column `word` holds the unknown word `x`");
        }
    }

    #[tokio::test]
    async fn what_databases_keep_differently_is_refused() {
        for database in databases().await {
            let mut connection = database.reader().await.unwrap();
            for value in [Value::from("a\0b"), Value::Real(f64::NAN), Value::Real(f64::INFINITY)] {
                let refused = connection.rows("SELECT $1", &[value]).await.unwrap_err();
                assert_eq!(refused.kind(), stemma_core::ErrorKind::Invalid, "{refused}");
            }
        }
    }
}
