//! Starts a command without a shell, watches it as well as this machine permits, and waits for it.
//!
//! Traced commands are the children of a small tracer process of their own, forked from this one: it can go on
//! serving processes that outlive the command (a seccomp filter can't be taken off again), it never reaps children
//! that aren't its own, and several commands can run from several threads at once.

mod descriptors;
mod program;
mod signals;
mod spawn;
mod watch;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::File,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use stemma_core::{Clock, ErrorKind, Problem, SystemClock, Timestamp};

pub use program::find_program;
pub(crate) use spawn::Launch;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) use {
    descriptors::close_all_but,
    signals::with_signals_blocked,
    spawn::{NOT_STARTED, errno, pipe, read_errno},
};

use crate::{
    capture::{Capture, CaptureLevel, CaptureMode},
    python::Hook,
    sandbox::{Ending, PROGRAM, Sandbox, SandboxError},
};
use signals::{Forwarding, Terminal};
use watch::Watch;

/// A command to run.
#[derive(Debug)]
pub struct Command {
    /// Program and arguments; no shell looks at them.
    pub argv: Vec<String>,
    pub cwd: PathBuf,
    pub environment: EnvironmentChanges,
    pub streams: Streams,
    pub capture: CaptureMode,
    /// How long processes that outlive the main one are still watched.
    pub settle: Duration,
    /// An empty folder for what files that were read held before the command changed them; it must outlive the use of
    /// the capture. Without one, such files are only marked.
    pub keep: Option<PathBuf>,
    /// What holds it back, with all that it starts; without one it may do what this process may.
    ///
    /// Its streams and variables are those of this command.
    pub sandbox: Option<Sandbox>,
}

impl Command {
    /// A command with the terminal's streams and the caller's environment, watched as well as possible.
    pub fn new(argv: Vec<String>, cwd: impl Into<PathBuf>) -> Self {
        Self {
            argv,
            cwd: cwd.into(),
            environment: EnvironmentChanges::default(),
            streams: Streams::default(),
            capture: CaptureMode::Best,
            settle: Duration::from_secs(1),
            keep: None,
            sandbox: None,
        }
    }
}

/// What the child's environment is made of.
#[derive(Debug, Clone, Default)]
pub struct EnvironmentChanges {
    pub base: EnvironmentBase,
    /// Set or, with `None`, removed.
    pub changes: BTreeMap<OsString, Option<OsString>>,
}

#[derive(Debug, Clone, Default)]
pub enum EnvironmentBase {
    /// All variables of this process: the command of a person at a terminal.
    #[default]
    Inherit,
    /// Only the named ones of this process: commands that somebody else chose.
    Only(Vec<OsString>),
}

impl EnvironmentChanges {
    /// Returns the variables that the child will see.
    pub fn resolve(&self) -> BTreeMap<OsString, OsString> {
        let mut variables: BTreeMap<OsString, OsString> = match &self.base {
            EnvironmentBase::Inherit => std::env::vars_os().collect(),
            EnvironmentBase::Only(names) => {
                names.iter().filter_map(|name| Some((name.clone(), std::env::var_os(name)?))).collect()
            }
        };
        for (name, value) in &self.changes {
            match value {
                Some(value) => variables.insert(name.clone(), value.clone()),
                None => variables.remove(name),
            };
        }
        variables
    }
}

/// Where the child's streams lead.
#[derive(Debug, Default)]
pub struct Streams {
    pub stdin: Stream,
    pub stdout: Stream,
    pub stderr: Stream,
}

#[derive(Debug, Default)]
pub enum Stream {
    #[default]
    Inherit,
    Null,
    File(File),
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    Code(i32),
    Signal(i32),
}

impl Exit {
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Code(0))
    }

    /// The code a shell would report: 128 and the signal's number for a command that was killed.
    pub const fn shell_code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }

    pub(crate) fn of_status(status: i32) -> Self {
        if libc::WIFSIGNALED(status) {
            Self::Signal(libc::WTERMSIG(status))
        } else {
            Self::Code(libc::WEXITSTATUS(status))
        }
    }
}

/// What a command cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    pub user_cpu_us: u64,
    pub system_cpu_us: u64,
    /// Of the largest process; never less than what this process held when it forked.
    pub max_rss_bytes: u64,
}

impl Usage {
    pub(crate) fn of(usage: &libc::rusage) -> Self {
        let micros = |time: libc::timeval| (time.tv_sec as u64).saturating_mul(1_000_000) + time.tv_usec as u64;
        let rss_unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
        Self {
            user_cpu_us: micros(usage.ru_utime),
            system_cpu_us: micros(usage.ru_stime),
            max_rss_bytes: (usage.ru_maxrss as u64).saturating_mul(rss_unit),
        }
    }
}

