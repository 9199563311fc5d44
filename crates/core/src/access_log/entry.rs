//! One entry, as it is kept: a line of JSON.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    id::TokenId,
    name::{EndpointName, PrincipalName, ProjectName},
    record::Auth,
    redact::redact_text,
    rights::Action,
    visible::visible,
};

/// The version that is written.
pub const ACCESS_VERSION: u32 = 1;
/// Longest address of a thing that is kept; the rest is cut off.
pub const ADDRESS_BYTES_MAX: usize = 256;
/// No entry is longer as it is kept: names have 255 bytes at most, each of which JSON may write as two.
pub const ENTRY_BYTES_MAX: usize = 3072;

/// What stands in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum AccessEntry {
    /// Somebody asked for something.
    Access(Access),
    /// So many did, and it was not written one by one.
    Unwritten(Unwritten),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Access {
    pub time: Timestamp,
    /// Who the caller is, or says they are; whose token was shown, where `auth` is absent; absent if nobody is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<PrincipalName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// The token that was shown, by its id, if it is one of this home.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenId>,
    /// Where it came from, as far as the server believes it; of the sixth version the network.
    pub from: String,
    /// Method and pattern, as in `GET /api/v1/projects/{project}/content/{digest}`; of the data plane the method alone.
    pub act: String,
    /// The right that it takes.
    pub action: Action,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<EndpointName>,
    /// The path that was asked for, as [`written_address`] writes it.
    pub thing: String,
    pub outcome: AccessOutcome,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccessOutcome {
    Allowed,
    /// Nothing proved who it is.
    Unauthenticated,
    /// It is known who it is, and they may not; or the request came a way that is closed.
    Forbidden,
}

impl AccessOutcome {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
        }
    }

    pub const fn is_refused(self) -> bool {
        !matches!(self, Self::Allowed)
    }
}

/// What is known only as a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unwritten {
    /// The beginning of the minute in which it was; of what a disk did not take, when that was noticed.
    pub time: Timestamp,
    pub count: u64,
    pub why: WhyUnwritten,
    /// Of whom, if it is of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<PrincipalName>,
    /// From where, if it is of one address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Whether all of it was refused, or none; absent where both may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<bool>,
}

/// Why it was not written one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhyUnwritten {
    /// One caller or address had its part of the minute.
    Rate,
    /// All that showed no credential together had theirs.
    Crowd,
    /// More came at once than waits for the disk.
    Queue,
    /// The disk did not take it. Some of it may have come there all the same.
    Disk,
}

impl WhyUnwritten {
    /// As people read it.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Rate => "more than is written of one in a minute",
            Self::Crowd => "more than is written of callers without a credential in a minute",
            Self::Queue => "more at once than waits for the disk",
            Self::Disk => "the disk did not take it",
        }
    }
}

/// An entry with the version of its form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredAccess {
    pub v: u32,
    #[serde(flatten)]
    pub entry: AccessEntry,
}

/// Why an entry can't be read.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    #[error("an entry of the access log can't be read: {0}")]
    Damaged(#[from] serde_json::Error),
    #[error("an entry of the access log is of version {0}, of a newer Stemma")]
    Newer(u32),
}

impl AccessEntry {
    pub const fn time(&self) -> Timestamp {
        match self {
            Self::Access(access) => access.time,
            Self::Unwritten(unwritten) => unwritten.time,
        }
    }

    /// How many are known of it only as a number.
    pub const fn not_written(&self) -> u64 {
        match self {
            Self::Access(_) => 0,
            Self::Unwritten(unwritten) => unwritten.count,
        }
    }

    /// The line that is kept, without its end.
    pub fn write(&self) -> Vec<u8> {
        let stored = StoredAccess { v: ACCESS_VERSION, entry: self.clone() };
        serde_json::to_vec(&stored).expect("texts, numbers and names are always JSON")
    }

    /// Reads a line back.
    pub fn read(line: &[u8]) -> Result<Self, AccessError> {
        let StoredAccess { v, entry } = serde_json::from_slice(line)?;
        if v > ACCESS_VERSION { Err(AccessError::Newer(v)) } else { Ok(entry) }
    }
}

/// A path as it is kept: without secrets, with hidden letters written out, and no longer than [`ADDRESS_BYTES_MAX`].
///
/// `decoded` is the path with its percent signs resolved, so that no spelling hides a secret.
pub fn written_address(decoded: &str) -> String {
    // a bound before the search for secrets: what is behind it can't be kept anyway. What it cuts in two is no whole
    // secret, and what is left of one at the end is taken away with its part of the path
    let (beginning, is_cut) = beginning(decoded, 4 * ADDRESS_BYTES_MAX);
    let whole_parts = if is_cut { beginning.rsplit_once('/').map_or("", |(parts, _)| parts) } else { beginning };
    let parts = whole_parts.split('/').map(without_secrets);
    let redacted = parts.collect::<Vec<_>>().join("/");
    let shown = visible(&redacted).replace(['\n', '\t'], " ");
    let (shown, is_cut_again) = self::beginning(&shown, ADDRESS_BYTES_MAX - "…".len());
    match is_cut || is_cut_again {
        true => format!("{shown}…"),
        false => shown.to_owned(),
    }
}

