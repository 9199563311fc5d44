//! `stemma import dvc`: what a DVC repository tracks, now or in every commit.

mod config;
#[cfg(fuzzing)]
pub mod fuzzing;
mod listing;
mod plan;
mod pointer;
mod scan;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use stemma_core::{Digest, name::TreePath};
use stemma_store::{Store, StoreError, Tree, TreeEntry};
use stemma_workspace::Workspace;

use self::{
    config::Stores,
    plan::{Ordinals, Plan, Tracked},
    pointer::{Holder, ListedFile, OutContent},
};
use super::{
    error::ImportError,
    imported::Imported,
    left_out::{LeftOutKind, Trouble},
    object::ObjectId,
    take::{ObjectFile, ObjectKind, Taker},
    version::ForeignVersion,
};

/// Files of a folder that are named if they can't be taken; of the others only the number.
const NAMED_MAX: usize = 5;

/// What to import.
#[derive(Debug, Clone, Copy)]
pub struct DvcRequest<'a> {
    /// A folder in the repository.
    pub repository: &'a Path,
    /// A remote by its name or as a folder; without it all that the repository's settings name.
    pub remote: Option<&'a str>,
    /// Every commit that a reference leads to, not only the folder as it is.
    pub all_commits: bool,
}

/// Imports a repository's objects. `progress` gets the bytes that were read so far, and how many the pointers promise.
pub fn import_dvc(
    workspace: &Workspace,
    store: &Store,
    request: DvcRequest<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Imported, ImportError> {
    let root = find_root(request.repository)?;
    let stores = config::read(&root, request.remote).map_err(ImportError::Remote)?;
    let mut plan = Plan::default();
    if request.all_commits {
        scan::history(&root, &mut plan)?;
    }
    scan::folder(&root, &mut plan)?;
    let ordinals = ordinals_in_history(&root, &plan, request.all_commits)?;
    let promised = plan.tracked.iter().map(|tracked| tracked.out.size).fold(0, u64::saturating_add);
    let mut watch = |done| progress(done, promised.max(done));
    let taker = Taker::new(store, |id, kind| object_files(&stores, id, kind), &mut watch)?;
    let mut import = Import { taker, previous: HashMap::new(), stores: &stores };
    let prefix = root.strip_prefix(workspace.root()).ok().and_then(Path::to_str);
    let (mut found, mut left_out) = (Vec::new(), plan.left_out);
    for tracked in &plan.tracked {
        match import.take(tracked)? {
            Ok(taken) => {
                found.push(ForeignVersion { ordinal: ordinals.get(&tracked.key()).copied(), ..taken }.at(prefix))
            }
            Err(trouble) => left_out.push(tracked.left_out(trouble)),
        }
    }
    let (tally, notes, lease) = import.taker.finish()?;
    Ok(Imported { found, left_out, notes, tally, revisions: plan.revisions, lease })
}

/// What is tracked now has its place in the history, whether the history comes along or not.
fn ordinals_in_history(root: &Path, plan: &Plan, all_commits: bool) -> Result<Ordinals, ImportError> {
    if all_commits {
        return Ok(plan.ordinals());
    }
    let mut whole = Plan::default();
    match scan::history(root, &mut whole) {
        Err(ImportError::NoGit(_)) => {} // no commits, no history
        read => read?,
    }
    scan::folder(root, &mut whole)?;
    Ok(whole.ordinals())
}

/// The nearest folder upwards that holds `.dvc/`.
fn find_root(start: &Path) -> Result<PathBuf, ImportError> {
    let none = || ImportError::NoDvc(start.display().to_string());
    let real = start.canonicalize().map_err(|_| none())?;
    real.ancestors().find(|folder| folder.join(".dvc").is_dir()).map(Path::to_owned).ok_or_else(none)
}

/// Where DVC keeps an object: the same layout in the cache and in remotes.
fn object_files(stores: &Stores, id: &ObjectId, kind: ObjectKind) -> Vec<ObjectFile> {
    let hex = id.hex();
    let suffix = match kind {
        ObjectKind::File => "",
        ObjectKind::Listing => ".dir",
    };
    let below = match id {
        ObjectId::Md5(_) => "files/md5",
        _ => "",
    };
    let file_in = |store: &PathBuf| {
        let file = store.join(below).join(&hex[..2]).join(format!("{}{suffix}", &hex[2..]));
        ObjectFile { folder: store.clone(), file }
    };
    stores.folders.iter().map(file_in).collect()
}

type Taken<T> = Result<Result<T, Trouble>, StoreError>;

struct Import<'a> {
    taker: Taker<'a>,
    /// The newest content of each path so far: what comes next is likely to be a later version of it.
    previous: HashMap<TreePath, Previous>,
    stores: &'a Stores,
}

enum Previous {
    File(Digest),
    Folder(Tree),
}

