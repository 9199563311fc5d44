//! `stemma add`: content of files into the store, and then a line each into `stemma.lock`.

use std::path::{Path, PathBuf};

use stemma_core::{
    Digest, ErrorKind, Problem, Sha256,
    name::{DatasetName, NameError, TreePath},
    pointer::Pointer,
};
use stemma_store::{Batch, Store, StoreError};

use crate::{
    Workspace, WorkspaceError,
    file::stamp_of,
    folder,
    ignore::{self, Asked, IgnoreLines, InGit},
    lock::{Lock, LockEntry, LockError, default_name},
    operations::{Change, OperationsError, Turn},
    path::{Kind, Located, PathError, locate, look},
    pointer, problem,
    stat_cache::{StatCache, moment_to_read},
    workspace::make_home,
};

/// A file or folder that is tracked now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    pub path: TreePath,
    pub name: DatasetName,
    pub digest: Digest,
    /// The content that the lock had at this path.
    pub before: Option<Digest>,
    /// Of a file.
    pub sha256: Option<Sha256>,
    /// Bytes of all files of a folder.
    pub size: u64,
    pub is_folder: bool,
    /// The lock had this content under this name already.
    pub unchanged: bool,
    pub in_git: InGit,
    /// Files of a folder, as seen from it, that only say where content is.
    pub pointers: Vec<(TreePath, Pointer)>,
}

/// Why files were not added; the lock is as it was.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    #[error("no path was given")]
    Nothing,
    #[error(transparent)]
    Path(#[from] PathError),
    #[error("`{path}` lies in `{folder}`, which is tracked as a whole")]
    Inside { path: TreePath, folder: TreePath },
    #[error("`{tracked}`, which is in `{folder}`, is tracked by itself already")]
    Around { folder: TreePath, tracked: TreePath },
    #[error("`{path}` is {pointer}, not the content")]
    Pointer { path: TreePath, pointer: Pointer },
    #[error("one name was given for {0} paths")]
    NameForMany(usize),
    #[error("`{path}` gives no dataset name: {source}")]
    NoName { path: TreePath, source: NameError },
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Operations(#[from] OperationsError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
}

impl From<AddError> for Problem {
    fn from(error: AddError) -> Self {
        let invalid = Self::invalid(error.to_string());
        match error {
            AddError::Nothing => invalid.hint("name files or folders"),
            AddError::Inside { folder, .. } => {
                Self { kind: ErrorKind::Conflict, ..invalid.hint(format!("`stemma add {folder}`")) }
            }
            AddError::Around { tracked, .. } => Self {
                kind: ErrorKind::Conflict,
                ..invalid.hint(format!("delete the line of `{tracked}` from stemma.lock first; its versions stay"))
            },
            AddError::Pointer { pointer, .. } => invalid.hint(pointer.hint()),
            AddError::NameForMany(_) => invalid.hint("add one file at a time with `--name`"),
            AddError::NoName { .. } => Self { kind: ErrorKind::Invalid, ..invalid.hint("choose a name with `--name`") },
            AddError::Path(error) => error.into(),
            AddError::Lock(error) => error.into(),
            AddError::Operations(error) => error.into(),
            AddError::Store(error) => problem::of_store(error),
            AddError::Workspace(error) => error.into(),
        }
    }
}

/// Adds files and folders: their content is safe in the store before `stemma.lock` speaks of it. Git is told to leave
/// out what it would take in.
///
/// Relative paths are seen from the workspace's root. `progress` gets each path and the bytes of it read so far.
pub fn add(
    workspace: &Workspace,
    store: &Store,
    paths: &[PathBuf],
    name: Option<&DatasetName>,
    progress: &mut dyn FnMut(&TreePath, u64),
) -> Result<Vec<Added>, AddError> {
    make_home(&workspace.home_dir())?;
    let found = locate_all(workspace.root(), paths)?;
    check_pointers(&found)?;
    let lock = workspace.lock()?;
    check_overlap(&found, &lock)?;
    let names = choose_names(&found, name, &lock)?;
    let mut putting = Putting { home: workspace.home_dir(), cache: StatCache::read(&workspace.home_dir()), progress };
    let mut batch = store.batch();
    let mut puts = Vec::with_capacity(found.len());
    for (located, kind) in &found {
        let like = lock.get(located.path.as_str()).map(|entry| entry.digest);
        puts.push(match kind {
            Kind::File => putting.file(&mut batch, located, like)?,
            Kind::Folder => putting.folder(&mut batch, located)?,
        });
    }
    batch.commit()?;
    putting.cache.save(&workspace.home_dir());
    let asked = ignore::ask(workspace.root(), found.iter().map(|(located, _)| located));
    let turn = Turn::take(workspace, store)?;
    let mut lock = turn.lock().clone();
    let mut added = Vec::with_capacity(found.len());
    let mut ignore = IgnoreLines::default();
    for ((((located, _), name), put), Asked { path, answer }) in found.into_iter().zip(names).zip(puts).zip(asked) {
        ignore.written.extend(Some(path).filter(|_| answer.needs_line()));
        added.push(enter(&mut lock, located.path, Version { name, put, in_git: answer })?);
    }
    turn.commit(Change { lock, ignore, ..Change::default() })?;
    Ok(added)
}

fn locate_all(root: &Path, paths: &[PathBuf]) -> Result<Vec<(Located, Kind)>, AddError> {
    let mut found: Vec<(Located, Kind)> = Vec::with_capacity(paths.len());
    for path in paths {
        let located = locate(root, path)?;
        let kind = look(root, &located)?;
        if !found.iter().any(|(held, _)| *held == located) {
            found.push((located, kind));
        }
    }
    if found.is_empty() {
        return Err(AddError::Nothing);
    }
    Ok(found)
}

/// A file that only says where content is would be the version of nothing.
fn check_pointers(found: &[(Located, Kind)]) -> Result<(), AddError> {
    for (Located { path, file }, kind) in found {
        if *kind == Kind::File
            && let Some(pointer) = pointer::at(file)
        {
            return Err(AddError::Pointer { path: path.clone(), pointer });
        }
    }
    Ok(())
}

/// A path is tracked once: by itself, or with the folder that it is in.
fn check_overlap(found: &[(Located, Kind)], lock: &Lock) -> Result<(), AddError> {
    let is_below = |path: &TreePath, folder: &TreePath| {
        path.as_str().strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/'))
    };
    for (Located { path, .. }, _) in found {
        let tracked = lock.entries().map(|(tracked, _)| tracked);
        for other in tracked.chain(found.iter().map(|(located, _)| &located.path)) {
            if is_below(path, other) {
                return Err(AddError::Inside { path: path.clone(), folder: other.clone() });
            }
            if is_below(other, path) {
                return Err(AddError::Around { folder: path.clone(), tracked: other.clone() });
            }
        }
    }
    Ok(())
}

/// Decides the names before anything is stored, so that a conflict costs nothing.
fn choose_names(
    files: &[(Located, Kind)],
    given: Option<&DatasetName>,
    lock: &Lock,
) -> Result<Vec<DatasetName>, AddError> {
    if given.is_some() && files.len() > 1 {
        return Err(AddError::NameForMany(files.len()));
    }
    let mut trial = lock.clone();
    let mut names = Vec::with_capacity(files.len());
    for (Located { path, .. }, _) in files {
        let present = lock.get(path.as_str()).map(|entry| &entry.name);
        let name = match given.or(present) {
            Some(name) => name.clone(),
            None => default_name(path).map_err(|source| AddError::NoName { path: path.clone(), source })?,
        };
        let entry = LockEntry { digest: Digest::of(b""), name: name.clone() };
        trial.insert(path.clone(), entry)?;
        names.push(name);
    }
    Ok(names)
}

/// What was put.
struct Put {
    digest: Digest,
    sha256: Option<Sha256>,
    size: u64,
    pointers: Vec<(TreePath, Pointer)>,
}

struct Putting<'a> {
    home: PathBuf,
    cache: StatCache,
    progress: &'a mut dyn FnMut(&TreePath, u64),
}

