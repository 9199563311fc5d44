//! What can be wrong with a model, and with the tensors given to one.

use stemma_core::signature::Datatype;
use stemma_tensor::TensorError;

/// Why bytes are not a model that can be evaluated here.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    #[error("the model has {bytes} bytes, at most {max} are read")]
    TooLarge { bytes: usize, max: usize },
    #[error("the model would take more than {max} bytes of memory")]
    TooMuchMemory { max: usize },
    #[error("the model is not an ONNX file: {0}")]
    Malformed(#[from] prost::DecodeError),
    #[error("the model is not an ONNX file: {reason} at byte {offset}")]
    NotProtobuf { offset: usize, reason: &'static str },
    #[error("the model has no graph")]
    NoGraph,
    #[error("the graph has {count} {what}, at most {max} are supported")]
    TooMany { what: &'static str, count: usize, max: usize },
    #[error("the model uses version {version} of operator set `{domain}`, supported are {min} to {max}")]
    UnsupportedOpset { domain: &'static str, version: i64, min: i64, max: i64 },
    #[error("operator `{operator}` of `{domain}` at {node} is not supported; supported are: {}", supported.join(", "))]
    UnsupportedOperator {
        operator: String,
        domain: String,
        node: String,
        /// The operators of that domain that are, sorted.
        supported: Vec<&'static str>,
    },
    #[error("operator `{operator}` at {node}: {reason}")]
    InvalidNode { operator: String, node: String, reason: String },
    #[error("{node} reads `{value}`, which nothing before it makes")]
    UndefinedValue { node: String, value: String },
    #[error("`{value}` is made twice")]
    DuplicateValue { value: String },
    #[error("output `{output}` is made by nothing")]
    UndefinedOutput { output: String },
    #[error("{role} `{value}` has a type that is not supported: {what}")]
    UnsupportedType { role: &'static str, value: String, what: String },
    #[error("tensor `{tensor}` keeps its data in another file; embed it to make the model one file")]
    ExternalData { tensor: String },
    #[error("tensor `{tensor}`: {reason}")]
    InvalidTensor { tensor: String, reason: String },
}

impl OnnxError {
    /// Whether no program could read it, and not only this one.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Malformed(_) | Self::NotProtobuf { .. } | Self::NoGraph)
    }
}

/// Why a model did not answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RunError {
    #[error("input `{input}` is missing; the model takes {}", quoted(expected))]
    MissingInput { input: String, expected: Vec<String> },
    #[error("the model has no input `{input}`; {}", known_inputs(near, expected))]
    UnknownInput {
        input: String,
        /// Inputs of nearly that name, nearest first.
        near: Vec<String>,
        expected: Vec<String>,
    },
    #[error("input `{input}` is given twice")]
    DuplicateInput { input: String },
    #[error("the model takes {expected} inputs, {got} were given")]
    WrongInputCount { expected: usize, got: usize },
    #[error("input `{input}` is {got}, the model takes {expected}")]
    WrongDatatype { input: String, expected: Datatype, got: Datatype },
    #[error("input `{input}` has shape {got:?}, the model takes {expected:?}")]
    WrongShape {
        input: String,
        /// As in the signature: `-1` stands for any size.
        expected: Vec<i64>,
        got: Vec<usize>,
    },
    #[error("input `{input}` has {got} rows where input `{first}` has {expected}")]
    BatchMismatch { input: String, got: usize, first: String, expected: usize },
    /// For callers who make the tensors, so that theirs is one kind of error; a run never gives it.
    #[error("input `{input}`: {source}")]
    InvalidTensor { input: String, source: TensorError },
    #[error("operator `{operator}` at {node}: {reason}")]
    Operator { operator: &'static str, node: String, reason: String },
    #[error("operator `{operator}` at {node}: the run would take more than {max} bytes or too much work")]
    TooLarge { operator: &'static str, node: String, max: usize },
    #[error("output `{output}` came out as {got}, the model declares {expected}")]
    WrongOutput { output: String, expected: Datatype, got: Datatype },
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn known_inputs(near: &[String], expected: &[String]) -> String {
    if near.is_empty() { format!("it takes {}", quoted(expected)) } else { format!("did you mean {}?", quoted(near)) }
}
