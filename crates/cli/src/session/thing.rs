//! What people mean by what they type: paths, names and times of content.

use stemma_api::types::{ContentClaim, Resolved};
use stemma_core::{
    ErrorKind, Problem, Timestamp,
    at::{self, At},
    name::{DatasetName, TreePath},
};
use stemma_workspace::{WorkspaceError, operations};

use super::{open::Session, surroundings::current_dir};
use crate::print::Output;

/// A path as the home knows it: a tracked one with the content that it has here, any other as runs in this workspace call
/// it if there is a file; anything else as it was typed.
pub fn thing(session: &Session, typed: &str) -> Result<String, Problem> {
    let Some(workspace) = &session.workspace else {
        return Ok(typed.to_owned());
    };
    let here = current_dir()?.join(typed);
    let below = here.strip_prefix(workspace.root()).ok().and_then(|path| path.to_str());
    let lock = workspace.lock()?;
    for path in below.into_iter().chain([typed]) {
        if let Some(entry) = lock.get(path) {
            return Ok(format!("{}:{path}", entry.digest));
        }
    }
    // a name that is also a folder's is a name
    if here.is_file() && typed.contains(['/', '.']) {
        return Ok(workspace.shown_path(&here)?);
    }
    Ok(typed.to_owned())
}

/// What a person may mean by a path or a dataset's name.
pub struct Meant {
    pub path: Option<TreePath>,
    pub name: Option<DatasetName>,
}

/// A path (tracked, or tracked once), else a dataset's name and the path that has it.
pub fn meant(session: &Session, typed: &str) -> Result<Meant, Problem> {
    let mut path = None;
    if let Some(workspace) = &session.workspace {
        let here = std::path::absolute(typed).unwrap_or_default();
        let below = here.strip_prefix(workspace.root()).ok().and_then(|path| path.to_str());
        path = below.and_then(|below| TreePath::new(below).ok());
        let lock = workspace.lock()?;
        let found = path.as_ref().and_then(|path| lock.get(path.as_str()));
        if let Some(entry) = found {
            return Ok(Meant { path, name: Some(entry.name.clone()) });
        }
        if let Some(path) = lock.path_of(typed) {
            return Ok(Meant { path: Some(path.clone()), name: Some(typed.parse()?) });
        }
    }
    Ok(Meant { path, name: typed.parse().ok() })
}

/// Content by any name that it has: as the home resolves it, or a tracked path, with `@3` or `@{2026-03-01}`.
pub async fn content(session: &Session, typed: &str) -> Result<Resolved, Problem> {
    let (subject, at) = at::split(typed)?;
    if typed.starts_with("b3:") || typed.starts_with("sha256:") {
        return session.client.resolve(&session.project, typed).await;
    }
    let meant = meant(session, subject)?;
    let tracked = || session.workspace.as_ref().and_then(|workspace| workspace.lock().ok());
    let entry = meant.path.as_ref().and_then(|path| tracked()?.get(path.as_str()).cloned());
    let name = meant.name.as_ref().map_or(subject, |name| name.as_str());
    let Some(at) = at else {
        let is_path = subject != name;
        let wanted = entry.filter(|_| is_path).map_or(typed.to_owned(), |entry| entry.digest.to_string());
        return session.client.resolve(&session.project, &wanted).await;
    };
    match session.client.resolve(&session.project, &format!("{name}@{at}")).await {
        Err(problem) if problem.kind == ErrorKind::NotFound => match (at, &meant.path) {
            (At::Time(time), Some(path)) => from_operations(session, path, time).await?.ok_or(problem),
            _ => Err(problem),
        },
        resolved => resolved,
    }
}

/// What the lock gave a path at a time, for paths that the home has no versions of.
async fn from_operations(session: &Session, path: &TreePath, time: Timestamp) -> Result<Option<Resolved>, Problem> {
    let (Ok(workspace), Ok(store)) = (session.workspace(), session.store()) else {
        return Ok(None);
    };
    let versions = operations::versions_of_path(workspace, store, path)?;
    let versions = versions.into_iter().map(|since| (since.time, since.digest));
    let Some(digest) = at::current_at(versions, time).flatten() else {
        return Ok(None);
    };
    if !store.contains(&digest) {
        return Ok(None);
    }
    let size = store.info(&digest).map_err(WorkspaceError::from)?.map_or(0, |info| info.size);
    session.ensure_content(&[ContentClaim { digest, size, like: None }], &Output::quiet()).await?;
    let resolved = session.client.resolve(&session.project, &digest.to_string()).await?;
    Ok(Some(Resolved {
        name: format!("{path}@{}", At::Time(time)),
        file_name: path.file_name().to_owned(),
        ..resolved
    }))
}
