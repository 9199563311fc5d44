//! What a sandbox lets through.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use super::wall::Wall;

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

impl Sandbox {
    /// Whether a program in it could read what lies at a path, as far as that is for the sandbox to say.
    pub fn shows(&self, path: &Path) -> bool {
        let Reads::Only(readable) = &self.readable else { return true };
        let Ok(real) = path.canonicalize() else { return false };
        let mut shown = readable.iter().chain(&self.writable).filter_map(|place| place.canonicalize().ok());
        shown.any(|place| real.starts_with(place))
    }

    /// Private memory that several of its processes may share; it counts as theirs once it is used.
    pub(super) fn shared_memory_bytes(&self) -> u64 {
        const MOST: u64 = 64 << 30;
        (self.memory_bytes / 2).clamp(1 << 20, MOST)
    }
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