/// How tokens of homes begin, and the least that such a beginning is followed by.
const TOKEN_BEGINS: &str = "stm_";
const TOKEN_BYTES_MIN: usize = 16;

/// A part of a path without secrets; a token that is glued to other letters is no word of its own, and a secret all the same.
fn without_secrets(part: &str) -> String {
    let text = redact_text(part).text;
    match text.split_once(TOKEN_BEGINS) {
        Some((before, rest)) if rest.len() >= TOKEN_BYTES_MIN => format!("{before}{TOKEN_BEGINS}…"),
        _ => text,
    }
}

/// The first letters that fit, and whether others are left.
fn beginning(text: &str, bytes: usize) -> (&str, bool) {
    let end = text.floor_char_boundary(bytes);
    (&text[..end], end < text.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn longest() -> Access {
        let name = "\\".repeat(255);
        Access {
            time: Timestamp(i64::MAX / 2),
            by: Some(PrincipalName::new("\"".repeat(255)).or_else(|_| PrincipalName::new("n".repeat(255))).unwrap()),
            auth: Some(Auth::Authenticated),
            token: Some(TokenId::generate()),
            from: "ffff:ffff:ffff:ffff::/64".into(),
            act: "DELETE /api/v1/projects/{project}/models/{model}/versions/{version}/gates/{gate}/evaluations".into(),
            action: Action::ReadPredictions,
            project: ProjectName::new(name.clone()).or_else(|_| ProjectName::new("p".repeat(255))).ok(),
            endpoint: EndpointName::new(name).or_else(|_| EndpointName::new("e".repeat(255))).ok(),
            thing: "\\".repeat(ADDRESS_BYTES_MAX),
            outcome: AccessOutcome::Unauthenticated,
        }
    }

    #[test]
    fn the_longest_entry_fits() {
        let line = AccessEntry::Access(longest()).write();
        assert!(line.len() <= ENTRY_BYTES_MAX, "{}", line.len());
    }

    #[test]
    fn entries_stay_as_they_were_written() {
        let lines = [
            concat!(
                r#"{"v":1,"entry":"access","time":1700000000000000,"by":"eve@example.org","auth":"authenticated","#,
                r#""token":"00000000000000000000000000000002","from":"203.0.113.9","#,
                r#""act":"GET /api/v1/projects/{project}/content/{digest}","action":"read","project":"credit","#,
                r#""thing":"/api/v1/projects/credit/content/b3:00","outcome":"forbidden"}"#
            ),
            concat!(
                r#"{"v":1,"entry":"unwritten","time":1700000040000000,"count":7,"why":"rate","#,
                r#""from":"203.0.113.9","refused":true}"#
            ),
            r#"{"v":1,"entry":"unwritten","time":1700000040000000,"count":2,"why":"disk"}"#,
        ];
        for line in lines {
            let entry = AccessEntry::read(line.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(entry.write()).unwrap(), line);
        }
        assert!(matches!(
            AccessEntry::read(lines[2].replace("\"v\":1", "\"v\":2").as_bytes()),
            Err(AccessError::Newer(2))
        ));
        assert!(matches!(AccessEntry::read(b"{}"), Err(AccessError::Damaged(_))));
    }

    #[test]
    fn t21_no_secret_that_is_typed_into_an_address_is_kept() {
        let token = format!("stm_{}", "a7".repeat(26));
        let long = format!("/{}/{token}", "x".repeat(4 * ADDRESS_BYTES_MAX - 10));
        for path in [
            format!("/api/v1/projects/{token}/content"),
            format!("/v2/models/{token}/infer"),
            format!("/{token}"),
            format!("/x{token}y"),
            format!("/projects/token={token}"),
            long,
        ] {
            let kept = written_address(&path);
            assert!(!kept.contains("a7a7a7a7"), "{path} is kept as {kept}");
        }
        assert_eq!(written_address("/api/v1/projects/default/runs"), "/api/v1/projects/default/runs");
        assert_eq!(written_address("/a\u{202e}b\n"), "/a\\u{202e}b ");
    }

    proptest! {
        #[test]
        fn whatever_is_asked_for_an_address_is_short_and_shown(path in "\\PC{0,900}|[\\x00-\\x7f\u{202e}\u{200b}/]{0,900}") {
            let kept = written_address(&path);
            prop_assert!(kept.len() <= ADDRESS_BYTES_MAX);
            prop_assert!(!kept.contains(crate::visible::is_to_be_marked) && !kept.contains(['\n', '\t']));
            let entry = AccessEntry::Access(Access { thing: kept, ..longest() });
            let line = entry.write();
            prop_assert!(line.len() <= ENTRY_BYTES_MAX);
            prop_assert_eq!(AccessEntry::read(&line).unwrap(), entry);
        }
    }
}
