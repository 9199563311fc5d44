//! Runs a program that nobody vouches for: bounded in time, memory, processes and output, kept from the network and
//! from files that were not named, and gone afterwards with all that it started.
//!
//! The limits, the system-call filter and the file rules are put on the child between fork and exec, so there is no
//! moment in which the program runs without them. Without a system-call filter nothing is run; file rules need
//! Landlock, and an [`Outcome`] says whether they were there.

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod contain;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod filter;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod group;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod landlock;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod streams;

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) use contain::Walls;

/// Walls that no other system has.
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub(crate) enum Walls {}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
impl Walls {
    pub fn raise_here(&self) -> Result<(), i32> {
        match *self {}
    }
}

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt, io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use stemma_core::{ErrorKind, Problem};

/// What a contained program may use and touch.
#[derive(Debug, Clone)]
pub struct Sandbox {
    /// How long it may run by the clock.
    pub wall: Duration,
    /// How much processor time each of its processes may take.
    pub cpu: Duration,
    /// Address space of each process, and resident memory of all together.
    pub memory_bytes: u64,
    /// Processes that may live at the same time; with 1 it can start none at all.
    pub processes: u32,
    /// Largest file that it may write.
    pub file_bytes: u64,
    /// Most that is taken from each of its output streams.
    pub output_bytes: u64,
    pub network: Network,
    /// What it may read and execute, besides what it may write.
    pub readable: Reads,
    /// Folders and files in which it may do everything.
    pub writable: Vec<PathBuf>,
    /// All of its environment.
    pub environment: BTreeMap<OsString, OsString>,
}

impl Default for Sandbox {
    /// One process without network and writable folders, for ten seconds.
    fn default() -> Self {
        Self {
            wall: Duration::from_secs(10),
            cpu: Duration::from_secs(10),
            memory_bytes: 1 << 30,
            processes: 1,
            file_bytes: 64 << 20,
            output_bytes: 16 << 20,
            network: Network::Fatal,
            readable: Reads::Only(system_paths()),
            writable: Vec::new(),
            environment: BTreeMap::new(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    Allowed,
    /// A socket can't be made; the program may go on without.
    Refused,
    /// The program is killed when it makes a socket for a network.
    Fatal,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reads {
    Everything,
    Only(Vec<PathBuf>),
}

/// What a dynamically linked program needs to start.
pub fn system_paths() -> Vec<PathBuf> {
    const PATHS: [&str; 12] = [
        "/usr",
        "/bin",
        "/sbin",
        "/lib",
        "/lib64",
        "/etc/ld.so.cache",
        "/etc/localtime",
        "/etc/alternatives",
        "/dev/null",
        "/dev/zero",
        "/dev/urandom",
        "/dev/random",
    ];
    PATHS.iter().map(PathBuf::from).filter(|path| path.exists()).collect()
}

/// A program to contain.
#[derive(Debug, Clone)]
pub struct Contained {
    /// Program and arguments; no shell looks at them.
    pub argv: Vec<OsString>,
    pub cwd: PathBuf,
}

/// What became of it.
#[derive(Debug)]
pub struct Outcome {
    pub ending: Ending,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub wall: Duration,
    pub layers: Layers,
}

impl Outcome {
    pub fn is_success(&self) -> bool {
        self.ending == Ending::Exited(0)
    }
}

/// How a contained program ended, and if it was stopped, why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    Exited(i32),
    /// It was killed because its time was over.
    Hung {
        after: Duration,
    },
    CpuTime {
        limit: Duration,
    },
    OutOfMemory {
        limit: u64,
    },
    Network,
    Signal(i32),
    TooMuchOutput {
        limit: u64,
    },
    FileTooLarge {
        limit: u64,
    },
    TooManyProcesses {
        limit: u32,
    },
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(0) => write!(f, "it ended well"),
            Self::Exited(code) => write!(f, "it failed with exit code {code}"),
            Self::Hung { after } => write!(f, "it hung: killed after {}", Seconds(*after)),
            Self::CpuTime { limit } => write!(f, "it used more than {} of processor time", Seconds(*limit)),
            Self::OutOfMemory { limit } => write!(f, "it ran out of memory: the limit is {} MiB", limit >> 20),
            Self::Network => write!(f, "it tried to reach the network"),
            Self::Signal(signal) => write!(f, "it crashed with {}", SignalName(*signal)),
            Self::TooMuchOutput { limit } => write!(f, "it wrote too much: more than {limit} bytes of output"),
            Self::FileTooLarge { limit } => write!(f, "it wrote too much: a file of more than {limit} bytes"),
            Self::TooManyProcesses { limit } => write!(f, "it started too many processes: the limit is {limit}"),
        }
    }
}

struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.subsec_millis() {
            0 => write!(f, "{} s", self.0.as_secs()),
            _ => write!(f, "{:.1} s", self.0.as_secs_f64()),
        }
    }
}

