//! `stemma.lock`: which content each tracked path has. One sorted line a path, so that Git merges it.
//!
//! Version 1: the header line, then `b3:<hex> <dataset name> <path>` a line. Names in it hold no spaces; paths may.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io,
    path::{Path, PathBuf},
};

use stemma_core::{
    Digest, ErrorKind, Problem,
    name::{DatasetName, TreePath},
};

use crate::{
    file,
    path::{PathError, check_reserved},
};

pub use crate::reserved::LOCK_FILE;

const HEADER: &str = "# stemma.lock v1: digest name path; merge by line";
const HEADER_START: &str = "# stemma.lock v";
pub(crate) const LOCK_BYTES_MAX: u64 = 64 << 20;

/// What the lock says about one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockEntry {
    /// A blob, or a tree for a folder.
    pub digest: Digest,
    pub name: DatasetName,
}

/// The tracked paths. No two have one name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lock {
    entries: BTreeMap<TreePath, LockEntry>,
    paths: BTreeMap<DatasetName, TreePath>,
}

/// Why `stemma.lock` can't be used or changed.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("`{}`: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("`{}` has format version {found}, this program knows version 1", .path.display())]
    Version { path: PathBuf, found: String },
    #[error("`{}` line {line} holds a conflict of a merge", .path.display())]
    Conflict { path: PathBuf, line: usize },
    #[error("`{}` line {line}: {reason}", .path.display())]
    Invalid { path: PathBuf, line: usize, reason: String },
    #[error("the name `{name}` belongs to `{holder}` already")]
    NameTaken { name: DatasetName, holder: TreePath },
    #[error("the name `{0}` can't stand in `stemma.lock`: it has a space")]
    NameWithSpace(DatasetName),
    #[error(transparent)]
    Path(#[from] PathError),
}

impl From<LockError> for Problem {
    fn from(error: LockError) -> Self {
        let message = error.to_string();
        match error {
            LockError::Io { .. } => Self::new(ErrorKind::Config, message),
            LockError::Version { .. } => Self::new(ErrorKind::Config, message).hint("use a newer Stemma"),
            LockError::Conflict { .. } => Self::new(ErrorKind::Conflict, message).hint(
                "keep one line for each path and delete the lines that start with `<<<<<<<`, `|||||||`, `=======` \
                 and `>>>>>>>`; order does not matter",
            ),
            LockError::Invalid { .. } => Self::new(ErrorKind::Config, message)
                .hint("correct the line, or delete it and `stemma add` the path again"),
            LockError::NameTaken { .. } => Self::new(ErrorKind::Conflict, message)
                .hint("choose another name with `--name`; if the path was moved, delete the old line first"),
            LockError::NameWithSpace(_) => Self::invalid(message).hint("write `-` instead"),
            LockError::Path(error) => error.into(),
        }
    }
}

/// What is wrong with a line.
enum BadLine {
    Version(String),
    Conflict,
    Invalid(String),
}

impl Lock {
    /// Reads the lock file of a workspace; there may be none yet.
    pub fn read(root: &Path) -> Result<Self, LockError> {
        match Self::read_text(root)? {
            None => Ok(Self::default()),
            Some(text) => Self::parse(&root.join(LOCK_FILE), &text),
        }
    }

    /// The text of a workspace's lock file, if there is one.
    pub(crate) fn read_text(root: &Path) -> Result<Option<String>, LockError> {
        let path = root.join(LOCK_FILE);
        file::read(&path, LOCK_BYTES_MAX).map_err(|source| LockError::Io { path, source })
    }

    /// Parses the text of a lock file; `path` is only named in errors.
    pub fn parse(path: &Path, text: &str) -> Result<Self, LockError> {
        let mut lock = Self::default();
        for (index, line) in text.lines().enumerate() {
            lock.parse_line(index, line).map_err(|bad| {
                let path = path.to_owned();
                let line = index + 1;
                match bad {
                    BadLine::Version(found) => LockError::Version { path, found },
                    BadLine::Conflict => LockError::Conflict { path, line },
                    BadLine::Invalid(reason) => LockError::Invalid { path, line, reason },
                }
            })?;
        }
        Ok(lock)
    }

