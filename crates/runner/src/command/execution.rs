//! How a command ended, and what it cost.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use stemma_core::Timestamp;

use crate::{
    capture::{Capture, CaptureLevel},
    sandbox::Ending,
};

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
