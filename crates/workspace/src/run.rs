//! `stemma run`: what a command read, wrote and ran on, kept in the store and told in one record.
//!
//! The code version is taken before the command starts. Contents are read when it has ended; the runner's stamps tell
//! whether they are still those that the command saw.

mod metrics;
mod open;
mod params;
mod sensitive;
mod shelf;

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use stemma_core::{
    Clock as _, Digest, Problem, SystemClock, canonical,
    hermetic::Gap,
    id::{RunId, WorkspaceId},
    lineage::Certainty,
    name::ProjectName,
    pointer::POINTER_BYTES_MAX,
    record::{Actor, CaptureSummary, CodeVersion, ExitStatus, FileRef, RunKind, RunRecord},
    redact::{redact_args, redact_text, redact_variable},
};
use stemma_runner::{
    Capture, CaptureLevel, CaptureMode, Classified, Command, Execution, Exit, FileAccess, Sandbox, Stamp,
    classify::{Surroundings, classify},
    command::{EnvironmentChanges, Streams},
    environment::{self, Environment, Subject},
    sandbox::Ending,
};
use stemma_store::{Store, StoreError};

use crate::{
    Workspace, WorkspaceError, code, code::Code, file::stamp_of, pointer, problem, stat_cache::StatCache,
    workspace::make_home,
};
use metrics::Metrics;
use open::OpenRun;
pub use open::{LostRun, lost_runs};
pub(crate) use shelf::shown_path;
use shelf::{Seen, Shelf};

const RECORD_VERSION: u32 = 1;
/// What the files of a record may take up in JSON, so that homes accept it; what is beyond is cut and marked so.
const FILES_BYTES_MAX: usize = 12 << 20;
/// The document of an environment that nobody looked at.
const UNKNOWN_ENVIRONMENT: &[u8] = b"{}";
/// Gaps of a capture that are kept.
const GAPS_MAX: usize = 1000;
/// Files of the environment that a run changed, by name; the rest is counted.
const ENVIRONMENT_CHANGES_MAX: usize = 20;
/// Names of hub repositories in the notes.
const HUB_NOTES_MAX: usize = 10;
/// Longest lock file that is kept.
const LOCK_FILE_BYTES_MAX: u64 = 16 << 20;
const DEFAULT_METRICS: &str = "metrics.json";

/// A command to run and record.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// Program and arguments; no shell looks at them.
    pub argv: Vec<String>,
    /// Where it runs: a folder inside the workspace, absolute or as seen from the root.
    pub directory: PathBuf,
    pub kind: RunKind,
    pub actor: Actor,
    pub project: ProjectName,
    pub capture: CaptureMode,
}

/// A command that has run, whatever came of it. Everything it names is safe in the store.
#[derive(Debug, Clone, PartialEq)]
pub struct CapturedRun {
    pub record: RunRecord,
    /// Of the record's canonical JSON, which is content too.
    pub record_digest: Digest,
    /// All contents that the record names, and the record, each once, sorted by digest.
    pub contents: Vec<Content>,
    /// What a person should know of how it was captured.
    pub notes: Vec<String>,
    /// The limit of its sandbox that ended it.
    pub stopped: Option<Ending>,
}

impl CapturedRun {
    /// The code to exit with: the command's own, or 128 and the number of the signal that ended it.
    pub fn exit_code(&self) -> i32 {
        match self.record.exit {
            ExitStatus::Code(code) => code,
            ExitStatus::Signal(signal) => 128 + signal,
            ExitStatus::Unknown => 1,
        }
    }
}

/// A piece of content that the home must be able to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    pub digest: Digest,
    pub size: u64,
    pub what: ContentKind,
}

/// What a piece of content is in a run; of content that is several things, the first of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContentKind {
    Input,
    Output,
    Code,
    Diff,
    Environment,
    Record,
}

/// Why a run could not be started, or was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("`{}` is not a folder inside the workspace `{}`", .directory.display(), .root.display())]
    Outside { directory: PathBuf, root: PathBuf },
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Command(#[from] stemma_runner::RunError),
    /// The command has run; what it did could not be kept.
    #[error("the command has ended with {}, but the run could not be recorded: {source}", ended(.exit))]
    Record { exit: Exit, source: StoreError },
}

fn ended(exit: &Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exit code {code}"),
        Exit::Signal(signal) => format!("signal {signal}"),
    }
}