/// A command that has run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    pub exit: Exit,
    pub started: Timestamp,
    pub ended: Timestamp,
    #[serde(flatten)]
    pub usage: Usage,
    /// The executable that `argv[0]` was found to mean.
    pub program: PathBuf,
    pub capture: Capture,
    /// The limit of its sandbox that ended it.
    #[serde(skip)]
    pub stopped: Option<Ending>,
}

/// What the caller may tell the person who waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A level was not permitted and the next one below is tried.
    LevelRefused {
        level: CaptureLevel,
        reason: String,
    },
    Started {
        pid: i32,
        level: CaptureLevel,
    },
    Exited {
        exit: Exit,
    },
}

/// Why a command could not be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("no command was given")]
    Empty,
    #[error("command `{program}` was not found")]
    NotFound { program: String },
    #[error("`{}` is not executable", path.display())]
    NotExecutable { path: PathBuf },
    #[error("argument, variable or path `{text}` holds a NUL byte")]
    Nul { text: String },
    #[error("could not start `{}` in `{}`", program.display(), cwd.display())]
    Start { program: PathBuf, cwd: PathBuf, source: io::Error },
    #[error("could not prepare to run a command")]
    Prepare(#[source] io::Error),
    #[error("too many commands run at once; at most {max} can")]
    TooMany { max: usize },
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error("the tracer of `{}` ended before it had reported", program.display())]
    TracerLost { program: PathBuf },
}

impl RunError {
    /// What to do next, if that can be said.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Empty => Some("put the command after `--`, as in `-- python train.py`".into()),
            Self::NotFound { program } if program.contains('/') => {
                Some(format!("check that `{program}` exists; it is looked up from the folder the command runs in"))
            }
            Self::NotFound { program } => {
                Some(format!("check `PATH`, activate the environment that has it, or write `./{program}`"))
            }
            Self::NotExecutable { path } => {
                Some(format!("start it with its interpreter, or run `chmod +x {}`", path.display()))
            }
            Self::Start { source, .. } if source.raw_os_error() == Some(libc::ENOEXEC) => {
                Some("the file has no `#!` line; start it with its interpreter, as in `sh script`".into())
            }
            _ => None,
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Empty | Self::Nul { .. } | Self::NotExecutable { .. } | Self::Start { .. } => ErrorKind::Invalid,
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::TooMany { .. } => ErrorKind::Unavailable,
            Self::Sandbox(error) => error.kind(),
            Self::Prepare(_) | Self::TracerLost { .. } => ErrorKind::Internal,
        }
    }
}

impl From<RunError> for Problem {
    fn from(error: RunError) -> Self {
        let message = match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        let problem = Self::new(error.kind(), message);
        match error.hint() {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }
}

/// Runs a command to its end.
///
/// SIGINT, SIGTERM, SIGHUP and SIGQUIT that somebody sends to this process are passed on to the command, and the wait
/// goes on; those that the terminal sends reach the command by themselves. The third of them kills the command, so that
/// one that listens to none still gets a record.
pub fn run(command: &Command, mut events: impl FnMut(Event)) -> Result<Execution, RunError> {
    let variables = command.environment.resolve();
    let name = command.argv.first().ok_or(RunError::Empty)?;
    let program = find_program(name, &command.cwd, &variables)?;
    let forwarding = Forwarding::begin(if command.sandbox.is_some() { Terminal::Not } else { Terminal::Shared })?;
    let prepared = Prepared { command, program, variables };
    let mut fallback = None;
    if command.capture.permits(CaptureLevel::Ptrace) {
        match run_traced(&prepared, &forwarding, &mut events)? {
            Traced::Finished(execution) => return Ok(*execution),
            Traced::Refused(reason) => {
                events(Event::LevelRefused { level: CaptureLevel::Ptrace, reason: reason.clone() });
                fallback = Some(reason);
            }
        }
    }
    let mut execution = run_untraced(prepared, &forwarding, &mut events)?;
    execution.capture.fallback = fallback;
    Ok(execution)
}

/// Returns the highest level that this machine permits, and why not a higher one.
pub fn best_level() -> (CaptureLevel, Option<String>) {
    match tracing_works() {
        Ok(()) => (CaptureLevel::Ptrace, None),
        Err(reason) => (CaptureLevel::PythonHook, Some(reason)),
    }
}

struct Prepared<'a> {
    command: &'a Command,
    program: PathBuf,
    variables: BTreeMap<OsString, OsString>,
}

impl Prepared<'_> {
    fn contain_error(&self, what: String, errno: i32) -> RunError {
        let program = self.program.display().to_string();
        RunError::Sandbox(SandboxError::Contain { program, what, source: io::Error::from_raw_os_error(errno) })
    }

    fn start_error(&self, source: io::Error) -> RunError {
        RunError::Start { program: self.program.clone(), cwd: self.command.cwd.clone(), source }
    }
}