    fn parse_line(&mut self, index: usize, line: &str) -> Result<(), BadLine> {
        let invalid = |reason: &str| Err(BadLine::Invalid(reason.to_owned()));
        if is_conflict_marker(line) {
            return Err(BadLine::Conflict);
        }
        match (index, line.strip_prefix(HEADER_START)) {
            (0, Some(_)) if line == HEADER => return Ok(()),
            (0, Some(rest)) => {
                let version: String = rest.chars().take_while(char::is_ascii_digit).collect();
                return match version.as_str() {
                    "1" | "" => invalid("the first line is not the header of version 1"),
                    _ => Err(BadLine::Version(version)),
                };
            }
            (0, None) => return invalid("the first line is not the header of version 1"),
            _ => {}
        }
        let mut parts = line.splitn(3, ' ');
        let (Some(digest), Some(name), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            return invalid("expected a digest, a name and a path");
        };
        let entry = LockEntry {
            digest: digest.parse().map_err(invalid_because)?,
            name: DatasetName::new(name).map_err(invalid_because)?,
        };
        let path = TreePath::new(path).map_err(invalid_because)?;
        if self.entries.contains_key(&path) {
            return Err(BadLine::Invalid(format!("`{path}` is listed twice")));
        }
        self.insert(path, entry).map_err(invalid_because)
    }

    /// The text of the file.
    pub fn render(&self) -> String {
        let mut text = format!("{HEADER}\n");
        for (path, LockEntry { digest, name }) in &self.entries {
            writeln!(text, "{digest} {name} {path}").expect("writing to a string can't fail");
        }
        text
    }

    pub fn get(&self, path: &str) -> Option<&LockEntry> {
        // TreePath has no `Borrow<str>`; a text that is no path is not in the map either
        self.entries.get(&TreePath::new(path).ok()?)
    }

