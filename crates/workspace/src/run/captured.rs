//! What came of a run, for whoever tells the home.

use stemma_core::{
    Digest,
    record::{ExitStatus, RunRecord},
};
use stemma_runner::sandbox::Ending;

/// A command that has run, whatever came of it. Everything it names is safe in the store.
#[derive(Debug, Clone, PartialEq)]
pub struct CapturedRun {
    pub record: RunRecord,
    /// Of the record's canonical JSON, which is content too.
    pub record_digest: Digest,
    /// All contents that the record names, and the record, each once, sorted by digest.
    pub contents: Vec<RunContent>,
    /// What a person should know of how it was captured.
    pub notes: Vec<String>,
    /// The limit of its sandbox that ended it.
    pub stopped: Option<Ending>,
}

impl CapturedRun {
    /// The code to exit with: the command's own, or 128 and the number of the signal that ended it.
    pub fn exit_code(&self) -> i32 {
        match self.record.exit {
            ExitStatus::Code(code) => code,
            ExitStatus::Signal(signal) => 128 + signal,
            ExitStatus::Unknown => 1,
        }
    }
}

/// A piece of content that the home must be able to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunContent {
    pub digest: Digest,
    pub size: u64,
    pub what: ContentKind,
}

/// What a piece of content is in a run; of content that is several things, the first of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContentKind {
    Input,
    Output,
    Code,
    Diff,
    Environment,
    Record,
}
