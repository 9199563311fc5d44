//! Where damaged content may still be had: tracked files, then the server.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{Read, Seek as _},
    path::PathBuf,
};

use stemma_core::{Digest, ErrorKind, Problem, name::TreePath};
use stemma_store::{Store, StoreError, TreeChild};
use stemma_workspace::{Workspace, WorkspaceError};

use crate::{print::Output, session::Session};

/// What `stemma.lock` names, down to the files of folders.
pub struct TrackedContents {
    root: PathBuf,
    /// What the lock itself names.
    entries: BTreeSet<Digest>,
    paths: BTreeMap<Digest, BTreeSet<TreePath>>,
}

impl TrackedContents {
    /// Folders whose lists can't be read have nothing in them.
    pub fn read(workspace: &Workspace, store: &Store) -> Result<Self, Problem> {
        let lock = workspace.lock()?;
        let mut paths: BTreeMap<Digest, BTreeSet<TreePath>> = BTreeMap::new();
        for (path, entry) in lock.entries() {
            paths.entry(entry.digest).or_default().insert(path.clone());
            each_part(store, path, entry.digest, &mut |path, digest| {
                paths.entry(digest).or_default().insert(path);
            })
            .map_err(WorkspaceError::from)?;
        }
        let entries = lock.entries().map(|(_, entry)| entry.digest).collect();
        Ok(Self { root: workspace.root().to_owned(), entries, paths })
    }

    pub fn paths(&self, digest: &Digest) -> BTreeSet<TreePath> {
        self.paths.get(digest).cloned().unwrap_or_default()
    }

    /// What the lock names and the store lacks: it was never fetched, or is gone.
    pub fn absent(&self, store: &Store) -> Vec<Digest> {
        self.entries.iter().filter(|digest| !store.contains(digest)).copied().collect()
    }

    /// The folder whose list, or a part of it, this is.
    pub fn folder(&self, digest: &Digest) -> Option<(TreePath, PathBuf)> {
        let at = |path: &TreePath| (path.clone(), self.root.join(path.as_str()));
        self.paths.get(digest)?.iter().map(at).find(|(_, folder)| folder.is_dir())
    }

    /// The first file that has the content now.
    fn open(&self, digest: &Digest) -> Option<(TreePath, File)> {
        self.paths.get(digest)?.iter().find_map(|path| {
            // a path of the lock is relative and has no `..`; what a link leads to must have the digest too
            let mut file = File::open(self.root.join(path.as_str())).ok()?;
            let is_file = file.metadata().ok()?.is_file();
            let found = is_file.then(|| blake3::Hasher::new().update_reader(&mut file).ok().map(|h| h.finalize()));
            let is_it = Digest::from_bytes(*found??.as_bytes()) == *digest;
            file.rewind().ok()?;
            is_it.then(|| (path.clone(), file))
        })
    }
}

/// Visits the files of a folder with their paths, and the parts of its list under the folder's own.
fn each_part(
    store: &Store,
    path: &TreePath,
    tree: Digest,
    visit: &mut dyn FnMut(TreePath, Digest),
) -> Result<(), StoreError> {
    let (mut nodes, mut seen) = (vec![tree], BTreeSet::new());
    while let Some(node) = nodes.pop() {
        if !seen.insert(node) {
            continue;
        }
        visit(path.clone(), node);
        match store.tree_children(&node) {
            Err(StoreError::NotFound(_) | StoreError::Corrupt { .. }) => {}
            children => nodes.extend(children?.into_iter().filter_map(|child| match child {
                TreeChild::Node(node) => Some(node),
                TreeChild::File { .. } => None,
            })),
        }
    }
    for entry in store.tree_entries(&tree).ok().flatten().into_iter().flatten() {
        let Ok((below, entry)) = entry else {
            break;
        };
        if let (Some(digest), Ok(path)) = (entry.digest(), TreePath::new(format!("{path}/{below}"))) {
            visit(path, digest);
        }
    }
    Ok(())
}

/// Asked one after the other; each gives bytes that have the digest, or nothing.
pub struct Sources<'a> {
    tracked: &'a TrackedContents,
    session: Option<&'a Session>,
    output: &'a Output,
    /// Where what was asked for came from.
    origins: BTreeMap<Digest, String>,
}

impl<'a> Sources<'a> {
    pub fn new(tracked: &'a TrackedContents, session: Option<&'a Session>, output: &'a Output) -> Self {
        // a home on this machine has this very store
        let session = session.filter(|session| !session.client.is_local());
        Self { tracked, session, output, origins: BTreeMap::new() }
    }

    pub fn fetch(&mut self, digest: &Digest) -> Result<Option<Box<dyn Read>>, StoreError> {
        if let Some((path, file)) = self.tracked.open(digest) {
            self.origins.insert(*digest, format!("the file: {path}"));
            return Ok(Some(Box::new(file)));
        }
        match self.session.map(|session| from_server(session, digest, self.output)) {
            Some(Ok(file)) => {
                self.origins.insert(*digest, format!("the server: {digest}"));
                Ok(Some(Box::new(file)))
            }
            Some(Err(problem)) if problem.kind != ErrorKind::NotFound => {
                self.output.note(format!("the server does not give {digest}: {problem}"));
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// For people.
    pub fn origin(&self, digest: &Digest) -> String {
        self.origins.get(digest).cloned().unwrap_or_default()
    }
}

/// Only where blocking is allowed.
fn from_server(session: &Session, digest: &Digest, output: &Output) -> Result<File, Problem> {
    tokio::runtime::Handle::current().block_on(async {
        let content = session.client.resolve(&session.project, &digest.to_string()).await?;
        let folder = session.workspace()?.home_dir();
        let file = session.download(&content, &folder, output).await?;
        // read from the beginning; the name goes, the file stays as long as it is read
        file.reopen().map_err(|error| session_problem(&error))
    })
}

fn session_problem(error: &std::io::Error) -> Problem {
    Problem::new(ErrorKind::Config, format!("what came from the server can't be read: {error}"))
}
