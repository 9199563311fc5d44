//! A file that a command was asked to write.

use std::{io::Write as _, path::Path};

use stemma_core::{ErrorKind, Problem};

use crate::session::{cannot_write, new_file};

/// Puts bytes into their place once they are whole; over a file that is there only by force.
pub fn put_file(path: &Path, bytes: &[u8], force: bool) -> Result<(), Problem> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = new_file(folder)?;
    file.write_all(bytes).map_err(|error| cannot_write(path, &error))?;
    file.as_file().sync_all().map_err(|error| cannot_write(path, &error))?;
    let put = if force { file.persist(path) } else { file.persist_noclobber(path) };
    match put {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Problem::new(ErrorKind::Conflict, format!("`{}` is there already", path.display()))
                .hint("name another file, or overwrite it with `--force`"))
        }
        Err(error) => Err(cannot_write(path, &error.error)),
    }
}
