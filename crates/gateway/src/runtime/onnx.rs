//! A model in the ONNX format, in this process.

use async_trait::async_trait;
use stemma_core::signature::Signature;
use stemma_onnx::{Model, RunError};
use stemma_tensor::Tensor;

use super::{RunFailure, Runtime};

#[async_trait]
impl Runtime for Model {
    fn signature(&self) -> &Signature {
        Model::signature(self)
    }

    async fn run(&self, inputs: Vec<(String, Tensor)>) -> Result<Vec<(String, Tensor)>, RunFailure> {
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
