//! What a person's machine remembers of homes: signed heads that it has seen, and which home answered at which place. It
//! lies in the person's own configuration folder, so that nobody who changes a home changes the memory with it.
//!
//! `homes/<id>` holds the heads of one home in the form of [`stemma_core::history::Heads`], few of them; `homes/at/<hash>`
//! holds the home that a place had, and the place. Each file is replaced whole, by one process at a time.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use stemma_core::{
    Digest, ErrorKind, Problem,
    history::{LineFault, SeenHead, thin},
    id::HomeId,
};

use crate::{
    file,
    heads::{self, HeadsFileError},
};

const PLACE_BYTES_MAX: u64 = 64 << 10;

/// The memory in a configuration folder. Nothing need be there yet.
#[derive(Debug, Clone)]
pub struct Memory {
    folder: PathBuf,
}

/// Why nothing can be remembered.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    #[error("`{}`: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("`{}` can be changed by other users (mode {mode:o})", .path.display())]
    Exposed { path: PathBuf, mode: u32 },
    #[error("`{}` line {}: {}", .path.display(), .fault.line, .fault.reason)]
    Line { path: PathBuf, fault: LineFault },
    #[error("`{}` does not say which home was at a place", .0.display())]
    Place(PathBuf),
    #[error(transparent)]
    Heads(#[from] HeadsFileError),
}

impl From<MemoryError> for Problem {
    fn from(error: MemoryError) -> Self {
        let problem = Self::new(ErrorKind::Config, error.to_string());
        match error {
            MemoryError::Exposed { path, .. } => problem.hint(format!("run `chmod -R go-w {}`", path.display())),
            _ => problem.hint(
                "without it, it is not noticed that a home went back; bring it back from a backup, or remove the file to \
                 begin anew",
            ),
        }
    }
}

impl Memory {
    pub fn in_config(config_dir: &Path) -> Self {
        Self { folder: config_dir.join("homes") }
    }

    /// The home that was at a place the last time.
    pub fn home_at(&self, place: &str) -> Result<Option<HomeId>, MemoryError> {
        let path = self.place_file(place);
        let Some(text) = self.read_private(&path)? else {
            return Ok(None);
        };
        let home = text.split_once(' ').filter(|(_, held)| held.trim_end_matches('\n') == place);
        match home.and_then(|(home, _)| home.parse().ok()) {
            Some(home) => Ok(Some(home)),
            None => Err(MemoryError::Place(path)),
        }
    }

    /// The heads of a home that are remembered, the smallest first.
    pub fn heads(&self, home: HomeId) -> Result<Vec<SeenHead>, MemoryError> {
        let path = self.home_file(home);
        self.check(&path)?;
        let (heads, faults) = heads::read(&path)?;
        match faults.into_iter().next() {
            Some(fault) => Err(MemoryError::Line { path, fault }),
            None => Ok(heads.of(home)),
        }
    }

    /// The largest head of a home that is remembered; no other is read.
    pub fn newest(&self, home: HomeId) -> Result<Option<SeenHead>, MemoryError> {
        let path = self.home_file(home);
        let text = self.read_private(&path)?.unwrap_or_default();
        let Some((index, line)) = text.lines().enumerate().skip(1).last() else {
            return Ok(None);
        };
        SeenHead::parse(line).map(Some).map_err(|reason| {
            let fault = LineFault { line: index + 1, reason };
            MemoryError::Line { path, fault }
        })
    }

    /// Remembers a head of which `beginning`, the newest that was remembered, is a beginning. Somebody who has remembered
    /// another since has seen more; nothing is written then.
    pub fn remember(&self, place: &str, head: &SeenHead, beginning: Option<&SeenHead>) -> Result<(), MemoryError> {
        self.make_folders()?;
        heads::update(&self.home_file(head.home), 0o600, |heads| {
            if heads.newest_of(head.home).map(|held| &held.signed) == beginning.map(|one| &one.signed) {
                let mut known = heads.of(head.home);
                known.push(head.clone());
                heads.replace(head.home, thin(known));
            }
        })?;
        self.remember_place(place, head.home)
    }

    /// Remembers a head and forgets all that was remembered of its home.
    pub fn remember_only(&self, place: &str, head: &SeenHead) -> Result<(), MemoryError> {
        self.make_folders()?;
        heads::update(&self.home_file(head.home), 0o600, |heads| heads.replace(head.home, [head.clone()]))?;
        self.remember_place(place, head.home)
    }

    fn remember_place(&self, place: &str, home: HomeId) -> Result<(), MemoryError> {
        let path = self.place_file(place);
        let text = format!("{home} {place}\n");
        if self.read_private(&path)?.as_ref() == Some(&text) {
            return Ok(());
        }
        file::replace(&path, text.as_bytes(), 0o600).map_err(|source| MemoryError::Io { path, source })
    }

