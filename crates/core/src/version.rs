//! `MAJOR.MINOR.PIPELINE`: the numbers of versions, what they follow from, and the names that versions have beside them.

mod claims;
mod comparison;
mod decide;
mod names;
mod number;

pub use self::{
    claims::Claims,
    comparison::{Comparison, Improvement, Side},
    decide::{Candidate, Performance, ReferenceVersion, Sameness, Step, VersionDecision, decide, line},
    names::{GivenName, Naming, SemverName, derived, form},
    number::{VersionNumber, VersionNumberError},
};
