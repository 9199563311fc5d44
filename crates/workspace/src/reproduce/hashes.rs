//! Hashes of packages, read off the lock files that a run had: an index that sends something else is refused.

use std::collections::BTreeMap;

use super::compare::normalised;

/// Longest lock file that is read.
pub(super) const LOCK_BYTES_MAX: u64 = 16 << 20;
const HASH: &str = "--hash=sha256:";

/// Allowed SHA-256 digests (hexadecimal) by name and version.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Hashes(BTreeMap<(String, String), Vec<String>>);

impl Hashes {
    /// Adds what a lock file in the format of `requirements.txt` says; others say nothing here.
    pub fn add(&mut self, text: &str) {
        let text = text.replace("\\\r\n", " ").replace("\\\n", " ");
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', '-'])) {
            let mut words = line.split_whitespace();
            let Some((name, version)) = words.next().and_then(|word| word.split_once("==")) else { continue };
            let name = name.split('[').next().unwrap_or(name);
            let hashes: Vec<String> = words.filter_map(|word| word.strip_prefix(HASH)).filter_map(hex).collect();
            if !hashes.is_empty() {
                self.0.entry((normalised(name), version.to_owned())).or_default().extend(hashes);
            }
        }
    }

    /// What to write behind a pinned package; empty if nothing is known of it.
    pub fn options(&self, name: &str, version: &str) -> String {
        let known = self.0.get(&(normalised(name), version.to_owned()));
        known.into_iter().flatten().map(|hash| format!(" {HASH}{hash}")).collect()
    }
}

fn hex(text: &str) -> Option<String> {
    (text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_stand_behind_their_package_on_one_line_or_several() {
        let (a, b) = ("a".repeat(64), "B".repeat(64));
        let mut hashes = Hashes::default();
        hashes.add(&format!(
            "# by pip-compile\n--index-url https://x\nNumPy==2.0.0 \\\n    --hash=sha256:{a} \\\n    --hash=sha256:{b}\n    # via pandas\n\
             extra[all]==1 --hash=sha256:{a}\nbad==1 --hash=sha256:zz\nfree>=1\nplain==3\n"
        ));
        let lower = "b".repeat(64);
        assert_eq!(hashes.options("numpy", "2.0.0"), format!(" --hash=sha256:{a} --hash=sha256:{lower}"));
        assert_eq!(hashes.options("extra", "1"), format!(" --hash=sha256:{a}"));
        for (name, version) in [("numpy", "2.0.1"), ("bad", "1"), ("free", "1"), ("plain", "3")] {
            assert_eq!(hashes.options(name, version), "", "{name}");
        }
    }
}
