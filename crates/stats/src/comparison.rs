//! Which of two answers to the same rows is better: tests, sizes of a difference, and what to make of them.

mod chance;
mod delong;
mod delta;
mod difference;
mod holm;
mod importance;
mod losses;
mod mcnemar;
mod paired_t;
mod paired_test;
mod recommendation;
mod signed_rank;

pub use chance::Chance;
pub use delong::{DeLong, DeLongTest};
pub use delta::PerformanceDelta;
pub use difference::{Difference, MoreRows, USUAL_POWER};
pub use holm::holm;
pub use importance::ImportanceWeights;
pub use losses::{NumberLoss, PairedLosses, ScoreLoss};
pub use mcnemar::{ChiSquared, MCNEMAR_EXACT_BELOW, McNemar};
pub use paired_t::PairedT;
pub use paired_test::{PAIRS_MIN, PairedTest, PairedTestKind};
pub use recommendation::{Recommendation, SIMILAR_WITHIN, Side, Standing, recommend, relative_interval};
pub use signed_rank::{SIGNED_RANK_EXACT_UP_TO, SignedRank};
