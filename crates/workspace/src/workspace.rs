//! Finding the folder that a person stands in, and what lies where in it.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use stemma_core::{ErrorKind, Problem};
use stemma_store::{Store, StoreError};

use crate::{
    author::Author,
    lock::{Lock, LockError},
    problem,
    settings::{SETTINGS_FILE, Settings, SettingsError},
    worktree,
};

/// Name of the folder inside a project's folder that holds its home and its content.
pub const HOME_DIR: &str = ".stemma";

/// A project's folder with its settings.
#[derive(Debug, Clone)]
pub struct Workspace {
    root: PathBuf,
    home: PathBuf,
    /// What the folder is called in the operations of a home that it shares.
    worktree: Option<String>,
    settings: Settings,
    author: Option<Author>,
}

/// Why a workspace can't be found, made or opened.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    #[error("`{}` is in no Stemma workspace", .0.display())]
    NotFound(PathBuf),
    #[error("`{}` lies inside the workspace `{}`", .folder.display(), .surrounding.display())]
    Nested { folder: PathBuf, surrounding: PathBuf },
    /// Its owner's processes would be handed our tokens.
    #[error("`{}` belongs to another user", .0.display())]
    ForeignOwner(PathBuf),
    #[error("`{}` is not a folder", .0.display())]
    NotAFolder(PathBuf),
    #[error("`{}`: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl WorkspaceError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

impl From<WorkspaceError> for Problem {
    fn from(error: WorkspaceError) -> Self {
        let config = Self::new(ErrorKind::Config, error.to_string());
        match error {
            WorkspaceError::NotFound(_) => {
                config.hint("run `stemma init` in the project's folder, or choose the folder with `-C DIR`")
            }
            WorkspaceError::Nested { surrounding, .. } => Self::new(ErrorKind::Conflict, config.message).hint(format!(
                "work in `{}`, or allow a workspace of its own with `stemma init --nested`",
                surrounding.display()
            )),
            WorkspaceError::ForeignOwner(path) => {
                config.hint(format!("if you trust it, run `chown -R \"$(id -u)\" {}`", path.display()))
            }
            WorkspaceError::NotAFolder(_) | WorkspaceError::Io { .. } => config,
            WorkspaceError::Settings(error) => error.into(),
            WorkspaceError::Store(error) => problem::of_store(error),
        }
    }
}

impl Workspace {
    /// Returns the workspace that a folder is in: the nearest folder above it, or itself, with `.stemma/` or `stemma.toml`.
    pub fn find(start: &Path) -> Result<Option<Self>, WorkspaceError> {
        match find_root(start)? {
            Some(root) => Self::open(&root).map(Some),
            None => Ok(None),
        }
    }

    /// Returns the workspace that a folder is in, which must be there.
    pub fn discover(start: &Path) -> Result<Self, WorkspaceError> {
        Self::find(start)?.ok_or_else(|| WorkspaceError::NotFound(start.to_owned()))
    }

    /// Opens the workspace whose root is this folder.
    pub fn open(root: &Path) -> Result<Self, WorkspaceError> {
        let root = fs::canonicalize(root).map_err(|error| WorkspaceError::io(root, error))?;
        let (home, worktree) = find_home(&root);
        check_home(&home)?;
        let settings = Settings::read(&root.join(SETTINGS_FILE))?;
        Ok(Self { root, home, worktree, settings, author: None })
    }

    /// Absolute, without links.
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The workspace, with who changes it and how, for the operations that are written down.
    pub fn acting(self, author: Author) -> Self {
        Self { author: Some(author), ..self }
    }

    pub fn author(&self) -> Option<&Author> {
        self.author.as_ref()
    }

    /// The folder of the workspace's home, `.stemma/`: its own, or in a worktree of Git that of the main one.
    pub fn home_dir(&self) -> PathBuf {
        self.home.clone()
    }

