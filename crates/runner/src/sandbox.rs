//! Runs a program that nobody vouches for: bounded in time, memory, processes and output, kept from the network and
//! from files that were not named, and gone afterwards with all that it started.
//!
//! Name spaces (`enclosure`, `tree`), the limits, the file rules and the system-call filter are put on the child between
//! fork and exec, so there is no moment in which the program runs without them. Without a system-call filter nothing is
//! run. The other walls are not there on every machine: a [`Sandbox`] names those without which it runs nothing, and an
//! [`Outcome`] says which ones stood.

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod contain;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod disk;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod enclosure;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod filter;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod group;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod landlock;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod privileges;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod streams;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod tree;

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod elsewhere;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub(crate) use elsewhere::{Failure, Inside, PROGRAM, Walls, end_group, hide_this_process, seen_from_outside};
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) use {
    contain::Walls,
    enclosure::{Failure, Inside, PROGRAM, hide_this_process},
    group::{end as end_group, seen_from_outside},
};

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt, io,
    path::{Path, PathBuf},
    str::FromStr,
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
    /// Of each process what it alone can write to, and of all together what is in use.
    pub memory_bytes: u64,
    /// Processes that may live at the same time; with 1 it can start none at all.
    pub processes: u32,
    /// Largest file that it may write.
    pub file_bytes: u64,
    /// All that lies in its writable folders or is still open there; looked at about once a second, where a command is
    /// watched.
    pub disk_bytes: u64,
    /// Files that each process may hold open.
    pub open_files: u64,
    /// Most that is taken from each of its output streams.
    pub output_bytes: u64,
    pub network: Network,
    /// What it may read and execute, besides what it may write.
    pub readable: Reads,
    /// Folders and files in which it may do everything.
    pub writable: Vec<PathBuf>,
    /// Folders among these that seem to be empty, where it has a file tree of its own.
    pub hidden: Vec<PathBuf>,
    /// Walls without which nothing is run.
    pub requires: Vec<Wall>,
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
            disk_bytes: 1 << 30,
            open_files: 1024,
            output_bytes: 16 << 20,
            network: Network::Fatal,
            readable: Reads::Only(system_paths()),
            writable: Vec::new(),
            hidden: Vec::new(),
            requires: Vec::new(),
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

/// A wall that not every machine can raise, by what it keeps a program from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wall {
    /// To read and write files that were not named: needs name spaces or Landlock.
    Files,
    /// To change modes, owners, times and attributes of files elsewhere: needs name spaces.
    Metadata,
    /// To see other processes, and to live on when the one that runs it is killed: needs name spaces.
    Processes,
}

impl Wall {
    pub const ALL: [Self; 3] = [Self::Files, Self::Metadata, Self::Processes];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Metadata => "metadata",
            Self::Processes => "processes",
        }
    }

    /// What a program can do without it.
    pub const fn opening(self) -> &'static str {
        match self {
            Self::Files => "read and change every file that you can",
            Self::Metadata => "change modes, owners and times of your files",
            Self::Processes => "see your other processes, and live on if this one is killed",
        }
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Wall {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = || Self::ALL.map(Self::name).join("`, `");
        Self::ALL.into_iter().find(|wall| wall.name() == text).ok_or_else(|| format!("expected one of `{}`", names()))
    }
}

/// A wall that this machine can't raise, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    pub wall: Wall,
    pub why: String,
}

/// Returns the walls that this machine can't raise.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub fn missing_walls() -> Vec<Missing> {
    contain::missing()
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub fn missing_walls() -> Vec<Missing> {
    Wall::ALL.map(|wall| Missing { wall, why: elsewhere::NO_LINUX.to_owned() }).into()
}

/// What a dynamically linked program needs to start, and most need to run: programs and libraries of the system, the
/// few of its settings that hold nothing of a person's, and what is known of its processors.
pub fn system_paths() -> Vec<PathBuf> {
    const PATHS: [&str; 26] = [
        "/usr",
        "/bin",
        "/sbin",
        "/lib",
        "/lib32",
        "/lib64",
        "/libx32",
        "/nix/store",
        "/gnu/store",
        "/etc/ld.so.cache",
        "/etc/localtime",
        "/etc/timezone",
        "/etc/alternatives",
        "/etc/os-release",
        "/etc/debian_version",
        "/etc/passwd",
        "/etc/group",
        "/etc/nsswitch.conf",
        "/etc/mime.types",
        "/etc/fonts",
        "/sys/devices/system/cpu",
        "/sys/devices/system/node",
        "/dev/null",
        "/dev/zero",
        "/dev/urandom",
        "/dev/random",
    ];
    existing(&PATHS)
}

