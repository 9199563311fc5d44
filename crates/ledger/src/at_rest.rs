//! A ledger to be looked at as it lies there: opening it makes, migrates and checks nothing, so that damage which keeps
//! the home from being opened can be told.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use stemma_core::{
    Digest,
    audit::{AuditReport, Check},
    history::Today,
    id::HomeId,
    naming::NamedContent,
    record::RunRecord,
};

use crate::{
    LedgerError, LedgerUrl, head, history, needs,
    sql::{Database, Session},
    verify,
    writing::read_frontier,
};

/// A ledger, open for reading. Its owner may be at work meanwhile.
pub struct LedgerAtRest {
    database: Database,
    /// Where the files were copied to, if they can't be read where they lie.
    _copy: Option<tempfile::TempDir>,
}

impl LedgerAtRest {
    /// Opens the database wherever it is kept.
    pub async fn open(at: &LedgerUrl) -> Result<Self, LedgerError> {
        match at {
            LedgerUrl::Sqlite(path) => Self::open_file(path).await,
            LedgerUrl::Postgres(at) => Ok(Self { database: Database::look_at_postgres(at).await?, _copy: None }),
        }
    }

    /// Opens the database in a file. On storage that can't be written, where SQLite can't keep other readers and writers
    /// apart, a copy is read.
    async fn open_file(path: &Path) -> Result<Self, LedgerError> {
        let there = |source| LedgerError::file(path, source);
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

    pub(crate) async fn read(&self) -> Result<Session, LedgerError> {
        self.database.read().await
    }

    /// How many events there are; none in a database that was not migrated yet.
    pub async fn size(&self) -> Result<u64, LedgerError> {
        let mut session = self.read().await?;
        if !session.has_table("head").await? {
            return Ok(0);
        }
        let head = session.row("SELECT size FROM head WHERE id = 1", &[]).await?;
        Ok(head.map(|row| row.int("size")).transpose()?.unwrap_or(0).max(0) as u64)
    }

    /// The home that the first event made.
    pub async fn home(&self) -> Result<HomeId, LedgerError> {
        let row = self.database.read().await?.row("SELECT home FROM home ORDER BY from_seq LIMIT 1", &[]).await?;
        row.ok_or_else(|| LedgerError::Damaged("no event made this home".to_owned()))?.parsed("home")
    }

    /// The environments that runs had, by project.
    pub async fn environments(&self) -> Result<BTreeSet<(String, Digest)>, LedgerError> {
        let mut environments = BTreeSet::new();
        let mut take = |record: RunRecord| {
            environments.insert((record.project.to_string(), record.environment));
        };
        needs::each(&mut self.read().await?, "run", "place", "record", &mut take).await?;
        Ok(environments)
    }

    /// The packages (name, version) that are listed for environments of projects.
    pub async fn packages(&self) -> Result<BTreeMap<(String, Digest), BTreeSet<(String, String)>>, LedgerError> {
        let sql = "SELECT project, environment, name, version FROM environment_package";
        let mut found: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for row in self.read().await?.rows(sql, &[]).await? {
            let of = (row.text("project")?, row.parsed("environment")?);
            found.entry(of).or_default().insert((row.text("name")?, row.text("version")?));
        }
        Ok(found)
    }

    /// What was removed for good.
    pub async fn purged(&self) -> Result<BTreeSet<Digest>, LedgerError> {
        needs::purged(&mut self.read().await?).await
    }

    /// Every content that a fact needs, with who needs it; what was removed for good is needed no more.
    pub async fn needed_content(&self) -> Result<BTreeMap<Digest, BTreeSet<String>>, LedgerError> {
        needs::of_all(&mut self.read().await?).await
    }

    /// The same, each with its form: for whoever looks in it for what it names in turn.
    pub async fn named_content(&self) -> Result<Vec<NamedContent>, LedgerError> {
        needs::named(&mut self.read().await?).await
    }

    /// Those of the digests that some project was granted: they have been here.
    pub async fn granted(&self, digests: &[Digest]) -> Result<BTreeSet<Digest>, LedgerError> {
        needs::granted(&mut self.read().await?, digests).await
    }

    /// The head as it stands there, and proofs that sizes are beginnings of it; signed by nobody.
    pub async fn history(&self, sizes: &BTreeSet<u64>) -> Result<Today, LedgerError> {
        let (named, size) = head::named_keys(&self.database).await?;
        let mut session = self.database.read().await?;
        let root = read_frontier(&mut session, size).await?.root();
        let proofs = history::proofs(&mut session, sizes, size).await?;
        Ok(Today { size, root, key: named.current().cloned(), proofs, successions: named.successions })
    }

    /// Whether the key that signs is the one that the ledger names; `outside` is where it lies if not beside the heads.
    pub async fn check_key(&self, checkpoints: &Path, outside: Option<&Path>) -> Check {
        verify::check_key(&self.database, checkpoints, outside).await
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