    pub fn entries(&self) -> impl ExactSizeIterator<Item = (&TreePath, &LockEntry)> {
        self.entries.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The path that has a name.
    pub fn path_of(&self, name: &str) -> Option<&TreePath> {
        self.paths.get(name)
    }

    /// Sets what a path has; refuses a name that another path has.
    pub fn insert(&mut self, path: TreePath, entry: LockEntry) -> Result<(), LockError> {
        check_reserved(Path::new(path.as_str()))?;
        if entry.name.as_str().contains(' ') {
            return Err(LockError::NameWithSpace(entry.name));
        }
        let holder = self.path_of(entry.name.as_str());
        if let Some(holder) = holder.filter(|holder| **holder != path) {
            return Err(LockError::NameTaken { name: entry.name.clone(), holder: holder.clone() });
        }
        self.remove(&path);
        self.paths.insert(entry.name.clone(), path.clone());
        self.entries.insert(path, entry);
        Ok(())
    }

    pub fn remove(&mut self, path: &TreePath) -> Option<LockEntry> {
        let entry = self.entries.remove(path)?;
        self.paths.remove(&entry.name);
        Some(entry)
    }
}

fn invalid_because(reason: impl ToString) -> BadLine {
    BadLine::Invalid(reason.to_string())
}

fn is_conflict_marker(line: &str) -> bool {
    ["<<<<<<<", "|||||||", "=======", ">>>>>>>"].iter().any(|marker| line.starts_with(marker))
}

/// The name that a path gets if nobody chooses one: its stem in lower case, with `-` for `_` and spaces.
pub fn default_name(path: &TreePath) -> Result<DatasetName, stemma_core::name::NameError> {
    let file_name = path.file_name();
    let stem = match file_name.split_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => file_name,
    };
    let name: String = stem
        .chars()
        .flat_map(char::to_lowercase)
        .map(|c| if c == '_' || c.is_whitespace() { '-' } else { c })
        .collect();
    DatasetName::new(name.trim_matches('-'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Lock, LockError> {
        Lock::parse(Path::new(LOCK_FILE), text)
    }

    fn lock(lines: &[(&str, &str)]) -> Lock {
        let mut lock = Lock::default();
        for (path, name) in lines {
            let entry = LockEntry { digest: Digest::of(path.as_bytes()), name: name.parse().unwrap() };
            lock.insert(path.parse().unwrap(), entry).unwrap();
        }
        lock
    }

    #[test]
    fn the_format_is_frozen() {
        let text = "# stemma.lock v1: digest name path; merge by line\n\
            b3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262 a data/a b.csv\n\
            b3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262 z data/z\n";
        let lock = parse(text).unwrap();
        assert_eq!(lock.get("data/a b.csv").unwrap().name.as_str(), "a");
        assert_eq!(lock.get("data/z").unwrap().digest, Digest::of(b""));
        assert_eq!(lock.render(), text);
    }

    #[test]
    fn a_conflict_is_named_with_what_to_do() {
        let text = format!("{HEADER}\n<<<<<<< HEAD\n{0} a a\n=======\n{0} a a\n>>>>>>> b\n", Digest::of(b""));
        let error = parse(&text).unwrap_err();
        assert!(matches!(error, LockError::Conflict { line: 2, .. }));
        let problem = Problem::from(error);
        assert_eq!(problem.kind, ErrorKind::Conflict);
        assert!(problem.hint.unwrap().contains("keep one line"));
    }

    #[test]
    fn lines_in_any_order_are_read_and_written_sorted() {
        let sorted = lock(&[("a", "a"), ("b", "b"), ("c", "c")]);
        let mut lines: Vec<String> = sorted.render().lines().map(str::to_owned).collect();
        lines[1..].reverse();
        assert_eq!(parse(&lines.join("\n")).unwrap(), sorted);
    }

    #[test]
    fn what_is_not_a_lock_is_refused_with_its_line() {
        let digest = Digest::of(b"");
        let cases = [
            ("b3:00 a a".to_owned(), 1),
            (format!("{HEADER}\n\n"), 2),
            (format!("{HEADER}\nb3:00 a a"), 2),
            (format!("{HEADER}\n{digest} a"), 2),
            (format!("{HEADER}\n{digest} a ../a"), 2),
            (format!("{HEADER}\n{digest} a /etc/passwd"), 2),
            (format!("{HEADER}\n{digest} a .git/config"), 2),
            (format!("{HEADER}\n{digest} a x/.STEMMA/y"), 2),
            (format!("{HEADER}\n{digest} ../a a"), 2),
            (format!("{HEADER}\n{digest} a a\n{digest} b a"), 3),
            (format!("{HEADER}\n{digest} a a\n{digest} a b"), 3),
        ];
        for (text, expected) in cases {
            match parse(&text) {
                Err(LockError::Invalid { line, .. }) => assert_eq!(line, expected, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
        assert!(matches!(
            parse("# stemma.lock v2: new things"),
            Err(LockError::Version { found, .. }) if found == "2"
        ));
    }

    #[test]
    fn names_are_made_from_paths() {
        for (path, name) in [
            ("data/german_credit.csv", "german-credit"),
            ("Train Set.tar.gz", "train-set"),
            ("images", "images"),
            ("data/_x_.csv", "x"),
        ] {
            let path = path.parse().unwrap();
            assert_eq!(default_name(&path).unwrap().as_str(), name);
        }
        assert!(default_name(&"data/.csv".parse().unwrap()).is_err());
    }

    #[test]
    fn a_name_belongs_to_one_path() {
        let mut lock = lock(&[("train.csv", "train")]);
        let entry = lock.get("train.csv").unwrap().clone();
        let error = lock.insert("b/train.csv".parse().unwrap(), entry.clone());
        assert!(matches!(error, Err(LockError::NameTaken { .. })));
        lock.insert("train.csv".parse().unwrap(), entry).unwrap();
        let spaced = LockEntry { digest: Digest::of(b""), name: "a b".parse().unwrap() };
        let error = lock.insert("x".parse().unwrap(), spaced);
        assert!(matches!(error, Err(LockError::NameWithSpace(_))));
    }

    proptest! {
        #[test]
        fn every_lock_survives_writing_and_reading(
            lines in proptest::collection::vec(("[ -~é/]{1,20}", "[a-z_.é-]{1,9}", any::<[u8; 32]>()), 0..20)
        ) {
            let mut lock = Lock::default();
            for (path, name, digest) in lines {
                let (Ok(path), Ok(name)) = (TreePath::new(path), DatasetName::new(name)) else { continue };
                let entry = LockEntry { digest: Digest::from_bytes(digest), name };
                let _ = lock.insert(path, entry);
            }
            prop_assert_eq!(parse(&lock.render()).unwrap(), lock);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,200}", rest in "[ -~\\n]{0,200}") {
            let _ = parse(&text);
            let _ = parse(&format!("{HEADER}\n{rest}"));
        }
    }
}
