//! `stemma add`: content of files into the store, and then a line each into `stemma.lock`.

use std::path::{Path, PathBuf};

use stemma_core::{
    Digest, ErrorKind, Problem, Sha256,
    name::{DatasetName, NameError, TreePath},
};
use stemma_store::{Batch, BlobInfo, Store, StoreError};

use crate::{
    Workspace, WorkspaceError,
    file::stamp_of,
    lock::{Lock, LockEntry, LockError, default_name},
    path::{Kind, Located, PathError, locate, look},
    problem,
    stat_cache::{Moment, StatCache},
    workspace::make_home,
};

/// A file that is tracked now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    pub path: TreePath,
    pub name: DatasetName,
    pub digest: Digest,
    pub sha256: Sha256,
    pub size: u64,
    /// The lock had this content under this name already.
    pub unchanged: bool,
}

/// Why files were not added; the lock is as it was.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    #[error("no path was given")]
    Nothing,
    #[error(transparent)]
    Path(#[from] PathError),
    #[error("`{0}` is a folder")]
    Folder(TreePath),
    #[error("one name was given for {0} files")]
    NameForMany(usize),
    #[error("`{path}` gives no dataset name: {source}")]
    NoName { path: TreePath, source: NameError },
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
}

impl From<AddError> for Problem {
    fn from(error: AddError) -> Self {
        let invalid = Self::invalid(error.to_string());
        match error {
            AddError::Nothing => invalid.hint("name one or more files"),
            AddError::Folder(path) => invalid.hint(format!("add the files in it: `stemma add {path}/*`")),
            AddError::NameForMany(_) => invalid.hint("add one file at a time with `--name`"),
            AddError::NoName { .. } => Self { kind: ErrorKind::Invalid, ..invalid.hint("choose a name with `--name`") },
            AddError::Path(error) => error.into(),
            AddError::Lock(error) => error.into(),
            AddError::Store(error) => problem::of_store(error),
            AddError::Workspace(error) => error.into(),
        }
    }
}

/// Adds files: their content is safe in the store before `stemma.lock` speaks of it.
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
    let files = locate_files(workspace.root(), paths)?;
    let lock = workspace.lock()?;
    let names = choose_names(&files, name, &lock)?;
    let mut cache = StatCache::read(&workspace.home_dir());
    let mut batch = store.batch();
    let mut infos = Vec::with_capacity(files.len());
    for located in &files {
        let mut watch = |done| progress(&located.path, done);
        let like = lock.get(located.path.as_str()).map(|entry| entry.digest);
        infos.push(put(&mut batch, &located.file, like, &mut cache, &mut watch)?);
    }
    batch.commit()?;
    cache.save(&workspace.home_dir());
    let chosen = files.into_iter().zip(names).zip(infos);
    Lock::update(workspace, store, |lock| {
        chosen.map(|((located, name), info)| enter(lock, located.path, name, &info)).collect()
    })
}

fn locate_files(root: &Path, paths: &[PathBuf]) -> Result<Vec<Located>, AddError> {
    let mut files: Vec<Located> = Vec::with_capacity(paths.len());
    for path in paths {
        let located = locate(root, path)?;
        if look(root, &located)? == Kind::Folder {
            return Err(AddError::Folder(located.path));
        }
        if !files.contains(&located) {
            files.push(located);
        }
    }
    if files.is_empty() {
        return Err(AddError::Nothing);
    }
    Ok(files)
}

/// Decides the names before anything is stored, so that a conflict costs nothing.
fn choose_names(files: &[Located], given: Option<&DatasetName>, lock: &Lock) -> Result<Vec<DatasetName>, AddError> {
    if given.is_some() && files.len() > 1 {
        return Err(AddError::NameForMany(files.len()));
    }
    let mut trial = lock.clone();
    let mut names = Vec::with_capacity(files.len());
    for Located { path, .. } in files {
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

fn put(
    batch: &mut Batch,
    file: &Path,
    like: Option<Digest>,
    cache: &mut StatCache,
    progress: &mut dyn FnMut(u64),
) -> Result<BlobInfo, StoreError> {
    let read_began = Moment::now();
    let before = stamp_of(file);
    let info = batch.put_file_like(file, like, progress)?;
    if let Some(stamp) = before.filter(|before| stamp_of(file) == Some(*before)) {
        cache.insert(file, stamp, info.digest, read_began);
    }
    Ok(info)
}

fn enter(lock: &mut Lock, path: TreePath, name: DatasetName, info: &BlobInfo) -> Result<Added, AddError> {
    let entry = LockEntry { digest: info.digest, name: name.clone() };
    let unchanged = lock.get(path.as_str()) == Some(&entry);
    lock.insert(path.clone(), entry)?;
    Ok(Added { path, name, digest: info.digest, sha256: info.sha256, size: info.size, unchanged })
}