impl From<RunError> for Problem {
    fn from(error: RunError) -> Self {
        let message = error.to_string();
        match error {
            RunError::Outside { .. } => Self::invalid(message).hint("run it from a folder of the project"),
            RunError::Workspace(error) => error.into(),
            RunError::Command(error) => error.into(),
            RunError::Record { source, .. } => Self { message, ..problem::of_store(source) },
        }
    }
}

/// Runs a command to its end and keeps what it read, wrote and ran on.
///
/// A command that fails is recorded like one that succeeds; an error means that it was not started or not recorded.
pub fn run(workspace: &Workspace, store: &Store, request: &RunRequest) -> Result<CapturedRun, RunError> {
    run_within(workspace, store, request, Surrounding::default())
}

/// What a command gets to see and to use; by default what this process has.
#[derive(Debug, Default)]
pub(crate) struct Surrounding {
    pub variables: EnvironmentChanges,
    pub streams: Streams,
    pub sandbox: Option<Sandbox>,
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
    let code = match surrounding.sandbox {
        None => code::look(workspace.root(), &mut cache),
        Some(_) => Code::default(),
    };
    let declared = Declared::look(workspace);

    let mut command = Command::new(request.argv.clone(), &directory);
    command.capture = request.capture;
    command.environment = surrounding.variables;
    command.streams = surrounding.streams;
    command.sandbox = surrounding.sandbox;
    let draft = draft(id, request, shown_path(workspace.root(), &directory), &code);
    let open = OpenRun::begin(workspace, &RunRecord { workspace: Some(folder), ..draft })?;
    command.keep = Some(open.kept());
    let execution = stemma_runner::run(&command, |_| {}).inspect_err(|error| {
        let has_begun = matches!(error, stemma_runner::RunError::TracerLost { .. });
        if !has_begun {
            open.forget();
        }
    })?;

    let variables = command.environment.resolve();
    let environment = environment::capture(&Subject {
        program: &execution.program,
        variables: &variables,
        project: workspace.root(),
        capture: Some(&execution.capture),
        sandbox: command.sandbox.as_ref(),
    });
    let environment = with_declared_variables(environment, workspace, &variables);
    let surroundings = surroundings(workspace.root(), &execution.program, &environment, &variables);
    let run = Run {
        id,
        folder,
        workspace,
        request,
        directory: shown_path(workspace.root(), &directory),
        classified: classify(&execution.capture, &surroundings),
        execution,
        environment,
        code,
        declared,
    };
    let exit = run.execution.exit;
    let stopped = run.execution.stopped.clone();
    let mut shelf = Shelf::new(workspace, store, cache);
    if command.sandbox.is_some() {
        shelf = shelf.without_links();
    }
    let record = run.record(&mut shelf).map_err(|source| RunError::Record { exit, source })?;
    let captured = keep_record(record, shelf).map_err(|source| RunError::Record { exit, source })?;
    open.forget();
    Ok(CapturedRun { stopped, ..captured })
}

/// What is known of a run before its command starts: its record, should nobody be there at the end to write another.
fn draft(id: RunId, request: &RunRequest, directory: String, code: &Code) -> RunRecord {
    let command = redact_args(&request.argv);
    let started = SystemClock.now();
    RunRecord {
        v: RECORD_VERSION,
        id,
        project: request.project.clone(),
        kind: request.kind,
        actor: request.actor.clone(),
        params: params::of_command(&command.args),
        command: command.args,
        directory,
        workspace: None,
        started,
        ended: started,
        exit: ExitStatus::Unknown,
        code: code.version.clone(),
        environment: Digest::of(UNKNOWN_ENVIRONMENT),
        capture: CaptureSummary {
            level: CaptureLevel::Declared.number(),
            method: CaptureLevel::Declared.name().to_owned(),
            hosts: Vec::new(),
            environment_files: 0,
            truncated: false,
            may_bypass: false,
            gaps: vec![Gap::Abandoned],
        },
        inputs: Vec::new(),
        outputs: Vec::new(),
        claimed_metrics: BTreeMap::new(),
        ignored_metrics: Vec::new(),
        cpu_us: 0,
        max_rss_bytes: 0,
        redactions: command.found.iter().map(|kind| kind.name().to_owned()).collect(),
    }
}

/// Makes a lost run's record content like any other.
pub fn record_lost(workspace: &Workspace, store: &Store, lost: &LostRun) -> Result<CapturedRun, WorkspaceError> {
    let mut shelf = Shelf::new(workspace, store, StatCache::read(&workspace.home_dir()));
    shelf.keep_bytes(UNKNOWN_ENVIRONMENT, ContentKind::Environment)?;
    Ok(keep_record(lost.draft.clone(), shelf)?)
}

