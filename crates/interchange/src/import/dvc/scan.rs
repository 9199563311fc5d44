//! Finding the pointers: in the folder as it is, and in what Git remembers.

use std::{
    collections::{BTreeSet, HashMap},
    fs, io,
    path::Path,
    sync::Arc,
};

use super::{
    plan::Plan,
    pointer::{self, Out, POINTER_BYTES_MAX},
};
use crate::import::{
    error::ImportError,
    history::{File, Repository, Revision},
};

const LOCK: &str = "dvc.lock";
const PIPELINE: &str = "dvc.yaml";
/// Names of folders that hold no pointers.
const SKIPPED: [&str; 4] = [".git", ".dvc", ".hg", stemma_workspace::HOME_DIR];
const DEPTH_MAX: usize = 128;
const ENTRIES_MAX: usize = 10_000_000;

fn is_pointer(name: &str) -> bool {
    name.len() > ".dvc".len() && name.ends_with(".dvc")
}

/// Adds what every commit's pointers say, as far as a commit changed them.
pub fn history(root: &Path, plan: &mut Plan) -> Result<(), ImportError> {
    let failed = |error| ImportError::git(root, &error);
    let none = || ImportError::NoGit(root.display().to_string());
    let repository = Repository::find(root).map_err(failed)?.ok_or_else(none)?;
    let changes = repository.changes(&["**/*.dvc", "**/dvc.lock", "**/dvc.yaml"]).map_err(failed)?;
    let mut wanted: Vec<Wanted> = Vec::new();
    let mut told = BTreeSet::new();
    let mut commits = BTreeSet::new();
    for change in changes {
        let Some(path) = change.path.strip_prefix(&repository.prefix) else { continue };
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let pipeline = name == LOCK || name == PIPELINE;
        if !pipeline && !is_pointer(name) || folder.split('/').any(|part| SKIPPED.contains(&part)) {
            continue;
        }
        commits.insert(change.revision.commit.clone());
        // lock and pipeline say together what is tracked, and a commit may change both
        if !pipeline || told.insert((change.revision.commit.clone(), folder.to_owned())) {
            wanted.push(Wanted::new(change.revision, &repository.prefix, path, change.blob));
        }
    }
    plan.revisions = commits.len();
    read_wanted(&repository, wanted, plan).map_err(failed)
}

/// A pointer in a commit, and how Git is asked for it.
struct Wanted {
    revision: Arc<Revision>,
    /// Seen from the project.
    pointer: String,
    /// The file, and for a lock the pipeline beside it.
    names: Vec<String>,
}

impl Wanted {
    fn new(revision: Arc<Revision>, prefix: &str, path: &str, blob: String) -> Self {
        if is_pointer(path) {
            return Self { revision, pointer: path.to_owned(), names: vec![blob] };
        }
        let folder = path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
        let name = |name| format!("{}:{prefix}{folder}{name}", revision.commit);
        let names = vec![name(LOCK), name(PIPELINE)];
        Self { revision, pointer: format!("{folder}{LOCK}"), names }
    }
}

/// Pointers that are read at once, so that what they hold does not lie in memory for a whole history.
const WANTED_AT_ONCE: usize = 1000;

fn read_wanted(
    repository: &Repository<'_>,
    wanted: Vec<Wanted>,
    plan: &mut Plan,
) -> Result<(), stemma_workspace::git::GitError> {
    for wanted in wanted.chunks(WANTED_AT_ONCE) {
        let names: BTreeSet<&String> = wanted.iter().flat_map(|wanted| &wanted.names).collect();
        let names: Vec<String> = names.into_iter().cloned().collect();
        let mut files = HashMap::new();
        repository.read(&names, POINTER_BYTES_MAX, |name, file| {
            files.insert(name.to_owned(), file);
            Ok(())
        })?;
        for Wanted { revision, pointer, names } in wanted {
            let file = |index: usize| names.get(index).and_then(|name| files.get(name)).unwrap_or(&File::Missing);
            let outs = match (file(0), file(1)) {
                (File::Missing, _) => continue, // a pipeline that never ran
                (File::TooLong(size), _) | (_, File::TooLong(size)) => Err(too_long(*size)),
                (File::Bytes(text), _) if names.len() == 1 => pointer::parse_pointer(text),
                (File::Bytes(text), File::Bytes(pipeline)) => pointer::parse_lock(text, Some(pipeline)),
                (File::Bytes(text), File::Missing) => pointer::parse_lock(text, None),
            };
            plan.add_all(pointer, Some(revision), false, outs);
        }
    }
    Ok(())
}

