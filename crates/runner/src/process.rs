//! Starts a command without a shell, watches it as well as this machine permits, and waits for it.
//!
//! Traced commands are the children of a small tracer process of their own, forked from this one: it can go on
//! serving processes that outlive the command (a seccomp filter can't be taken off again), it never reaps children
//! that aren't its own, and several commands can run from several threads at once.

mod watch;

use std::{collections::BTreeMap, ffi::OsString, io, path::PathBuf};

use stemma_core::{Clock, SystemClock};

use crate::{
    capture::{Capture, CaptureLevel},
    command::{Command, Event, Execution, RunError, find_program},
    launch::{Launch, wait_for},
    python::Hook,
    sandbox::{PROGRAM, SandboxError},
    signals::{Forwarding, Terminal},
};
use watch::Watch;

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
    let aside = prepared.command.aside.clone();
    let report = trace(&launch, prepared.command.settle, aside, |tracer, report| match report {
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
