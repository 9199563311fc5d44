//! What can go wrong with the ledger.

use std::{io, path::PathBuf, sync::Arc};

use stemma_core::ErrorKind;

/// Cheap to clone: whoever waited for the same transaction is told the same.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    #[error("the ledger's database failed: {0}")]
    Database(#[source] Arc<sqlx::Error>),
    #[error("no random numbers: {0}")]
    Random(String),
    /// A change stopped half-way by a mistake of the program; nothing of it was written.
    #[error("a change to the ledger stopped half-way: {0}")]
    Panicked(String),
    /// An event would not be read back as it is.
    #[error("`{event}` can't become a fact: {reason}")]
    Unstorable { event: String, reason: String },
    /// An event says what can't be after those before it, as that somebody gets a role that he has.
    #[error("`{event}` does not follow from what happened before: {reason}")]
    Unfollowing { event: String, reason: String },
    #[error("the ledger's database can't be read where it lies: {0}")]
    NotReadableHere(String),
    #[error("the disk that holds the ledger is full")]
    DiskFull,
    #[error("the ledger is damaged: {0}")]
    Damaged(String),
    #[error("the ledger has migration {0}, which this program does not know")]
    Newer(i64),
    #[error("the ledger has {has} of {newest} migrations: an earlier program had it last")]
    Older { has: usize, newest: usize },
    #[error("the transcript of a ledger has form {0}, which this program does not know")]
    UnknownTranscript(u32),
    /// A ledger is not put over another one.
    #[error("there is a ledger already, {}", occupant(.home, *.events))]
    Occupied { home: Option<String>, events: u64 },
    #[error("the ledger's history does not continue what was signed: {0}")]
    Checkpoint(String),
    #[error("{signed} events were signed, but the ledger has {found}: it was restored from an old backup, or cut")]
    Rewound { signed: u64, found: u64 },
    #[error("{0}")]
    Key(String),
    #[error("`{}`: {source}", .path.display())]
    File { path: PathBuf, source: Arc<io::Error> },
    #[error("a commit of {0} events; from 1 to 10000 are possible")]
    Size(usize),
    /// A list is not cut without a word.
    #[error("more than {0} rows are asked for at once")]
    TooMany(usize),
    #[error("the ledger's database `{database}` can't be reached: {source}")]
    Unreachable { database: String, source: Arc<sqlx::Error> },
    #[error("the ledger's database `{0}` is used by another Stemma")]
    InUse(String),
    #[error("the ledger is closed")]
    Closed,
    /// An event says what may not become a fact.
    #[error("{0}")]
    Unfit(stemma_core::Problem),
}

fn occupant(home: &Option<String>, events: u64) -> String {
    match home {
        Some(home) => format!("of the home {home}, with {events} events"),
        None => "without an event".to_owned(),
    }
}

/// What the databases call a full disk: `SQLITE_FULL`, `SQLITE_IOERR_SHMSIZE`, and PostgreSQL's `disk_full`.
const DISK_FULL: [&str; 3] = ["13", "4874", "53100"];

impl LedgerError {
    pub(crate) fn file(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::File { path: path.into(), source: Arc::new(source) }
    }

    /// Whether a row was refused because there is one with the same key.
    pub(crate) fn is_of_a_double(&self) -> bool {
        match self {
            Self::Database(error) => error.as_database_error().is_some_and(|error| error.is_unique_violation()),
            _ => false,
        }
    }

    pub(crate) fn unreachable(database: impl ToString, source: sqlx::Error) -> Self {
        Self::Unreachable { database: database.to_string(), source: Arc::new(source) }
    }

    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unfollowing { .. } | Self::InUse(_) | Self::Occupied { .. } => ErrorKind::Conflict,
            _ if self.is_of_a_double() => ErrorKind::Conflict,
            Self::Database(error) if matches!(**error, sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut) => {
                ErrorKind::Unavailable
            }
            Self::Database(_)
            | Self::Random(_)
            | Self::Panicked(_)
            | Self::Unstorable { .. }
            | Self::Size(_)
            | Self::TooMany(_) => ErrorKind::Internal,
            Self::Damaged(_) | Self::Checkpoint(_) | Self::Rewound { .. } => ErrorKind::Corrupt,
            Self::NotReadableHere(_)
            | Self::Older { .. }
            | Self::Newer(_)
            | Self::UnknownTranscript(_)
            | Self::File { .. }
            | Self::Key(_) => ErrorKind::Config,
            Self::Closed | Self::Unreachable { .. } => ErrorKind::Unavailable,
            Self::DiskFull => ErrorKind::NoRoom,
            Self::Unfit(problem) => problem.kind,
        }
    }
}

impl From<sqlx::Error> for LedgerError {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        match code {
            Some(code) if DISK_FULL.contains(&code.as_ref()) => Self::DiskFull,
            _ => Self::Database(Arc::new(error)),
        }
    }
}

impl From<serde_json::Error> for LedgerError {
    fn from(error: serde_json::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}
