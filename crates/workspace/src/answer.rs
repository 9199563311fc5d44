//! A command that answers for a model which can't be asked in this process: it gets the model and the rows, and writes
//! one answer for each. It is watched like any run, and may write nowhere but beside its answers; the network is not
//! there for it.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use stemma_core::{
    Digest, ErrorKind, Problem,
    name::ProjectName,
    policy::PLACEHOLDERS,
    record::{Actor, ExitStatus, RunKind},
};
use stemma_runner::{
    CaptureMode, Sandbox,
    command::{EnvironmentBase, EnvironmentChanges},
    sandbox::{Network, Reads},
};
use stemma_store::Store;

use crate::{
    HOME_DIR, Workspace, WorkspaceError,
    exit::{ended, is_interrupt},
    logged::Log,
    run::{CapturedRun, RunError, RunRequest, Surrounding, Whose, run_within},
};

const PREFIX: &str = "stemma-answer-";
/// How long a command may take to answer.
const TIME_MAX: Duration = Duration::from_secs(24 * 3600);
/// Processors that may be busy all the time.
const CORES_MAX: u32 = 1024;
const MEMORY_BYTES_MAX: u64 = 1 << 40;
const DISK_BYTES_MAX: u64 = 64 << 30;
const PROCESSES_MAX: u32 = 4096;
const OPEN_FILES_MAX: u64 = 4096;

/// What is asked of which model.
#[derive(Debug, Clone)]
pub struct AnswerRequest {
    /// Program and arguments, with `{model}`, `{data}` and `{output}` for paths.
    pub command: Vec<String>,
    /// Content in the store: a file or a folder.
    pub model: Digest,
    /// What it is called.
    pub file_name: String,
    /// Content in the store: the rows.
    pub question: Digest,
    pub actor: Actor,
    pub project: ProjectName,
}

/// A command that has answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub captured: CapturedRun,
    /// Content in the store: what it wrote.
    pub answers: Digest,
}

/// Why there are no answers.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    #[error("`{0}` can't be the name of a model's file")]
    FileName(String),
    #[error("the command ended with {}{}", ended(*.exit), last_lines(.last))]
    Failed { exit: ExitStatus, last: Vec<String> },
    #[error("the command was ended: {limit}{}", last_lines(.last))]
    Limit { limit: String, last: Vec<String> },
    #[error("interrupted")]
    Interrupted,
    #[error("the command wrote no file where `{{output}}` stands for{}", last_lines(.0))]
    NoOutput(Vec<String>),
    #[error("the command wrote {} files where `{{output}}` stands for one: {}", .0.len(), .0.join(", "))]
    ManyOutputs(Vec<String>),
    #[error("it was not seen that the command wrote `{0}`")]
    Unseen(String),
    #[error("`{}`: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Run(#[from] RunError),
}

impl From<AnswerError> for Problem {
    fn from(error: AnswerError) -> Self {
        let message = error.to_string();
        match error {
            AnswerError::Workspace(error) => error.into(),
            AnswerError::Run(error) => error.into(),
            AnswerError::Io { .. } => Self::new(ErrorKind::Config, message),
            AnswerError::Unseen(_) => Self::invalid(message)
                .hint("answers count if the run of the command is watched by its system calls; see `docs/capture.md`"),
            _ => Self::invalid(message).hint("no evaluation was recorded; see the declared `command` in stemma.toml"),
        }
    }
}

fn last_lines(lines: &[String]) -> String {
    if lines.is_empty() { String::new() } else { format!("; its last lines:\n  {}", lines.join("\n  ")) }
}

/// Runs the command in the workspace's root. What it prints goes into a log whose last line is told meanwhile.
///
/// The folder that it writes into is gone afterwards; its answers are in the store, and so is all that its run's record
/// names. A command that fails has answered nothing, and is not recorded.
pub fn answer(
    workspace: &Workspace,
    store: &Store,
    request: &AnswerRequest,
    line: &(dyn Fn(&str) + Sync),
) -> Result<Answer, AnswerError> {
    let room = Room::prepare(store, request)?;
    let log = Log::new(room.path("log"));
    let run = RunRequest {
        argv: request.command.iter().map(|part| room.fill_in(part)).collect(),
        directory: workspace.root().to_owned(),
        kind: RunKind::Evaluation,
        actor: request.actor.clone(),
        project: request.project.clone(),
        capture: CaptureMode::Best,
    };
    let surrounding = Surrounding {
        whose: Whose::Own,
        variables: room.variables(),
        streams: log.streams().map_err(|source| AnswerError::Io { path: log.path().to_owned(), source })?,
        sandbox: Some(room.walls(workspace)),
    };
    let captured = log.watched(line, || run_within(workspace, store, &run, surrounding))?;
    let last = || log.last_lines();
    match captured.record.exit {
        _ if captured.stopped.is_some() => {
            let limit = captured.stopped.as_ref().map(ToString::to_string).unwrap_or_default();
            Err(AnswerError::Limit { limit, last: last() })
        }
        ExitStatus::Signal(signal) if is_interrupt(signal) => Err(AnswerError::Interrupted),
        exit if !exit.is_success() => Err(AnswerError::Failed { exit, last: last() }),
        _ => {
            let answers = room.answers(&captured, last)?;
            Ok(Answer { captured, answers })
        }
    }
}