fn locate_directory(root: &Path, directory: &Path) -> Result<PathBuf, RunError> {
    let found = std::fs::canonicalize(root.join(directory)).ok();
    let inside = found.filter(|found| found.is_dir() && found.starts_with(root));
    inside.ok_or_else(|| RunError::Outside { directory: directory.to_owned(), root: root.to_owned() })
}

/// Adds the variables that `stemma.toml` asks for, without secrets.
fn with_declared_variables(
    mut environment: Environment,
    workspace: &Workspace,
    variables: &BTreeMap<OsString, OsString>,
) -> Environment {
    for name in &workspace.settings().run.variables {
        if let Some(value) = variables.get(OsStr::new(name)) {
            let value = redact_variable(name, &value.to_string_lossy()).text;
            environment.variables.insert(name.clone(), value);
        }
    }
    environment
}

/// What the classification of files needs to know of this machine and this run.
fn surroundings(
    root: &Path,
    program: &Path,
    environment: &Environment,
    variables: &BTreeMap<OsString, OsString>,
) -> Surroundings {
    let folder = |name: &str| {
        let value = variables.get(OsStr::new(name))?;
        std::fs::canonicalize(value).ok()
    };
    let mut surroundings = Surroundings::new(root);
    surroundings.home = folder("HOME");
    surroundings.temporary_folders.extend(folder("TMPDIR"));
    surroundings.version_managers = version_manager(program).into_iter().collect();
    match &environment.interpreter {
        Some(interpreter) => surroundings.with_interpreter(interpreter),
        None => surroundings,
    }
}

/// The folder of a program that chooses an interpreter (`~/elsewhere/pyenv/shims/python`), if that is what was started;
/// what it reads on the way is no input of the run.
fn version_manager(program: &Path) -> Option<PathBuf> {
    let shims = program.parent().filter(|folder| folder.ends_with("shims"))?;
    shims.parent().map(Path::to_owned)
}

/// Files that `stemma.toml` names, as they were before the run: what is known of them where nobody watches.
struct Declared {
    files: Vec<(PathBuf, Option<Stamp>)>,
}

impl Declared {
    fn look(workspace: &Workspace) -> Self {
        let settings = workspace.settings();
        let metrics = settings.run.metrics.as_ref().map(|path| path.as_str());
        let files = settings
            .roles
            .keys()
            .map(String::as_str)
            .chain(metrics)
            .map(|path| workspace.root().join(path))
            .map(|path| (stamp_of(&path), path))
            .map(|(stamp, path)| (path, stamp))
            .collect();
        Self { files }
    }

    /// Files that were there and stayed as they were count as read, and those that changed as written.
    fn seen(&self) -> impl Iterator<Item = Seen<'_>> {
        self.files.iter().filter_map(|(path, first)| {
            let last = stamp_of(path)?;
            let is_input = *first == Some(last);
            let (what, certainty) = if is_input {
                (ContentKind::Input, Certainty::Declared)
            } else {
                (ContentKind::Output, Certainty::Inferred)
            };
            Some(Seen { certainty, first: *first, last: Some(last), ..Seen::unseen(path, what) })
        })
    }
}

/// All that is known of a run before its contents are kept.
struct Run<'a> {
    id: RunId,
    /// Which one it ran in.
    folder: WorkspaceId,
    workspace: &'a Workspace,
    request: &'a RunRequest,
    directory: String,
    execution: Execution,
    classified: Classified,
    environment: Environment,
    code: Code,
    declared: Declared,
}

/// The files of a run, kept.
#[derive(Default)]
struct Files {
    inputs: Vec<FileRef>,
    outputs: Vec<FileRef>,
    code: Vec<FileRef>,
    truncated: bool,
}

