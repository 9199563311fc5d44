//! Dataset names for paths that come in many at once, and their lines in `stemma.lock`.

use std::collections::BTreeMap;

use stemma_core::{
    Digest,
    name::{DatasetName, TreePath},
};
use stemma_store::Store;
use stemma_workspace::{
    Workspace,
    lock::{Lock, LockEntry, default_name},
    operations::{OperationsError, change_lock},
};

use super::error::ImportError;

/// Chooses a name for each path: the one that it has, else one made from its file name, and from more of its path where
/// that name is another path's already. `holders` are the names that the home knows, each with its newest path.
pub fn choose_names<'a>(
    paths: impl IntoIterator<Item = &'a TreePath>,
    lock: &Lock,
    holders: &BTreeMap<DatasetName, String>,
) -> BTreeMap<TreePath, DatasetName> {
    let mut paths: Vec<&TreePath> = paths.into_iter().collect();
    paths.sort_unstable();
    paths.dedup();
    let mut taken: BTreeMap<DatasetName, &str> = BTreeMap::new();
    let known = holders.iter().map(|(name, path)| (name.clone(), path.as_str()));
    taken.extend(known.chain(lock.entries().map(|(path, entry)| (entry.name.clone(), path.as_str()))));
    // a path that has a name keeps it, wherever another path of the same file name stands in the list
    let mut own: BTreeMap<&str, DatasetName> = taken.iter().map(|(name, path)| (*path, name.clone())).collect();
    own.extend(lock.entries().map(|(path, entry)| (path.as_str(), entry.name.clone())));
    let mut names = BTreeMap::new();
    for path in paths {
        let name = own.get(path.as_str()).cloned().unwrap_or_else(|| free_name(path, &taken));
        taken.insert(name.clone(), path.as_str());
        names.insert(path.clone(), name);
    }
    names
}

fn free_name(path: &TreePath, taken: &BTreeMap<DatasetName, &str>) -> DatasetName {
    let joined = |from: usize| {
        let parts: Vec<&str> = path.components().skip(from).collect();
        plain(&parts.join("-"))
    };
    let depth = path.components().count();
    let candidates = default_name(path).ok().into_iter().filter(|name| !name.as_str().contains(' '));
    let candidates = candidates.chain((0..depth).rev().map(joined));
    let numbered = (2_u64..).map(|number| plain(&format!("{}-{number}", joined(0))));
    candidates.chain(numbered).find(|name| !taken.contains_key(name)).expect("one of so many numbers is free")
}

/// A text with everything that a name can't hold made `-`.
fn plain(text: &str) -> DatasetName {
    const CHARS_MAX: usize = 60;
    let allowed = |c: char| if c.is_alphanumeric() || c == '.' { c } else { '-' };
    let text: String = text.chars().flat_map(char::to_lowercase).map(allowed).collect();
    // the end tells paths apart, and a number at it
    let skipped = text.chars().count().saturating_sub(CHARS_MAX);
    let text: String = text.chars().skip(skipped).collect();
    let name = DatasetName::new(text.trim_matches(['-', '.']));
    name.unwrap_or_else(|_| DatasetName::new("imported").expect("it is a name"))
}

/// Writes the paths into `stemma.lock`, as one operation.
pub fn enter(
    workspace: &Workspace,
    store: &Store,
    entries: Vec<(TreePath, Digest, DatasetName)>,
) -> Result<(), ImportError> {
    Ok(change_lock(workspace, store, |lock| {
        entries.into_iter().try_for_each(|(path, digest, name)| {
            lock.insert(path, LockEntry { digest, name }).map_err(OperationsError::from)
        })
    })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(texts: &[&str]) -> Vec<TreePath> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn no_two_paths_get_one_name_and_each_keeps_its_own() {
        let mut lock = Lock::default();
        let entry = LockEntry { digest: Digest::of(b""), name: "kept".parse().unwrap() };
        lock.insert("b/images".parse().unwrap(), entry).unwrap();
        let holders = BTreeMap::from([
            ("model".parse().unwrap(), "somebody/elses".to_owned()),
            ("labels-2".parse().unwrap(), "z/labels.csv".to_owned()),
        ]);
        let all = paths(&["a/images", "b/images", "c/images", "model.bin", "model.csv", "z/labels.csv", "a_b/x y.csv"]);
        let names = choose_names(&all, &lock, &holders);
        let texts: Vec<&str> = all.iter().map(|path| names[path].as_str()).collect();
        assert_eq!(texts, ["images", "kept", "c-images", "model.bin", "model.csv", "labels-2", "x-y"]);
        assert_eq!(choose_names(&all[2..], &lock, &holders)[&all[2]].as_str(), "images");
    }

    #[test]
    fn every_path_gets_a_name() {
        let odd = paths(&[".hidden", "a/.hidden", "--/@", "@", "long/".repeat(40).trim_end_matches('/'), "@@"]);
        let names = choose_names(&odd, &Lock::default(), &BTreeMap::new());
        let mut different: Vec<&str> = names.values().map(DatasetName::as_str).collect();
        assert!(different.iter().all(|name| !name.contains(' ')));
        different.sort_unstable();
        different.dedup();
        assert_eq!(different.len(), odd.len());
    }
}
