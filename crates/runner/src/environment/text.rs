use std::{fs::File, io::Read as _, path::Path};

/// Reads a small text file up to a bound.
pub(super) fn read_text(path: &Path, bytes_max: u64) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(bytes_max).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
