//! A command, as it is to be run and as it has run.

mod error;
mod execution;
mod program;

use std::{collections::BTreeMap, ffi::OsString, fs::File, path::PathBuf, time::Duration};

use crate::{capture::CaptureMode, sandbox::Sandbox};

pub use self::{
    error::RunError,
    execution::{Event, Execution, Exit, Usage},
    program::find_program,
};

/// A command to run.
#[derive(Debug)]
pub struct Command {
    /// Program and arguments; no shell looks at them.
    pub argv: Vec<String>,
    pub cwd: PathBuf,
    pub environment: EnvironmentChanges,
    pub streams: Streams,
    pub capture: CaptureMode,
    /// How long processes that outlive the main one are still watched.
    pub settle: Duration,
    /// An empty folder for what files that were read held before the command changed them; it must outlive the use of
    /// the capture. Without one, such files are only marked.
    pub aside: Option<PathBuf>,
    /// What holds it back, with all that it starts; without one it may do what this process may.
    ///
    /// Its streams and variables are those of this command.
    pub sandbox: Option<Sandbox>,
}

impl Command {
    /// A command with the terminal's streams and the caller's environment, watched as well as possible.
    pub fn new(argv: Vec<String>, cwd: impl Into<PathBuf>) -> Self {
        Self {
            argv,
            cwd: cwd.into(),
            environment: EnvironmentChanges::default(),
            streams: Streams::default(),
            capture: CaptureMode::Best,
            settle: Duration::from_secs(1),
            aside: None,
            sandbox: None,
        }
    }
}

/// What the child's environment is made of.
#[derive(Debug, Clone, Default)]
pub struct EnvironmentChanges {
    pub base: EnvironmentBase,
    /// Set or, with `None`, removed.
    pub changes: BTreeMap<OsString, Option<OsString>>,
}

#[derive(Debug, Clone, Default)]
pub enum EnvironmentBase {
    /// All variables of this process: the command of a person at a terminal.
    #[default]
    Inherit,
    /// Only the named ones of this process: commands that somebody else chose.
    Only(Vec<OsString>),
}

impl EnvironmentChanges {
    /// Returns the variables that the child will see.
    pub fn resolve(&self) -> BTreeMap<OsString, OsString> {
        let mut variables: BTreeMap<OsString, OsString> = match &self.base {
            EnvironmentBase::Inherit => std::env::vars_os().collect(),
            EnvironmentBase::Only(names) => {
                names.iter().filter_map(|name| Some((name.clone(), std::env::var_os(name)?))).collect()
            }
        };
        for (name, value) in &self.changes {
            match value {
                Some(value) => variables.insert(name.clone(), value.clone()),
                None => variables.remove(name),
            };
        }
        variables
    }
}

/// Where the child's streams lead.
#[derive(Debug, Default)]
pub struct Streams {
    pub stdin: Stream,
    pub stdout: Stream,
    pub stderr: Stream,
}

#[derive(Debug, Default)]
pub enum Stream {
    #[default]
    Inherit,
    Null,
    File(File),
}
