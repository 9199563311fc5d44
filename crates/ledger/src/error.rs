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
}

impl LedgerError {
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Database(_) | Self::Size(_) => ErrorKind::Internal,
            Self::Damaged(_) | Self::Checkpoint(_) | Self::Rewound { .. } => ErrorKind::Corrupt,
            Self::NotReadableHere(_) | Self::Newer(_) | Self::File { .. } | Self::Key(_) => ErrorKind::Config,
            Self::Closed => ErrorKind::Unavailable,
        }
    }
}

impl From<sqlx::Error> for LedgerError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.to_string())
    }
}

impl From<serde_json::Error> for LedgerError {
    fn from(error: serde_json::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}
