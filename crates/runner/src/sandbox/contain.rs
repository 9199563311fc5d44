//! Starts a program behind all walls, waits for it or for a reason to stop it, and clears up.

use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::{
            ffi::OsStrExt as _,
            process::{CommandExt, ExitStatusExt},
        },
    },
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use super::{
    enclosure,
    error::SandboxError,
    group,
    outcome::{Contained, Ending, Layers, Outcome},
    policy::{Network, Sandbox},
    streams::{self, Captured},
    walls::{Walls, check, walls_for},
};

/// How often limits that no kernel keeps for us are looked at.
const TICK: Duration = Duration::from_millis(25);
/// How long the process that stands for the others may take to be gone.
const CLEARING: Duration = Duration::from_secs(5);
/// How runtimes say on stderr that they got no memory.
const OUT_OF_MEMORY: [&str; 5] =
    ["memory allocation of", "MemoryError", "bad_alloc", "Cannot allocate memory", "out of memory"];
/// How those that ignore the signal say that a file has become too large.
const FILE_TOO_LARGE: &str = "File too large";

impl Sandbox {
    /// Runs a program with these bytes as its input, and waits until it and all that it started is gone.
    pub fn run(&self, program: &Contained, stdin: &[u8]) -> Result<Outcome, SandboxError> {
        let walls = walls_for(self)?;
        let is_enclosed = walls.is_enclosed();
        let layers = Layers {
            limits: true,
            system_calls: true,
            files: walls.guards_files(),
            signals: walls.guards_signals(),
            name_spaces: walls.is_enclosed(),
        };
        let started = Instant::now();
        let mut child = start(self, program, walls)?;
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let output = output.map(|stream| streams::stdout(stream, self.output_bytes));
        let errors = errors.map(|stream| streams::stderr(stream, self.output_bytes));
        let (stopped, status) = std::thread::scope(|scope| {
            if let Some(input) = input {
                streams::feed(scope, input, stdin);
            }
            let warden = child.id().cast_signed();
            let group = if is_enclosed { group::seen_from_outside(warden, enclosure::PROGRAM) } else { Some(warden) };
            let watched = watch(self, &child, group, [&output, &errors], started);
            // also if watching failed: nothing may live on
            let status = clear(&mut child, group);
            Ok::<_, SandboxError>((watched?, status?))
        })?;
        let wall = started.elapsed();
        let overflowed = [&output, &errors].into_iter().flatten().any(Captured::is_over);
        let (stdout, stderr) =
            (output.map(Captured::finish).unwrap_or_default(), errors.map(Captured::finish).unwrap_or_default());
        let ending = match stopped {
            Some(ending) => ending,
            None if overflowed => Ending::TooMuchOutput { limit: self.output_bytes },
            None => ending_of(self, status, &stderr),
        };
        Ok(Outcome { ending, stdout, stderr, wall, layers })
    }
}

fn start(sandbox: &Sandbox, program: &Contained, walls: Walls) -> Result<Child, SandboxError> {
    let (name, arguments) = program.argv.split_first().ok_or_else(|| SandboxError::Start {
        program: String::new(),
        source: io::Error::new(io::ErrorKind::InvalidInput, "no program is named"),
    })?;
    let failed = |source| SandboxError::Start { program: name.to_string_lossy().into_owned(), source };
    let mut command = Command::new(name);
    command
        .args(arguments)
        .env_clear()
        .envs(&sandbox.environment)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let cwd = CString::new(program.cwd.as_os_str().as_bytes()).map_err(|error| failed(error.into()))?;
    let raise = move || {
        walls.enter_and_start().map_err(|failure| failure.errno)?;
        // as the program sees it: the folder that this process stood in may not be there any more
        // SAFETY: the path outlives the call.
        check(unsafe { libc::chdir(cwd.as_ptr()) })?;
        walls.raise()
    };
    // SAFETY: between fork and exec only system calls are made, on memory that was made before the fork.
    unsafe { command.pre_exec(move || raise().map_err(io::Error::from_raw_os_error)) };
    command.spawn().map_err(failed)
}

