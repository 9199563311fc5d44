//! The seam to whatever computes: a model in this process, later also a child process or another server.

use stemma_core::signature::Signature;
use stemma_onnx::{Model, RunError};
use stemma_tensor::Tensor;

/// Something that turns input tensors into output tensors.
pub trait Runtime: Send + Sync + 'static {
    fn signature(&self) -> &Signature;

    /// Computes all outputs. May take long and may panic; the caller sees to both.
    fn run(&self, inputs: Vec<(String, Tensor)>) -> Result<Vec<(String, Tensor)>, RunFailure>;
}

/// Why there are no outputs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunFailure {
    /// The inputs don't fit the model or each other.
    #[error("{0}")]
    Inputs(String),
    /// The model failed on inputs that fit.
    #[error("{0}")]
    Model(String),
}

impl Runtime for Model {
    fn signature(&self) -> &Signature {
        Model::signature(self)
    }

    fn run(&self, inputs: Vec<(String, Tensor)>) -> Result<Vec<(String, Tensor)>, RunFailure> {
        Model::run(self, inputs).map_err(RunFailure::from)
    }
}

impl From<RunError> for RunFailure {
    fn from(error: RunError) -> Self {
        let text = error.to_string();
        match error {
            RunError::Operator { .. } | RunError::TooLarge { .. } | RunError::WrongOutput { .. } => Self::Model(text),
            // everything else is found out before anything is computed
            _ => Self::Inputs(text),
        }
    }
}
