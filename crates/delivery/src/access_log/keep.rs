//! Keeping: what was noted goes to disk each second, and a segment ends after an hour or ten thousand entries.

use std::{os::unix::fs::DirBuilderExt as _, time::Duration};

use stemma_core::{ErrorKind, Problem, access_log::AccessLimits};
use stemma_gateway::{ACCESS_OPTIONS, AccessLog, AppendError};

use crate::Delivery;

/// How often what was noted goes to disk: as much is lost when the process is killed.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// A segment ends when it is older than this,
const AGE_MAX: Duration = Duration::from_secs(3600);
/// or has so many entries.
const ENTRIES_MAX: u64 = 10_000;
/// What could not be sealed rests that long.
const SEAL_EVERY: Duration = Duration::from_secs(60);

impl Delivery {
    /// The access log, opened now if it was not open; a server does so before it answers.
    pub fn access_log(&self) -> Result<&AccessLog, Problem> {
        let once = self.access_log_once();
        if let Some(log) = once.get() {
            return Ok(log);
        }
        let folder = self.known().layout().access();
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(access_problem)?;
        let opened = AccessLog::open(&folder, self.clock(), ACCESS_OPTIONS, AccessLimits::default());
        match opened {
            Ok(log) => {
                for segment in log.recovered().iter().filter(|segment| segment.damage.is_some()) {
                    let segment = format!("{:016x}", segment.segment);
                    tracing::error!(segment, "a segment of the access log is damaged");
                }
                Ok(once.get_or_init(|| log))
            }
            // another of this process was faster
            Err(error) => once.get().ok_or_else(|| access_problem(error)),
        }
    }

    /// The access log, if this process has it open.
    pub fn open_access_log(&self) -> Option<&AccessLog> {
        self.access_log_once().get()
    }

    /// Brings what is noted to disk each second, and seals it from time to time, until it is dropped.
    pub async fn keep_access_log(self) {
        let Some(log) = self.open_access_log().cloned() else { return };
        let mut rounds = tokio::time::interval(FLUSH_EVERY);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut opened = tokio::time::Instant::now();
        // what an earlier process left
        let mut tried = None::<tokio::time::Instant>;
        let mut is_failing = false;
        loop {
            rounds.tick().await;
            is_failing = tell_once(log.flush().await, is_failing);
            if opened.elapsed() > AGE_MAX || log.state().in_segment >= ENTRIES_MAX {
                opened = tokio::time::Instant::now();
                is_failing = tell_once(log.rotate().await.map(drop), is_failing);
            }
            if !log.unsealed().is_empty() && tried.is_none_or(|tried| tried.elapsed() > SEAL_EVERY) {
                let sealed = self.seal_access_log().await;
                tried = sealed.is_err().then(tokio::time::Instant::now);
                if let Err(problem) = sealed {
                    tracing::warn!(%problem, "the access log could not be sealed and will be later");
                }
            }
        }
    }

    /// Brings to disk all that is noted and seals it, if this process has the log open.
    pub(crate) async fn finish_access_log(&self) -> Result<(), Problem> {
        let Some(log) = self.open_access_log() else { return Ok(()) };
        log.finish().await.map_err(access_problem)?;
        log.rotate().await.map_err(access_problem)?;
        self.seal_access_log().await.map(drop)
    }
}

/// A disk that takes nothing is told once, and that it does again too; each second would fill the server's log.
fn tell_once(written: Result<(), AppendError>, was_failing: bool) -> bool {
    match (&written, was_failing) {
        (Err(error), false) => {
            tracing::error!(%error, "the access log can't be written: what is asked now becomes a number")
        }
        (Ok(()), true) => tracing::info!("the access log is written again"),
        (Err(_), true) | (Ok(()), false) => {}
    }
    written.is_err()
}

pub(super) fn access_problem(error: impl std::fmt::Display) -> Problem {
    Problem::new(ErrorKind::Unavailable, format!("the access log can't be read or written: {error}"))
        .hint("see the server's log")
}