/// Waits until the program has ended or must be stopped; returns why it must.
fn watch(
    sandbox: &Sandbox,
    child: &Child,
    group: Option<i32>,
    outputs: [&Option<Captured>; 2],
    started: Instant,
) -> Result<Option<Ending>, SandboxError> {
    let pid = child.id().cast_signed();
    let handle = pidfd(pid);
    loop {
        if has_ended(pid).map_err(SandboxError::Watch)? {
            return Ok(None);
        }
        if outputs.into_iter().flatten().any(Captured::is_over) {
            return Ok(Some(Ending::TooMuchOutput { limit: sandbox.output_bytes }));
        }
        let left = sandbox.wall.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Ok(Some(Ending::Hung { after: sandbox.wall }));
        }
        if let Some(ending) = group.and_then(|group| group::exceeded(sandbox, group)) {
            return Ok(Some(ending));
        }
        pause(handle.as_ref(), left.min(TICK));
    }
}

/// Wakes a waiter when the process ends; older kernels have none.
fn pidfd(pid: i32) -> Option<OwnedFd> {
    // SAFETY: touches no memory; a descriptor that the kernel returns is ours.
    unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, pid, 0u32);
        i32::try_from(fd).ok().filter(|fd| *fd >= 0).map(|fd| OwnedFd::from_raw_fd(fd))
    }
}

fn pause(process: Option<&OwnedFd>, time: Duration) {
    let mut awaited = libc::pollfd { fd: process.map_or(-1, AsRawFd::as_raw_fd), events: libc::POLLIN, revents: 0 };
    let milliseconds = i32::try_from(time.as_millis()).unwrap_or(i32::MAX).max(1);
    // SAFETY: `awaited` outlives the call.
    unsafe { libc::poll(&raw mut awaited, 1, milliseconds) };
}

/// Says whether the process has ended, without reaping it: until then nobody else gets its id.
fn has_ended(pid: i32) -> io::Result<bool> {
    // SAFETY: all zeros is a valid siginfo, and it outlives the call.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let flags = libc::WEXITED | libc::WNOWAIT | libc::WNOHANG;
        match libc::waitid(libc::P_PID, pid.cast_unsigned(), &raw mut info, flags) {
            0 => Ok(info.si_pid() == pid),
            _ => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => Ok(false),
                error => Err(error),
            },
        }
    }
}

/// Kills what is left of the group and reaps the child once all others are gone.
fn clear(child: &mut Child, group: Option<i32>) -> Result<ExitStatus, SandboxError> {
    let pid = child.id().cast_signed();
    if let Some(group) = group {
        group::end(group);
    }
    // a warden ends by itself when the program has, and how; everything else goes with it
    let started = Instant::now();
    while !has_ended(pid).map_err(SandboxError::Watch)? && started.elapsed() < CLEARING {
        pause(None, Duration::from_millis(1));
    }
    // one that has ended already can't be killed, and that is fine
    _ = child.kill();
    child.wait().map_err(SandboxError::Watch)
}

/// Reads a reason from how the program ended by itself.
fn ending_of(sandbox: &Sandbox, status: ExitStatus, stderr: &[u8]) -> Ending {
    let tail = String::from_utf8_lossy(&stderr[stderr.len().saturating_sub(4096)..]);
    let says_no_memory = || OUT_OF_MEMORY.iter().any(|words| tail.contains(words));
    let no_memory = Ending::OutOfMemory { limit: sandbox.memory_bytes };
    match (status.code(), status.signal()) {
        (Some(0), _) => Ending::Exited(0),
        (Some(_), _) if says_no_memory() => no_memory,
        (Some(_), _) if tail.contains(FILE_TOO_LARGE) => Ending::FileTooLarge { limit: sandbox.file_bytes },
        (Some(code), _) => Ending::Exited(code),
        (None, Some(libc::SIGSYS)) if sandbox.network == Network::Fatal => Ending::Network,
        (None, Some(libc::SIGXCPU)) => Ending::CpuTime { limit: sandbox.cpu },
        (None, Some(libc::SIGXFSZ)) => Ending::FileTooLarge { limit: sandbox.file_bytes },
        // nobody here has sent it: the machine itself had no memory left
        (None, Some(libc::SIGKILL)) => no_memory,
        (None, Some(_)) if says_no_memory() => no_memory,
        (None, signal) => Ending::Signal(signal.unwrap_or_default()),
    }
}
