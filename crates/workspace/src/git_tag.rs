//! A Git tag for a version: on the commit that brought the line of `stemma.lock` which holds its content.
//!
//! Nothing is fetched, sent or overwritten, and the folder's files are not touched.

use std::{path::Path, time::Duration};

use stemma_core::{Digest, ErrorKind, Problem, name::TreePath};

use crate::{
    git::{Git, GitError},
    lock::{LOCK_BYTES_MAX, LOCK_FILE, Lock, LockError},
    workspace::Workspace,
};

const TIME_MAX: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// What is to be tagged.
#[derive(Debug, Clone)]
pub struct VersionTag<'a> {
    /// As in `credit-score@1.1.0`.
    pub name: &'a str,
    pub content: Digest,
    /// The name of the file that was registered: of several paths with this content, that of this name is meant.
    pub file_name: &'a str,
    /// The first line says what it is.
    pub message: &'a str,
}

/// A tag that there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tagged {
    /// The commit that it is on.
    pub commit: String,
    /// Where the lock has the version.
    pub path: TreePath,
    /// It was there before.
    pub unchanged: bool,
}

/// Why no tag was made.
#[derive(Debug, thiserror::Error)]
pub enum TagError {
    #[error("this folder is in no Git repository that has a commit")]
    NoRepository,
    #[error("`stemma.lock` has no line with the content of `{0}`")]
    NotHeld(String),
    #[error("`stemma.lock` has other content than `{name}` at `{path}`")]
    Other { name: String, path: TreePath },
    #[error("`stemma.lock` is not as it was committed")]
    Dirty,
    #[error("the commit that brought `{0}` into `stemma.lock` is not in this repository: its history is cut off")]
    CutOff(TreePath),
    #[error("`{0}` can't be the name of a Git tag")]
    Name(String),
    #[error("there is a Git tag `{0}` already, and it is another")]
    Taken(String),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("no Git tag was made: {0}")]
    Git(#[from] GitError),
}

impl From<TagError> for Problem {
    fn from(error: TagError) -> Self {
        let message = error.to_string();
        match error {
            TagError::NoRepository => {
                Self::new(ErrorKind::Config, message).hint("`git init`, and commit `stemma.lock`")
            }
            TagError::NotHeld(_) | TagError::Other { .. } => Self::new(ErrorKind::Conflict, message)
                .hint("bring the version's file here, `stemma add` it and commit `stemma.lock`, then try again"),
            TagError::Dirty => Self::new(ErrorKind::Conflict, message)
                .hint("commit `stemma.lock`, or bring it back with `git checkout -- stemma.lock`"),
            TagError::CutOff(_) => Self::new(ErrorKind::Conflict, message).hint("`git fetch --unshallow` brings it"),
            TagError::Name(_) => Self::invalid(message)
                .hint("Git's names have no spaces, and none of `~`, `^`, `:`, `?`, `*`, `[`, `\\`"),
            TagError::Taken(name) => Self::new(ErrorKind::Conflict, message)
                .hint(format!("tags are never overwritten; see `git show {name}`")),
            TagError::Lock(error) => error.into(),
            TagError::Git(GitError::Failed { message: ref said, .. }) if said.contains("ident") => {
                Self::new(ErrorKind::Config, message).hint("tell Git who you are: `git config user.name`, `user.email`")
            }
            TagError::Git(_) => Self::new(ErrorKind::Config, message),
        }
    }
}

