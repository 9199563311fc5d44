//! Git is told to leave out what Stemma keeps: a line for each tracked path, in the `.gitignore` beside it.
//!
//! Git itself is asked what `git add -A` would take in, so the patterns that a person wrote count as Git reads them, in
//! worktrees and submodules too. What Git has already stays there: people keep small files in both on purpose.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use stemma_core::name::TreePath;

use crate::{
    file,
    git::{Git, GitError},
    path::Located,
};

/// Name of Git's file of what it leaves out.
pub(crate) const IGNORE_FILE: &str = ".gitignore";
const IGNORE_BYTES_MAX: u64 = 16 << 20;
const GIT_TIME_MAX: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: u64 = 16 << 20;
/// Names in one question: a command line has its limit.
const NAMES_MAX: usize = 500;

/// Tracked paths that Git was told to leave out, or to leave out no longer, by the lines for them in `.gitignore`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct IgnoreLines {
    pub written: Vec<TreePath>,
    pub removed: Vec<TreePath>,
}

impl IgnoreLines {
    pub fn is_empty(&self) -> bool {
        self.written.is_empty() && self.removed.is_empty()
    }
}

/// What Git does with a tracked path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InGit {
    /// There is no repository, it leaves the path out already, or a person wrote that it shall have it.
    AsItWas,
    /// A new line makes it leave the path out.
    LeftOut,
    /// It has the file, or all files of the folder.
    Kept,
    /// It has some files of the folder; a new line makes it leave out the others.
    KeptInPart,
    /// It could not be asked or told.
    Unknown(String),
}

impl InGit {
    pub(crate) const fn needs_line(&self) -> bool {
        matches!(self, Self::LeftOut | Self::KeptInPart)
    }
}

/// What is to be said of a path.
pub(crate) struct Asked {
    /// What lies there, behind links: Git may have the link.
    pub path: TreePath,
    pub answer: InGit,
}

/// Asks Git what it would do with paths; nothing is written yet.
pub(crate) fn ask<'a>(root: &Path, paths: impl Iterator<Item = &'a Located>) -> Vec<Asked> {
    let mut asked: Vec<Asked> =
        paths.map(|located| Asked { path: behind_links(root, located), answer: InGit::AsItWas }).collect();
    let mut folders: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
    for (index, Asked { path, .. }) in asked.iter().enumerate() {
        folders.entry(folder_of(root, path)).or_default().push(index);
    }
    for (folder, members) in folders.iter().filter(|(folder, _)| is_in_repository(folder)) {
        for members in members.chunks(NAMES_MAX) {
            let names: Vec<&str> = members.iter().map(|index| asked[*index].path.file_name()).collect();
            let answers = match ask_of_folder(folder, &names) {
                Ok(answers) => answers,
                Err(reason) => vec![InGit::Unknown(reason); members.len()],
            };
            for (index, answer) in members.iter().zip(answers) {
                asked[*index].answer = answer;
            }
        }
    }
    asked
}

fn behind_links(root: &Path, located: &Located) -> TreePath {
    let target = fs::canonicalize(&located.file).ok();
    let below = target.as_deref().and_then(|target| target.strip_prefix(root).ok()?.to_str());
    below.and_then(|below| TreePath::new(below).ok()).unwrap_or_else(|| located.path.clone())
}

fn folder_of(root: &Path, path: &TreePath) -> PathBuf {
    let file = root.join(path.as_str());
    file.parent().unwrap_or(root).to_owned()
}

/// Whether it is worth while to ask: most commands outside of repositories should not start a program for nothing.
pub(crate) fn is_in_repository(folder: &Path) -> bool {
    folder.ancestors().any(|above| above.join(".git").symlink_metadata().is_ok())
}

fn ask_of_folder(folder: &Path, names: &[&str]) -> Result<Vec<InGit>, String> {
    let git = Git::new(folder, GIT_TIME_MAX);
    let failed = |error: GitError| error.to_string();
    let kept = listed(&git, &["ls-files", "-z", "--cached"], names).map_err(failed)?;
    let untracked = ["ls-files", "-z", "--others", "--exclude-standard", "--directory", "--no-empty-directory"];
    let would_take = listed(&git, &untracked, names).map_err(failed)?;
    let text = read(&folder.join(IGNORE_FILE)).map_err(|error| format!("`{IGNORE_FILE}`: {error}"))?;
    let answer = |name: &&str| match (would_take.contains(*name), kept.contains(*name)) {
        (false, false) => InGit::AsItWas,
        (false, true) => InGit::Kept,
        (true, _) if is_wanted(&text, name) => InGit::AsItWas,
        (true, _) if line_for(name).is_none() => {
            InGit::Unknown(format!("a line of `{IGNORE_FILE}` can't hold its name"))
        }
        (true, false) => InGit::LeftOut,
        (true, true) => InGit::KeptInPart,
    };
    Ok(names.iter().map(answer).collect())
}

/// The names of which Git lists anything.
fn listed(git: &Git<'_>, question: &[&str], names: &[&str]) -> Result<BTreeSet<String>, GitError> {
    let answer = match git.ask(&[question, &["--"], names].concat(), ANSWER_BYTES_MAX) {
        // so long an answer about one name says enough; about several, each is asked for itself
        Err(GitError::TooLong(_)) if names.len() == 1 => return Ok(BTreeSet::from([names[0].to_owned()])),
        Err(GitError::TooLong(_)) => {
            let each = names.iter().map(|name| listed(git, question, &[name]));
            return each.collect::<Result<Vec<_>, _>>().map(|found| found.into_iter().flatten().collect());
        }
        answer => answer?,
    };
    let first = |entry: &[u8]| {
        let name = entry.split(|byte| *byte == b'/').next().unwrap_or_default();
        String::from_utf8_lossy(name).into_owned()
    };
    Ok(answer.split(|byte| *byte == 0).map(first).filter(|name| !name.is_empty()).collect())
}

