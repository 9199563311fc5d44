//! What other people's code may reach while it is repeated.

use std::{path::PathBuf, time::Duration};

use stemma_runner::sandbox::{Network, Reads, Sandbox};

use super::{Plan, Scratch};

/// Longest time that installing packages may take.
const INSTALL_TIME_MAX: Duration = Duration::from_secs(3600);
/// Longest time that an interpreter may take to say what it is.
const ASKING_TIME_MAX: Duration = Duration::from_secs(30);
/// Processors that may be busy all the time.
const CORES_MAX: u32 = 1024;
/// Where processes of one program share memory; nothing is kept there.
const SHARED_MEMORY: &str = "/dev/shm";

/// Whether the repeated command may use the network, as the recorded one may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrainingNetwork {
    Refused,
    Allowed,
}

/// The installer reaches the package index, and writes into the scratch folder only.
pub(super) fn installing(scratch: &Scratch) -> Sandbox {
    contained(INSTALL_TIME_MAX, Network::Allowed, vec![scratch.root().to_owned()])
}

/// An interpreter that only says what it is; packages may run code of theirs whenever it starts.
pub(super) fn asking() -> Sandbox {
    contained(ASKING_TIME_MAX, Network::Refused, Vec::new())
}

/// The command writes into its project's folder and those it takes for home and temporary files. Its packages are
/// out of its reach: they are used to look at what it has done.
pub(super) fn training(plan: &Plan, scratch: &Scratch, network: TrainingNetwork) -> Sandbox {
    let network = match network {
        TrainingNetwork::Refused => Network::Refused,
        TrainingNetwork::Allowed => Network::Allowed,
    };
    let folders = vec![scratch.project(), scratch.home(), scratch.temporary()];
    contained(Duration::from_secs(plan.time_max_s), network, folders)
}

fn contained(wall: Duration, network: Network, mut writable: Vec<PathBuf>) -> Sandbox {
    writable.extend([PathBuf::from(SHARED_MEMORY)].into_iter().filter(|folder| folder.is_dir()));
    Sandbox {
        wall,
        cpu: wall.saturating_mul(CORES_MAX),
        // numeric libraries reserve far more than they use
        memory_bytes: u64::MAX,
        file_bytes: u64::MAX,
        // more than one: interpreters start helpers
        processes: u32::MAX,
        network,
        readable: Reads::Everything,
        writable,
        ..Sandbox::default()
    }
}
