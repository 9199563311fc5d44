//! Whether all is as it was put, and putting back what is not.

mod content;
mod repair;
mod sample;
mod verify;

pub use content::VerifyReport;
pub(crate) use repair::repair;
pub use repair::{RepairReport, Source};
pub use sample::SampleReport;
pub(crate) use sample::verify_sample;
pub(crate) use verify::verify;