/// What a program needs to look up names and to check certificates.
pub fn network_paths() -> Vec<PathBuf> {
    const PATHS: [&str; 9] = [
        "/etc/resolv.conf",
        "/etc/hosts",
        "/etc/host.conf",
        "/etc/gai.conf",
        "/etc/services",
        "/etc/protocols",
        "/etc/ssl",
        "/etc/pki",
        "/etc/ca-certificates",
    ];
    existing(&PATHS)
}

fn existing(paths: &[&str]) -> Vec<PathBuf> {
    paths.iter().map(PathBuf::from).filter(|path| path.exists()).collect()
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
    TooMuchOnDisk {
        limit: u64,
    },
    /// The machine has hardly any of it left.
    MachineShortOf(&'static str),
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
            Self::TooMuchOnDisk { limit } => write!(f, "it wrote too much: the limit is {} MiB in all", limit >> 20),
            Self::MachineShortOf(what) => write!(f, "the machine has hardly any {what} left"),
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
    /// It is kept from files that were not named.
    pub files: bool,
    /// It is kept from sending signals to processes that it did not start.
    pub signals: bool,
    /// Users, processes, files and System V objects of its own.
    pub name_spaces: bool,
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (self.limits, "resource limits"),
            (self.system_calls, "system-call filter"),
            (self.files, "file rules"),
            (self.signals, "signal scope"),
            (self.name_spaces, "name spaces of its own"),
        ];
        let standing: Vec<&str> = names.iter().filter(|(stands, _)| *stands).map(|(_, name)| *name).collect();
        f.write_str(&standing.join(", "))
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("this machine can't contain a program: {why}")]
    Unsupported { why: String },
    #[error("this machine can't keep what is run from everything: {}", listed(.0))]
    Missing(Vec<Missing>),
    #[error("`{program}` could not be contained, {what}: {source}")]
    Contain { program: String, what: String, source: io::Error },
    #[error("`{program}` could not be started in the sandbox: {source}")]
    Start { program: String, source: io::Error },
    #[error("`{}` can't be opened to the sandbox: {source}", path.display())]
    Path { path: PathBuf, source: io::Error },
    #[error("the contained program can't be watched: {0}")]
    Watch(#[source] io::Error),
}

fn listed(missing: &[Missing]) -> String {
    let one = |one: &Missing| format!("`{}`: it could {} ({})", one.wall, one.wall.opening(), one.why);
    missing.iter().map(one).collect::<Vec<_>>().join("; ")
}

impl SandboxError {
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Unsupported { .. } | Self::Path { .. } | Self::Contain { .. } => ErrorKind::Config,
            Self::Missing(_) => ErrorKind::Refused,
            Self::Start { source, .. } if source.kind() == io::ErrorKind::NotFound => ErrorKind::Config,
            Self::Start { .. } | Self::Watch(_) => ErrorKind::Internal,
        }
    }
}

impl From<SandboxError> for Problem {
    fn from(error: SandboxError) -> Self {
        let kind = error.kind();
        Problem::new(kind, error.to_string())
    }
}

impl Sandbox {
    /// Whether a program in it could read what lies at a path, as far as that is for the sandbox to say.
    pub fn shows(&self, path: &Path) -> bool {
        let Reads::Only(readable) = &self.readable else { return true };
        let Ok(real) = path.canonicalize() else { return false };
        let mut shown = readable.iter().chain(&self.writable).filter_map(|place| place.canonicalize().ok());
        shown.any(|place| real.starts_with(place))
    }

    /// Private memory that several of its processes may share; it counts as theirs once it is used.
    fn shared_memory_bytes(&self) -> u64 {
        const MOST: u64 = 64 << 30;
        (self.memory_bytes / 2).clamp(1 << 20, MOST)
    }
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
impl Sandbox {
    /// Runs a program with these bytes as its input, and waits until it and all that it started is gone.
    pub fn run(&self, program: &Contained, stdin: &[u8]) -> Result<Outcome, SandboxError> {
        contain::run(self, program, stdin)
    }

    /// The walls alone, for a command that is started and watched otherwise.
    pub(crate) fn walls(&self) -> Result<Walls, SandboxError> {
        contain::walls(self)
    }

    /// Which limit the processes of a group exceed together, if any.
    pub(crate) fn exceeded(&self, group: i32) -> Option<Ending> {
        group::exceeded(self, group)
    }

    /// Which limit of the disk is exceeded, if any, by what lies in writable folders or is open but has no name any more.
    pub(crate) fn exceeded_on_disk(&self, group: i32) -> Option<Ending> {
        disk::exceeded(self, group)
    }
}

impl Contained {
    pub fn new(argv: impl IntoIterator<Item = impl Into<OsString>>, cwd: &Path) -> Self {
        Self { argv: argv.into_iter().map(Into::into).collect(), cwd: cwd.to_owned() }
    }
}
