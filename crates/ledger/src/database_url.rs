//! The address of a PostgreSQL database with a ledger in it. It may hold a password, which is shown and written nowhere.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize, de::Error as _};
use sqlx::{ConnectOptions as _, PgConnection, postgres::PgConnectOptions};
use url::Url;

use crate::LedgerError;

/// The schema that the tables lie in unless the address names another.
const SCHEMA: &str = "stemma";
/// The parameter that names it; everything else is PostgreSQL's.
const SCHEMA_PARAMETER: &str = "schema";
/// Parameters that are no secret, and are remembered.
const REMEMBERED: [&str; 10] =
    ["sslmode", "sslrootcert", "sslcert", "sslkey", "host", "hostaddr", "port", "dbname", "user", "application_name"];
/// PostgreSQL cuts longer names off.
const SCHEMA_BYTES_MAX: usize = 63;
/// How long a database may let us wait for a connection.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// As in `postgres://stemma@db.example:5432/stemma?schema=credit`. Printed and stored without its password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    url: Url,
    schema: String,
}

/// Why a text is no address of a database. It does not show the text, for a password may be in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is no address of a PostgreSQL database: {0}")]
pub struct NotADatabase(String);

impl FromStr for DatabaseUrl {
    type Err = NotADatabase;

    fn from_str(text: &str) -> Result<Self, NotADatabase> {
        let url = Url::parse(text.trim()).map_err(|error| NotADatabase(error.to_string()))?;
        if !["postgres", "postgresql"].contains(&url.scheme()) {
            return Err(NotADatabase("it does not begin with `postgres://`".to_owned()));
        }
        let named = url.query_pairs().find(|(name, _)| name == SCHEMA_PARAMETER).map(|(_, schema)| schema.into_owned());
        let schema = named.unwrap_or_else(|| SCHEMA.to_owned());
        if !is_plain(&schema) {
            let what = format!("the schema `{schema}` is not made of small letters, digits and `_` after a letter");
            return Err(NotADatabase(what));
        }
        let this = Self { url, schema };
        let known = PgConnectOptions::from_str(this.for_postgres().as_str());
        known.map(|_| this).map_err(|error| NotADatabase(error.to_string()))
    }
}

fn is_plain(schema: &str) -> bool {
    schema.len() <= SCHEMA_BYTES_MAX
        && schema.starts_with(|first: char| first.is_ascii_lowercase())
        && schema.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

impl DatabaseUrl {
    /// The schema that all tables lie in.
    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }

    /// The address as PostgreSQL's clients know it.
    fn for_postgres(&self) -> Url {
        self.with_parameters(|name| name != SCHEMA_PARAMETER)
    }

    fn with_parameters(&self, keep: impl Fn(&str) -> bool) -> Url {
        let kept: Vec<(String, String)> = self
            .url
            .query_pairs()
            .filter(|(name, _)| keep(name))
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let mut url = self.url.clone();
        url.set_query(None);
        if !kept.is_empty() {
            url.query_pairs_mut().extend_pairs(kept);
        }
        url
    }

    pub(crate) fn options(&self) -> Result<PgConnectOptions, LedgerError> {
        Ok(PgConnectOptions::from_str(self.for_postgres().as_str())?.options([("search_path", &self.schema)]))
    }

    /// One connection; says why there is none.
    pub(crate) async fn connect(&self) -> Result<PgConnection, LedgerError> {
        let options = self.options()?;
        let connected = tokio::time::timeout(CONNECT_MAX, options.connect()).await;
        connected.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(|error| LedgerError::unreachable(self, error))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = self.with_parameters(|name| REMEMBERED.contains(&name) || name == SCHEMA_PARAMETER);
        // an address without a host has no password either
        let _ = url.set_password(None);
        url.set_fragment(None);
        f.write_str(url.as_str())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

impl Serialize for DatabaseUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DatabaseUrl {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_shown_and_stored_nowhere() {
        for (given, shown) in [
            ("postgres://ada:hunter2@db:5433/x", "postgres://ada@db:5433/x"),
            ("postgresql://ada:hun%40ter2@db/x?schema=credit", "postgresql://ada@db/x?schema=credit"),
            ("postgres://db/x?user=ada&password=hunter2&sslmode=disable", "postgres://db/x?user=ada&sslmode=disable"),
            ("postgres://ada@db/x?options=-c%20hunter2", "postgres://ada@db/x"),
            ("postgres:///x?host=/run/postgresql#hunter2", "postgres:///x?host=%2Frun%2Fpostgresql"),
        ] {
            let url: DatabaseUrl = given.parse().unwrap();
            assert_eq!(url.to_string(), shown);
            let stored = serde_json::to_string(&url).unwrap();
            assert!(!format!("{url:?} {stored}").contains("hun"), "{url:?} {stored}");
            let again: DatabaseUrl = serde_json::from_str(&stored).unwrap();
            assert_eq!((again.to_string(), again.schema()), (shown.to_owned(), url.schema()));
        }
        let url: DatabaseUrl = "postgres://ada:hunter2@db/x?schema=credit".parse().unwrap();
        assert_eq!((url.schema(), url.for_postgres().as_str()), ("credit", "postgres://ada:hunter2@db/x"));
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_shown() {
        for text in [
            "hunter2",
            "mysql://ada:hunter2@db/x",
            "postgres://ada:hunter2@db:hunter2/x",
            "postgres://ada:hunter2@db/x?schema=A",
            "postgres://ada:hunter2@db/x?schema=1",
            "postgres://ada:hunter2@db/x?schema=",
            "postgres://ada:hunter2@db/x?sslmode=yes",
        ] {
            let error = text.parse::<DatabaseUrl>().unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{text}: {error}");
        }
    }
}
