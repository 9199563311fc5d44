//! `[remote.NAME]`: where content is pushed to and pulled from.

use serde::{Deserialize, Serialize};

/// Longest name of a remote.
pub const REMOTE_NAME_MAX: usize = 64;

/// `[remote.NAME]`. Credentials are never part of it: the file is shared.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteSettings {
    /// A folder, `s3://…`, `gs://…`, `az://…`, or a server's `http://…`.
    pub url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_http: bool,
}

/// Whether a text can name a remote, which is also the name of a folder.
pub fn is_remote_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    (1..=REMOTE_NAME_MAX).contains(&name.len()) && name.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for name in ["", "a/b", "..", "A", "a b", &"a".repeat(65)] {
            assert!(!is_remote_name(name), "{name}");
        }
        assert!(is_remote_name("origin-2_b"));
    }
}