impl Run<'_> {
    fn record(&self, shelf: &mut Shelf<'_>) -> Result<RunRecord, StoreError> {
        let command = redact_args(&self.request.argv);
        shelf.redacted.extend(command.found);
        shelf.redacted.extend(&self.code.redacted);
        self.note_capture(shelf);
        self.note_unheld(shelf);
        let diff = match &self.code.changes {
            Some(changes) => Some(shelf.keep_bytes(changes, ContentKind::Diff)?),
            None => None,
        };
        let mut files = self.keep_files(shelf)?;
        files.give_roles(&self.workspace.settings().roles);
        self.note_pointers(&files.inputs, shelf);
        let environment =
            canonical::to_bytes(&self.environment).expect("the record has text keys and no floating-point numbers");
        let environment = shelf.keep_bytes(&environment, ContentKind::Environment)?;
        self.keep_lock_files(shelf)?;
        let metrics = self.metrics(&files.outputs);
        if !metrics.ignored.is_empty() {
            shelf.note(format!("not taken for claims: {}", metrics.ignored.join("; ")));
        }
        let Execution { exit, started, ended, usage, capture, .. } = &self.execution;
        Ok(RunRecord {
            v: RECORD_VERSION,
            id: self.id,
            project: self.request.project.clone(),
            kind: self.request.kind,
            actor: self.request.actor.clone(),
            params: params::of_command(&command.args),
            command: command.args,
            directory: self.directory.clone(),
            workspace: Some(self.folder),
            started: *started,
            ended: *ended,
            exit: match exit {
                Exit::Code(code) => ExitStatus::Code(*code),
                Exit::Signal(signal) => ExitStatus::Signal(*signal),
            },
            code: CodeVersion { diff, files: files.code, ..self.code.version.clone() },
            environment,
            capture: self.summary(capture, files.truncated, &shelf.gaps),
            inputs: files.inputs,
            outputs: files.outputs,
            claimed_metrics: metrics.claimed,
            ignored_metrics: metrics.ignored,
            cpu_us: usage.user_cpu_us.saturating_add(usage.system_cpu_us),
            max_rss_bytes: usage.max_rss_bytes,
            redactions: shelf.redacted.iter().map(|kind| kind.name().to_owned()).collect(),
        })
    }

    /// Keeps the lock files that the environment names, for whoever makes it again; one with a secret in it is left out.
    fn keep_lock_files(&self, shelf: &mut Shelf<'_>) -> Result<(), StoreError> {
        for lock in &self.environment.lock_files {
            let path = self.workspace.root().join(&lock.path);
            let text = crate::file::read(&path, LOCK_FILE_BYTES_MAX);
            let Some(text) = text.ok().flatten().filter(|_| shelf.may_read(&path)) else { continue };
            if Digest::of(text.as_bytes()) == lock.digest && redact_text(&text).found.is_empty() {
                shelf.keep_bytes(text.as_bytes(), ContentKind::Environment)?;
            }
        }
        Ok(())
    }

    fn note_capture(&self, shelf: &mut Shelf<'_>) {
        for note in &self.code.notes {
            shelf.note(note.clone());
        }
        for problem in &self.environment.problems {
            shelf.note(problem.clone());
        }
        let Capture { level, fallback, .. } = &self.execution.capture;
        if let Some(reason) = fallback {
            let method = level.name();
            shelf.note(format!("system calls could not be watched ({reason}); captured by {method}"));
        }
        for used in self.classified.hub.iter().take(HUB_NOTES_MAX) {
            let (kind, repository, blob) = (&used.kind, &used.repository, &used.blob);
            shelf.note(format!("read from a hub's cache: {kind} `{repository}`, blob `{blob}`"));
        }
    }

    /// Notes what the run read and wrote that nobody can keep.
    fn note_unheld(&self, shelf: &mut Shelf<'_>) {
        let shown = |path: &Path| shown_path(self.workspace.root(), path);
        for pipe in &self.classified.pipes {
            shelf.miss(shown(pipe), ContentKind::Input, "it is a pipe or a device".into());
        }
        let written = &self.classified.environment.written;
        for path in written.iter().take(ENVIRONMENT_CHANGES_MAX) {
            shelf.miss(shown(path), ContentKind::Output, "it is a part of the environment".into());
        }
        if let Some(more) = written.len().checked_sub(ENVIRONMENT_CHANGES_MAX + 1) {
            shelf.note(format!("the run changed {} more files of its own environment", more + 1));
        }
    }

    /// Names the inputs that only say where content is.
    fn note_pointers(&self, inputs: &[FileRef], shelf: &mut Shelf<'_>) {
        let root = self.workspace.root();
        // what DVC itself reads is no input that was meant to be something else
        let is_meant = |path: &str| Path::new(path).extension().is_some_and(|extension| extension == "dvc");
        for input in inputs.iter().filter(|input| input.size <= POINTER_BYTES_MAX && !is_meant(&input.path)) {
            if let Some(pointer) = pointer::at(&root.join(&input.path)) {
                shelf.note(format!("input `{}` is {pointer}, not the content: {}", input.path, pointer.hint()));
            }
        }
    }

    fn keep_files(&self, shelf: &mut Shelf<'_>) -> Result<Files, StoreError> {
        let mut inputs = observed(&self.classified.inputs, ContentKind::Input);
        let mut outputs = observed(&self.classified.outputs, ContentKind::Output);
        if self.execution.capture.level < CaptureLevel::Ptrace {
            self.add_declared(&mut inputs, &mut outputs);
        }
        let capture = &self.execution.capture;
        let code: Vec<Seen<'_>> = self.classified.code.iter().map(|path| code_seen(capture, path)).collect();
        let mut budget = FILES_BYTES_MAX;
        let mut files = Files {
            code: keep_all(shelf, &code, &mut budget)?,
            outputs: keep_all(shelf, &outputs, &mut budget)?,
            inputs: keep_all(shelf, &inputs, &mut budget)?,
            truncated: false,
        };
        files.truncated = budget == 0;
        Ok(files)
    }

    /// Where system calls are not watched, adds the files of `stemma.toml` that were not seen.
    fn add_declared<'a>(&'a self, inputs: &mut Vec<Seen<'a>>, outputs: &mut Vec<Seen<'a>>) {
        for seen in self.declared.seen() {
            let is_known = |list: &[Seen<'_>]| list.iter().any(|other| other.path == seen.path);
            if is_known(inputs) || is_known(outputs) {
                continue;
            }
            match seen.what {
                ContentKind::Input => inputs.push(seen),
                _ => outputs.push(seen),
            }
        }
    }

    fn summary(&self, capture: &Capture, truncated: bool, unheld: &[Gap]) -> CaptureSummary {
        let environment = &self.classified.environment;
        let gaps = || capture.gaps.iter().chain(unheld);
        CaptureSummary {
            level: capture.level.number(),
            method: capture.level.name().to_owned(),
            hosts: capture.hosts.clone(),
            environment_files: environment.packages + environment.system + environment.caches,
            truncated: capture.truncated || truncated || gaps().count() > GAPS_MAX,
            may_bypass: capture.may_bypass(),
            gaps: gaps().take(GAPS_MAX).cloned().collect(),
        }
    }

    /// Reads the numbers that the run left in its metrics file.
    fn metrics(&self, outputs: &[FileRef]) -> Metrics {
        match self.metrics_file(outputs) {
            Some(output) => Metrics::read(self.workspace.root(), output),
            None => Metrics::default(),
        }
    }

    /// The output that `stemma.toml` names, else the `metrics.json` nearest to where the command ran.
    fn metrics_file<'f>(&self, outputs: &'f [FileRef]) -> Option<&'f FileRef> {
        if let Some(path) = &self.workspace.settings().run.metrics {
            return outputs.iter().find(|output| output.path == path.as_str());
        }
        let beside = Path::new(&self.directory).join(DEFAULT_METRICS);
        outputs
            .iter()
            .filter(|output| Path::new(&output.path).file_name() == Some(OsStr::new(DEFAULT_METRICS)))
            .min_by_key(|output| (Path::new(&output.path) != beside, output.path.len(), &output.path))
    }
}

