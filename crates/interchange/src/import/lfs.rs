//! `stemma import lfs`: the objects behind git-lfs pointers, now or in every commit.

use std::{
    collections::{BTreeSet, HashMap, HashSet, hash_map::Entry},
    path::{Path, PathBuf},
    sync::Arc,
};

use stemma_core::{Digest, Sha256, name::TreePath, pointer::LfsPointer};
use stemma_store::{Store, StoreError};
use stemma_workspace::{Workspace, git::GitError, path::check_reserved};

use super::{
    error::ImportError,
    history::{Change, File, Repository, Revision},
    imported::Imported,
    left_out::{LeftOut, LeftOutKind, Trouble},
    object::ObjectId,
    take::{ObjectFile, Taker},
    version::{ForeignVersion, source, why},
};

/// By the specification, no pointer is as long.
const POINTER_BYTES_MAX: u64 = 1023;

/// What to import.
#[derive(Debug, Clone, Copy)]
pub struct LfsRequest<'a> {
    /// A folder in the repository.
    pub repository: &'a Path,
    /// Every commit that a reference leads to, not only what is checked out or staged.
    pub all_commits: bool,
}

struct Tracked {
    path: String,
    revision: Option<Arc<Revision>>,
    current: bool,
    pointer: LfsPointer,
}

