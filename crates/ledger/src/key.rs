//! The file with the key that signs heads: in the home, or wherever the owner says. Nobody else may be able to read it,
//! and what is signed with is the file that was looked at.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use crate::LedgerError;

/// Where the key lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFile {
    path: PathBuf,
    /// Outside of the home nobody else has looked at whose the folder is.
    is_outside: bool,
}

impl KeyFile {
    /// The key's place in a home that names no other.
    pub fn inside(checkpoints: &Path) -> Self {
        Self { path: checkpoints.join("signing.key"), is_outside: false }
    }

    pub const fn outside(path: PathBuf) -> Self {
        Self { path, is_outside: true }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the key lies that follows, until the ledger says that it does.
    pub fn next(&self) -> Self {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".next");
        Self { path: self.path.with_file_name(name), is_outside: self.is_outside }
    }

    /// Returns the secret, or `None` if there is no such file.
    pub fn read(&self) -> Result<Option<[u8; 32]>, LedgerError> {
        let no_follow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        let file = match File::options().read(true).custom_flags(no_follow).open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
                return Err(self.unsafe_because("it is a link; name the file itself"));
            }
            opened => opened.map_err(|error| self.unusable(error))?,
        };
        self.check_private(&file)?;
        let mut bytes = Vec::new();
        file.take(33).read_to_end(&mut bytes).map_err(|error| self.unusable(error))?;
        let secret = bytes.try_into().map_err(|_| self.unusable(io::Error::other("it is not a key of 32 bytes")))?;
        Ok(Some(secret))
    }

    /// Writes a secret so that it is there whole or not at all.
    pub fn write(&self, secret: &[u8; 32]) -> Result<(), LedgerError> {
        if self.is_outside {
            self.check_folder()?;
        }
        write_private(&self.path, secret).map_err(|error| self.unusable(error))
    }

    /// Takes the place of another key's file.
    pub fn replace(&self, other: &Self) -> Result<(), LedgerError> {
        let replaced = fs::rename(&self.path, &other.path).and_then(|()| sync_folder(&other.path));
        replaced.map_err(|error| self.unusable(error))
    }

    pub fn remove(&self) -> Result<(), LedgerError> {
        let removed = fs::remove_file(&self.path).and_then(|()| sync_folder(&self.path));
        removed.map_err(|error| self.unusable(error))
    }

    fn check_private(&self, file: &File) -> Result<(), LedgerError> {
        let meta = file.metadata().map_err(|error| self.unusable(error))?;
        if !meta.is_file() {
            return Err(self.unsafe_because("it is not a regular file"));
        }
        if meta.mode() & 0o077 != 0 {
            let mode = meta.mode() & 0o777;
            return Err(
                self.unsafe_because(&format!("other users can read or change it (mode {mode:o}); `chmod 600` it"))
            );
        }
        if self.is_outside {
            if meta.uid() != rustix::process::geteuid().as_raw() {
                return Err(self.unsafe_because("it belongs to another user than the one who runs this"));
            }
            self.check_folder()?;
        }
        Ok(())
    }

    /// Whoever can write to the folder can put another key there.
    fn check_folder(&self) -> Result<(), LedgerError> {
        let folder = folder_of(&self.path);
        let meta = fs::metadata(folder).map_err(|error| self.unusable(error))?;
        let (user, is_shared) = (rustix::process::geteuid().as_raw(), meta.mode() & 0o022 != 0);
        if is_shared || (meta.uid() != user && meta.uid() != 0) {
            let folder = folder.display();
            return Err(self.unsafe_because(&format!("other users can put another key into its folder `{folder}`")));
        }
        Ok(())
    }

    fn unusable(&self, source: io::Error) -> LedgerError {
        LedgerError::file(&self.path, source)
    }

    fn unsafe_because(&self, why: &str) -> LedgerError {
        LedgerError::Key(format!("`{}` can't be signed with: {why}", self.path.display()))
    }
}

/// Writes a file of mode 0600 so that it is there whole or not at all, even after power loss.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    sync_folder(path)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_key_that_others_could_read_or_exchange_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("stemma.key"), folder.path().join("link.key"));
        let key = KeyFile::outside(path.clone());
        assert_eq!(key.read().unwrap(), None);
        key.write(&[7; 32]).unwrap();
        assert_eq!(key.read().unwrap(), Some([7; 32]));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);

        let refused = |key: &KeyFile, word: &str| match key.read() {
            Err(error @ LedgerError::Key(_)) => assert!(error.to_string().contains(word), "{error}"),
            other => panic!("{other:?}"),
        };
        for mode in [0o640, 0o604, 0o620, 0o602, 0o610] {
            set_mode(&path, mode);
            refused(&key, "chmod 600");
        }
        set_mode(&path, 0o400);
        assert!(key.read().is_ok());
        symlink(&path, &link).unwrap();
        refused(&KeyFile::outside(link.clone()), "link");
        for mode in [0o770, 0o707, 0o1777] {
            set_mode(folder.path(), mode);
            refused(&key, "another key into its folder");
            assert!(key.write(&[8; 32]).is_err());
        }
        set_mode(folder.path(), 0o700);
        refused(&KeyFile::outside(folder.path().to_owned()), "regular");
        fs::remove_file(&path).unwrap();
        fs::write(&path, "short").unwrap();
        set_mode(&path, 0o600);
        assert!(matches!(key.read(), Err(LedgerError::File { .. })));
    }
}