fn observed(list: &[FileAccess], what: ContentKind) -> Vec<Seen<'_>> {
    list.iter().map(|access| Seen::observed(access, what)).collect()
}

fn code_seen<'a>(capture: &'a Capture, path: &'a Path) -> Seen<'a> {
    match capture.file(path) {
        Some(access) => Seen::observed(access, ContentKind::Code),
        None => Seen::unseen(path, ContentKind::Code),
    }
}

/// Keeps files until the budget is used up; then it is 0.
fn keep_all(shelf: &mut Shelf<'_>, list: &[Seen<'_>], budget: &mut usize) -> Result<Vec<FileRef>, StoreError> {
    let mut kept = Vec::new();
    for seen in list {
        if *budget == 0 {
            break;
        }
        let Some(file) = shelf.keep(*seen)? else {
            continue;
        };
        let json = serde_json::to_vec(&file).expect("texts, digests and numbers are always JSON");
        *budget = budget.saturating_sub(json.len() + 1);
        kept.push(file);
    }
    Ok(kept)
}

impl Files {
    fn give_roles(&mut self, roles: &BTreeMap<String, String>) {
        for file in self.inputs.iter_mut().chain(&mut self.outputs) {
            file.role = roles.get(&file.path).cloned();
        }
    }
}

fn keep_record(record: RunRecord, mut shelf: Shelf<'_>) -> Result<CapturedRun, StoreError> {
    let bytes = canonical::to_bytes(&record).expect("the record's numbers are finite and its keys are texts");
    let record_digest = shelf.keep_bytes(&bytes, ContentKind::Record)?;
    let kept = shelf.close()?;
    Ok(CapturedRun { record, record_digest, contents: kept.contents, notes: kept.notes, stopped: None })
}
