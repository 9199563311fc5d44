//! What becomes of files that are about to be overwritten.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use stemma_core::name::TreePath;
use stemma_store::{Store, StoreError};

use crate::{
    Workspace, folder,
    operations::FileChange,
    path::{PathError, locate},
};

/// Whether content that is nowhere else may be overwritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overwrite {
    Refuse,
    Force,
}

/// Why a file was not kept, written or removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error(transparent)]
    Path(#[from] PathError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("`{}`: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// Puts files and folders into the store that are about to be overwritten and are nowhere else.
pub(crate) fn put_aside<'a>(
    workspace: &Workspace,
    store: &Store,
    paths: impl Iterator<Item = &'a TreePath>,
) -> Result<(), FileError> {
    let mut batch = store.batch();
    for path in paths {
        let file = locate(workspace.root(), Path::new(path.as_str()))?.file;
        if file.is_file() {
            batch.put_file(&file, &mut |_| {})?;
        } else if file.is_dir() {
            folder::put(&workspace.home_dir(), &file, &mut batch, &mut |_, _| {})?;
        }
    }
    Ok(batch.commit()?)
}

/// Gives a file its content, or removes it.
pub(crate) fn write(workspace: &Workspace, store: &Store, change: &FileChange) -> Result<(), FileError> {
    let file = locate(workspace.root(), Path::new(change.path.as_str()))?.file;
    let io_error = |source| FileError::Io { path: file.clone(), source };
    if let Some(digest) = change.after {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(io_error)?;
        }
        return Ok(folder::bring(&workspace.home_dir(), store, &digest, &file)?);
    }
    let removed = match fs::symlink_metadata(&file) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(&file),
        Ok(_) => fs::remove_file(&file),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(error)),
        _ => Ok(()),
    }
}

/// The first of many paths.
pub(crate) fn list(paths: &[TreePath]) -> String {
    const SHOWN: usize = 3;
    let mut shown: Vec<String> = paths.iter().take(SHOWN).map(|p| format!("`{p}`")).collect();
    if paths.len() > SHOWN {
        shown.push(format!("{} more", paths.len() - SHOWN));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use stemma_core::Digest;

    use super::*;
    use crate::{Nesting, init};

    /// What stands at a path, before and after: nothing, a file, or a folder with one.
    fn there() -> impl Strategy<Value = Option<Vec<(&'static str, Vec<u8>)>>> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..40);
        prop_oneof![
            Just(None),
            bytes().prop_map(|bytes| Some(vec![("", bytes)])),
            bytes().prop_map(|bytes| Some(vec![("/a/b", bytes.clone()), ("/c", bytes)])),
        ]
    }

    fn lay(root: &Path, files: &[(&str, Vec<u8>)]) {
        for (below, bytes) in files {
            let file = PathBuf::from(format!("{}{below}", root.display()));
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, bytes).unwrap();
        }
    }

    fn has(root: &Path, files: &[(&str, Vec<u8>)]) -> bool {
        files
            .iter()
            .all(|(below, bytes)| fs::read(format!("{}{below}", root.display())).is_ok_and(|found| found == *bytes))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_was_put_aside_comes_back_whatever_was_written_over_it(before in there(), after in there()) {
            let folder = tempfile::tempdir().unwrap();
            let workspace = init(folder.path(), Nesting::Refuse).unwrap().workspace;
            let store = workspace.open_store().unwrap();
            let path: TreePath = "data/x".parse().unwrap();
            let place = workspace.root().join(path.as_str());
            let digest = |files: &Option<Vec<_>>| -> Option<Digest> {
                files.as_ref().map(|files| {
                    lay(&place, files);
                    put_aside(&workspace, &store, [&path].into_iter()).unwrap();
                    let mut batch = store.batch();
                    let digest = match place.is_dir() {
                        true => folder::put(&workspace.home_dir(), &place, &mut batch, &mut |_, _| {}).unwrap().0.digest,
                        false => batch.put_file(&place, &mut |_| {}).unwrap().digest,
                    };
                    drop(batch);
                    digest
                })
            };
            let clear = || FileChange { path: path.clone(), before: None, after: None };
            let new = digest(&after);
            write(&workspace, &store, &clear()).unwrap();
            let old = digest(&before);
            for (wanted, files) in [(new, &after), (old, &before)] {
                write(&workspace, &store, &FileChange { path: path.clone(), before: None, after: wanted }).unwrap();
                match files {
                    Some(files) => prop_assert!(has(&place, files)),
                    None => prop_assert!(!place.exists()),
                }
            }
        }
    }
}
