//! The walls that are not there on every machine.

use std::{fmt, str::FromStr};

use serde::Serialize;

/// A wall that not every machine can raise, by what it keeps a program from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wall {
    /// To read and write files that were not named: needs name spaces or Landlock.
    Files,
    /// To change modes, owners, times and attributes of files elsewhere: needs name spaces.
    Metadata,
    /// To see other processes, and to live on when the one that runs it is killed: needs name spaces.
    Processes,
}

impl Wall {
    pub const ALL: [Self; 3] = [Self::Files, Self::Metadata, Self::Processes];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Metadata => "metadata",
            Self::Processes => "processes",
        }
    }

    /// What a program can do without it.
    pub const fn opening(self) -> &'static str {
        match self {
            Self::Files => "read and change every file that you can",
            Self::Metadata => "change modes, owners and times of your files",
            Self::Processes => "see your other processes, and live on if this one is killed",
        }
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Wall {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = || Self::ALL.map(Self::name).join("`, `");
        Self::ALL.into_iter().find(|wall| wall.name() == text).ok_or_else(|| format!("expected one of `{}`", names()))
    }
}

/// A wall that this machine can't raise, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    pub wall: Wall,
    pub why: String,
}
