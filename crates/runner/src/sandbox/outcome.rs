//! A program to contain, and what became of it.

use std::{
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// A program to contain.
#[derive(Debug, Clone)]
pub struct Contained {
    /// Program and arguments; no shell looks at them.
    pub argv: Vec<OsString>,
    pub cwd: PathBuf,
}

impl Contained {
    pub fn new(argv: impl IntoIterator<Item = impl Into<OsString>>, cwd: &Path) -> Self {
        Self { argv: argv.into_iter().map(Into::into).collect(), cwd: cwd.to_owned() }
    }
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
