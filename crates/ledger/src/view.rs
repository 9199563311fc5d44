//! A ledger to be looked at as it lies there: opening it makes, migrates and checks nothing, so that damage which keeps
//! the home from being opened can be told.

use std::path::{Path, PathBuf};

use stemma_core::{audit::AuditReport, id::HomeId};

use crate::{LedgerError, sql::Database, verify};

/// An SQLite ledger, open for reading. Its owner may be at work meanwhile.
pub struct LedgerView {
    database: Database,
    /// Where the files were copied to, if they can't be read where they lie.
    _copy: Option<tempfile::TempDir>,
}

impl LedgerView {
    /// Opens the database in a file. On storage that can't be written, where SQLite can't keep other readers and writers
    /// apart, a copy is read.
    pub async fn open(path: &Path) -> Result<Self, LedgerError> {
        let there = |source| LedgerError::File { path: path.to_owned(), source };
        if std::fs::metadata(path).map_err(there)?.len() == 0 {
            return Err(LedgerError::Damaged(format!("`{}` is empty", path.display())));
        }
        match Database::open_to_look(path).await {
            Err(LedgerError::NotReadableHere(_)) => {
                let (folder, copy) = copied(path).map_err(there)?;
                Ok(Self { database: Database::open_to_look(&copy).await?, _copy: Some(folder) })
            }
            opened => Ok(Self { database: opened?, _copy: None }),
        }
    }

    /// The home that the first event made.
    pub async fn home(&self) -> Result<HomeId, LedgerError> {
        let row = self.database.read().await?.row("SELECT home FROM home ORDER BY from_seq LIMIT 1", &[]).await?;
        row.ok_or_else(|| LedgerError::Damaged("no event made this home".to_owned()))?.parsed("home")
    }

    /// Verifies everything, against the signed head in a folder of a ledger of this name.
    pub async fn verify(&self, checkpoints: &Path, origin: &str) -> AuditReport {
        let signed = verify::last_signed(&self.database, checkpoints, origin).await;
        verify::verify(&self.database, signed).await
    }
}

/// Copies a database with what was not yet written into it.
fn copied(path: &Path) -> std::io::Result<(tempfile::TempDir, PathBuf)> {
    let folder = tempfile::tempdir()?;
    let copy = folder.path().join("ledger.db");
    std::fs::copy(path, &copy)?;
    let beside = |of: &Path| PathBuf::from(format!("{}-wal", of.display()));
    if beside(path).try_exists()? {
        std::fs::copy(beside(path), beside(&copy))?;
    }
    Ok((folder, copy))
}
