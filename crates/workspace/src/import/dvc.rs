//! `stemma import dvc`: what a DVC repository tracks, now or in every commit.

mod config;
#[cfg(fuzzing)]
pub mod fuzzing;
mod listing;
mod pointer;
mod scan;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use stemma_core::{Digest, name::TreePath};
use stemma_store::{Store, StoreError, Tree, TreeEntry};

use self::{
    config::Stores,
    pointer::{Content, ListedFile, Out, Place},
};
use super::{
    Found, Imported,
    fault::{Fault, FaultKind, ImportError, Trouble},
    history::Revision,
    object::ObjectId,
    take::{self, Taker},
};
use crate::Workspace;

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

/// Something tracked, in one revision.
struct Tracked {
    pointer: String,
    revision: Option<Arc<Revision>>,
    current: bool,
    path: TreePath,
    out: Out,
}

/// What all pointers say, each thing once.
#[derive(Default)]
struct Plan {
    tracked: Vec<Tracked>,
    seen: HashMap<(TreePath, Content), usize>,
    faults: Vec<Fault>,
    revisions: usize,
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
    let in_history = places_in_history(&root, &plan, request.all_commits)?;
    let promised = plan.tracked.iter().map(|tracked| tracked.out.size).fold(0, u64::saturating_add);
    let mut watch = |done| progress(done, promised.max(done));
    let taker = Taker::new(store, |id, folder| places(&stores, id, folder), &mut watch)?;
    let mut import = Import { taker, previous: HashMap::new(), stores: &stores };
    let prefix = root.strip_prefix(workspace.root()).ok().and_then(Path::to_str);
    let (mut found, mut faults) = (Vec::new(), plan.faults);
    for tracked in &plan.tracked {
        match import.take(tracked)? {
            Ok(taken) => found.push(Found { place: in_history.get(&tracked.key()).copied(), ..taken }.at(prefix)),
            Err(trouble) => faults.push(tracked.fault(trouble)),
        }
    }
    let (tally, notes, lease) = import.taker.finish()?;
    Ok(Imported { found, faults, notes, tally, revisions: plan.revisions, lease })
}

/// What a path has had, and as which of its contents, oldest first.
type Places = HashMap<(TreePath, Content), u32>;

/// What is tracked now has its place in the history, whether the history comes along or not.
fn places_in_history(root: &Path, plan: &Plan, all_commits: bool) -> Result<Places, ImportError> {
    if all_commits {
        return Ok(plan.places());
    }
    let mut whole = Plan::default();
    match scan::history(root, &mut whole) {
        Err(ImportError::NoGit(_)) => {} // no commits, no history
        read => read?,
    }
    scan::folder(root, &mut whole)?;
    Ok(whole.places())
}

/// The nearest folder upwards that holds `.dvc/`.
fn find_root(start: &Path) -> Result<PathBuf, ImportError> {
    let none = || ImportError::NoDvc(start.display().to_string());
    let real = start.canonicalize().map_err(|_| none())?;
    real.ancestors().find(|folder| folder.join(".dvc").is_dir()).map(Path::to_owned).ok_or_else(none)
}

/// Where DVC keeps an object: the same layout in the cache and in remotes.
fn places(stores: &Stores, id: &ObjectId, folder: bool) -> Vec<take::Place> {
    let hex = id.hex();
    let suffix = if folder { ".dir" } else { "" };
    let below = match id {
        ObjectId::Md5(_) => "files/md5",
        _ => "",
    };
    let place = |store: &PathBuf| {
        let file = store.join(below).join(&hex[..2]).join(format!("{}{suffix}", &hex[2..]));
        take::Place { folder: store.clone(), file }
    };
    stores.folders.iter().map(place).collect()
}

impl Plan {
    fn add(&mut self, tracked: Tracked) {
        let key = tracked.key();
        if let Some(index) = self.seen.get(&key) {
            self.tracked[*index].current |= tracked.current;
            return;
        }
        self.seen.insert(key, self.tracked.len());
        self.tracked.push(tracked);
    }

    /// Counts the contents of each path. One that can't be had now has its place all the same.
    fn places(&self) -> Places {
        let mut counts: HashMap<&TreePath, u32> = HashMap::new();
        let is_kept = |tracked: &&Tracked| tracked.out.place != Place::Git;
        let counted = self.tracked.iter().filter(is_kept).map(|tracked| {
            let count = counts.entry(&tracked.path).or_default();
            *count += 1;
            (tracked.key(), *count)
        });
        counted.collect()
    }

