//! Data that is kept elsewhere: which snapshot of what, so exactly that it can't move. We never fetch or hash it.

use std::{collections::BTreeSet, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Problem;

const URI_BYTES_MAX: usize = 2048;
const VERSION_BYTES_MAX: usize = 1024;

/// What every mention of external data says.
pub const NOT_HASHED: &str = "not hashed by us";

/// Which system keeps the data, and so what its versions look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExternalKind {
    Delta,
    Iceberg,
    S3,
    Kafka,
    Lakefs,
    Git,
}

impl ExternalKind {
    pub const ALL: [Self; 6] = [Self::Delta, Self::Iceberg, Self::S3, Self::Kafka, Self::Lakefs, Self::Git];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delta => "delta",
            Self::Iceberg => "iceberg",
            Self::S3 => "s3",
            Self::Kafka => "kafka",
            Self::Lakefs => "lakefs",
            Self::Git => "git",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The kind that a URI shows by itself.
    pub fn of_uri(uri: &str) -> Option<Self> {
        let (scheme, rest) = uri.split_once("://")?;
        match scheme {
            "kafka" => Some(Self::Kafka),
            "lakefs" => Some(Self::Lakefs),
            "git" | "ssh" => Some(Self::Git),
            "s3" => Some(Self::S3),
            _ if rest.ends_with(".git") => Some(Self::Git),
            _ => None,
        }
    }

    /// What a version must look like, for people.
    const fn expected(self) -> &'static str {
        match self {
            Self::Delta => "the table's version, a number as in `17`",
            Self::Iceberg => "the snapshot's id, a number as in `3051729675574597004`",
            Self::S3 => "the object's version id; `null` is overwritten by the next write, so turn versioning on first",
            Self::Kafka => "offsets by partition, the end not included, as in `0:100..200,1:50..80`",
            Self::Lakefs => "the whole id of a commit; branches and tags move",
            Self::Git => "the whole id of a commit, 40 or 64 hex digits; branches and tags move",
        }
    }

    fn is_version(self, text: &str) -> bool {
        match self {
            Self::Delta => is_number(text),
            Self::Iceberg => is_number(text) && text.parse::<i64>().is_ok_and(|id| id > 0),
            Self::S3 => text != "null" && text.bytes().all(|byte| byte.is_ascii_graphic()),
            Self::Kafka => are_offsets(text),
            Self::Lakefs => text.len() == 64 && is_hex(text),
            Self::Git => matches!(text.len(), 40 | 64) && is_hex(text),
        }
    }

    /// What a URI must look like, for people; none if any is good.
    const fn place(self) -> &'static str {
        match self {
            Self::Delta | Self::Iceberg => "where the table lies, as in `s3://lake/orders`",
            Self::S3 => "`s3://bucket/key`",
            Self::Kafka => "`kafka://host:9092/topic`",
            Self::Lakefs => "`lakefs://repository` or `lakefs://repository/path`",
            Self::Git => "the repository, as in `https://example.org/data.git`",
        }
    }

    fn is_place(self, scheme: &str, rest: &str) -> bool {
        let has_two_parts =
            || rest.split_once('/').is_some_and(|(first, second)| !first.is_empty() && !second.is_empty());
        match self {
            Self::Delta | Self::Iceberg => !matches!(scheme, "kafka" | "lakefs" | "git" | "ssh"),
            Self::S3 => scheme == "s3" && has_two_parts(),
            Self::Kafka => scheme == "kafka" && has_two_parts() && rest.matches('/').count() == 1,
            Self::Lakefs => scheme == "lakefs" && !rest.starts_with('/'),
            Self::Git => matches!(scheme, "https" | "http" | "ssh" | "git" | "file"),
        }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<i64>().is_ok()
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether a text is `partition:start..end`, once for each of different partitions.
fn are_offsets(text: &str) -> bool {
    let mut seen = BTreeSet::new();
    text.split(',').all(|part| {
        let Some((partition, offsets)) = part.split_once(':') else { return false };
        let Some((start, end)) = offsets.split_once("..") else { return false };
        let is_range = match (start.parse::<i64>(), end.parse::<i64>()) {
            (Ok(first), Ok(behind)) => is_number(start) && is_number(end) && first < behind,
            _ => false,
        };
        is_number(partition) && is_range && seen.insert(partition.parse::<i32>().ok())
    })
}

/// A version of data by reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct External {
    pub kind: ExternalKind,
    pub uri: String,
    pub version: String,
}

