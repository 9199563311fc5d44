//! Evaluates classical-ML models in the ONNX format: in process, without native code, the same bits every time. What goes
//! in and comes out are the tensors of `stemma-tensor`.
//!
//! [`Model::parse`] reads the bytes, checks everything that can be checked without data and turns the graph into a
//! list of kernels over numbered slots; [`Model::run`] only computes. A model is immutable and can be shared between
//! threads.
//!
//! Sums run in one fixed order on one thread, `exp`, `log` and `tanh` come from `libm` and nothing is contracted into
//! fused multiply-adds, so a prediction replays bit for bit on any machine, and a row gives the same bits alone and in
//! a batch. Scores of tree ensembles are summed in `f32` in tree order, as ONNX Runtime does up to 80 trees; products
//! of vectors and matrices are summed in `f64` and rounded once, which is nearer to the trained model than any order of
//! `f32` sums. Agreement with ONNX Runtime is therefore to a stated tolerance, not to the bit.
//!
//! The bytes of a model are not trusted: parsing takes bounded memory and recursion, and a run that would produce more
//! than [`RUN_BYTES_MAX`] of tensors is refused. Nothing here does I/O.

mod attributes;
mod canonical;
mod decode;
mod error;
mod interface;
mod kernel;
mod model;
mod observe;
mod plan;
mod proto;

pub use canonical::{Canonical, Distance, TOLERANCE_DOUBLE, TOLERANCE_SINGLE};
pub use decode::MODEL_BYTES_MAX;
pub use error::{OnnxError, RunError};
pub use interface::ProbabilityOutput;
pub use kernel::{RUN_BYTES_MAX, supported_operators};
pub use model::{Model, signature_of};
