//! What can go wrong with the ledger itself; a "no" of the rules is a [`Problem`] inside [`CommitError`].

use std::{fmt, path::PathBuf, sync::Arc};

use stemma_core::{ErrorKind, Problem, Refusal};

/// A failure of the ledger. Cheap to clone: one failed batch answers all who waited for it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    #[error("the database failed to {what}: {source}")]
    Database { what: &'static str, source: Arc<sqlx::Error> },
    #[error("`{url}` is not a database address: {reason}")]
    Address { url: String, reason: String },
    #[error("the database has migration {found}, this Stemma knows {known}")]
    Newer { found: i64, known: i64 },
    #[error("migration {number} of the database is not the one that this Stemma has")]
    OtherMigration { number: i64 },
    #[error("the ledger has {found} events, but a head of {signed} events was signed: it was replaced by an older one")]
    RolledBack { signed: u64, found: u64 },
    #[error("the ledger's first {signed} events are not those whose head was signed")]
    Rewritten { signed: u64 },
    #[error("`{}`: {reason}", path.display())]
    File { path: PathBuf, reason: String },
    #[error("{place} holds {found}")]
    Corrupt { place: String, found: String },
    #[error("{0}")]
    TooLarge(String),
    #[error("{place} can't be kept: {reason}")]
    Unstorable { place: String, reason: String },
    #[error("the ledger is open for reading only")]
    ReadOnly,
    #[error("the ledger is closed")]
    Closed,
    #[error("a change to the ledger stopped half-way: {0}")]
    Panicked(String),
    #[error("no random numbers: {0}")]
    Random(String),
}

impl LedgerError {
    /// What kind of failure it is, for exit codes and statuses.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Database { source, .. } => database_kind(source),
            Self::Address { .. } | Self::Newer { .. } | Self::OtherMigration { .. } | Self::File { .. } => {
                ErrorKind::Config
            }
            Self::RolledBack { .. } | Self::Rewritten { .. } | Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::TooLarge(_) | Self::Unstorable { .. } => ErrorKind::Invalid,
            Self::Closed | Self::ReadOnly => ErrorKind::Unavailable,
            Self::Panicked(_) | Self::Random(_) => ErrorKind::Internal,
        }
    }

    /// What to do next, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Newer { .. } => Some("use a newer Stemma"),
            Self::RolledBack { .. } => Some(
                "was a backup restored? bring the newer database back; only if it is lost for good, move the checkpoint file away",
            ),
            Self::Rewritten { .. } => Some("the history was changed after it was signed; compare with a backup"),
            _ => None,
        }
    }

    pub(crate) fn corrupt(place: impl fmt::Display, found: impl fmt::Display) -> Self {
        Self::Corrupt { place: place.to_string(), found: found.to_string() }
    }

    pub(crate) fn file(path: impl Into<PathBuf>, reason: impl fmt::Display) -> Self {
        Self::File { path: path.into(), reason: reason.to_string() }
    }
}

fn database_kind(error: &sqlx::Error) -> ErrorKind {
    match error {
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::WorkerCrashed => ErrorKind::Unavailable,
        sqlx::Error::Configuration(_) => ErrorKind::Config,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => ErrorKind::Corrupt,
        sqlx::Error::Database(database) => match database.code().as_deref() {
            // SQLite: busy, locked, disk full, can't open; PostgreSQL: deadlock, serialization, shutdown, resources
            Some("5" | "6" | "13" | "14" | "261" | "517") => ErrorKind::Unavailable,
            Some("11" | "26" | "779") => ErrorKind::Corrupt,
            Some(code) if code.starts_with("53") || code.starts_with("57P") => ErrorKind::Unavailable,
            Some("40P01" | "40001") => ErrorKind::Unavailable,
            _ if database.is_unique_violation() => ErrorKind::Conflict,
            _ => ErrorKind::Internal,
        },
        _ => ErrorKind::Internal,
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        let problem = Self::new(error.kind(), error.to_string());
        match error.hint() {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }
}

/// Why a commit did not happen.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    /// The decision was no; nothing was written.
    #[error(transparent)]
    Refused(#[from] Problem),
    /// The ledger failed. If it failed while committing, repeat with the same request id to learn what happened.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<Refusal> for CommitError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.into())
    }
}

impl From<CommitError> for Problem {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Refused(problem) => problem,
            CommitError::Ledger(error) => error.into(),
        }
    }
}
