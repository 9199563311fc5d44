//! What a command did to files, directories, programs and hosts, and how surely we know it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use stemma_core::{Digest, Timestamp, hermetic::Gap};

/// How a run was watched. Higher sees more; policies may demand a least level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "LevelRecord", try_from = "LevelRecord")]
pub enum CaptureLevel {
    /// Nothing was watched: only what the user declares is known.
    Declared,
    /// Python's audit events: readers written in C and other programs are missed.
    PythonHook,
    /// System calls, by ptrace with a seccomp filter.
    Ptrace,
}

impl CaptureLevel {
    pub const ALL: [Self; 3] = [Self::Declared, Self::PythonHook, Self::Ptrace];

    /// The rung on the ladder; 2 and 3 are kept for preloading and seccomp notification.
    pub const fn number(self) -> u8 {
        match self {
            Self::Declared => 0,
            Self::PythonHook => 1,
            Self::Ptrace => 4,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::PythonHook => "python-hook",
            Self::Ptrace => "ptrace+seccomp",
        }
    }

    /// The highest rung that is not above `number`.
    pub fn at_most(number: u8) -> Self {
        Self::ALL.into_iter().rfind(|level| level.number() <= number).unwrap_or(Self::Declared)
    }
}

#[derive(Serialize, Deserialize)]
struct LevelRecord {
    number: u8,
    name: String,
}

impl From<CaptureLevel> for LevelRecord {
    fn from(level: CaptureLevel) -> Self {
        Self { number: level.number(), name: level.name().to_owned() }
    }
}

impl TryFrom<LevelRecord> for CaptureLevel {
    type Error = String;
    fn try_from(record: LevelRecord) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|level| level.number() == record.number)
            .ok_or_else(|| format!("no capture level {}", record.number))
    }
}

/// How surely the caller wants to know; lower rungs are tried when a higher one is not permitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CaptureMode {
    #[default]
    Best,
    AtMost(CaptureLevel),
}

impl CaptureMode {
    pub(crate) fn permits(self, level: CaptureLevel) -> bool {
        match self {
            Self::Best => true,
            Self::AtMost(most) => level <= most,
        }
    }
}

/// What a file looked like; equal stamps mean "not changed" as far as the file system can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stamp {
    pub device: u64,
    pub inode: u64,
    pub size: u64,
    pub mtime_ns: i64,
    pub ctime_ns: i64,
}

impl Stamp {
    pub fn of(metadata: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        let nanos = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            mtime_ns: nanos(metadata.mtime(), metadata.mtime_nsec()),
            ctime_ns: nanos(metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    Regular,
    Symlink,
    /// A device, pipe or socket.
    Other,
}

impl FileKind {
    pub(crate) fn of(metadata: &std::fs::Metadata) -> Self {
        let kind = metadata.file_type();
        if kind.is_file() {
            Self::Regular
        } else if kind.is_symlink() {
            Self::Symlink
        } else {
            Self::Other
        }
    }
}

/// All that a run did to one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileAccess {
    /// Absolute, with symbolic links resolved.
    #[serde(with = "path_text")]
    pub path: PathBuf,
    pub kind: FileKind,
    /// Opened for reading, at any time.
    pub read: bool,
    /// Content from before the run was read, so the file is an input.
    pub prior_read: bool,
    /// Written, replaced or newly named by the run. A file opened for writing and left as it was doesn't count.
    pub written: bool,
    /// It did not exist before the run made it.
    pub created: bool,
    /// Not there any more when the run ended.
    pub removed: bool,
    /// The name it had before it was renamed or hard-linked to this one.
    #[serde(with = "path_text::option", default, skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<PathBuf>,
    /// At the first open, before the run could change it.
    pub first: Option<Stamp>,
    /// At the end of the run.
    pub last: Option<Stamp>,
    /// Read, and not the same at the end: its content at the time of reading can't be known afterwards.
    pub mutated: bool,
    /// It was executed, mapped as code or read by the interpreter of its language: what it holds is code.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ran: bool,
    /// Where its content from before the run lies, if the run has changed it.
    #[serde(with = "path_text::option", default, skip_serializing_if = "Option::is_none")]
    pub aside: Option<PathBuf>,
    /// When it was first opened to read what was there from before; known at level 4 only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_at: Option<Timestamp>,
    /// When it was last opened to be written or got its name; known at level 4 only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_at: Option<Timestamp>,
}

/// A directory whose entries were listed: which files exist in it may have influenced the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryAccess {
    #[serde(with = "path_text")]
    pub path: PathBuf,
    /// Of the sorted names and kinds at the end of the run; absent for system directories and very large ones.
    pub listing: Option<Digest>,
}

/// What was seen of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    pub level: CaptureLevel,
    /// Why a higher level was not reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
    /// Sorted by path.
    pub files: Vec<FileAccess>,
    /// Sorted by path.
    pub directories: Vec<DirectoryAccess>,
    /// Executables that were started, sorted.
    #[serde(with = "path_text::list")]
    pub programs: Vec<PathBuf>,
    /// `address:port` that were connected or sent to, sorted.
    pub hosts: Vec<String>,
    /// More paths were touched than are kept.
    pub truncated: bool,
    /// What was not seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
}

