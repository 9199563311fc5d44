//! The seam to whatever computes: a model in this process, or later a child process or another server.

mod onnx;

use std::sync::Arc;

use async_trait::async_trait;
use stemma_core::{endpoint::target::Target, signature::Signature};
use stemma_tensor::Tensor;
use tokio::{runtime::Handle, task::JoinHandle};

/// Something that turns input tensors into output tensors.
#[async_trait]
pub trait Runtime: Send + Sync + 'static {
    fn signature(&self) -> &Signature;

    /// Computes all outputs.
    ///
    /// May compute for long when it is polled or wait for somebody else, and may panic: whoever awaits it sees to all of
    /// that, see [`on_its_own_thread`]. The request holds its turn at the processors meanwhile.
    async fn run(&self, inputs: Vec<(String, Tensor)>) -> Result<Vec<(String, Tensor)>, RunFailure>;
}

/// Gives what computes for a target.
pub type Loader<'a, E> = dyn Fn(&Target) -> Result<Arc<dyn Runtime>, E> + 'a;

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

/// Drives a computation to its end on a thread that may take its time, also if nobody waits for it any more.
pub fn on_its_own_thread<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    let here = Handle::current();
    tokio::task::spawn_blocking(move || here.block_on(work))
}
