//! Which files of a home go along: all but those that a rule here leaves out, so that what is new in a home is never
//! forgotten.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use stemma_core::{ErrorKind, Problem};

use crate::problem::unusable;

/// What becomes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// It goes along as it is when the ledger's moment is held, or as it has grown since: nothing in it is older than what
    /// the ledger says of it.
    Along,
    /// It goes along as it is before that moment: it must not know more than the ledger.
    Before,
    /// It stays: content and ledger go another way, and what belongs to running processes or is made anew is no part of it.
    Stays,
}

/// Folders that stay, with all that is in them.
const FOLDERS: [&str; 5] = ["content", "folders", "backups", "predictions/sealing", "feedback/sealing"];
/// Files that stay.
const FILES: [&str; 8] = [
    "ledger.db",
    "ledger.db-wal",
    "ledger.db-shm",
    "ledger.db-journal",
    "owner.lock",
    "owner.sock",
    "server-address",
    "stat-cache",
];
/// Most folders within each other; a home has fewer.
const DEPTH_MAX: usize = 16;

/// What becomes of a file of a home, by its path in it.
pub fn rule(path: &str) -> Rule {
    let is_within = |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    let is_half_written = path.ends_with(".new");
    let is_index_of_remote = path.starts_with("remotes/") && path.ends_with(".idx");
    let is_left_out = FOLDERS.into_iter().any(is_within) || FILES.contains(&path);
    if is_left_out || is_half_written || is_index_of_remote {
        return Rule::Stays;
    }
    // a signed head that the ledger has not reached yet would say that it was cut; the number of the last operation is
    // written behind the operation
    if path.starts_with("checkpoints/") || path == "operations.last" { Rule::Before } else { Rule::Along }
}

/// The files of a home that go along, by their paths in it. What goes while it is looked for is not there.
pub fn files(root: &Path) -> Result<BTreeMap<String, Rule>, Problem> {
    let mut found = BTreeMap::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        if folder.components().count() > DEPTH_MAX {
            return Err(Problem::new(ErrorKind::Config, format!("`{}` lies too deep in a home", folder.display())));
        }
        for entry in entries(&root.join(&folder))? {
            let path = folder.join(&entry);
            let named = path.to_str().ok_or_else(|| {
                let message = format!("the name of `{}` in the home is no text", path.display());
                Problem::new(ErrorKind::Config, message).hint("it is none of Stemma's; move it elsewhere")
            })?;
            // what a folder's rule leaves out need not be looked at
            if rule(named) == Rule::Stays || FOLDERS.contains(&named) {
                continue;
            }
            match fs::metadata(root.join(&path)) {
                Ok(meta) if meta.is_dir() => folders.push(path),
                Ok(meta) if meta.is_file() => {
                    found.insert(named.to_owned(), rule(named));
                }
                // sockets and pipes hold nothing
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(unusable(&root.join(&path), &error)),
            }
        }
    }
    Ok(found)
}

fn entries(folder: &Path) -> Result<Vec<std::ffi::OsString>, Problem> {
    let read = || -> io::Result<_> { fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect() };
    match read() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read.map_err(|error| unusable(folder, &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_in_a_home_goes_along_unless_a_rule_leaves_it_out() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        };
        let along = [
            "home.json",
            "feedback/0192.seg",
            "operations",
            "predictions/0192.seg",
            "predictions/log.lock",
            "prediction.key",
            "purging/ab",
            "remotes/team/remote.json",
            "something/of/tomorrow.seg",
            "witnessed.heads",
        ];
        let before = ["checkpoints/last.checkpoint", "checkpoints/signing.key", "operations.last"];
        let stays = [
            "backups/lock",
            "content/packs/1.pack",
            "feedback/sealing/part.parquet",
            "folders/ab",
            "ledger.db",
            "ledger.db-wal",
            "owner.lock",
            "predictions/sealing/part.parquet",
            "remotes/team/1.idx",
            "server-address",
            "stat-cache",
            "home.new",
        ];
        for path in along.iter().chain(&before).chain(&stays) {
            write(path);
        }
        let expected = along.map(|path| (path.to_owned(), Rule::Along)).into_iter();
        let expected = expected.chain(before.map(|path| (path.to_owned(), Rule::Before)));
        assert_eq!(files(folder.path()).unwrap(), expected.collect());
    }
}
