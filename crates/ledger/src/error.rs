//! What can go wrong with the ledger.

use std::{io, path::PathBuf};

use stemma_core::ErrorKind;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    #[error("the ledger's database failed: {0}")]
    Database(String),
    #[error("the ledger's database can't be read where it lies: {0}")]
    NotReadableHere(String),
    #[error("the disk that holds the ledger is full")]
    DiskFull,
    #[error("the ledger is damaged: {0}")]
    Damaged(String),
    #[error("the ledger has migration {0}, which this program does not know")]
    Newer(i64),
    #[error("the ledger's history does not continue what was signed: {0}")]
    Checkpoint(String),
    #[error("{signed} events were signed, but the ledger has {found}: it was restored from an old backup, or cut")]
    Rewound { signed: u64, found: u64 },
    #[error("{0}")]
    Key(String),
    #[error("`{}`: {source}", .path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("a commit of {0} events; from 1 to 10000 are possible")]
    Size(usize),
    #[error("the ledger is closed")]
    Closed,
    /// An event says what may not become a fact.
    #[error("{0}")]
    Unfit(stemma_core::Problem),
}

/// What the databases call a full disk: `SQLITE_FULL`, `SQLITE_IOERR_SHMSIZE`, and PostgreSQL's `disk_full`.
const DISK_FULL: [&str; 3] = ["13", "4874", "53100"];

impl LedgerError {
    /// The same failure for another who waited for the same transaction.
    pub(crate) fn shared(&self) -> Self {
        match self {
            Self::DiskFull => Self::DiskFull,
            other => Self::Database(other.to_string()),
        }
    }

    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Database(_) | Self::Size(_) => ErrorKind::Internal,
            Self::Damaged(_) | Self::Checkpoint(_) | Self::Rewound { .. } => ErrorKind::Corrupt,
            Self::NotReadableHere(_) | Self::Newer(_) | Self::File { .. } | Self::Key(_) => ErrorKind::Config,
            Self::Closed => ErrorKind::Unavailable,
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
            _ => Self::Database(error.to_string()),
        }
    }
}

impl From<serde_json::Error> for LedgerError {
    fn from(error: serde_json::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}
