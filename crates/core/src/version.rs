//! `MAJOR.MINOR.PIPELINE`: the numbers of versions, and what they follow from.

mod claims;
mod comparison;
mod decide;
mod number;

pub use self::{
    claims::Claims,
    comparison::{Comparison, Improvement, Side},
    decide::{Candidate, Performance, ReferenceVersion, Sameness, Step, VersionDecision, decide, line},
    number::{VersionNumber, VersionNumberError},
};