/// Writes lines and takes lines out; what is there already, or not there, stays so.
pub(crate) fn apply(root: &Path, lines: &IgnoreLines) -> io::Result<()> {
    let by_file = |paths: &[TreePath]| {
        let mut files: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
        for path in paths {
            let file = folder_of(root, path).join(IGNORE_FILE);
            files.entry(file).or_default().extend(line_for(path.file_name()));
        }
        files
    };
    for (file, lines) in by_file(&lines.written) {
        append(&file, &lines)?;
    }
    for (file, lines) in by_file(&lines.removed) {
        take_out(&file, &lines)?;
    }
    Ok(())
}

/// Appends the lines that are not there yet; whether there were any.
pub(crate) fn append(path: &Path, lines: &[String]) -> io::Result<bool> {
    let mut file = options().append(true).create(true).open(path)?;
    let present = read_open(&mut file)?;
    let mut text = match present.last() {
        None | Some(b'\n') => String::new(),
        Some(_) => "\n".to_owned(),
    };
    let is_new = |line: &&String| !lines_of(&present).any(|held| held == line.as_bytes());
    let new: Vec<&String> = lines.iter().filter(is_new).collect();
    new.iter().for_each(|line| text.extend([line.as_str(), "\n"]));
    if !new.is_empty() {
        file.write_all(text.as_bytes())?;
    }
    Ok(!new.is_empty())
}

/// A file that holds nothing any more goes.
fn take_out(path: &Path, lines: &[String]) -> io::Result<()> {
    let present = read(path)?;
    let is_kept = |line: &&[u8]| !lines.iter().any(|gone| line.trim_ascii_end() == gone.as_bytes());
    let kept: Vec<&[u8]> = present.split_inclusive(|byte| *byte == b'\n').filter(is_kept).collect();
    match kept.concat() {
        text if text.len() == present.len() => Ok(()),
        text if text.is_empty() => fs::remove_file(path),
        text => file::replace(path, &text, 0o666),
    }
}

fn options() -> fs::OpenOptions {
    let mut options = File::options();
    // Git doesn't follow a link here either
    options.read(true).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    options
}

/// The text of a file of patterns, which may not be there; Git does not ask in which encoding it is.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    match options().open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        opened => read_open(&mut opened?),
    }
}

fn read_open(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(IGNORE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > IGNORE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is longer than {IGNORE_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

/// Without their line ends.
pub(crate) fn lines_of(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// Whether a person wrote that Git shall have just this.
fn is_wanted(text: &[u8], name: &str) -> bool {
    let line = line_for(name).map(|line| format!("!{line}"));
    line.is_some_and(|line| lines_of(text).any(|present| present == line.as_bytes()))
}

/// The pattern that means a name in this folder and nothing else; `None` for names that no line can hold.
fn line_for(name: &str) -> Option<String> {
    if name.contains(['\n', '\r']) {
        return None;
    }
    let mut line = String::from("/");
    for (index, c) in name.char_indices() {
        let is_last_space = c == ' ' && name[index..].trim_end_matches(' ').is_empty();
        if matches!(c, '\\' | '*' | '?' | '[') || is_last_space {
            line.push('\\');
        }
        line.push(c);
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_means_one_name() {
        for (name, line) in [
            ("data.csv", "/data.csv"),
            ("#notes", "/#notes"),
            ("!x", "/!x"),
            ("a b", "/a b"),
            ("a  ", "/a\\ \\ "),
            ("x[1]*?.csv", "/x\\[1]\\*\\?.csv"),
            ("back\\slash", "/back\\\\slash"),
        ] {
            assert_eq!(line_for(name).as_deref(), Some(line), "{name}");
        }
        assert_eq!(line_for("two\nlines"), None);
    }

    #[test]
    fn the_format_of_lines_for_git_is_frozen() {
        let lines =
            IgnoreLines { written: vec!["a b.csv".parse().unwrap()], removed: vec!["x/images".parse().unwrap()] };
        let text = br#"{"removed":["x/images"],"written":["a b.csv"]}"#;
        assert_eq!(stemma_core::canonical::to_bytes(&lines).unwrap(), text);
        assert_eq!(serde_json::from_slice::<IgnoreLines>(text).unwrap(), lines);
    }

    #[test]
    fn lines_come_once_and_go_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(IGNORE_FILE);
        let text = || fs::read_to_string(&file).unwrap();
        let lines = IgnoreLines { written: vec!["a.csv".parse().unwrap(), "b.csv".parse().unwrap()], removed: vec![] };
        let back = IgnoreLines { written: vec![], removed: lines.written.clone() };
        apply(folder.path(), &lines).unwrap();
        apply(folder.path(), &lines).unwrap();
        assert_eq!(text(), "/a.csv\n/b.csv\n");
        apply(folder.path(), &back).unwrap();
        apply(folder.path(), &back).unwrap();
        assert!(!file.exists(), "nothing was in it before");

        fs::write(&file, "*.pyc\n/b.csv\n# ours").unwrap();
        apply(folder.path(), &lines).unwrap();
        assert_eq!(text(), "*.pyc\n/b.csv\n# ours\n/a.csv\n");
        apply(folder.path(), &IgnoreLines { removed: vec!["a.csv".parse().unwrap()], written: vec![] }).unwrap();
        assert_eq!(text(), "*.pyc\n/b.csv\n# ours\n");
    }
}