/// Adds what the pointers in the folder say now.
pub fn folder(root: &Path, plan: &mut Plan) -> Result<(), ImportError> {
    let mut pointers = Vec::new();
    walk(root, root, 0, &mut 0, &mut pointers)?;
    pointers.sort();
    let revisions = committed(root, &pointers)?;
    let mut outs_of = Vec::with_capacity(pointers.len());
    for pointer in &pointers {
        outs_of.push(read_pointer(root, pointer));
    }
    for (pointer, outs) in pointers.iter().zip(outs_of) {
        let revision = revisions.get(pointer);
        plan.add_all(pointer, revision, true, outs);
    }
    let is_new = plan.revisions == 0 && !revisions.is_empty();
    plan.revisions += usize::from(is_new);
    Ok(())
}

fn read_pointer(root: &Path, pointer: &str) -> Result<Vec<Out>, String> {
    let path = root.join(pointer);
    let text = read(&path).map_err(|error| error.to_string())?.ok_or_else(|| "it is gone".to_owned())?;
    if is_pointer(pointer) {
        return pointer::parse_pointer(&text);
    }
    let pipeline = read(&path.with_file_name(PIPELINE)).map_err(|error| format!("`{PIPELINE}` beside it: {error}"))?;
    pointer::parse_lock(&text, pipeline.as_deref())
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Ok(meta) if !meta.is_file() => return Err(io::Error::other("it is not a regular file")),
        Ok(meta) if meta.len() > POINTER_BYTES_MAX => return Err(io::Error::other(too_long(meta.len()))),
        looked => looked?,
    };
    fs::read(path).map(Some)
}

fn too_long(size: u64) -> String {
    format!("it has {size} bytes, more than the {POINTER_BYTES_MAX} that are read")
}

/// Collects pointers, seen from the root. Links are not followed, and neither are projects inside the project.
fn walk(
    root: &Path,
    folder: &Path,
    depth: usize,
    entries: &mut usize,
    pointers: &mut Vec<String>,
) -> Result<(), ImportError> {
    let path = || folder.display().to_string();
    let unreadable = |error: io::Error| ImportError::Unreadable { path: path(), reason: error.to_string() };
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        *entries += 1;
        if *entries > ENTRIES_MAX || depth > DEPTH_MAX {
            return Err(ImportError::Unreadable { path: path(), reason: "it holds too much".to_owned() });
        }
        let kind = entry.file_type().map_err(unreadable)?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let is_project = || entry.path().join(".dvc").is_dir();
        if kind.is_dir() && !SKIPPED.contains(&name) && !is_project() {
            walk(root, &entry.path(), depth + 1, entries, pointers)?;
        } else if kind.is_file() && (is_pointer(name) || name == LOCK) {
            let inside = entry.path();
            pointers.extend(inside.strip_prefix(root).ok().and_then(Path::to_str).map(str::to_owned));
        }
    }
    Ok(())
}

/// The commit that is checked out, for those pointers that are as they are in it.
fn committed(root: &Path, pointers: &[String]) -> Result<HashMap<String, Arc<Revision>>, ImportError> {
    let failed = |error| ImportError::git(root, &error);
    let mut same = HashMap::new();
    let Ok(Some(repository)) = Repository::find(root) else {
        return Ok(same); // no Git, no commits
    };
    let Some(head) = repository.head().map_err(failed)? else {
        return Ok(same);
    };
    let name = |pointer: &String| format!("{}:{}{pointer}", head.commit, repository.prefix);
    let names: HashMap<String, &String> = pointers.iter().map(|pointer| (name(pointer), pointer)).collect();
    let ordered: Vec<String> = names.keys().cloned().collect();
    let compare = |name: &str, file: File| {
        let pointer = names.get(name);
        if let (Some(pointer), File::Bytes(bytes)) = (pointer, file)
            && read(&root.join(pointer)).is_ok_and(|there| there.as_deref() == Some(&bytes))
        {
            same.insert((*pointer).clone(), Arc::clone(&head));
        }
        Ok(())
    };
    repository.read(&ordered, POINTER_BYTES_MAX, compare).map_err(failed)?;
    Ok(same)
}