/// Makes the annotated tag, unless it is there on the same commit.
pub fn tag(workspace: &Workspace, wanted: &VersionTag<'_>) -> Result<Tagged, TagError> {
    let git = Git::new(workspace.root(), TIME_MAX);
    if git.ask_line(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])?.is_none() {
        return Err(TagError::NoRepository);
    }
    let reference = format!("refs/tags/{}", wanted.name);
    check_name(&git, &reference, wanted.name)?;
    let (path, line) = held(&Lock::read(workspace.root())?, wanted)?;
    check_clean(&git)?;
    let commit = commit_of_line(&git, workspace.root(), &line)?.ok_or_else(|| TagError::CutOff(path.clone()))?;
    if let Some(tagged) = git.ask_line(&["rev-parse", "--verify", "--quiet", &reference])? {
        let peeled = git.ask_line(&["rev-parse", "--verify", "--quiet", &format!("{reference}^{{commit}}")])?;
        let is_same = peeled.as_deref() == Some(&commit) && tagged != commit;
        return if is_same {
            Ok(Tagged { commit, path, unchanged: true })
        } else {
            Err(TagError::Taken(wanted.name.to_owned()))
        };
    }
    let make = ["tag", "--annotate", "--cleanup=verbatim", "--file=-", "--", wanted.name, &commit];
    git.ask_with(&make, format!("{}\n", wanted.message).into_bytes(), ANSWER_BYTES_MAX)?;
    Ok(Tagged { commit, path, unchanged: false })
}

fn check_name(git: &Git<'_>, reference: &str, name: &str) -> Result<(), TagError> {
    match git.ask(&["check-ref-format", reference], ANSWER_BYTES_MAX) {
        Ok(_) if !name.starts_with('-') => Ok(()),
        Ok(_) | Err(GitError::Failed { .. }) => Err(TagError::Name(name.to_owned())),
        Err(error) => Err(error.into()),
    }
}

/// The path that has the version's content, and its line.
fn held(lock: &Lock, wanted: &VersionTag<'_>) -> Result<(TreePath, String), TagError> {
    let is_named = |path: &TreePath| path.file_name() == wanted.file_name;
    let holding = lock.entries().filter(|(_, entry)| entry.digest == wanted.content);
    let held = holding.min_by_key(|(path, _)| (!is_named(path), (*path).clone()));
    if let Some((path, entry)) = held {
        return Ok((path.clone(), format!("{} {} {path}", entry.digest, entry.name)));
    }
    let name = wanted.name.to_owned();
    Err(match lock.entries().find(|(path, _)| is_named(path)) {
        Some((path, _)) => TagError::Other { name, path: path.clone() },
        None => TagError::NotHeld(name),
    })
}

/// The lock is in the commit as it lies here.
fn check_clean(git: &Git<'_>) -> Result<(), TagError> {
    let status = ["status", "--porcelain=v1", "-z", "--untracked-files=all", "--ignored=matching", "--", LOCK_FILE];
    match git.ask(&status, ANSWER_BYTES_MAX)?.is_empty() {
        true => Ok(()),
        false => Err(TagError::Dirty),
    }
}

/// The commit that a line of the committed lock is from; nothing if it is older than what the repository has.
fn commit_of_line(git: &Git<'_>, root: &Path, line: &str) -> Result<Option<String>, TagError> {
    let committed = git.ask(&["cat-file", "blob", &format!("HEAD:./{LOCK_FILE}")], LOCK_BYTES_MAX)?;
    let committed = String::from_utf8_lossy(&committed).into_owned();
    // the worktree's lock was parsed, and may be told to Git to be unchanged
    Lock::parse(&root.join(LOCK_FILE), &committed)?;
    let number = committed.lines().position(|one| one == line).ok_or(TagError::Dirty)? + 1;
    let range = format!("{number},{number}");
    let blame = ["blame", "--porcelain", "--ignore-revs-file=", "-L", &range, "HEAD", "--", LOCK_FILE];
    let told = git.ask(&blame, ANSWER_BYTES_MAX)?;
    let told = String::from_utf8_lossy(&told).into_owned();
    let commit = told.split_whitespace().next().unwrap_or_default().to_owned();
    let is_boundary = told.lines().any(|line| line == "boundary");
    if is_boundary && git.ask_line(&["rev-parse", "--is-shallow-repository"])?.as_deref() == Some("true") {
        return Ok(None);
    }
    Ok((!commit.is_empty()).then_some(commit))
}