impl External {
    /// Checks that the reference names one immutable version, and holds no secret.
    pub fn check(&self) -> Result<(), Problem> {
        let Self { kind, uri, version } = self;
        let bad_uri = || {
            Problem::invalid(format!("`{uri}` can't be the URI of {} data", kind.as_str()))
                .hint(format!("expected {}", kind.place()))
        };
        let (scheme, rest) = uri.split_once("://").ok_or_else(bad_uri)?;
        let is_scheme =
            scheme.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte));
        let is_plain = uri.len() <= URI_BYTES_MAX && !uri.chars().any(|c| c.is_control() || c.is_whitespace());
        if rest.is_empty() || scheme.is_empty() || !is_scheme || !is_plain || !kind.is_place(scheme, rest) {
            return Err(bad_uri());
        }
        let authority = rest.split('/').next().unwrap_or_default();
        if authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':')) || rest.contains('?') {
            return Err(Problem::invalid("the URI holds a password, or a query that may be one")
                .hint("leave it out: whoever fetches the data has credentials of their own"));
        }
        if version.is_empty() || version.len() > VERSION_BYTES_MAX || !kind.is_version(version) {
            return Err(Problem::invalid(format!("`{version}` is not a version of {} data", kind.as_str()))
                .hint(format!("expected {}", kind.expected())));
        }
        Ok(())
    }
}

impl fmt::Display for External {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} version {}, {NOT_HASHED}", self.kind.as_str(), self.uri, self.version)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_good(kind: ExternalKind, uri: &str, version: &str) -> bool {
        External { kind, uri: uri.to_owned(), version: version.to_owned() }.check().is_ok()
    }

    #[test]
    fn each_kind_has_its_own_versions() {
        use ExternalKind::{Delta, Git, Iceberg, Kafka, Lakefs, S3};
        let (sha1, sha256) = ("0123456789abcdef0123456789abcdef01234567", "ab".repeat(32));
        for (kind, uri, version, good) in [
            (Delta, "s3://lake/orders", "17", true),
            (Delta, "abfss://c@account.dfs.core.windows.net/t", "0", true),
            (Delta, "s3://lake/orders", "latest", false),
            (Delta, "s3://lake/orders", "-1", false),
            (Delta, "kafka://host/t", "1", false),
            (Delta, "/data/orders", "1", false),
            (Iceberg, "s3://lake/orders", "3051729675574597004", true),
            (Iceberg, "s3://lake/orders", "0", false),
            (Iceberg, "s3://lake/orders", "99999999999999999999", false),
            (S3, "s3://bucket/a/b.csv", "L4kqtJlcpXroDTDmpUMLUo", true),
            (S3, "s3://bucket", "x", false),
            (S3, "s3://bucket/key", "null", false),
            (S3, "s3://bucket/key", "a b", false),
            (S3, "https://bucket/key", "x", false),
            (Kafka, "kafka://broker:9092/events", "0:100..200,1:50..80", true),
            (Kafka, "kafka://broker:9092/events", "0:100..100", false),
            (Kafka, "kafka://broker:9092/events", "0:1..2,0:3..4", false),
            (Kafka, "kafka://broker:9092/events", "0:5", false),
            (Kafka, "kafka://broker:9092", "0:1..2", false),
            (Lakefs, "lakefs://repo/path", &sha256, true),
            (Lakefs, "lakefs://repo", "main", false),
            (Lakefs, "s3://repo", &sha256, false),
            (Git, "https://example.org/data.git", sha1, true),
            (Git, "ssh://git@example.org/data", &sha256, true),
            (Git, "https://example.org/data.git", "v1.0", false),
            (Git, "https://example.org/data.git", "0123456", false),
            (Git, "https://ada:word@example.org/data.git", sha1, false),
            (Delta, "https://host/t?sig=abc", "1", false),
            (Delta, "s3://lake/or ders", "1", false),
            (Delta, "://lake", "1", false),
            (Delta, "s3://", "1", false),
        ] {
            assert_eq!(is_good(kind, uri, version), good, "{kind:?} {uri} {version}");
        }
        assert!(!is_good(Delta, &format!("s3://{}", "a".repeat(3000)), "1"));
    }

    #[test]
    fn the_kind_is_seen_where_it_shows() {
        for (uri, kind) in [
            ("kafka://h/t", Some(ExternalKind::Kafka)),
            ("s3://b/k", Some(ExternalKind::S3)),
            ("https://example.org/data.git", Some(ExternalKind::Git)),
            ("https://example.org/data", None),
            ("nothing", None),
        ] {
            assert_eq!(ExternalKind::of_uri(uri), kind, "{uri}");
        }
        for kind in ExternalKind::ALL {
            assert_eq!(ExternalKind::parse(kind.as_str()), Some(kind));
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_check_panic(uri in "\\PC{0,60}", version in "\\PC{0,60}", kind in 0_usize..6) {
            let kind = ExternalKind::ALL[kind];
            let _ = is_good(kind, &uri, &version);
            let _ = is_good(kind, &format!("s3://{uri}"), &version);
        }
    }
}