impl Putting<'_> {
    fn file(&mut self, batch: &mut Batch, located: &Located, like: Option<Digest>) -> Result<Put, StoreError> {
        let Located { path, file } = located;
        let before = stamp_of(file).map(|stamp| (stamp, moment_to_read(&stamp)));
        let info = batch.put_file_like(file, like, &mut |done| (self.progress)(path, done))?;
        if let Some((stamp, read_began)) = before.filter(|(before, _)| stamp_of(file) == Some(*before)) {
            self.cache.insert(file, stamp, info.digest, read_began);
        }
        Ok(Put { digest: info.digest, sha256: Some(info.sha256), size: info.size, pointers: Vec::new() })
    }

    fn folder(&mut self, batch: &mut Batch, located: &Located) -> Result<Put, StoreError> {
        let Located { path, file } = located;
        let progress = &mut *self.progress;
        let mut watch = |below: &TreePath, done| progress(&path.join(below), done);
        // links on the way to it were followed when it was located; the last one is followed now
        let (tree, pointers) = folder::put(&self.home, file, batch, &mut watch)?;
        Ok(Put { digest: tree.digest, sha256: None, size: tree.size, pointers })
    }
}

/// What the lock will say of a path, and what Git does with it.
struct Version {
    name: DatasetName,
    put: Put,
    in_git: InGit,
}

fn enter(lock: &mut Lock, path: TreePath, version: Version) -> Result<Added, AddError> {
    let Version { name, put: Put { digest, sha256, size, pointers }, in_git } = version;
    let entry = LockEntry { digest, name: name.clone() };
    let held = lock.get(path.as_str());
    let (unchanged, before) = (held == Some(&entry), held.map(|held| held.digest));
    lock.insert(path.clone(), entry)?;
    Ok(Added { path, name, digest, before, sha256, size, is_folder: sha256.is_none(), unchanged, in_git, pointers })
}