enum Traced {
    Finished(Box<Execution>),
    /// Nothing was started.
    Refused(String),
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
fn tracing_works() -> Result<(), String> {
    use std::sync::OnceLock;
    static PROBED: OnceLock<Result<(), String>> = OnceLock::new();
    PROBED.get_or_init(crate::trace::probe).clone()
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn tracing_works() -> Result<(), String> {
    Err("system calls are traced on Linux on x86-64 and ARM64 only".into())
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
fn run_traced(
    prepared: &Prepared<'_>,
    forwarding: &Forwarding,
    events: &mut impl FnMut(Event),
) -> Result<Traced, RunError> {
    use crate::trace::{Report, trace};
    if let Err(reason) = tracing_works() {
        return Ok(Traced::Refused(reason));
    }
    let launch =
        Launch::new(&prepared.program, prepared.command, &prepared.variables, prepared.command.sandbox.as_ref())?;
    let started = SystemClock.now();
    let (mut ending, mut watch) = (None, Ok(None));
    let keep = prepared.command.keep.clone();
    let report = trace(&launch, prepared.command.settle, keep, |tracer, report| match report {
        Report::Started { pid } => {
            let pid = launch.seen_from_outside(tracer, *pid).unwrap_or(*pid);
            forwarding.to(pid);
            watch = Watch::of(prepared.command, pid, tracer).inspect_err(|_| launch.end(pid));
            events(Event::Started { pid, level: CaptureLevel::Ptrace });
        }
        Report::Exited { exit, ended, usage } => {
            forwarding.stop();
            ending = Some((*exit, *ended, *usage));
            events(Event::Exited { exit: *exit });
        }
        _ => {}
    });
    let stopped = watch.map_err(RunError::Prepare)?.and_then(Watch::finish);
    match (report.map_err(RunError::Prepare)?, ending) {
        (Some(Report::Finished { capture }), Some((exit, ended, usage))) => {
            let program = prepared.program.clone();
            Ok(Traced::Finished(Box::new(Execution { exit, started, ended, usage, program, capture, stopped })))
        }
        (Some(Report::NotContained { what, errno }), _) => Err(prepared.contain_error(what, errno)),
        (Some(Report::Refused { reason }), _) => Ok(Traced::Refused(reason)),
        (Some(Report::NotStarted { errno }), _) => Err(prepared.start_error(io::Error::from_raw_os_error(errno))),
        _ => Err(RunError::TracerLost { program: prepared.program.clone() }),
    }
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn run_traced(_: &Prepared<'_>, _: &Forwarding, _: &mut impl FnMut(Event)) -> Result<Traced, RunError> {
    tracing_works().map_or_else(|reason| Ok(Traced::Refused(reason)), |()| Ok(Traced::Refused(String::new())))
}

fn run_untraced(
    mut prepared: Prepared<'_>,
    forwarding: &Forwarding,
    events: &mut impl FnMut(Event),
) -> Result<Execution, RunError> {
    let level = if prepared.command.capture.permits(CaptureLevel::PythonHook) {
        CaptureLevel::PythonHook
    } else {
        CaptureLevel::Declared
    };
    let hook = match level {
        CaptureLevel::PythonHook => Some(Hook::install(&mut prepared.variables).map_err(RunError::Prepare)?),
        _ => None,
    };
    let sandbox = prepared.command.sandbox.clone().map(|mut sandbox| {
        sandbox.writable.extend(hook.as_ref().map(Hook::folder));
        sandbox
    });
    let launch = Launch::new(&prepared.program, prepared.command, &prepared.variables, sandbox.as_ref())?;
    let started = SystemClock.now();
    let child = launch.start().map_err(|source| prepared.start_error(source))?;
    let pid = launch.seen_from_outside(child, PROGRAM).unwrap_or(child);
    forwarding.to(pid);
    let watch = Watch::of(prepared.command, pid, child).inspect_err(|_| launch.end(pid));
    events(Event::Started { pid, level });
    let waited = wait_for(child);
    forwarding.stop();
    launch.end_rest(pid);
    let stopped = watch.map_err(RunError::Prepare)?.and_then(Watch::finish);
    let (exit, usage) = waited.map_err(RunError::Prepare)?;
    let ended = SystemClock.now();
    events(Event::Exited { exit });
    let capture = hook.map_or_else(|| Capture::empty(CaptureLevel::Declared), Hook::finish);
    Ok(Execution { exit, started, ended, usage, program: prepared.program, capture, stopped })
}

fn wait_for(pid: i32) -> io::Result<(Exit, Usage)> {
    loop {
        let mut status = 0;
        // SAFETY: both out-pointers are valid for the call, and rusage is plain data.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: as above; the pid is a child of this process that nobody else waits for.
        let waited = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
        if waited == pid {
            return Ok((Exit::of_status(status), Usage::of(&usage)));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Returns `path` as seen from `base`, or as it is if it is absolute.
fn absolute(base: &Path, path: &Path) -> PathBuf {
    base.join(path)
}
