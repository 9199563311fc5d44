//! `stemma run`: what a command read, wrote and ran on, kept in the store and told in one record.
//!
//! The code version is taken before the command starts. Contents are read when it has ended; the runner's stamps tell
//! whether they are still those that the command saw.

mod captured;
mod declared;
mod draft;
mod environment;
mod error;
mod files;
mod metrics;
mod notes;
mod open;
mod params;
mod ran;
mod record;
mod request;
mod sensitive;
mod shelf;

use stemma_core::{id::RunId, record::RunRecord, redact::redact_args};
use stemma_runner::{Command, Execution, classify::classify};
use stemma_store::Store;

use self::{
    declared::Declared,
    draft::{UNKNOWN_ENVIRONMENT, draft},
    open::OpenRun,
    params::Params,
    ran::Ran,
    record::{record_run, shelve_record},
    request::locate_directory,
    shelf::Shelf,
};
use crate::{Workspace, WorkspaceError, code, code::Code, stat_cache::StatCache, workspace::make_home};

pub use self::{
    captured::{CapturedRun, ContentKind, RunContent},
    error::RunError,
    open::{LostRun, lost_runs},
    request::RunRequest,
};
pub(crate) use self::{
    request::{Surrounding, Whose},
    shelf::shown_path,
};

/// Runs a command to its end and keeps what it read, wrote and ran on.
///
/// A command that fails is recorded like one that succeeds; an error means that it was not started or not recorded.
pub fn run(workspace: &Workspace, store: &Store, request: &RunRequest) -> Result<CapturedRun, RunError> {
    run_within(workspace, store, request, Surrounding::default())
}

/// Runs a command as [`run`] does, in a surrounding of its own.
pub(crate) fn run_within(
    workspace: &Workspace,
    store: &Store,
    request: &RunRequest,
    surrounding: Surrounding,
) -> Result<CapturedRun, RunError> {
    let directory = locate_directory(workspace.root(), &request.directory)?;
    make_home(&workspace.home_dir())?;
    let (id, folder) = (RunId::generate(), workspace.id()?);
    let mut cache = StatCache::read(&workspace.home_dir());
    // Git runs what a repository's settings say, and a folder of others can be one
    let whose = surrounding.whose;
    let code = match whose {
        Whose::Own => code::look(workspace.root(), &mut cache),
        Whose::Others => Code::default(),
    };
    let declared = Declared::look(workspace);
    let params = Params::look(workspace, &redact_args(&request.argv).args);
    let shown = shown_path(workspace.root(), &directory);
    let draft = RunRecord { workspace: Some(folder), ..draft(id, request, shown.clone(), &code, &params) };
    let open = OpenRun::begin(workspace, &draft)?;
    let command = surrounding.command(request, &directory, open.aside());
    let execution = execute(&command, &open)?;

    let (environment, surroundings) = environment::look(workspace, &command, &execution);
    let classified = classify(&execution.capture, &surroundings);
    let directory = shown;
    let ran =
        Ran { id, folder, workspace, request, directory, execution, classified, environment, code, declared, params };
    let mut shelf = Shelf::new(workspace, store, cache);
    if whose == Whose::Others {
        shelf = shelf.without_links();
    }
    let captured = record_run(&ran, shelf).map_err(|source| RunError::Record { exit: ran.execution.exit, source })?;
    open.forget();
    Ok(captured)
}

/// Runs the command; the note of a run that never began goes.
fn execute(command: &Command, open: &OpenRun) -> Result<Execution, stemma_runner::RunError> {
    stemma_runner::run(command, |_| {}).inspect_err(|error| {
        let has_begun = matches!(error, stemma_runner::RunError::TracerLost { .. });
        if !has_begun {
            open.forget();
        }
    })
}

/// Makes a lost run's record content like any other.
pub fn record_lost(workspace: &Workspace, store: &Store, lost: &LostRun) -> Result<CapturedRun, WorkspaceError> {
    let mut shelf = Shelf::new(workspace, store, StatCache::read(&workspace.home_dir()));
    shelf.shelve_bytes(UNKNOWN_ENVIRONMENT, ContentKind::Environment)?;
    Ok(shelve_record(lost.draft.clone(), shelf)?)
}
