//! `stemma.heads`, beside `stemma.lock`: the newest signed head of each home that this project works with, in the form of
//! [`stemma_core::history::Heads`]. Whoever has the repository can see that a home is older than it was, or another.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};
use stemma_core::{
    ErrorKind, Problem,
    history::{Heads, HeadsError, LineFault, SeenHead},
    id::HomeId,
};

use crate::{Workspace, file, ignore};

pub use crate::reserved::HEADS_FILE;

/// Has Git keep the lines of both sides of a merge: each is true by itself.
const MERGE_RULE: &str = "stemma.heads merge=union";
const ATTRIBUTES_FILE: &str = ".gitattributes";
pub(crate) const HEADS_BYTES_MAX: u64 = 16 << 20;

/// Why kept heads can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum HeadsFileError {
    #[error("`{}`: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("`{}` can't be read: {source}", .path.display())]
    Form { path: PathBuf, source: HeadsError },
}

impl From<HeadsFileError> for Problem {
    fn from(error: HeadsFileError) -> Self {
        let problem = Self::new(ErrorKind::Config, error.to_string());
        match error {
            HeadsFileError::Form { source: HeadsError::Version(_), .. } => problem.hint("use a newer Stemma"),
            HeadsFileError::Form { .. } => problem.hint("bring the file back from Git"),
            HeadsFileError::Io { .. } => problem,
        }
    }
}

/// Reads a file of heads; there may be none yet.
pub fn read(path: &Path) -> Result<(Heads, Vec<LineFault>), HeadsFileError> {
    let text = file::read(path, HEADS_BYTES_MAX)
        .map_err(|source| HeadsFileError::Io { path: path.to_owned(), source })?
        .unwrap_or_default();
    Heads::parse(&text).map_err(|source| HeadsFileError::Form { path: path.to_owned(), source })
}

/// Changes a file of heads, one process at a time. A file with a line that can't be believed stays as it is, for a person
/// to look at; whether it was written.
pub fn update(path: &Path, mode: u32, change: impl FnOnce(&mut Heads)) -> Result<bool, HeadsFileError> {
    let io_error = |source| HeadsFileError::Io { path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    let turn = File::open(folder).map_err(io_error)?;
    flock(&turn, FlockOperation::LockExclusive).map_err(|errno| io_error(errno.into()))?;
    let (mut heads, faults) = read(path)?;
    let before = heads.clone();
    change(&mut heads);
    if !faults.is_empty() || heads == before {
        return Ok(false);
    }
    file::replace(path, heads.render().as_bytes(), mode).map_err(io_error)?;
    Ok(true)
}

impl Workspace {
    pub fn heads_file(&self) -> PathBuf {
        self.root().join(HEADS_FILE)
    }

    /// Remembers a home's head as its only one. Those in `beginnings` are beginnings of it and go; others, which tell of another
    /// history, stay.
    pub fn remember_head(&self, head: &SeenHead, beginnings: &[SeenHead]) -> Result<(), HeadsFileError> {
        let path = self.heads_file();
        let is_new = !path.exists();
        let written = update(&path, 0o666, |heads| {
            let is_kept = |held: &SeenHead| !beginnings.iter().any(|one| one.signed == held.signed);
            let mut of_home: Vec<SeenHead> = heads.of(head.home).into_iter().filter(is_kept).collect();
            of_home.push(head.clone());
            heads.replace(head.home, of_home);
        })?;
        if written && is_new && ignore::is_in_repository(self.root()) {
            let path = self.root().join(ATTRIBUTES_FILE);
            ignore::append(&path, &[MERGE_RULE.to_owned()]).map_err(|source| HeadsFileError::Io { path, source })?;
        }
        Ok(())
    }

    /// Forgets all heads of some homes but one.
    pub fn remember_only_head(&self, head: &SeenHead, homes: &[HomeId]) -> Result<(), HeadsFileError> {
        update(&self.heads_file(), 0o666, |heads| {
            homes.iter().for_each(|home| heads.replace(*home, []));
            heads.replace(head.home, [head.clone()]);
        })
        .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use stemma_core::{
        Timestamp,
        history::{KeyPurpose, SigningKey, origin},
    };

    use super::*;
    use crate::{Nesting, init};

    fn head(home: u128, size: u64) -> SeenHead {
        let key = SigningKey::new(&origin(HomeId::from_u128(home)), KeyPurpose::Head, &[1; 32]);
        SeenHead::new(key.sign(size, [size as u8; 32]), Timestamp(size as i64)).unwrap()
    }

    fn git(folder: &Path, arguments: &[&str]) {
        let mut command = std::process::Command::new("git");
        command.args(["-c", "user.name=Ada", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]);
        let output = command.args(arguments).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }

    #[test]
    fn a_newer_head_takes_the_place_of_its_beginnings_and_of_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = init(folder.path(), Nesting::Refuse).unwrap().workspace;
        workspace.remember_head(&head(7, 3), &[]).unwrap();
        workspace.remember_head(&head(8, 9), &[]).unwrap();
        workspace.remember_head(&head(7, 5), &[head(7, 3)]).unwrap();
        // nobody has shown that 5 is a beginning of 6
        workspace.remember_head(&head(7, 6), &[]).unwrap();
        let (heads, faults) = read(&workspace.heads_file()).unwrap();
        let sizes: Vec<u64> = heads.iter().map(|head| head.signed.size()).collect();
        assert_eq!((sizes, faults), (vec![5, 6, 9], vec![]));
        assert!(!folder.path().join(ATTRIBUTES_FILE).exists(), "no repository, no rule for one");
        workspace.remember_only_head(&head(7, 4), &[HomeId::from_u128(8)]).unwrap();
        assert_eq!(read(&workspace.heads_file()).unwrap().0.iter().count(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_believed_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = init(folder.path(), Nesting::Refuse).unwrap().workspace;
        workspace.remember_head(&head(7, 3), &[]).unwrap();
        let forged = fs::read_to_string(workspace.heads_file()).unwrap().replace(" 3 ", " 4 ");
        fs::write(workspace.heads_file(), &forged).unwrap();
        workspace.remember_head(&head(7, 5), &[]).unwrap();
        assert_eq!(fs::read_to_string(workspace.heads_file()).unwrap(), forged);
        fs::write(workspace.heads_file(), "hello").unwrap();
        assert!(workspace.remember_head(&head(7, 5), &[]).is_err());
    }

    #[test]
    fn branches_merge_without_a_conflict_and_both_lines_stay() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        git(root, &["init", "-q", "-b", "main"]);
        let workspace = init(root, Nesting::Refuse).unwrap().workspace;
        let keep = |head: &SeenHead, before: &[SeenHead], message: &str| {
            workspace.remember_head(head, before).unwrap();
            git(root, &["add", "-A"]);
            git(root, &["commit", "-q", "-m", message]);
        };
        keep(&head(7, 3), &[], "first");
        git(root, &["switch", "-q", "-c", "other"]);
        keep(&head(7, 8), &[head(7, 3)], "theirs");
        git(root, &["switch", "-q", "main"]);
        keep(&head(7, 5), &[head(7, 3)], "ours");
        git(root, &["merge", "-q", "-m", "both", "other"]);
        let (heads, faults) = read(&workspace.heads_file()).unwrap();
        let sizes: Vec<u64> = heads.iter().map(|head| head.signed.size()).collect();
        assert_eq!((sizes, faults), (vec![5, 8], vec![]));
    }
}
