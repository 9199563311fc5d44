//! What is known of a version before it has a number.

use stemma_api::types::GivenNames;
use stemma_core::{Digest, lineage::Certainty, record::RunRecord, version::Claims};

use super::examined::Examined;
use crate::{
    known::Content,
    model::evaluate::{Evaluation, EvaluationData},
};

/// Everything that is known of a candidate before its number is decided.
pub struct Prepared {
    pub content: Content,
    pub file_name: String,
    pub examined: Examined,
    pub claims: Option<Claims>,
    pub names: GivenNames,
    /// Said of the version if nobody asked for it.
    pub chosen: Option<String>,
    pub run: Option<RunRecord>,
    pub run_certainty: Option<Certainty>,
    pub facts: Digest,
    /// The error says in a clause why there is none.
    pub evaluation: Result<(EvaluationData, Evaluation), String>,
    pub target: Option<String>,
    pub min_improvement: f64,
}
