//! Where a command is typed: the folder, the workspace around it, and who types.

use std::path::PathBuf;

use stemma_core::{
    Clock as _, ErrorKind, Problem, SystemClock,
    name::{PrincipalName, ProjectName},
};
use stemma_workspace::{Author, Workspace, WorkspaceError};

use super::{identity, local::HomePlace};
use crate::global::Global;

/// Whether another process would answer for the home.
pub async fn is_served(global: &Global, workspace: &Workspace) -> bool {
    match HomePlace::of(workspace) {
        _ if global.server.is_some() => true,
        Ok(place) => place.has_answering_owner().await,
        Err(_) => false,
    }
}

/// The folder that the command works in.
pub fn current_dir() -> Result<PathBuf, Problem> {
    std::env::current_dir()
        .map_err(|error| Problem::new(ErrorKind::Config, format!("the current folder can't be read: {error}")))
}

/// Returns the workspace around the current folder, which must be there.
pub fn require_workspace() -> Result<Workspace, Problem> {
    Ok(Workspace::discover(&current_dir()?)?)
}

/// The folder of the home that belongs to the workspace, which may be damaged in any way.
pub fn require_home() -> Result<PathBuf, Problem> {
    let home = require_workspace()?.home_dir();
    // whatever is left of it is worth a look
    if home.join("home.json").exists() || home.join("ledger.db").exists() || home.join("checkpoints").exists() {
        return Ok(home);
    }
    Err(no_home())
}

/// As [`require_workspace`], for a command that changes it without a session.
pub async fn require_workspace_to_change(global: &Global) -> Result<Workspace, Problem> {
    Ok(require_workspace()?.acting(typed(identity::author(global).await)))
}

/// This command as the author of an operation.
pub fn typed(actor: Option<PrincipalName>) -> Author {
    let arguments = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    let command = std::iter::once("stemma".to_owned()).chain(arguments).collect();
    Author { actor, command, time: SystemClock.now() }
}

/// The project to work in: flag, then environment, then `stemma.toml`, then `default`.
pub fn project(global: &Global, workspace: Option<&Workspace>) -> ProjectName {
    let declared = || workspace.and_then(|workspace| workspace.settings().project.clone());
    global.project.clone().or_else(declared).unwrap_or_else(ProjectName::default_project)
}

/// The failure of what needs a workspace where there is none.
pub fn no_workspace() -> Problem {
    let here = std::env::current_dir().unwrap_or_default();
    WorkspaceError::NotFound(here).into()
}

pub fn no_home() -> Problem {
    Problem::new(ErrorKind::Config, "there is no home: this folder is in no Stemma workspace")
        .hint("run `stemma init` in the project's folder, or name a server with `--server URL`")
}