    fn make_folders(&self) -> Result<(), MemoryError> {
        let folder = self.folder.join("at");
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|source| MemoryError::Io { path: folder, source })
    }

    fn read_private(&self, path: &Path) -> Result<Option<String>, MemoryError> {
        self.check(path)?;
        let most = PLACE_BYTES_MAX.max(heads::HEADS_BYTES_MAX);
        file::read(path, most).map_err(|source| MemoryError::Io { path: path.to_owned(), source })
    }

    /// Whoever can write to it can make it forget.
    fn check(&self, path: &Path) -> Result<(), MemoryError> {
        for path in [&self.folder, path] {
            let meta = match fs::metadata(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                found => found.map_err(|source| MemoryError::Io { path: path.to_owned(), source })?,
            };
            if meta.mode() & 0o022 != 0 {
                return Err(MemoryError::Exposed { path: path.to_owned(), mode: meta.mode() & 0o777 });
            }
        }
        Ok(())
    }

    fn home_file(&self, home: HomeId) -> PathBuf {
        self.folder.join(home.to_string())
    }

    fn place_file(&self, place: &str) -> PathBuf {
        self.folder.join("at").join(&Digest::of(place.as_bytes()).hex()[..32])
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use stemma_core::{
        Timestamp,
        history::{KeyPurpose, SigningKey, origin},
    };

    use super::*;

    const HOME: HomeId = HomeId::from_u128(7);

    fn head(size: u64) -> SeenHead {
        let key = SigningKey::new(&origin(HOME), KeyPurpose::Head, &[1; 32]);
        SeenHead::new(key.sign(size, [size as u8; 32]), Timestamp(size as i64)).unwrap()
    }

    fn sizes(memory: &Memory) -> Vec<u64> {
        memory.heads(HOME).unwrap().iter().map(|head| head.signed.size()).collect()
    }

    #[test]
    fn what_is_remembered_grows_only_from_what_was_compared() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::in_config(&folder.path().join("config"));
        assert_eq!((memory.home_at("here").unwrap(), memory.newest(HOME).unwrap()), (None, None));
        memory.remember("here", &head(3), None).unwrap();
        memory.remember("here", &head(5), Some(&head(3))).unwrap();
        // another command was quicker: what it has seen stays
        memory.remember("here", &head(9), Some(&head(3))).unwrap();
        memory.remember("here", &head(9), None).unwrap();
        assert_eq!((sizes(&memory), memory.newest(HOME).unwrap()), (vec![3, 5], Some(head(5))));
        assert_eq!(memory.home_at("here").unwrap(), Some(HOME));
        memory.remember_only("there", &head(2)).unwrap();
        assert_eq!((sizes(&memory), memory.home_at("there").unwrap()), (vec![2], Some(HOME)));
        for path in ["config/homes", "config/homes/at"] {
            assert_eq!(fs::metadata(folder.path().join(path)).unwrap().mode() & 0o777, 0o700);
        }
        assert_eq!(fs::metadata(memory.home_file(HOME)).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(memory.place_file("here")).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_memory_that_is_damaged_or_open_to_others_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::in_config(folder.path());
        memory.remember("here", &head(3), None).unwrap();
        let file = memory.home_file(HOME);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace(" 3 ", " 2 ")).unwrap();
        assert!(matches!(memory.heads(HOME), Err(MemoryError::Line { .. })));
        fs::write(&file, &text[..text.len() / 2]).unwrap();
        assert!(memory.heads(HOME).is_err() && memory.newest(HOME).is_err());
        fs::write(&file, &text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o620)).unwrap();
        assert!(matches!(memory.heads(HOME), Err(MemoryError::Exposed { .. })));
        fs::write(memory.place_file("here"), "x").unwrap();
        assert!(matches!(memory.home_at("here"), Err(MemoryError::Place(_))));
    }

    #[test]
    fn many_commands_remember_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::in_config(folder.path());
        std::thread::scope(|scope| {
            for n in 1..=8 {
                let memory = &memory;
                scope.spawn(move || {
                    for size in (n..200).step_by(8) {
                        let newest = memory.heads(HOME).unwrap().pop();
                        if newest.as_ref().is_none_or(|newest| newest.signed.size() < size) {
                            memory.remember("here", &head(size), newest.as_ref()).unwrap();
                        }
                    }
                });
            }
        });
        let sizes = sizes(&memory);
        assert!(sizes.is_sorted() && sizes.len() > 5, "{sizes:?}");
        assert!(fs::read_dir(&memory.folder).unwrap().count() == 2, "no temporary file is left");
    }
}
