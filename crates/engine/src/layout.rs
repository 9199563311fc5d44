//! What lies where in a home's folder, and the small secret files in it.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use stemma_core::{Digest, ErrorKind, Problem, endpoint::prediction::PredictionKey, id::HomeId};
use stemma_ledger::{DatabaseUrl, LedgerUrl};

/// Layout of a home's folder. A newer one is refused instead of guessed at.
pub const HOME_FORMAT: u32 = 2;
/// That of a home whose ledger lies in its folder; an earlier program opens it.
const FORMAT_WITH_LEDGER: u32 = 1;

/// Paths inside a home's folder (`.stemma/`).
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
    /// How the ledger's database is reached, where the home has one; without it, as the home's file remembers.
    database: Option<DatabaseUrl>,
}

/// `home.json`: says what the folder is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HomeFile {
    pub format: u32,
    pub home: HomeId,
    /// The file of the key that signs the ledger's heads, where it lies outside of the home.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_key: Option<PathBuf>,
    /// The database that holds the ledger, where it does not lie in the home; without its password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseUrl>,
}

impl HomeFile {
    pub fn new(home: HomeId, database: Option<DatabaseUrl>) -> Self {
        // an earlier program must not make a ledger in the folder of a home that has one elsewhere
        let format = if database.is_some() { HOME_FORMAT } else { FORMAT_WITH_LEDGER };
        Self { format, home, signing_key: None, database }
    }
}

impl Layout {
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), database: None }
    }

    /// With the address at which the ledger's database is to be reached, if the home has one.
    pub fn reaching(self, database: Option<DatabaseUrl>) -> Self {
        Self { database, ..self }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What backups of this home need here: room to make one in, and what is known of the places where they lie.
    pub fn backups(&self) -> PathBuf {
        self.root.join("backups")
    }

    /// The database that the caller named.
    pub fn database(&self) -> Option<&DatabaseUrl> {
        self.database.as_ref()
    }

    /// A text without the place where the home lies, for people who have no business there.
    pub fn hide_root(&self, text: &str) -> String {
        let canonical = self.root.canonicalize().unwrap_or_else(|_| self.root.clone());
        // the longer one first: it may begin with the other
        let mut roots = [canonical, self.root.clone()].map(|root| root.display().to_string());
        roots.sort_by_key(|root| std::cmp::Reverse(root.len()));
        roots.iter().filter(|root| !root.is_empty()).fold(text.to_owned(), |text, root| text.replace(root, "HOME"))
    }

    pub fn home_file(&self) -> PathBuf {
        self.root.join("home.json")
    }

    pub fn ledger(&self) -> PathBuf {
        self.root.join("ledger.db")
    }

    /// Where the ledger is kept, as the home's file says; without the file, in the database that was named, if any.
    pub fn ledger_url(&self) -> Result<LedgerUrl, Problem> {
        let file = self.read_home()?;
        let is_elsewhere = file.as_ref().is_none_or(|home| home.database.is_some());
        let database = self.database.clone().filter(|_| is_elsewhere).or_else(|| file.and_then(|home| home.database));
        Ok(database.map_or_else(|| LedgerUrl::Sqlite(self.ledger()), LedgerUrl::Postgres))
    }

    /// Signing key and last signed checkpoint: outside of the database, so that a restored old one is noticed.
    pub fn checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }

    pub fn content(&self) -> PathBuf {
        self.root.join("content")
    }

    pub fn predictions(&self) -> PathBuf {
        self.root.join("predictions")
    }

    /// Open segments of the feedback log.
    pub fn feedback(&self) -> PathBuf {
        self.root.join("feedback")
    }

    /// Open segments of the access log; made by the first server of the home.
    pub fn access(&self) -> PathBuf {
        self.root.join("access")
    }

    /// Whether something was written down of what was done in the folder around the home.
    pub fn has_operations(&self) -> Result<bool, Problem> {
        let path = self.root.join("operations");
        path.try_exists().map_err(|error| unusable(&path, &error))
    }

    /// A file for each purge that has begun and is not done, named by the content's digest in hex.
    fn purging(&self) -> PathBuf {
        self.root.join("purging")
    }

    /// Notes that content is about to be purged; the note is on disk when this returns.
    pub fn begin_purge(&self, digest: Digest) -> Result<(), Problem> {
        let folder = self.purging();
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|error| unusable(&folder, &error))?;
        write_private(&folder.join(digest.hex()), b"")
    }

    /// Takes the note away again.
    pub fn end_purge(&self, digest: Digest) -> Result<(), Problem> {
        let path = self.purging().join(digest.hex());
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unusable(&path, &error)),
            _ => Ok(()),
        }
    }

    /// The contents of which a purge was begun and not ended.
    pub fn begun_purges(&self) -> Result<Vec<Digest>, Problem> {
        let folder = self.purging();
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| unusable(&folder, &error))?,
        };
        let mut begun = Vec::new();
        for entry in entries {
            let name = entry.map_err(|error| unusable(&folder, &error))?.file_name();
            // what a dead writer left of a note is no note
            begun.extend(name.to_str().and_then(|name| format!("b3:{name}").parse::<Digest>().ok()));
        }
        Ok(begun)
    }

    /// Returns the home's file, or `None` if the folder is no home yet.
    pub fn read_home(&self) -> Result<Option<HomeFile>, Problem> {
        let path = self.home_file();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(&path, &error)),
        };
        let home: HomeFile = serde_json::from_str(&text)
            .map_err(|error| Problem::new(ErrorKind::Config, format!("`{}` is damaged: {error}", path.display())))?;
        if home.format > HOME_FORMAT {
            let message = format!("`{}` has format {}, this Stemma knows {HOME_FORMAT}", path.display(), home.format);
            return Err(Problem::new(ErrorKind::Config, message).hint("use a newer Stemma"));
        }
        Ok(Some(home))
    }

    pub fn write_home(&self, home: &HomeFile) -> Result<(), Problem> {
        let text = serde_json::to_string(home).expect("a number and an id are always JSON");
        write_private(&self.home_file(), text.as_bytes())
    }

    /// Notes that the signing key lies outside of the home from now on.
    pub fn keep_signing_key_at(&self, path: &Path) -> Result<(), Problem> {
        let home = self.read_home()?;
        let home =
            home.ok_or_else(|| Problem::new(ErrorKind::Config, format!("`{}` is no home", self.root.display())))?;
        self.write_home(&HomeFile { signing_key: Some(path.to_owned()), ..home })
    }

    /// Makes the folders that are missing, readable by their owner only.
    pub fn create_folders(&self) -> Result<(), Problem> {
        for path in [self.root.clone(), self.checkpoints(), self.content(), self.predictions(), self.feedback()] {
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
            made.map_err(|error| unusable(&path, &error))?;
        }
        // what is acknowledged in a folder is lost with its name
        let synced = fs::File::open(&self.root).and_then(|root| root.sync_all());
        synced.map_err(|error| unusable(&self.root, &error))
    }

    /// Reads the key of prediction ids, or makes it.
    pub fn prediction_key(&self) -> Result<PredictionKey, Problem> {
        let hint = "bring it back from a backup: without it no prediction of this home can be found";
        secret(&self.prediction_key_path(), hint).map(PredictionKey::from_bytes)
    }

    /// Fails if the key is gone that ids were made with: a new one in its place would make them strangers.
    pub fn require_prediction_key(&self) -> Result<(), Problem> {
        let path = self.prediction_key_path();
        if path.exists() {
            return Ok(());
        }
        Err(Problem::new(ErrorKind::Corrupt, format!("`{}` is missing", path.display())).hint(
            "bring it back from a backup; if there is none, 32 random bytes in its place let the home be opened, and no \
             earlier prediction is found by its id",
        ))
    }

    /// The newest head of each other home that this one witnesses.
    pub fn witnessed(&self) -> PathBuf {
        self.root.join("witnessed.heads")
    }

    /// The text of the file; nothing is witnessed yet where there is none.
    pub fn read_witnessed(&self) -> Result<String, Problem> {
        let path = self.witnessed();
        match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            text => text.map_err(|error| unusable(&path, &error)),
        }
    }

    pub fn write_witnessed(&self, text: &str) -> Result<(), Problem> {
        write_private(&self.witnessed(), text.as_bytes())
    }

    /// Reads the key that co-signs the heads of other homes, or makes it.
    pub fn witness_key(&self) -> Result<[u8; 32], Problem> {
        let path = self.checkpoints().join("witness.key");
        let hint = "bring it back from a backup: with another key nobody believes this witness any more";
        secret(&path, hint)
    }

    pub fn prediction_key_path(&self) -> PathBuf {
        self.root.join("prediction.key")
    }
}