impl Capture {
    /// A capture that saw nothing.
    pub fn empty(level: CaptureLevel) -> Self {
        Self {
            level,
            fallback: None,
            files: Vec::new(),
            directories: Vec::new(),
            programs: Vec::new(),
            hosts: Vec::new(),
            truncated: false,
            gaps: Vec::new(),
        }
    }

    /// Something ran that can reach files unseen.
    pub fn may_bypass(&self) -> bool {
        self.gaps.iter().any(|gap| matches!(gap, Gap::Bypass { .. }))
    }

    /// Processes that were still alive when the main one had ended; known at level 4 only.
    pub fn left_running(&self) -> u32 {
        let outlived = self.gaps.iter().find_map(|gap| match gap {
            Gap::Outlived { count, .. } => Some(*count),
            _ => None,
        });
        outlived.unwrap_or(0)
    }

    /// Whether a file that is not among these was not read.
    pub fn sees_all_files(&self) -> bool {
        self.level == CaptureLevel::Ptrace && !self.truncated && self.gaps.is_empty()
    }

    /// Returns what is known of one absolute path.
    pub fn file(&self, path: &Path) -> Option<&FileAccess> {
        let found = self.files.binary_search_by(|access| access.path.as_path().cmp(path)).ok()?;
        self.files.get(found)
    }
}

/// Entries of a directory that are listed at most.
const LISTING_ENTRIES_MAX: usize = 100_000;

/// Returns the digest of a directory's sorted names and kinds, or `None` if it can't be read or is very large.
pub fn listing_digest(directory: &Path) -> Option<Digest> {
    let mut budget = LISTING_ENTRIES_MAX;
    listing_digest_within(directory, &mut budget)
}

/// The same, for as many entries as `budget` still allows; takes from it what was looked at.
pub(crate) fn listing_digest_within(directory: &Path, budget: &mut usize) -> Option<Digest> {
    use std::os::unix::ffi::OsStrExt;
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).ok()? {
        *budget = budget.checked_sub(1)?;
        let entry = entry.ok()?;
        let letter = if entry.file_type().ok()?.is_dir() { b'd' } else { b'f' };
        names.push((entry.file_name(), letter));
    }
    names.sort();
    let mut text = Vec::new();
    for (name, letter) in names {
        text.push(letter);
        text.extend_from_slice(name.as_bytes());
        text.push(0);
    }
    Some(Digest::of(&text))
}

/// Paths as JSON text; the rare path that isn't UTF-8 becomes an array of its bytes.
mod path_text {
    use std::{
        ffi::OsString,
        os::unix::ffi::{OsStrExt, OsStringExt},
        path::{Path, PathBuf},
    };

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum PathText {
        Text(String),
        Bytes(Vec<u8>),
    }

    impl From<&Path> for PathText {
        fn from(path: &Path) -> Self {
            match path.to_str() {
                Some(text) => Self::Text(text.to_owned()),
                None => Self::Bytes(path.as_os_str().as_bytes().to_vec()),
            }
        }
    }

    impl From<PathText> for PathBuf {
        fn from(text: PathText) -> Self {
            match text {
                PathText::Text(text) => Self::from(text),
                PathText::Bytes(bytes) => Self::from(OsString::from_vec(bytes)),
            }
        }
    }

    pub fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        PathText::from(path).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
        PathText::deserialize(deserializer).map(PathBuf::from)
    }

    pub mod option {
        use super::*;

        pub fn serialize<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
            path.as_deref().map(PathText::from).serialize(serializer)
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
            Ok(Option::<PathText>::deserialize(deserializer)?.map(PathBuf::from))
        }
    }

    pub mod list {
        use super::*;

        pub fn serialize<S: Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq(paths.iter().map(|path| PathText::from(path.as_path())))
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PathBuf>, D::Error> {
            Ok(Vec::<PathText>::deserialize(deserializer)?.into_iter().map(PathBuf::from).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt};

    use super::*;

    #[test]
    fn levels_are_recorded_with_number_and_name() {
        for level in CaptureLevel::ALL {
            let json = serde_json::to_value(level).unwrap();
            assert_eq!(json, serde_json::json!({"number": level.number(), "name": level.name()}));
            assert_eq!(serde_json::from_value::<CaptureLevel>(json).unwrap(), level);
        }
        assert!(serde_json::from_str::<CaptureLevel>(r#"{"number":9,"name":"x"}"#).is_err());
        assert_eq!(CaptureLevel::at_most(3), CaptureLevel::PythonHook);
        assert_eq!(CaptureLevel::at_most(200), CaptureLevel::Ptrace);
    }

    #[test]
    fn a_path_that_is_not_utf8_survives_json() {
        let path = PathBuf::from(OsString::from_vec(b"/tmp/\xff\xfe".to_vec()));
        let mut capture = Capture::empty(CaptureLevel::Ptrace);
        capture.programs.push(path);
        capture.programs.push("/bin/true".into());
        let json = serde_json::to_vec(&capture).unwrap();
        assert_eq!(serde_json::from_slice::<Capture>(&json).unwrap(), capture);
    }

    #[test]
    fn a_listing_changes_with_its_names_only() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("a"), "1").unwrap();
        let before = listing_digest(directory.path()).unwrap();
        std::fs::write(directory.path().join("a"), "2").unwrap();
        assert_eq!(listing_digest(directory.path()), Some(before));
        std::fs::write(directory.path().join("b"), "").unwrap();
        assert_ne!(listing_digest(directory.path()), Some(before));
    }
}
