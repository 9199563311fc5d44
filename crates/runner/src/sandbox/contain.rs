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

use libc::sock_filter;

use super::{
    Contained, Ending, Layers, Missing, Network, Outcome, Sandbox, SandboxError, Wall,
    enclosure::{self, Enclosure, Failure, Inside},
    filter, group,
    landlock::{self, Private, Rules},
    privileges,
    streams::{self, Captured},
};

/// How often limits that no kernel keeps for us are looked at.
const TICK: Duration = Duration::from_millis(25);
/// Memory that can't be written to the disk for others to have room.
const LOCKED_BYTES_MAX: u64 = 8 << 20;
/// What a program in name spaces of its own sees of itself only.
const PRIVATE: [Private; 2] =
    [Private { path: "/proc", is_writable: false }, Private { path: "/dev/shm", is_writable: true }];
/// How long the process that stands for the others may take to be gone.
const CLEARING: Duration = Duration::from_secs(5);
/// How runtimes say on stderr that they got no memory.
const OUT_OF_MEMORY: [&str; 5] =
    ["memory allocation of", "MemoryError", "bad_alloc", "Cannot allocate memory", "out of memory"];
/// How those that ignore the signal say that a file has become too large.
const FILE_TOO_LARGE: &str = "File too large";

pub(super) fn run(sandbox: &Sandbox, program: &Contained, stdin: &[u8]) -> Result<Outcome, SandboxError> {
    let walls = walls(sandbox)?;
    let is_enclosed = walls.is_enclosed();
    let layers = Layers {
        limits: true,
        system_calls: true,
        files: walls.rules.is_some() || walls.is_enclosed(),
        signals: walls.rules.as_ref().is_some_and(|rules| rules.scopes_signals) || walls.is_enclosed(),
        name_spaces: walls.is_enclosed(),
    };
    let started = Instant::now();
    let mut child = start(sandbox, program, walls)?;
    let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let output = output.map(|stream| streams::stdout(stream, sandbox.output_bytes));
    let errors = errors.map(|stream| streams::stderr(stream, sandbox.output_bytes));
    let (stopped, status) = std::thread::scope(|scope| {
        if let Some(input) = input {
            streams::feed(scope, input, stdin);
        }
        let warden = child.id().cast_signed();
        let group = if is_enclosed { group::seen_from_outside(warden, enclosure::PROGRAM) } else { Some(warden) };
        let watched = watch(sandbox, &child, group, [&output, &errors], started);
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
        None if overflowed => Ending::TooMuchOutput { limit: sandbox.output_bytes },
        None => ending_of(sandbox, status, &stderr),
    };
    Ok(Outcome { ending, stdout, stderr, wall, layers })
}

pub(super) fn walls(sandbox: &Sandbox) -> Result<Walls, SandboxError> {
    if !filter::is_supported() {
        return Err(SandboxError::Unsupported { why: "its kernel has no system-call filters (seccomp)".to_owned() });
    }
    let missing: Vec<Missing> = missing().into_iter().filter(|one| sandbox.requires.contains(&one.wall)).collect();
    if !missing.is_empty() {
        return Err(SandboxError::Missing(missing));
    }
    let enclosure = enclosure::plan(sandbox)?.ok();
    let private: &[Private] = if enclosure.is_some() { &PRIVATE } else { &[] };
    let rules = landlock::rules(sandbox, private)?;
    Ok(Walls { limits: limits(sandbox), enclosure, rules, filter: filter::program(sandbox) })
}

/// The walls that this machine can't raise, each with the reason.
pub(super) fn missing() -> Vec<Missing> {
    let Err(why) = enclosure::available() else { return Vec::new() };
    let mut missing =
        vec![Missing { wall: Wall::Metadata, why: why.clone() }, Missing { wall: Wall::Processes, why: why.clone() }];
    if landlock::version().is_none() {
        missing.push(Missing { wall: Wall::Files, why: format!("{why}, and its kernel has no Landlock") });
    }
    missing
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

/// All that is put on the child before it becomes the program.
pub(crate) struct Walls {
    limits: Vec<(libc::__rlimit_resource_t, u64, u64)>,
    enclosure: Option<Enclosure>,
    rules: Option<Rules>,
    filter: Vec<sock_filter>,
}

impl Walls {
    /// Goes where the walls stand: returns in a process that waits for the program, inside if there are name spaces.
    ///
    /// The caller is a child with one thread, made for this.
    pub fn enter(&self) -> Result<Option<Inside>, Failure> {
        match &self.enclosure {
            Some(enclosure) => enclosure.enter().map(Some),
            None => {
                enclosure::die_with_parent().map_err(Failure::at("it can't be bound to this process"))?;
                Ok(None)
            }
        }
    }

    /// The same, but returns in the process that becomes the program.
    pub fn enter_and_start(&self) -> Result<(), Failure> {
        match self.enter()? {
            Some(inside) => inside.start(),
            None => Ok(()),
        }
    }

    /// Has name spaces of its own, in which numbers of processes are others.
    pub const fn is_enclosed(&self) -> bool {
        self.enclosure.is_some()
    }

    /// Puts everything on this process, in a session of its own and so without a terminal. The filter comes last, as it
    /// refuses what the others need. Async-signal-safe.
    pub fn raise(&self) -> Result<(), i32> {
        // SAFETY: these calls touch no memory but the limit, which outlives its call.
        unsafe {
            libc::setsid();
            enclosure::die_with_parent()?;
            for (resource, soft, hard) in &self.limits {
                let limit = libc::rlimit { rlim_cur: *soft, rlim_max: *hard };
                check(libc::setrlimit(*resource, &raw const limit))?;
            }
            check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
            // on kernels without it, what std and we open closes itself anyway
            libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
        }
        privileges::give_up()?;
        if let Some(rules) = &self.rules {
            rules.install()?;
        }
        filter::install(&self.filter)
    }
}

fn check(result: i32) -> Result<(), i32> {
    if result < 0 { Err(crate::process::errno()) } else { Ok(()) }
}

/// No limit on processes: the kernel counts all of a user's, so they are counted here by their group.
fn limits(sandbox: &Sandbox) -> Vec<(libc::__rlimit_resource_t, u64, u64)> {
    let cpu = sandbox.cpu.as_secs().max(1);
    vec![
        (libc::RLIMIT_CPU, cpu, cpu + 1),
        // what a program can write to and nobody else; of address space, numeric libraries reserve far more than they use
        (libc::RLIMIT_DATA, sandbox.memory_bytes, sandbox.memory_bytes),
        (libc::RLIMIT_FSIZE, sandbox.file_bytes, sandbox.file_bytes),
        (libc::RLIMIT_NOFILE, sandbox.open_files, sandbox.open_files),
        (libc::RLIMIT_MEMLOCK, LOCKED_BYTES_MAX, LOCKED_BYTES_MAX),
        (libc::RLIMIT_CORE, 0, 0),
    ]
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
