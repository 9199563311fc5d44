//! `.dir` objects: the files of a folder, as one JSON list.

use std::collections::HashSet;

use serde::Deserialize;

use super::pointer::{ListedFile, abridged, object};

/// Longest listing: some two million files.
pub const LISTING_BYTES_MAX: u64 = 256 << 20;

#[derive(Deserialize)]
struct Entry {
    md5: Option<String>,
    relpath: String,
    #[serde(default)]
    isexec: Option<bool>,
}

/// Reads a listing whose own hash was checked. What its paths are worth is not looked at here.
pub fn parse(bytes: &[u8], legacy: bool) -> Result<Vec<ListedFile>, String> {
    let entries: Vec<Entry> =
        serde_json::from_slice(bytes).map_err(|error| format!("its listing is malformed: {error}"))?;
    let mut seen = HashSet::with_capacity(entries.len());
    if let Some(twice) = entries.iter().find(|entry| !seen.insert(entry.relpath.as_str())) {
        return Err(format!("it lists `{}` twice", abridged(&twice.relpath)));
    }
    let listed = entries.into_iter().map(|entry| ListedFile {
        id: object(entry.md5.as_deref().unwrap_or_default(), legacy),
        path: entry.relpath,
        executable: entry.isexec.unwrap_or(false),
    });
    Ok(listed.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_as_dvc_writes_it_is_read() {
        let text = br#"[{"md5": "b1946ac92492d2347c6235b4d2611184", "relpath": "a.txt"}, {"md5": "88df14e6957d2adb8ae54d0269f546ab", "relpath": "\u00e9.txt"}, {"isexec": true, "md5": "88df14e6957d2adb8ae54d0269f546ab", "relpath": "a b\ud83d\ude00", "size": 3}]"#;
        let files = parse(text, false).unwrap();
        let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["a.txt", "é.txt", "a b😀"]);
        assert_eq!(files[0].id.as_ref().unwrap().hex(), "b1946ac92492d2347c6235b4d2611184");
        assert!(files[2].executable);
        assert!(parse(b"[]", false).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_listing_is_refused() {
        let cases: [(&[u8], &str); 5] = [
            (b"{}", "malformed"),
            (br#"[{"md5": "00"}]"#, "malformed"),
            (br#"[{"relpath": "a", "relpath": "b", "md5": "0"}]"#, "malformed"),
            (br#"[{"relpath": "a", "md5": "0"}, {"relpath": "a", "md5": "1"}]"#, "twice"),
            (&[b'['; 200_000], "malformed"),
        ];
        for (text, expected) in cases {
            assert!(parse(text, false).unwrap_err().contains(expected));
        }
        let files = parse(br#"[{"relpath": "a", "md5": "../../etc"}, {"relpath": "b"}]"#, false).unwrap();
        assert!(files.iter().all(|file| file.id.is_err()));
    }
}
