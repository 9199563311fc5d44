//! The feedback log: what came of predictions, in append-only segments beside those of the prediction log.
//!
//! Its frames are those of the prediction log (`log/frame`): the endpoint is the prediction's, rows count the feedback on
//! it. A payload is JSON (`core::endpoint::feedback::StoredFeedback`). Ended segments become Parquet, sorted by prediction.

mod columns;
mod index;
mod log;
mod read;
mod seal;

pub use self::{
    index::PlacedFeedback,
    log::FeedbackLog,
    read::{FeedbackRows, read_feedback},
    seal::SealedFeedback,
};