impl Import<'_> {
    fn take(&mut self, tracked: &Tracked) -> Taken<ForeignVersion> {
        if tracked.out.holder == Holder::Git {
            // its object may be in the cache all the same, for the run cache, until DVC collects its garbage
            let reason = "DVC does not keep it (`cache: false`): it is in Git";
            return Ok(Err(Trouble::new(LeftOutKind::Skipped, reason)));
        }
        match &tracked.out.content {
            OutContent::File(id) => {
                let like = match self.previous.get(&tracked.path) {
                    Some(Previous::File(digest)) => Some(*digest),
                    _ => None,
                };
                let info = match self.taker.take(id, like)? {
                    Ok(info) => info,
                    Err(trouble) => return Ok(Err(self.explained(trouble, tracked))),
                };
                self.previous.insert(tracked.path.clone(), Previous::File(info.digest));
                Ok(Ok(tracked.version(info.digest, info.size, &id.to_string())))
            }
            OutContent::Folder(id) => {
                let legacy = matches!(id, ObjectId::Md5Dos2Unix(_));
                let bytes = self.taker.listing(id, listing::LISTING_BYTES_MAX);
                let files = bytes.and_then(|bytes| listing::parse(&bytes, legacy).map_err(Trouble::refused));
                match files {
                    Ok(files) => self.take_folder(tracked, &files, &format!("{id}.dir")),
                    Err(trouble) => Ok(Err(self.explained(trouble, tracked))),
                }
            }
            OutContent::Listed(files) => self.take_folder(tracked, files, "list of files"),
            OutContent::Nothing(reason) => Ok(Err(Trouble::new(LeftOutKind::Skipped, reason.clone()))),
            OutContent::Unusable(reason) => Ok(Err(Trouble::refused(reason.clone()))),
        }
    }

    /// Takes all files of a folder; if one can't be, there is no such folder.
    fn take_folder(&mut self, tracked: &Tracked, files: &[ListedFile], object: &str) -> Taken<ForeignVersion> {
        let mut tree = Tree::default();
        let mut troubles = Vec::new();
        for file in files {
            match self.take_listed(tracked, file)? {
                Ok((path, entry)) => match tree.entries.insert(path, entry) {
                    None => {}
                    Some(_) => troubles.push((file, Trouble::refused("it is listed twice"))),
                },
                Err(trouble) => troubles.push((file, trouble)),
            }
        }
        if !troubles.is_empty() {
            return Ok(Err(self.explained(several(&troubles), tracked)));
        }
        let digest = match tree.digest() {
            Err(StoreError::Refused { path, reason }) => {
                return Ok(Err(Trouble::refused(format!("`{}` in it: {reason}", path.display()))));
            }
            digest => digest?,
        };
        self.taker.put_tree(&tree)?;
        let found = tracked.version(digest, tree.size(), object);
        self.previous.insert(tracked.path.clone(), Previous::Folder(tree));
        Ok(Ok(found))
    }

    fn take_listed(&mut self, tracked: &Tracked, file: &ListedFile) -> Taken<(TreePath, TreeEntry)> {
        let path = match TreePath::new(file.path.as_str()) {
            Ok(path) => path,
            Err(error) => return Ok(Err(Trouble::refused(error.reason))),
        };
        let id = match &file.id {
            Ok(id) => id,
            Err(reason) => return Ok(Err(Trouble::refused(reason.clone()))),
        };
        let like = match self.previous.get(&tracked.path) {
            Some(Previous::Folder(tree)) => tree.entries.get(&path).and_then(TreeEntry::digest),
            _ => None,
        };
        let executable = file.executable;
        let taken = self.taker.take(id, like)?;
        Ok(taken.map(|info| (path, TreeEntry::File { digest: info.digest, size: info.size, executable })))
    }

    /// Says why an object may be missing, as far as pointer and settings tell.
    fn explained(&self, mut trouble: Trouble, tracked: &Tracked) -> Trouble {
        if trouble.kind != LeftOutKind::Missing {
            return trouble;
        }
        match tracked.out.holder {
            Holder::OtherRepository => trouble
                .reason
                .push_str("; it comes from another DVC repository, whose remote has it: `dvc fetch` brings it here"),
            Holder::VersionedBucket => trouble
                .reason
                .push_str("; it lies in a bucket under its own name, which is not read: `dvc fetch` brings it here"),
            Holder::Stores if !self.stores.elsewhere.is_empty() => {
                let elsewhere = self.stores.elsewhere.join(", ");
                trouble.reason.push_str(&format!("; not looked at, as they are no folders: {elsewhere}"));
            }
            Holder::Stores | Holder::Git => {}
        }
        trouble
    }
}

/// The troubles of a folder's files as one: the worst kind, and the first few by name.
fn several(troubles: &[(&ListedFile, Trouble)]) -> Trouble {
    let kind = troubles.iter().map(|(_, trouble)| trouble.kind).min().unwrap_or(LeftOutKind::Refused);
    let mut worst_first: Vec<&(&ListedFile, Trouble)> = troubles.iter().collect();
    worst_first.sort_by_key(|(_, trouble)| trouble.kind);
    let named = worst_first.iter().take(NAMED_MAX);
    let named: Vec<String> =
        named.map(|(file, trouble)| format!("`{}` in it: {}", pointer::abridged(&file.path), trouble.reason)).collect();
    let mut reason = named.join("; ");
    if troubles.len() > NAMED_MAX {
        reason.push_str(&format!("; and {} files more", troubles.len() - NAMED_MAX));
    }
    Trouble::new(kind, reason)
}
