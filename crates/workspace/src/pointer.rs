//! Files in a folder that only say where content is.

use std::{fs::File, io::Read as _, path::Path};

use stemma_core::pointer::{POINTER_BYTES_MAX, Pointer};

/// The pointer that a file is, if it is one. One that can't be read is none: who reads the file as content says why.
pub(crate) fn at(file: &Path) -> Option<Pointer> {
    let file = File::open(file).ok()?;
    if file.metadata().ok()?.len() > POINTER_BYTES_MAX {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(POINTER_BYTES_MAX + 1).read_to_end(&mut bytes).ok()?;
    Pointer::read(&bytes)
}

/// A file of git-annex is a link to its content, which may not be here.
pub(crate) fn behind(target: &str) -> Option<Pointer> {
    target.contains(".git/annex/objects/").then_some(Pointer::Annex)
}