    /// Adds what a pointer says; `folder` is where it lies.
    fn add_all(
        &mut self,
        pointer: &str,
        revision: Option<&Arc<Revision>>,
        current: bool,
        outs: Result<Vec<Out>, String>,
    ) {
        let mut fault = |path: &str, reason: String| {
            let fault = Fault {
                kind: FaultKind::Refused,
                path: pointer::abridged(path),
                pointer: pointer.to_owned(),
                commit: revision.map(|revision| revision.commit.clone()),
                reason,
            };
            let told = |other: &Fault| (&other.pointer, &other.reason) == (&fault.pointer, &fault.reason);
            if !self.faults.iter().any(told) {
                self.faults.push(fault);
            }
        };
        let outs = match outs {
            Ok(outs) => outs,
            Err(reason) => return fault("", reason),
        };
        let folder = pointer.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut whole = Vec::with_capacity(outs.len());
        for out in outs {
            match pointer::place(folder, out.wdir.as_deref(), &out.path) {
                Ok(path) => whole.push((path, out)),
                Err(reason) => fault(&out.path, reason),
            }
        }
        for (path, out) in whole {
            self.add(Tracked { pointer: pointer.to_owned(), revision: revision.cloned(), current, path, out });
        }
    }
}

impl Tracked {
    fn key(&self) -> (TreePath, Content) {
        (self.path.clone(), self.out.content.clone())
    }

    fn fault(&self, trouble: Trouble) -> Fault {
        Fault {
            kind: trouble.kind,
            path: self.path.to_string(),
            pointer: self.pointer.clone(),
            commit: self.revision.as_ref().map(|revision| revision.commit.clone()),
            reason: trouble.reason,
        }
    }

    fn found(&self, digest: Digest, size: u64, object: &str) -> Found {
        let revision = self.revision.as_ref();
        let (path, source) = (self.path.clone(), super::source("dvc", object, revision));
        Found { path, digest, size, source, why: super::why(revision), current: self.current, place: None }
    }
}

impl Found {
    /// As it is seen from the workspace, if the repository lies at `prefix` in it; else it is nothing of its folder's.
    pub(super) fn at(mut self, prefix: Option<&str>) -> Self {
        match prefix.map(|prefix| TreePath::new(format!("{prefix}/{}", self.path).trim_start_matches('/'))) {
            Some(Ok(path)) => self.path = path,
            Some(Err(_)) | None => self.current = false,
        }
        self
    }
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
    fn take(&mut self, tracked: &Tracked) -> Taken<Found> {
        if tracked.out.place == Place::Git {
            // its object may be in the cache all the same, for the run cache, until DVC collects its garbage
            let reason = "DVC does not keep it (`cache: false`): it is in Git";
            return Ok(Err(Trouble::new(FaultKind::Skipped, reason)));
        }
        match &tracked.out.content {
            Content::File(id) => {
                let like = match self.previous.get(&tracked.path) {
                    Some(Previous::File(digest)) => Some(*digest),
                    _ => None,
                };
                let info = match self.taker.take(id, like)? {
                    Ok(info) => info,
                    Err(trouble) => return Ok(Err(self.explained(trouble, tracked))),
                };
                self.previous.insert(tracked.path.clone(), Previous::File(info.digest));
                Ok(Ok(tracked.found(info.digest, info.size, &id.to_string())))
            }
            Content::Folder(id) => {
                let legacy = matches!(id, ObjectId::Md5Dos2Unix(_));
                let bytes = self.taker.listing(id, listing::LISTING_BYTES_MAX);
                let files = bytes.and_then(|bytes| listing::parse(&bytes, legacy).map_err(Trouble::refused));
                match files {
                    Ok(files) => self.take_folder(tracked, &files, &format!("{id}.dir")),
                    Err(trouble) => Ok(Err(self.explained(trouble, tracked))),
                }
            }
            Content::Listed(files) => self.take_folder(tracked, files, "list of files"),
            Content::Nothing(reason) => Ok(Err(Trouble::new(FaultKind::Skipped, reason.clone()))),
            Content::Unusable(reason) => Ok(Err(Trouble::refused(reason.clone()))),
        }
    }

    /// Takes all files of a folder; if one can't be, there is no such folder.
    fn take_folder(&mut self, tracked: &Tracked, files: &[ListedFile], object: &str) -> Taken<Found> {
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
        let found = tracked.found(digest, tree.size(), object);
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
        if trouble.kind != FaultKind::Missing {
            return trouble;
        }
        match tracked.out.place {
            Place::OtherRepository => trouble
                .reason
                .push_str("; it comes from another DVC repository, whose remote has it: `dvc fetch` brings it here"),
            Place::VersionedBucket => trouble
                .reason
                .push_str("; it lies in a bucket under its own name, which is not read: `dvc fetch` brings it here"),
            Place::Stores if !self.stores.elsewhere.is_empty() => {
                let elsewhere = self.stores.elsewhere.join(", ");
                trouble.reason.push_str(&format!("; not looked at, as they are no folders: {elsewhere}"));
            }
            Place::Stores | Place::Git => {}
        }
        trouble
    }
}

/// The troubles of a folder's files as one: the worst kind, and the first few by name.
fn several(troubles: &[(&ListedFile, Trouble)]) -> Trouble {
    let kind = troubles.iter().map(|(_, trouble)| trouble.kind).min().unwrap_or(FaultKind::Refused);
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
