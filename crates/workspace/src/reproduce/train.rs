//! The recorded command once more, watched like any run.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

use stemma_core::{
    Digest,
    name::ProjectName,
    record::{Actor, ExitStatus, RunRecord},
    reproduction::EnvironmentDifference,
};
use stemma_runner::{
    CaptureMode, Environment,
    command::{EnvironmentBase, EnvironmentChanges},
};
use stemma_store::Store;

use super::{
    compare::{environment_differences, other_inputs},
    contain::{self, TrainingNetwork},
    error::ReproduceError,
    install::Installed,
    installation::SYSTEM_PATH,
    materialise::Scratch,
    plan::Plan,
};
use crate::{
    Workspace, WorkspaceError,
    exit::is_interrupt,
    file::is_reached_directly,
    logged::Log,
    run::{CapturedRun, RunRequest, Surrounding, Whose, run_within},
};

/// Longest environment that is read back.
const ENVIRONMENT_BYTES_MAX: u64 = 16 << 20;
/// Names of files in a note.
const NAMES_MAX: usize = 5;

/// What a training needs to know.
#[derive(Debug)]
pub struct Training<'a> {
    pub plan: &'a Plan,
    /// The run that is repeated, and what it ran on.
    pub recorded: &'a RunRecord,
    pub environment: &'a Environment,
    pub scratch: &'a Scratch,
    /// The new environment; absent if the command needs none.
    pub installed: Option<&'a Installed>,
    pub network: TrainingNetwork,
    pub actor: Actor,
    pub project: ProjectName,
}

/// A command that has run again, whatever came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// A run like any other; its contents are in the scratch folder's store.
    pub captured: CapturedRun,
    /// What lies where the model was written, if anything.
    pub model: Option<Digest>,
    /// Everything of the environment that differs.
    pub differences: Vec<EnvironmentDifference>,
    pub notes: Vec<String>,
    /// Of what the command printed, if it failed.
    pub last_lines: Vec<String>,
    /// Which limit ended it, if one did.
    pub stopped: Option<String>,
}

impl Trained {
    pub fn wall_us(&self) -> u64 {
        took(&self.captured.record)
    }
}

fn took(record: &RunRecord) -> u64 {
    u64::try_from(record.ended.micros().saturating_sub(record.started.micros())).unwrap_or_default()
}

/// Lays out the files and runs the command.
pub fn train(training: &Training<'_>, line: &(dyn Fn(&str) + Sync)) -> Result<Trained, ReproduceError> {
    let Training { plan, scratch, .. } = training;
    scratch.lay_out(plan)?;
    let workspace = Workspace::open(&scratch.project())?;
    let store = scratch.store()?;
    let request = RunRequest {
        argv: plan.command.clone(),
        directory: PathBuf::from(&plan.directory),
        kind: training.recorded.kind,
        actor: training.actor.clone(),
        project: training.project.clone(),
        capture: CaptureMode::Best,
    };
    let log = Log::new(scratch.log("train"));
    let packages = training.installed.map_or(&[][..], |installed| &installed.places);
    let surrounding = Surrounding {
        whose: Whose::Others,
        variables: variables(training),
        streams: log.streams().map_err(|error| ReproduceError::io(log.path(), error))?,
        sandbox: Some(contain::training(plan, scratch, packages, training.network)),
    };
    let captured = log.watched(line, || run_within(&workspace, &store, &request, surrounding))?;
    let stopped = captured.stopped.as_ref().map(|limit| format!("the command was ended: {limit}"));
    match captured.record.exit {
        ExitStatus::Signal(signal) if is_interrupt(signal) => return Err(ReproduceError::Interrupted),
        _ => {}
    }
    let failed = !captured.record.exit.is_success();
    let mut notes = notes(training, &captured);
    notes.extend(stopped.clone());
    Ok(Trained {
        model: find_model(&captured, &store, &scratch.project().join(&plan.model), &plan.model)?,
        differences: differences(training, &captured, &store)?,
        notes,
        last_lines: if failed { log.last_lines() } else { Vec::new() },
        stopped,
        captured,
    })
}

/// What the recorded command had, and places of its own for everything else.
fn variables(training: &Training<'_>) -> EnvironmentChanges {
    let Training { plan, scratch, installed, .. } = training;
    let mut changes: BTreeMap<OsString, Option<OsString>> = BTreeMap::new();
    let mut set = |name: &str, value: OsString| changes.insert(name.into(), Some(value));
    for (name, value) in &plan.variables {
        set(name, value.into());
    }
    set("HOME", scratch.home().into());
    set("TMPDIR", scratch.temporary().into());
    set("PATH", SYSTEM_PATH.into());
    set("USER", "stemma".into());
    if let Some(programs) = installed.and_then(|installed| installed.python.parent()) {
        let system = std::env::split_paths(SYSTEM_PATH);
        // a scratch folder with a `:` in its name can't stand in a path
        if let Ok(path) = std::env::join_paths(std::iter::once(programs.to_owned()).chain(system)) {
            set("PATH", path);
        }
        set("VIRTUAL_ENV", scratch.venv().into());
    }
    EnvironmentChanges { base: EnvironmentBase::Only(Vec::new()), changes }
}

/// The content of the model's file, put into the store if the run wasn't seen to write it.
fn find_model(
    captured: &CapturedRun,
    store: &Store,
    file: &Path,
    path: &str,
) -> Result<Option<Digest>, ReproduceError> {
    if let Some(output) = captured.record.outputs.iter().find(|output| output.path == path) {
        return Ok(Some(output.digest));
    }
    // a link may lead out of what the command could read itself
    if !is_reached_directly(file) {
        return Ok(None);
    }
    match file.symlink_metadata() {
        Ok(meta) if meta.is_file() => Ok(Some(store.put_file(file).map_err(WorkspaceError::from)?.digest)),
        _ => Ok(None),
    }
}

fn differences(
    training: &Training<'_>,
    captured: &CapturedRun,
    store: &Store,
) -> Result<Vec<EnvironmentDifference>, ReproduceError> {
    let bytes = store.read(&captured.record.environment, ENVIRONMENT_BYTES_MAX).map_err(WorkspaceError::from)?;
    let now: Environment = serde_json::from_slice(&bytes).expect("this process has written it from the same type");
    let is_virtual = training.plan.interpreter.as_ref().is_none_or(|interpreter| interpreter.is_virtual);
    let differences = environment_differences(&training.environment.as_read(), &now).into_iter();
    let is_of_base = |one: &EnvironmentDifference| !is_virtual && one.part.is_installed() && one.recorded.is_none();
    Ok(differences.filter(|one| !is_of_base(one)).collect())
}

fn notes(training: &Training<'_>, captured: &CapturedRun) -> Vec<String> {
    // what libraries leave among the temporary files is gone with them
    let temporary = training.scratch.temporary().to_string_lossy().into_owned();
    let mut notes: Vec<String> = captured.notes.iter().filter(|note| !note.contains(&temporary)).cloned().collect();
    let other = other_inputs(training.recorded, &captured.record);
    if !other.is_empty() {
        let names = other.iter().take(NAMES_MAX).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let more = other.len().saturating_sub(NAMES_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        notes.push(format!("it read what the recorded run did not read, or with other content: {names}{more}"));
    }
    notes
}