/// Imports a repository's objects. `progress` gets the bytes that were read so far, and how many the pointers promise.
pub fn import_lfs(
    workspace: &Workspace,
    store: &Store,
    request: LfsRequest<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Imported, ImportError> {
    let none = || ImportError::NoGit(request.repository.display().to_string());
    let real = request.repository.canonicalize().map_err(|_| none())?;
    let failed = |error| ImportError::git(&real, &error);
    let repository = Repository::find(&real).map_err(failed)?.ok_or_else(none)?;
    let top = repository.line(&["rev-parse", "--show-toplevel"]).map_err(failed)?.ok_or_else(none)?;
    let top = PathBuf::from(top);
    let repository = Repository::find(&top).map_err(failed)?.ok_or_else(none)?;
    let objects = objects_dir(&repository, &top).map_err(failed)?;
    let tracked = find(&repository, request.all_commits).map_err(failed)?;
    let promised = tracked.iter().map(|tracked| tracked.pointer.size).fold(0, u64::saturating_add);
    let mut watch = |done| progress(done, promised.max(done));
    let mut taker = Taker::new(store, |id, _| vec![object_file(&objects, id)], &mut watch)?;
    let prefix = top.strip_prefix(workspace.root()).ok().and_then(Path::to_str);
    let mut previous: HashMap<&str, Digest> = HashMap::new();
    let (mut found, mut left_out) = (Vec::new(), Vec::new());
    for tracked in &tracked {
        let like = previous.get(tracked.path.as_str()).copied();
        match take(&mut taker, tracked, like)? {
            Ok(taken) => {
                previous.insert(&tracked.path, taken.digest);
                found.push(taken.at(prefix));
            }
            Err(trouble) => left_out.push(tracked.left_out(trouble)),
        }
    }
    let commits = tracked.iter().filter_map(|tracked| tracked.revision.as_ref().map(|revision| &revision.commit));
    let revisions = commits.collect::<BTreeSet<_>>().len();
    let (tally, notes, lease) = taker.finish()?;
    Ok(Imported { found, left_out, notes, tally, revisions, lease })
}

/// Where git-lfs keeps its objects: in the folder that all work trees share, unless the settings say otherwise.
fn objects_dir(repository: &Repository<'_>, folder: &Path) -> Result<PathBuf, GitError> {
    let common = repository.line(&["rev-parse", "--path-format=absolute", "--git-common-dir"])?.unwrap_or_default();
    let common = folder.join(common);
    let storage = repository.line(&["config", "--get", "lfs.storage"])?.unwrap_or_else(|| "lfs".to_owned());
    Ok(common.join(storage).join("objects"))
}

fn object_file(objects: &Path, id: &ObjectId) -> ObjectFile {
    let hex = id.hex();
    let file = objects.join(&hex[..2]).join(&hex[2..4]).join(&hex);
    ObjectFile { folder: objects.to_owned(), file }
}

/// A file that may be a pointer.
struct Candidate {
    revision: Option<Arc<Revision>>,
    current: bool,
    path: String,
    blob: String,
}

/// The pointers, each content of a path once: of all commits if asked for, then of the index.
fn find(repository: &Repository<'_>, all_commits: bool) -> Result<Vec<Tracked>, GitError> {
    let mut candidates: Vec<Candidate> = Vec::new();
    if all_commits {
        let changes = repository.changes(&["**"])?.into_iter();
        candidates.extend(changes.map(|Change { revision, path, blob }| Candidate {
            revision: Some(revision),
            current: false,
            path,
            blob,
        }));
    }
    candidates.extend(staged(repository)?);
    let pointers = read_pointers(repository, &candidates)?;
    let mut tracked: Vec<Tracked> = Vec::new();
    let mut seen: HashMap<(String, Sha256), usize> = HashMap::new();
    for Candidate { revision, current, path, blob } in candidates {
        let Some(pointer) = pointers.get(&blob).copied() else { continue };
        match seen.entry((path.clone(), pointer.oid)) {
            Entry::Occupied(entry) => tracked[*entry.get()].current |= current,
            Entry::Vacant(entry) => {
                entry.insert(tracked.len());
                tracked.push(Tracked { path, revision, current, pointer });
            }
        }
    }
    Ok(tracked)
}

/// The index, with the commit that is checked out for what is as in it.
fn staged(repository: &Repository<'_>) -> Result<Vec<Candidate>, GitError> {
    let head = repository.head()?;
    let committed: HashSet<(String, String)> = match &head {
        Some(head) => repository.files(&head.commit)?.into_iter().collect(),
        None => HashSet::new(),
    };
    let candidate = |entry: (String, String)| {
        let revision = head.clone().filter(|_| committed.contains(&entry));
        let (blob, path) = entry;
        Candidate { revision, current: true, path, blob }
    };
    Ok(repository.staged()?.into_iter().map(candidate).collect())
}

fn read_pointers(
    repository: &Repository<'_>,
    candidates: &[Candidate],
) -> Result<HashMap<String, LfsPointer>, GitError> {
    let blobs: HashSet<&String> = candidates.iter().map(|candidate| &candidate.blob).collect();
    let blobs: Vec<String> = blobs.into_iter().cloned().collect();
    let mut pointers = HashMap::new();
    repository.read(&blobs, POINTER_BYTES_MAX, |blob, file| {
        if let File::Bytes(bytes) = file
            && let Some(pointer) = std::str::from_utf8(&bytes).ok().and_then(LfsPointer::parse)
        {
            pointers.insert(blob.to_owned(), pointer);
        }
        Ok(())
    })?;
    Ok(pointers)
}

fn take(
    taker: &mut Taker<'_>,
    tracked: &Tracked,
    like: Option<Digest>,
) -> Result<Result<ForeignVersion, Trouble>, StoreError> {
    let path = TreePath::new(tracked.path.as_str()).map_err(|error| error.to_string());
    let path = path.and_then(|path| match check_reserved(path.as_str().as_ref()) {
        Ok(()) => Ok(path),
        Err(error) => Err(error.to_string()),
    });
    let path = match path {
        Ok(path) => path,
        Err(reason) => return Ok(Err(Trouble::refused(reason))),
    };
    if tracked.pointer.has_extensions {
        let reason = "its pointer has extensions: other programs made the object from the file";
        return Ok(Err(Trouble::refused(reason)));
    }
    let id = ObjectId::Sha256(tracked.pointer.oid);
    let info = match taker.take(&id, like)? {
        Ok(info) => info,
        Err(mut trouble) => {
            if trouble.kind == LeftOutKind::Missing {
                trouble.reason.push_str("; `git lfs fetch --all` brings what the server has");
            }
            return Ok(Err(trouble));
        }
    };
    if info.size != tracked.pointer.size {
        let reason = format!("its pointer promises {} bytes, the object has {}", tracked.pointer.size, info.size);
        return Ok(Err(Trouble::new(LeftOutKind::Damaged, reason)));
    }
    let revision = tracked.revision.as_ref();
    let (source, why) = (source("git-lfs", &id.to_string(), revision), why(revision));
    let (digest, size, current) = (info.digest, info.size, tracked.current);
    Ok(Ok(ForeignVersion { path, digest, size, source, why, current, ordinal: None }))
}

impl Tracked {
    fn left_out(&self, trouble: Trouble) -> LeftOut {
        LeftOut {
            kind: trouble.kind,
            path: self.path.clone(),
            pointer: self.path.clone(),
            commit: self.revision.as_ref().map(|revision| revision.commit.clone()),
            reason: trouble.reason,
        }
    }
}