    /// The folder around the home: where relative places of remotes begin, in every worktree.
    pub fn home_root(&self) -> &Path {
        self.home.parent().unwrap_or(&self.root)
    }

    /// What this folder is called in the operations of a home that belongs to another one.
    pub(crate) fn worktree(&self) -> Option<&str> {
        self.worktree.as_deref()
    }

    /// The folder of the workspace's content.
    pub fn content_dir(&self) -> PathBuf {
        self.home_dir().join("content")
    }

    /// Opens the workspace's content; makes `.stemma/` if there is none, as in a fresh clone.
    pub fn open_store(&self) -> Result<Store, WorkspaceError> {
        make_home(&self.home_dir())?;
        Ok(Store::open(&self.content_dir())?)
    }

    /// Reads `stemma.lock`.
    pub fn lock(&self) -> Result<Lock, LockError> {
        Lock::read(&self.root)
    }
}

/// Returns the nearest folder upwards that is a workspace.
pub(crate) fn find_root(start: &Path) -> Result<Option<PathBuf>, WorkspaceError> {
    let start = fs::canonicalize(start).map_err(|error| WorkspaceError::io(start, error))?;
    let is_root = |folder: &&Path| folder.join(HOME_DIR).is_dir() || folder.join(SETTINGS_FILE).is_file();
    Ok(start.ancestors().find(is_root).map(Path::to_owned))
}

/// The home of a workspace: its own, else that of the main worktree if it lies in another worktree of the repository.
pub(crate) fn find_home(root: &Path) -> (PathBuf, Option<String>) {
    let own = root.join(HOME_DIR);
    if own.symlink_metadata().is_ok() {
        return (own, None);
    }
    let shared = worktree::main_of(root).map(|main| main.join(HOME_DIR)).filter(|home| home.is_dir());
    match shared {
        Some(home) => (home, Some(root.to_string_lossy().into_owned())),
        None => (own, None),
    }
}

/// Makes `.stemma/`, for its owner only.
pub(crate) fn make_home(home: &Path) -> Result<(), WorkspaceError> {
    match fs::DirBuilder::new().mode(0o700).create(home) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => check_home(home),
        made => made.map_err(|error| WorkspaceError::io(home, error)),
    }
}

/// Refuses a `.stemma` that isn't a folder of this user.
fn check_home(home: &Path) -> Result<(), WorkspaceError> {
    let meta = match fs::symlink_metadata(home) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found.map_err(|error| WorkspaceError::io(home, error))?,
    };
    if !meta.is_dir() {
        return Err(WorkspaceError::NotAFolder(home.to_owned()));
    }
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(WorkspaceError::ForeignOwner(home.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_workspace_above_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        let deep = root.join("a/b");
        fs::create_dir_all(&deep).unwrap();
        assert!(Workspace::find(&deep).unwrap().is_none());
        let problem = Problem::from(Workspace::discover(&deep).unwrap_err());
        assert!(problem.hint.unwrap().contains("stemma init"));

        fs::write(root.join(SETTINGS_FILE), "project = \"p\"").unwrap();
        let workspace = Workspace::discover(&deep).unwrap();
        assert_eq!(workspace.root(), root);
        assert_eq!(workspace.settings().project.as_ref().unwrap().as_str(), "p");

        fs::create_dir(root.join("a/.stemma")).unwrap();
        assert_eq!(Workspace::discover(&deep).unwrap().root(), root.join("a"));
    }

    #[test]
    fn the_home_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(SETTINGS_FILE), "").unwrap();
        let workspace = Workspace::open(folder.path()).unwrap();
        workspace.open_store().unwrap();
        let mode = fs::metadata(workspace.home_dir()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn a_home_that_is_a_link_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/tmp", folder.path().join(HOME_DIR)).unwrap();
        let error = Workspace::open(folder.path());
        assert!(matches!(error, Err(WorkspaceError::NotAFolder(_))));
    }
}
