//! The kinds of failure that the edges know: exit codes of the CLI and statuses of HTTP are made from them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Refusal;

/// What kind of failure it is; decides the exit code and the HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The request is wrong: malformed, out of range, of the wrong shape. Exit 2, HTTP 400.
    Invalid,
    /// The caller showed no credential where one is needed. Exit 4, HTTP 401.
    Unauthenticated,
    /// The caller may not do this. Exit 4, HTTP 403.
    Forbidden,
    /// The thing does not exist. Exit 3, HTTP 404.
    NotFound,
    /// It was here and was removed for good. Exit 3, HTTP 410.
    Gone,
    /// It exists already, or somebody else changed it meanwhile. Exit 5, HTTP 409.
    Conflict,
    /// A rule of governance says no; the message lists what is missing. Exit 6, HTTP 422.
    Refused,
    /// The settings or files of this installation are wrong. Exit 7, HTTP 500.
    Config,
    /// Stored bytes are not what they were. Exit 8, HTTP 500.
    Corrupt,
    /// Too much is asked at once, or the thing is not ready yet. Exit 9, HTTP 503.
    Unavailable,
    /// More bytes than are taken. Exit 2, HTTP 413.
    TooLarge,
    /// The caller stopped sending or reading, or is too slow at it. Exit 9, HTTP 408.
    Stalled,
    /// A disk is full; nothing was changed. Exit 9, HTTP 507.
    NoRoom,
    /// Not foreseen. Exit 1, HTTP 500, and the cause is only logged.
    Internal,
}

impl ErrorKind {
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Internal => 1,
            Self::Invalid | Self::TooLarge => 2,
            Self::NotFound | Self::Gone => 3,
            Self::Unauthenticated | Self::Forbidden => 4,
            Self::Conflict => 5,
            Self::Refused => 6,
            Self::Config => 7,
            Self::Corrupt => 8,
            Self::Unavailable | Self::Stalled | Self::NoRoom => 9,
        }
    }

    pub const fn http_status(self) -> u16 {
        match self {
            Self::Invalid => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Gone => 410,
            Self::Conflict => 409,
            Self::Refused => 422,
            Self::Config | Self::Corrupt | Self::Internal => 500,
            Self::Unavailable => 503,
            Self::TooLarge => 413,
            Self::Stalled => 408,
            Self::NoRoom => 507,
        }
    }
}

/// A failure as people and clients see it: what happened to which thing, and what to do next.
///
/// Messages and hints are lower case without a full stop; literals stand in backticks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, JsonSchema)]
#[error("{message}")]
pub struct Problem {
    pub kind: ErrorKind,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What a refusal misses, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

impl Problem {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, missing: Vec::new() }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self { kind: ErrorKind::Refused, message: refusal.message, hint: refusal.hint, missing: refusal.missing }
    }
}

impl From<crate::name::NameError> for Problem {
    fn from(error: crate::name::NameError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<crate::digest::DigestError> for Problem {
    fn from(error: crate::digest::DigestError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<crate::id::IdError> for Problem {
    fn from(error: crate::id::IdError) -> Self {
        Self::invalid(error.to_string())
    }
}
