//! What is asked, in nobody's protocol.

use stemma_tensor::Tensor;

/// Most rows of a question, by the first dimension of an input.
pub const ROWS_MAX: usize = 100_000;
/// Most elements of all inputs together.
pub const ELEMENTS_MAX: usize = 4 << 20;

/// A question that fits its endpoint's contract.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The caller's own id of the request, to be given back.
    pub id: Option<String>,
    /// The randomisation unit, if the question names one.
    pub unit: Option<String>,
    pub inputs: Vec<(String, Tensor)>,
    /// The outputs asked for, in order; `None` asks for all.
    pub outputs: Option<Vec<String>>,
}

/// A request that is wrong, in words for its sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);
