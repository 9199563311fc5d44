//! Worktrees of Git: further checkouts of a repository, which share its history, and so the home beside the first.
//!
//! Their `.git` is a file that names a folder in the repository, and `commondir` there names what they share.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::file;

/// Longest file that says where a repository is.
const NAME_BYTES_MAX: u64 = 64 << 10;

/// The folder of the main worktree that is to it what `folder` is to the worktree it lies in; `None` if it lies in none.
///
/// A repository without a main worktree has none, and a submodule is no worktree.
pub(crate) fn main_of(folder: &Path) -> Option<PathBuf> {
    let top = folder.ancestors().find(|above| above.join(".git").symlink_metadata().is_ok())?;
    let git = top.join(read(&top.join(".git"))?.strip_prefix("gitdir:")?.trim());
    let common = fs::canonicalize(git.join(read(&git.join("commondir"))?.trim())).ok()?;
    let main = common.parent().filter(|_| common.file_name().is_some_and(|name| name == ".git"))?;
    Some(main.join(folder.strip_prefix(top).ok()?))
}

/// The text of a short file; of a folder, or what is not there, none.
fn read(path: &Path) -> Option<String> {
    file::read(path, NAME_BYTES_MAX).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_worktree_is_found_from_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        let write = |path: &str, text: &str| {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), text).unwrap();
        };
        write("main/.git/worktrees/other/commondir", "../..\n");
        write("main/.git/modules/sub/HEAD", "ref: refs/heads/main\n");
        write("main/sub/.git", "gitdir: ../.git/modules/sub\n");
        write("other/.git", &format!("gitdir: {}\n", root.join("main/.git/worktrees/other").display()));
        write("other/project/stemma.toml", "");
        write("relative/.git", "gitdir: ../main/.git/worktrees/other\n");
        write("bare.git/worktrees/tree/commondir", "../..\n");
        write("tree/.git", "gitdir: ../bare.git/worktrees/tree\n");
        write("odd/.git", "something else");
        for (from, main) in [
            ("other", Some("main")),
            ("other/project", Some("main/project")),
            ("relative", Some("main")),
            ("main", None),
            ("main/sub", None),
            ("tree", None),
            ("odd", None),
        ] {
            assert_eq!(main_of(&root.join(from)), main.map(|main| root.join(main)), "{from}");
        }
    }
}
