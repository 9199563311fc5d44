//! The parsers that meet another repository's files.

use super::{listing, pointer};

/// Reads a `.dvc` file, and finds the place of all that it names.
pub fn dvc_pointer(text: &[u8]) {
    places(pointer::parse_pointer(text));
}

/// Reads a `dvc.lock` beside its `dvc.yaml`.
pub fn dvc_lock(lock: &[u8], pipeline: &[u8]) {
    places(pointer::parse_lock(lock, Some(pipeline)));
}

/// Reads the list of a folder's files.
pub fn dvc_listing(text: &[u8]) {
    let files = listing::parse(text, false).unwrap_or_default();
    files.iter().for_each(|file| drop(pointer::place("data", None, &file.path)));
}

fn places(outs: Result<Vec<pointer::Out>, String>) {
    for out in outs.unwrap_or_default() {
        let Ok(place) = pointer::place("data", out.wdir.as_deref(), &out.path) else { continue };
        let is_inside = place.components().all(|part| !matches!(part, "" | "." | ".."));
        assert!(is_inside && !place.as_str().starts_with('/'), "`{place}` leads out of the project");
    }
}
