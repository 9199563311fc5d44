//! Models made by other tools, run against what ONNX Runtime answers, and against nonsense.

mod agreement;
mod contract;
mod mutation;
mod replay;
mod sample;
mod trained;
