//! Values on their way into a statement.

use sqlx::{Postgres, Sqlite, query::Query};
use stemma_core::{Digest, Sha256, Timestamp};

use crate::LedgerError;

/// What a NULL would have been: PostgreSQL wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Int,
    Real,
    Blob,
}

/// A value of one of the four column types, or none.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Int(i64),
    Real(f64),
    Blob(Vec<u8>),
    Null(Kind),
}

impl Value {
    /// Anything that shows itself as text: names, ids, kinds.
    pub fn text(text: impl ToString) -> Self {
        Self::Text(text.to_string())
    }

    pub fn opt_text(text: Option<impl ToString>) -> Self {
        text.map_or(Self::Null(Kind::Text), Self::text)
    }

    pub fn opt_int(int: Option<i64>) -> Self {
        int.map_or(Self::Null(Kind::Int), Self::Int)
    }

    pub fn opt_real(real: Option<f64>) -> Self {
        real.map_or(Self::Null(Kind::Real), Self::Real)
    }

    pub fn opt_blob(blob: Option<Vec<u8>>) -> Self {
        blob.map_or(Self::Null(Kind::Blob), Self::Blob)
    }

    pub fn bool(yes: bool) -> Self {
        Self::Int(yes.into())
    }

    /// Sizes and counts; larger than 2^63 - 1 is refused.
    pub fn count(count: u64) -> Result<Self, LedgerError> {
        i64::try_from(count)
            .map(Self::Int)
            .map_err(|_| LedgerError::TooLarge(format!("{count} is more than can be counted")))
    }

    pub fn opt_sha256(sha256: Option<Sha256>) -> Self {
        Self::opt_blob(sha256.map(|digest| digest.as_bytes().to_vec()))
    }

    pub const fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Int(_) => Kind::Int,
            Self::Real(_) => Kind::Real,
            Self::Blob(_) => Kind::Blob,
            Self::Null(kind) => *kind,
        }
    }
}

impl From<i64> for Value {
    fn from(int: i64) -> Self {
        Self::Int(int)
    }
}

impl From<u32> for Value {
    fn from(int: u32) -> Self {
        Self::Int(int.into())
    }
}

impl From<Timestamp> for Value {
    fn from(time: Timestamp) -> Self {
        Self::Int(time.micros())
    }
}

impl From<Digest> for Value {
    fn from(digest: Digest) -> Self {
        Self::Blob(digest.as_bytes().to_vec())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// Refuses what one database keeps and the other does not: NUL in text, and numbers that are none.
pub(super) fn check(sql: &str, values: &[Value]) -> Result<(), LedgerError> {
    let refuse = |at: usize, reason: &str| LedgerError::Unstorable {
        place: format!("value ${} of `{}`", at + 1, first_words(sql)),
        reason: reason.to_owned(),
    };
    for (at, value) in values.iter().enumerate() {
        match value {
            Value::Text(text) if text.contains('\0') => {
                return Err(refuse(at, "the text has a NUL character"));
            }
            Value::Real(real) if !real.is_finite() => {
                return Err(refuse(at, "the number is not finite"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn first_words(sql: &str) -> String {
    sql.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

macro_rules! bind {
    ($name:ident, $database:ty) => {
        pub(super) fn $name<'q>(
            query: Query<'q, $database, <$database as sqlx::Database>::Arguments>,
            values: &'q [Value],
        ) -> Query<'q, $database, <$database as sqlx::Database>::Arguments> {
            values.iter().fold(query, |query, value| match value {
                Value::Text(text) => query.bind(text.as_str()),
                Value::Int(int) => query.bind(*int),
                // SQLite has no negative zero; so nobody gets one
                Value::Real(real) => query.bind(*real + 0.0),
                Value::Blob(blob) => query.bind(blob.as_slice()),
                Value::Null(Kind::Text) => query.bind(None::<&str>),
                Value::Null(Kind::Int) => query.bind(None::<i64>),
                Value::Null(Kind::Real) => query.bind(None::<f64>),
                Value::Null(Kind::Blob) => query.bind(None::<&[u8]>),
            })
        }
    };
}

bind!(bind_sqlite, Sqlite);
bind!(bind_postgres, Postgres);
