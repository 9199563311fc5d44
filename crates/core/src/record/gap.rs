//! What is missing from the record of a run: things that were not seen, or are not held.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something of a run that was not seen, or that its record does not hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Gap {
    /// Processes lived on when the command had ended and a moment had passed.
    Outlived {
        count: u32,
        /// Of those that live on, each once.
        programs: Vec<String>,
    },
    /// Stemma was ended before it could record the run; nothing of what the run read and wrote is known.
    Abandoned,
    /// A way to files that the tracer can't see through.
    Bypass { how: Bypass },
    /// Data came in by something inherited that is no file.
    Stream { descriptor: u32, kind: StreamKind },
    /// The content of a file that the run read is not kept.
    NotRead { path: String, why: String },
    /// The content of a file that the run wrote is not kept.
    NotWritten { path: String, why: String },
}

/// Ways to files that show in none of the system calls that are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bypass {
    IoUring,
    /// A program of another architecture, whose system calls have other numbers.
    ForeignProgram,
    /// The arguments of a call could not be read.
    UnreadableCall,
    /// A descriptor came from a process that is not watched.
    PassedDescriptor,
    /// The run made itself another view of the file system.
    OtherRoot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StreamKind {
    Pipe,
    Socket,
    Terminal,
    Device,
    /// A file that has no name any more.
    Unnamed,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outlived { count: 1, programs } => write!(f, "a process outlived it ({})", programs.join(", ")),
            Self::Outlived { count, programs } => write!(f, "{count} processes outlived it ({})", programs.join(", ")),
            Self::Abandoned => f.write_str("`stemma run` was ended before it could record it"),
            Self::Bypass { how } => how.fmt(f),
            Self::Stream { descriptor: 0, kind } => write!(f, "standard input came from {kind}"),
            Self::Stream { descriptor, kind } => write!(f, "descriptor {descriptor} was read from {kind}"),
            Self::NotRead { path, why } => write!(f, "read `{path}`, which is not kept: {why}"),
            Self::NotWritten { path, why } => write!(f, "wrote `{path}`, which is not kept: {why}"),
        }
    }
}

impl fmt::Display for Bypass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IoUring => "it used io_uring, which the tracer can't see through",
            Self::ForeignProgram => "it ran a program of another architecture, which the tracer can't follow",
            Self::UnreadableCall => "it made a system call whose arguments could not be read",
            Self::PassedDescriptor => "it took open files from a process that was not watched",
            Self::OtherRoot => "it gave itself another view of the file system",
        })
    }
}

impl fmt::Display for StreamKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pipe => "a pipe",
            Self::Socket => "a socket",
            Self::Terminal => "a terminal",
            Self::Device => "a device",
            Self::Unnamed => "a file without a name",
        })
    }
}
