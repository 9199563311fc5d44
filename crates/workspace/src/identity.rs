//! Which folder this is: paths of runs and datasets mean the same only within one.

use std::{fs, io, path::Path};

use stemma_core::{Digest, id::WorkspaceId};

use crate::{Workspace, WorkspaceError, file, run::shown_path, workspace::make_home};

/// Random, made once per home folder; a fresh clone has another.
const MARK_FILE: &str = "workspace";
const MARK_BYTES_MAX: u64 = 256;

impl Workspace {
    /// Tells this folder from others, also from one that was copied or shares its home: the mark in `.stemma` and the
    /// path, hashed, so that neither is told.
    pub fn id(&self) -> Result<WorkspaceId, WorkspaceError> {
        let home = self.home_dir();
        make_home(&home)?;
        let path = home.join(MARK_FILE);
        let io_error = |error| WorkspaceError::io(&path, error);
        let mark = match file::read(&path, MARK_BYTES_MAX).map_err(io_error)? {
            Some(mark) => mark,
            None => {
                let made = WorkspaceId::generate().to_string();
                // another command may have been first: then its mark counts
                let created = file::create_private(&path);
                match created.and_then(|mut file| io::Write::write_all(&mut file, made.as_bytes())) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    written => written.map_err(io_error)?,
                }
                file::read(&path, MARK_BYTES_MAX).map_err(io_error)?.unwrap_or(made)
            }
        };
        let hash = Digest::of(format!("{}\n{}", mark.trim(), self.root().display()).as_bytes());
        let mut first = [0; 16];
        first.copy_from_slice(&hash.as_bytes()[..16]);
        Ok(WorkspaceId::from_u128(u128::from_be_bytes(first)))
    }

    /// A file as runs of this workspace call it: from the root on, or absolute if it lies outside.
    pub fn shown_path(&self, path: &Path) -> Result<String, WorkspaceError> {
        let found = fs::canonicalize(path).map_err(|error| WorkspaceError::io(path, error))?;
        Ok(shown_path(self.root(), &found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_its_id_and_shares_it_with_none() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        let open = |root: &std::path::Path| {
            fs::create_dir_all(root.join(".stemma")).unwrap();
            fs::set_permissions(root.join(".stemma"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
            fs::write(root.join("stemma.toml"), "").unwrap();
            Workspace::open(root).unwrap()
        };
        let first = open(&one).id().unwrap();
        assert_eq!(open(&one).id().unwrap(), first);
        // a copy has the same mark
        open(&other);
        fs::copy(one.join(".stemma/workspace"), other.join(".stemma/workspace")).unwrap();
        assert_ne!(open(&other).id().unwrap(), first);
    }
}
