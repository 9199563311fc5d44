use std::time::Duration;

use serde::Serialize;
use stemma_core::record::RunRecord;

/// A training may take this many times as long as it took, and never less than some minutes.
const PATIENCE: u32 = 10;
const PATIENCE_MIN: Duration = Duration::from_secs(600);
/// A training may take this many times the memory and the room on the disk that it took, and never less than so much.
const GENEROSITY: u64 = 4;
pub(super) const MEMORY_BYTES_MIN: u64 = 4 << 30;
const DISK_BYTES_MIN: u64 = 8 << 30;
pub(super) const PROCESSES_MAX: u32 = 512;
pub(super) const OPEN_FILES_MAX: u64 = 4096;

/// How much of the machine one training may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Limits {
    pub time_max_s: u64,
    /// In use by all of its processes together.
    pub memory_bytes: u64,
    /// In the folders that it may write into.
    pub disk_bytes: u64,
    pub processes: u32,
    /// For each process.
    pub open_files: u64,
}

impl Limits {
    /// Several times what the run took when it was recorded.
    pub fn of(record: &RunRecord) -> Self {
        let wall = record.ended.micros().saturating_sub(record.started.micros());
        let wall = Duration::from_micros(u64::try_from(wall).unwrap_or_default());
        let files = record.inputs.iter().chain(&record.outputs).map(|file| file.size).sum::<u64>();
        Self {
            time_max_s: wall.saturating_mul(PATIENCE).max(PATIENCE_MIN).as_secs(),
            memory_bytes: record.max_rss_bytes.saturating_mul(GENEROSITY).max(MEMORY_BYTES_MIN),
            disk_bytes: files.saturating_mul(GENEROSITY).max(DISK_BYTES_MIN),
            processes: PROCESSES_MAX,
            open_files: OPEN_FILES_MAX,
        }
    }
}
