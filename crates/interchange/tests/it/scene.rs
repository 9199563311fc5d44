//! A workspace in a folder of its own, that may be a repository.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use stemma_store::Store;
use stemma_workspace::{Nesting, Workspace, init};

pub struct Scene {
    _folder: tempfile::TempDir,
    pub workspace: Workspace,
    pub store: Store,
}

impl Scene {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let workspace = init(folder.path(), Nesting::Refuse).unwrap().workspace;
        let store = workspace.open_store().unwrap();
        Self { _folder: folder, workspace, store }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.workspace.root().join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Makes the folder a repository with everything committed.
    pub fn commit_all(&self) -> String {
        let root = self.workspace.root();
        if !root.join(".git").exists() {
            git(root, &["init", "-q", "-b", "main"]);
        }
        git(root, &["add", "-A"]);
        git(root, &["commit", "-q", "-m", "all"]);
        git(root, &["rev-parse", "HEAD"])
    }
}

pub fn git(folder: &Path, args: &[&str]) -> String {
    let who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"];
    let output = Command::new("git").args(who).args(args).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "git {args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
