//! How an endpoint answers: immutable deployment revisions.

mod body;
mod stored;
#[cfg(test)]
mod tests;
mod v1;

pub use self::{
    body::{Arm, Forcing, REVISION_VERSION, Revision, RunningCanary, UnitSource, arm, standing},
    stored::canary_salt,
};