struct SignalName(i32);

impl fmt::Display for SignalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            libc::SIGSEGV => "SIGSEGV",
            libc::SIGABRT => "SIGABRT",
            libc::SIGBUS => "SIGBUS",
            libc::SIGILL => "SIGILL",
            libc::SIGFPE => "SIGFPE",
            libc::SIGKILL => "SIGKILL",
            libc::SIGTERM => "SIGTERM",
            other => return write!(f, "signal {other}"),
        };
        write!(f, "{name} (signal {})", self.0)
    }
}

/// Which walls really stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layers {
    pub limits: bool,
    pub system_calls: bool,
    /// Landlock keeps it from files that were not named.
    pub files: bool,
    /// Landlock keeps it from sending signals to processes that it did not start.
    pub signals: bool,
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (self.limits, "resource limits"),
            (self.system_calls, "system-call filter"),
            (self.files, "file rules"),
            (self.signals, "signal scope"),
        ];
        let standing: Vec<&str> = names.iter().filter(|(stands, _)| *stands).map(|(_, name)| *name).collect();
        f.write_str(&standing.join(", "))
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("this machine can't contain a program: {why}")]
    Unsupported { why: String },
    #[error("`{program}` could not be started in the sandbox: {source}")]
    Start { program: String, source: io::Error },
    #[error("`{}` can't be opened to the sandbox: {source}", path.display())]
    Path { path: PathBuf, source: io::Error },
    #[error("the contained program can't be watched: {0}")]
    Watch(#[source] io::Error),
}

impl From<SandboxError> for Problem {
    fn from(error: SandboxError) -> Self {
        let kind = match &error {
            SandboxError::Unsupported { .. } | SandboxError::Path { .. } => ErrorKind::Config,
            SandboxError::Start { source, .. } if source.kind() == io::ErrorKind::NotFound => ErrorKind::Config,
            SandboxError::Start { .. } | SandboxError::Watch(_) => ErrorKind::Internal,
        };
        Problem::new(kind, error.to_string())
    }
}

impl Sandbox {
    /// Runs a program with these bytes as its input, and waits until it and all that it started is gone.
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    pub fn run(&self, program: &Contained, stdin: &[u8]) -> Result<Outcome, SandboxError> {
        contain::run(self, program, stdin)
    }

    /// The walls alone, for a command that is started and watched otherwise.
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    pub(crate) fn walls(&self) -> Result<Walls, SandboxError> {
        contain::walls(self)
    }

    #[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
    pub(crate) fn walls(&self) -> Result<Walls, SandboxError> {
        Err(SandboxError::Unsupported { why: "it is no Linux machine".to_owned() })
    }

    #[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
    pub fn run(&self, _program: &Contained, _stdin: &[u8]) -> Result<Outcome, SandboxError> {
        Err(SandboxError::Unsupported { why: "it is no Linux machine".to_owned() })
    }
}

impl Contained {
    pub fn new(argv: impl IntoIterator<Item = impl Into<OsString>>, cwd: &Path) -> Self {
        Self { argv: argv.into_iter().map(Into::into).collect(), cwd: cwd.to_owned() }
    }
}
