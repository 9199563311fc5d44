//! The tokens a person acts with: one file in their own configuration folder, readable by nobody else.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use stemma_core::{ErrorKind, Problem};

use crate::file;

const CREDENTIALS_FILE: &str = "credentials.toml";
const CREDENTIALS_BYTES_MAX: u64 = 1 << 20;
const VERSION: u32 = 1;

/// Why the credentials can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    #[error("`{}`: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("`{}` holds tokens and other users can read or change it (mode {mode:o})", .path.display())]
    Exposed { path: PathBuf, mode: u32 },
    #[error("`{}` belongs to another user", .0.display())]
    ForeignOwner(PathBuf),
    /// The file's text is never part of the message.
    #[error("`{}` is not a credentials file of version 1", .0.display())]
    Invalid(PathBuf),
}

impl From<CredentialsError> for Problem {
    fn from(error: CredentialsError) -> Self {
        let problem = Self::new(ErrorKind::Config, error.to_string());
        match error {
            CredentialsError::Exposed { path, .. } => problem.hint(format!(
                "run `chmod 600 {}`, and replace the tokens if somebody may have read them",
                path.display()
            )),
            CredentialsError::Invalid(path) => {
                problem.hint(format!("correct or remove `{}` and log in again", path.display()))
            }
            CredentialsError::ForeignOwner(_) | CredentialsError::Io { .. } => problem,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    version: u32,
    /// Home id or server address → token.
    #[serde(default)]
    tokens: BTreeMap<String, String>,
}

/// Returns the token for a home, by its id or its server's address.
pub fn token(config_dir: &Path, home: &str) -> Result<Option<String>, CredentialsError> {
    let mut credentials = read(&config_dir.join(CREDENTIALS_FILE))?;
    Ok(credentials.tokens.remove(key(home)))
}

/// Returns all tokens, each with the home or the address that it is for.
pub fn all(config_dir: &Path) -> Result<BTreeMap<String, String>, CredentialsError> {
    Ok(read(&config_dir.join(CREDENTIALS_FILE))?.tokens)
}

/// Keeps a token for a home, in place of the one it had.
pub fn save(config_dir: &Path, home: &str, token: &str) -> Result<(), CredentialsError> {
    update(config_dir, |tokens| {
        tokens.insert(key(home).to_owned(), token.to_owned());
    })
}

/// Forgets the token for a home.
pub fn forget(config_dir: &Path, home: &str) -> Result<(), CredentialsError> {
    update(config_dir, |tokens| {
        tokens.remove(key(home));
    })
}

/// An address is the same with and without its last slash.
fn key(home: &str) -> &str {
    home.trim_end_matches('/')
}

fn read(path: &Path) -> Result<Credentials, CredentialsError> {
    let io_error = |source| CredentialsError::Io { path: path.to_owned(), source };
    let empty = Credentials { version: VERSION, tokens: BTreeMap::new() };
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(empty),
        found => check_private(path, &found.map_err(io_error)?)?,
    }
    let text = file::read(path, CREDENTIALS_BYTES_MAX).map_err(io_error)?;
    let Some(text) = text else { return Ok(empty) };
    match toml::from_str::<Credentials>(&text) {
        Ok(credentials) if credentials.version == VERSION => Ok(credentials),
        _ => Err(CredentialsError::Invalid(path.to_owned())),
    }
}

fn check_private(path: &Path, meta: &fs::Metadata) -> Result<(), CredentialsError> {
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(CredentialsError::ForeignOwner(path.to_owned()));
    }
    let mode = meta.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(CredentialsError::Exposed { path: path.to_owned(), mode });
    }
    Ok(())
}

fn update(config_dir: &Path, change: impl FnOnce(&mut BTreeMap<String, String>)) -> Result<(), CredentialsError> {
    let io_error = |source| CredentialsError::Io { path: config_dir.to_owned(), source };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(config_dir).map_err(io_error)?;
    let turn = File::open(config_dir).map_err(io_error)?;
    rustix::fs::flock(&turn, rustix::fs::FlockOperation::LockExclusive).map_err(|errno| io_error(errno.into()))?;
    let path = config_dir.join(CREDENTIALS_FILE);
    let mut credentials = read(&path)?;
    change(&mut credentials.tokens);
    let text = toml::to_string(&credentials).expect("a map of texts is always TOML");
    file::replace(&path, text.as_bytes(), 0o600).map_err(io_error)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const SERVER: &str = "https://stemma.example.org";

    #[test]
    fn tokens_are_kept_replaced_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("config/stemma");
        assert_eq!(token(&dir, SERVER).unwrap(), None);
        save(&dir, &format!("{SERVER}/"), "one").unwrap();
        save(&dir, "0123", "other").unwrap();
        save(&dir, SERVER, "two").unwrap();
        assert_eq!(token(&dir, SERVER).unwrap().as_deref(), Some("two"));
        assert_eq!(
            all(&dir).unwrap(),
            BTreeMap::from([(SERVER.into(), "two".into()), ("0123".into(), "other".into())])
        );
        forget(&dir, SERVER).unwrap();
        assert_eq!(token(&dir, SERVER).unwrap(), None);
        assert_eq!(token(&dir, "0123").unwrap().as_deref(), Some("other"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&dir), 0o700);
        assert_eq!(mode(&dir.join(CREDENTIALS_FILE)), 0o600);
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_a_hint() {
        let folder = tempfile::tempdir().unwrap();
        save(folder.path(), SERVER, "secret").unwrap();
        let path = folder.path().join(CREDENTIALS_FILE);
        for mode in [0o640, 0o604, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = token(folder.path(), SERVER).unwrap_err();
            assert!(matches!(error, CredentialsError::Exposed { .. }));
            assert!(save(folder.path(), SERVER, "new").is_err());
            assert!(Problem::from(error).hint.unwrap().contains("chmod 600"));
        }
    }

    #[test]
    fn a_broken_file_is_refused_without_showing_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(CREDENTIALS_FILE);
        for text in ["s3cret", "version = 2", "version = 1\ns3cret = 1"] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let problem = Problem::from(token(folder.path(), SERVER).unwrap_err());
            assert!(!format!("{problem:?}").contains("s3cret"));
        }
    }
}