/// A temporary folder: `model/` and `data.csv` are given, `output/` and `tmp/` may be written into.
struct Room {
    folder: tempfile::TempDir,
    file_name: String,
}

impl Room {
    fn prepare(store: &Store, request: &AnswerRequest) -> Result<Self, AnswerError> {
        let name = Path::new(&request.file_name);
        if name.file_name() != Some(name.as_os_str()) {
            return Err(AnswerError::FileName(request.file_name.clone()));
        }
        let failed = |path: &Path, source| AnswerError::Io { path: path.to_owned(), source };
        let temporary = std::env::temp_dir();
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&temporary);
        let room =
            Self { folder: folder.map_err(|error| failed(&temporary, error))?, file_name: request.file_name.clone() };
        for folder in ["model", "output", "tmp"] {
            let folder = room.path(folder);
            fs::create_dir(&folder).map_err(|error| failed(&folder, error))?;
        }
        let model = room.model();
        let is_folder = store.tree_summary(&request.model).map_err(WorkspaceError::from)?.is_some();
        let written = match is_folder {
            true => store.materialize_tree(&request.model, &model),
            false => store.materialize(&request.model, &model),
        };
        written.map_err(WorkspaceError::from)?;
        store.materialize(&request.question, &room.path("data.csv")).map_err(WorkspaceError::from)?;
        Ok(room)
    }

    fn path(&self, name: &str) -> PathBuf {
        // links on the way are none that the command would see
        let root = fs::canonicalize(self.folder.path());
        root.unwrap_or_else(|_| self.folder.path().to_owned()).join(name)
    }

    fn model(&self) -> PathBuf {
        self.path("model").join(&self.file_name)
    }

    fn fill_in(&self, part: &str) -> String {
        let paths = [self.model(), self.path("data.csv"), self.path("output").join("answers")];
        let filled = PLACEHOLDERS.into_iter().zip(paths);
        filled.fold(part.to_owned(), |part, (name, path)| part.replace(name, &path.to_string_lossy()))
    }

    fn variables(&self) -> EnvironmentChanges {
        let mut changes: BTreeMap<OsString, Option<OsString>> = BTreeMap::new();
        changes.insert("TMPDIR".into(), Some(self.path("tmp").into()));
        // what is compiled on the way would be written into the project
        changes.insert("PYTHONDONTWRITEBYTECODE".into(), Some("1".into()));
        EnvironmentChanges { base: EnvironmentBase::Inherit, changes }
    }

    /// It is the caller's own code, so it reads what the caller reads; but it answers from what it was given.
    fn walls(&self, workspace: &Workspace) -> Sandbox {
        Sandbox {
            wall: TIME_MAX,
            cpu: TIME_MAX.saturating_mul(CORES_MAX),
            memory_bytes: MEMORY_BYTES_MAX,
            processes: PROCESSES_MAX,
            file_bytes: DISK_BYTES_MAX,
            disk_bytes: DISK_BYTES_MAX,
            open_files: OPEN_FILES_MAX,
            network: Network::Refused,
            readable: Reads::Everything,
            writable: vec![self.path("output"), self.path("tmp")],
            hidden: vec![workspace.root().join(HOME_DIR)],
            ..Sandbox::default()
        }
    }

    /// The one file that it wrote as its answers; others may lie among the temporary ones.
    fn answers(&self, captured: &CapturedRun, last: impl Fn() -> Vec<String>) -> Result<Digest, AnswerError> {
        let folder = self.path("output");
        let failed = |source| AnswerError::Io { path: folder.clone(), source };
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).map_err(failed)? {
            names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        let name = match names.as_slice() {
            [one] => one,
            [] => return Err(AnswerError::NoOutput(last())),
            _ => return Err(AnswerError::ManyOutputs(names)),
        };
        let path = folder.join(name);
        let written = captured.record.outputs.iter().find(|output| Path::new(&output.path) == path);
        written.map(|output| output.digest).ok_or_else(|| AnswerError::Unseen(name.clone()))
    }
}
