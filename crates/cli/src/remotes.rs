//! What `push` and `pull` share: which remote, which contents, and how patient to be.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use stemma_api::types::ContentClaim;
use stemma_core::{Digest, ErrorKind, Problem, name::TreePath, near};
use stemma_remote::{Absence, Location, Policy, Remote, RemoteError, Target};
use stemma_store::{RecordKind, Store};
use stemma_workspace::{
    Workspace, WorkspaceError,
    remotes::{cache_of_remote, contents_of_all_commits},
    settings::RemoteSettings,
};

use crate::{argument::absolute, print::Output, settings};

/// A remote that a person chose, and the paths behind it.
pub struct Chosen {
    pub name: String,
    pub settings: RemoteSettings,
    pub paths: Vec<PathBuf>,
}

/// Reads `[REMOTE] [PATH…]`: the first may be left out where there is one remote only.
pub fn choose(workspace: &Workspace, typed: &[PathBuf]) -> Result<Chosen, Problem> {
    let remotes = &workspace.settings().remotes;
    let first = typed.first().and_then(|first| first.to_str());
    let (name, settings, paths) = match (first.and_then(|first| remotes.get_key_value(first)), remotes.len()) {
        (Some((name, settings)), _) => (name, settings, &typed[1..]),
        (None, 1) => {
            let (name, settings) = remotes.first_key_value().expect("there is one");
            (name, settings, typed)
        }
        (None, 0) => {
            return Err(Problem::new(ErrorKind::Config, "no remote is declared")
                .hint("declare one with `stemma remote add NAME URL`"));
        }
        (None, _) => {
            let given = first.unwrap_or_default();
            let hint = near::hint(given, remotes.keys().map(String::as_str), "see `stemma remote list`");
            let message = match first {
                Some(given) => format!("there is no remote `{given}`"),
                None => "there are several remotes; name one".to_owned(),
            };
            return Err(Problem::not_found(message).hint(hint));
        }
    };
    Ok(Chosen { name: name.clone(), settings: settings.clone(), paths: paths.to_vec() })
}

impl Chosen {
    pub fn target(&self) -> Target {
        let RemoteSettings { url, endpoint, region, allow_http } = self.settings.clone();
        Target { url, endpoint, region, allow_http }
    }

    /// The address, if the remote is a Stemma server.
    pub fn server(&self) -> Result<Option<String>, Problem> {
        match Location::parse(&self.settings.url)? {
            Location::Server(url) => Ok(Some(url)),
            _ => Ok(None),
        }
    }

    /// Where copies of its indexes are kept, and which remote it is.
    pub fn cache(&self, workspace: &Workspace) -> PathBuf {
        cache_of_remote(workspace, &self.name)
    }

    /// A client; a folder is made if `make` is set.
    pub fn connect(&self, workspace: &Workspace, make: bool) -> Result<Remote, RemoteError> {
        let policy = Policy::default().for_memory(settings::memory());
        let environment = settings::cloud_variables();
        Remote::connect(&self.target(), &environment, workspace.home_root(), &self.cache(workspace), policy, make)
    }

    /// The refusal to take what is in its place for the remote that was pushed to before.
    pub fn gone(&self, absence: Absence) -> Problem {
        let Self { name, settings, .. } = self;
        let message = format!("`{name}` was pushed to before, and {absence}: `{}`", settings.url);
        Problem::new(ErrorKind::Conflict, message).hint(format!(
            "mount its disk, or correct its `url` in stemma.toml; `stemma push {name} --create` begins anew there"
        ))
    }

    /// Whether everything that is tracked is meant.
    pub fn is_whole(&self) -> bool {
        self.paths.is_empty()
    }
}

/// The contents that are meant: of the paths, or of all that is tracked, or of all that ever was.
pub fn contents(
    workspace: &Workspace,
    chosen: &Chosen,
    all_commits: bool,
    output: &Output,
) -> Result<BTreeSet<Digest>, Problem> {
    let lock = workspace.lock()?;
    let mut contents = BTreeSet::new();
    if chosen.is_whole() {
        contents.extend(lock.entries().map(|(_, entry)| entry.digest));
    }
    for path in &chosen.paths {
        let path = tracked_path(workspace, path)?;
        let below = format!("{path}/");
        let is_meant = |tracked: &TreePath| *tracked == path || tracked.as_str().starts_with(&below);
        let before = contents.len();
        let meant = lock.entries().filter(|(tracked, _)| is_meant(tracked));
        let found: Vec<Digest> = meant.map(|(_, entry)| entry.digest).collect();
        contents.extend(&found);
        if found.is_empty() && contents.len() == before {
            let known = lock.entries().map(|(tracked, _)| tracked.as_str());
            return Err(Problem::not_found(format!("`{path}` is not in `stemma.lock`")).hint(near::hint(
                path.as_str(),
                known,
                "see `stemma status`",
            )));
        }
    }
    if all_commits {
        let (ever, unreadable) = contents_of_all_commits(workspace)?;
        contents.extend(ever);
        if unreadable > 0 {
            output.note(format!("note: {unreadable} earlier states of stemma.lock can't be read and were left out"));
        }
    }
    Ok(contents)
}

fn tracked_path(workspace: &Workspace, path: &Path) -> Result<TreePath, Problem> {
    Ok(stemma_workspace::path::tracked(workspace.root(), &absolute(path)?)?)
}

/// What a server is told about contents that are here.
pub fn claims(store: &Store, contents: &BTreeSet<Digest>) -> Result<Vec<ContentClaim>, Problem> {
    let claim = |digest: &Digest| match store.info(digest).map_err(WorkspaceError::from)? {
        Some(info) => Ok(ContentClaim { digest: *digest, size: info.size, like: None }),
        None if store.recipes(digest).iter().any(|id| id.kind == RecordKind::Tree) => {
            Ok(ContentClaim { digest: *digest, size: 0, like: None })
        }
        None => Err(Problem::not_found(format!("content `{digest}` is not here")).hint("see `stemma pull`")),
    };
    contents.iter().map(claim).collect()
}