/// Reads 32 secret bytes, or makes them.
fn secret(path: &Path, hint: &str) -> Result<[u8; 32], Problem> {
    match fs::read(path) {
        Ok(bytes) => bytes
            .try_into()
            .map_err(|_| Problem::new(ErrorKind::Config, format!("`{}` is damaged", path.display())).hint(hint)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut key = [0u8; 32];
            getrandom::fill(&mut key)
                .map_err(|error| Problem::new(ErrorKind::Internal, format!("no random numbers: {error}")))?;
            write_private(path, &key)?;
            Ok(key)
        }
        Err(error) => Err(unusable(path, &error)),
    }
}

/// Writes a file of mode 0600 so that it is there whole or not at all, even after power loss.
fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Problem> {
    let write = || -> io::Result<()> {
        let temporary = path.with_extension("new");
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        io::Write::write_all(&mut file, bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::File::open(folder)?.sync_all()
    };
    write().map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, error: &io::Error) -> Problem {
    let problem = Problem::new(ErrorKind::Config, format!("can't use `{}`: {error}", path.display()));
    match error.kind() {
        io::ErrorKind::StorageFull => problem.hint("the disk is full"),
        io::ErrorKind::PermissionDenied => problem.hint("it belongs to somebody else, or is read-only"),
        _ => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purges_that_were_begun_are_known_until_they_end() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        assert_eq!(layout.begun_purges().unwrap(), []);
        let digest = Digest::of(b"secret");
        layout.begin_purge(digest).unwrap();
        layout.begin_purge(digest).unwrap();
        fs::write(layout.purging().join("torn.new"), "").unwrap();
        assert_eq!(layout.begun_purges().unwrap(), [digest]);
        layout.end_purge(digest).unwrap();
        layout.end_purge(digest).unwrap();
        assert_eq!(layout.begun_purges().unwrap(), []);
    }
}
