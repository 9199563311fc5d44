//! What is known of a version before it has a number.

use std::sync::Arc;

use stemma_core::{Digest, lineage::Certainty, record::RunRecord};
use stemma_onnx::Model;

use crate::{
    known::Content,
    model::evaluate::{Evaluation, EvaluationData},
};

/// Everything that is known of a candidate before its number is decided.
pub struct Prepared {
    pub content: Content,
    pub file_name: String,
    pub model: Arc<Model>,
    pub run: Option<RunRecord>,
    pub run_certainty: Option<Certainty>,
    pub facts: Digest,
    pub evaluation: Option<(EvaluationData, Evaluation)>,
    pub target: Option<String>,
    pub min_improvement: f64,
}
