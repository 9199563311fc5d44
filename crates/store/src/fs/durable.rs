//! Changes of a folder that survive a power loss.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use crate::error::{IoContext as _, Result};

/// Puts bytes in place of a file, whole or not at all, by way of a file beside it that is the caller's alone.
pub(crate) fn replace(path: &Path, temporary: &Path, bytes: &[u8]) -> Result<()> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(temporary).at(temporary)?;
    file.write_all(bytes).at(temporary)?;
    file.sync_all().at(temporary)?;
    fs::rename(temporary, path).at(path)?;
    sync_dir(path.parent().unwrap_or(path))
}

/// Makes names in a directory survive a power loss.
pub(crate) fn sync_dir(dir: &Path) -> Result<()> {
    let is_here = dir.as_os_str().is_empty();
    File::open(if is_here { Path::new(".") } else { dir }).and_then(|dir| dir.sync_all()).at(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_over_what_an_earlier_attempt_left() {
        let folder = tempfile::tempdir().unwrap();
        let (path, temporary) = (folder.path().join("file"), folder.path().join("file.tmp"));
        for bytes in [b"first, and longer".as_slice(), b"second", b""] {
            fs::write(&temporary, b"what an earlier attempt left, which is longer still").unwrap();
            replace(&path, &temporary, bytes).unwrap();
            assert_eq!(fs::read(&path).unwrap(), bytes);
            assert!(!temporary.exists());
        }
        fs::create_dir(folder.path().join("taken")).unwrap();
        assert!(replace(&folder.path().join("taken"), &temporary, b"third").is_err());
        assert_eq!(fs::read(&path).unwrap(), b"");
    }
}
