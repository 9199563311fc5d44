//! What could not be imported, and why.

use stemma_core::ErrorKind;

/// Why something was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeftOutKind {
    /// Its bytes are not what their name says.
    Damaged,
    /// Its bytes are nowhere.
    Missing,
    /// It can't be taken as it is.
    Refused,
    /// There is nothing to take.
    Skipped,
}

/// Something that was left out.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LeftOut {
    pub kind: LeftOutKind,
    /// The path that it stands for, as far as there is one.
    pub path: String,
    /// The file that speaks of it.
    pub pointer: String,
    pub commit: Option<String>,
    pub reason: String,
}

/// The part of a [`LeftOut`] that is known where it happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub kind: LeftOutKind,
    pub reason: String,
}

impl Trouble {
    pub fn new(kind: LeftOutKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into() }
    }

    pub fn refused(reason: impl Into<String>) -> Self {
        Self::new(LeftOutKind::Refused, reason)
    }
}

/// The kind of failure that a list of left_out makes of an import; `None` if nothing that should be there is missing.
pub fn worst(left_out: &[LeftOut]) -> Option<ErrorKind> {
    match left_out.iter().map(|fault| fault.kind).min()? {
        LeftOutKind::Damaged => Some(ErrorKind::Corrupt),
        LeftOutKind::Missing => Some(ErrorKind::NotFound),
        LeftOutKind::Refused => Some(ErrorKind::Invalid),
        LeftOutKind::Skipped => None,
    }
}
