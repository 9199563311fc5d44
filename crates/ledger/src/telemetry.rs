//! Append-only rows beside the ledger: runs, the edges of the family tree, feedback, content grants.
//!
//! They are written by the same writer as events; runs are sealed into the ledger in batches.

mod edge;
mod feedback;
mod grant;
mod run;
mod seal;

pub(crate) use self::seal::seal_of;
pub use self::{
    edge::EdgeList,
    feedback::FeedbackRow,
    grant::{ContentGrant, ContentKind},
    run::RunRow,
    seal::RunsSeal,
};
