//! What other people's code may reach while it is repeated, and how much of the machine it may take.
//!
//! Each step names all that it may read; everything else of this machine is not there for it. Only pip reaches the
//! network, and it runs from outside of the environment that it fills, so that no code of a package runs in it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use stemma_runner::sandbox::{Missing, Network, Reads, Sandbox, Wall, missing_walls, network_paths, system_paths};

use super::{
    limits::{MEMORY_BYTES_MIN, OPEN_FILES_MAX, PROCESSES_MAX},
    materialise::Scratch,
    plan::Plan,
};

/// Longest time that a step of the installation may take.
const INSTALL_TIME_MAX: Duration = Duration::from_secs(3600);
/// Longest time that an interpreter may take to say what it is.
const ASKING_TIME_MAX: Duration = Duration::from_secs(30);
/// What packages with all that belongs to them may take up.
const INSTALL_DISK_BYTES_MAX: u64 = 64 << 30;
/// Processors that may be busy all the time.
const CORES_MAX: u32 = 1024;

/// Whether the repeated command may use the network, as the recorded one may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrainingNetwork {
    Refused,
    Allowed,
}

impl Plan {
    /// What this machine can't keep repeated code from, and nobody has allowed.
    pub fn missing_walls(&self) -> Vec<Missing> {
        missing_walls().into_iter().filter(|missing| !self.uncontained.contains(&missing.wall)).collect()
    }
}

/// A step before there is anything of others: the base interpreter makes an environment.
pub(super) fn making(plan: &Plan, base: &[PathBuf], environment: &Path) -> Sandbox {
    contained(plan, INSTALL_TIME_MAX, Network::Refused, base.to_vec(), vec![environment.to_owned()])
}

/// The installer reaches the package index, and writes what it gets into one folder. Nothing of what it gets is run.
pub(super) fn fetching(plan: &Plan, reads: Vec<PathBuf>, writes: Vec<PathBuf>) -> Sandbox {
    let reads = reads.into_iter().chain(network_paths()).collect();
    contained(plan, INSTALL_TIME_MAX, Network::Allowed, reads, writes)
}

/// A step among things of others, without the network.
pub(super) fn working(plan: &Plan, reads: Vec<PathBuf>, writes: Vec<PathBuf>) -> Sandbox {
    contained(plan, INSTALL_TIME_MAX, Network::Refused, reads, writes)
}

/// A Python of this machine that only says what it is. It is the caller's own, and may be a script that looks around for
/// the right one: it reads what the caller reads.
pub(super) fn asking_own() -> Sandbox {
    Sandbox {
        wall: ASKING_TIME_MAX,
        memory_bytes: MEMORY_BYTES_MIN,
        processes: PROCESSES_MAX,
        network: Network::Refused,
        readable: Reads::Everything,
        ..Sandbox::default()
    }
}

/// The new environment's interpreter, which only says what it has: packages may run code of theirs whenever it starts.
pub(super) fn asking(plan: &Plan, reads: Vec<PathBuf>) -> Sandbox {
    contained(plan, ASKING_TIME_MAX, Network::Refused, reads, Vec::new())
}

/// The command writes into its project's folder and those it takes for home and temporary files. It reads its packages,
/// and what the recorded run read outside of its project.
pub(super) fn training(plan: &Plan, scratch: &Scratch, packages: &[PathBuf], network: TrainingNetwork) -> Sandbox {
    let limits = plan.limits;
    let (network, settings) = match network {
        TrainingNetwork::Refused => (Network::Refused, Vec::new()),
        TrainingNetwork::Allowed => (Network::Allowed, network_paths()),
    };
    let outside = plan.outside_files().map(|file| PathBuf::from(&file.path));
    let reads = packages.iter().cloned().chain(outside).chain(settings).collect();
    let writes = vec![scratch.project(), scratch.home(), scratch.temporary()];
    Sandbox {
        memory_bytes: limits.memory_bytes,
        disk_bytes: limits.disk_bytes,
        file_bytes: limits.disk_bytes,
        processes: limits.processes,
        open_files: limits.open_files,
        // ours, not the command's
        hidden: vec![scratch.project().join(crate::HOME_DIR)],
        ..contained(plan, Duration::from_secs(limits.time_max_s), network, reads, writes)
    }
}

fn contained(plan: &Plan, wall: Duration, network: Network, reads: Vec<PathBuf>, writable: Vec<PathBuf>) -> Sandbox {
    Sandbox {
        wall,
        cpu: wall.saturating_mul(CORES_MAX),
        memory_bytes: plan.limits.memory_bytes.max(MEMORY_BYTES_MIN),
        disk_bytes: INSTALL_DISK_BYTES_MAX,
        file_bytes: INSTALL_DISK_BYTES_MAX,
        processes: PROCESSES_MAX,
        open_files: OPEN_FILES_MAX,
        network,
        readable: Reads::Only(system_paths().into_iter().chain(reads).collect()),
        writable,
        requires: Wall::ALL.into_iter().filter(|wall| !plan.uncontained.contains(wall)).collect(),
        ..Sandbox::default()
    }
}
