//! The operators: one kernel each, built once from its attributes, then only computing.
//!
//! A kernel relies on nothing about its inputs but what [`Tensor`] promises: it checks types and shapes itself and asks
//! its [`Context`] before it makes a tensor, which is what bounds a run.

mod arrange;
mod broadcast;
mod cast;
mod elementwise;
mod encode;
mod linear;
mod matrix;
mod pairwise;
mod real;
mod reduce;
mod registry;
mod scale;
mod scores;
mod select;
mod shape;
mod softmax;
mod trees;

use std::borrow::Cow;
use std::cell::Cell;

use stemma_tensor::{ELEMENT_BYTES, Element, Tensor, TensorData, extent};

pub use registry::supported_operators;
pub(crate) use registry::{Domain, Operator, find, opset_range, supported_in};

/// The most bytes of tensors that the operators of one run may make together.
pub const RUN_BYTES_MAX: usize = 2 << 30;
/// The most elements that the operators of one run may read, multiplications do and steps in trees go, together.
const RUN_WORK_MAX: usize = 1 << 34;
/// The most bytes that computing the constant part of a graph may make.
const FOLD_BYTES_MAX: usize = 256 << 20;
/// The same for computing the constant part of a graph.
const FOLD_WORK_MAX: usize = 1 << 28;

/// Why a kernel could not be built or did not compute.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum KernelError {
    Invalid(String),
    TooLarge,
}

impl KernelError {
    pub(crate) fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid(reason.into())
    }
}

/// Leaves the function with a fault whose reason is formatted.
macro_rules! refuse {
    ($($format:tt)+) => {
        return Err($crate::kernel::KernelError::invalid(format!($($format)+)))
    };
}
pub(crate) use refuse;

/// An operator with its attributes, ready to compute.
pub(crate) trait Kernel: Send + Sync {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError>;
}

pub(crate) enum Outputs {
    One(Tensor),
    Two(Tensor, Tensor),
}

impl From<Tensor> for Outputs {
    fn from(tensor: Tensor) -> Self {
        Self::One(tensor)
    }
}

/// What one run may still make and compute.
pub(crate) struct Budget {
    bytes: Cell<usize>,
    work: Cell<usize>,
    max: usize,
}

impl Budget {
    pub(crate) fn for_run() -> Self {
        Self::new(RUN_BYTES_MAX, RUN_WORK_MAX)
    }

    pub(crate) fn for_constants() -> Self {
        Self::new(FOLD_BYTES_MAX, FOLD_WORK_MAX)
    }

    fn new(bytes: usize, work: usize) -> Self {
        Self { bytes: Cell::new(bytes), work: Cell::new(work), max: bytes }
    }

    /// The most bytes there were to make.
    pub(crate) fn max(&self) -> usize {
        self.max
    }

    fn take_bytes(&self, count: Option<usize>) -> Result<(), KernelError> {
        let left = count.and_then(|count| self.bytes.get().checked_sub(count));
        self.bytes.set(left.ok_or(KernelError::TooLarge)?);
        Ok(())
    }

    fn take_work(&self, count: usize) -> Result<(), KernelError> {
        let left = self.work.get().checked_sub(count);
        self.work.set(left.ok_or(KernelError::TooLarge)?);
        Ok(())
    }
}

/// Where an input of an operator comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// An optional input that was left out.
    Absent,
    Constant(usize),
    Slot {
        index: usize,
        /// Nothing reads the value afterwards, so the kernel may have it.
        last: bool,
    },
}

/// The inputs of one operator in one run.
pub(crate) struct Context<'a> {
    pub(crate) sources: &'a [Source],
    pub(crate) constants: &'a [Tensor],
    pub(crate) slots: &'a mut [Option<Tensor>],
    pub(crate) budget: &'a Budget,
}

impl Context<'_> {
    pub(crate) fn input_count(&self) -> usize {
        self.sources.len()
    }

    /// The input at that place, if it was given one.
    pub(crate) fn optional(&self, input: usize) -> Option<&Tensor> {
        match *self.sources.get(input)? {
            Source::Absent => None,
            Source::Constant(index) => self.constants.get(index),
            Source::Slot { index, .. } => self.slots.get(index)?.as_ref(),
        }
    }

    pub(crate) fn tensor(&self, input: usize) -> Result<&Tensor, KernelError> {
        self.optional(input).ok_or_else(|| KernelError::invalid(format!("input {input} is missing")))
    }

    /// The input to keep: moved if nothing else reads it, else copied.
    pub(crate) fn take(&mut self, input: usize) -> Result<Tensor, KernelError> {
        if let Some(&Source::Slot { index, last: true }) = self.sources.get(input)
            && let Some(tensor) = self.slots.get_mut(index).and_then(Option::take)
        {
            return Ok(tensor);
        }
        let tensor = self.tensor(input)?;
        self.allocate_copies(tensor.shape(), tensor.data())?;
        Ok(tensor.clone())
    }

    /// Counts the elements of a tensor of numbers about to be made, or refuses it.
    pub(crate) fn allocate(&self, shape: &[usize]) -> Result<usize, KernelError> {
        self.allocate_each(shape, ELEMENT_BYTES)
    }

    /// Counts the elements of a tensor about to be made of copies of some of these, or refuses it.
    pub(crate) fn allocate_copies(&self, shape: &[usize], of: &TensorData) -> Result<usize, KernelError> {
        self.allocate_each(shape, of.element_bytes_max())
    }

    /// Counts the elements of a tensor about to be made that have at most so many bytes, or refuses it.
    pub(crate) fn allocate_each(&self, shape: &[usize], bytes: usize) -> Result<usize, KernelError> {
        let extent = extent(shape).ok_or(KernelError::TooLarge)?;
        self.budget.take_bytes(extent.checked_mul(bytes))?;
        Ok(product(shape))
    }

    /// Counts the reading of all inputs, or refuses it.
    pub(crate) fn spend_reading(&self) -> Result<(), KernelError> {
        let inputs = (0..self.sources.len()).filter_map(|input| self.optional(input));
        self.budget.take_work(inputs.map(Tensor::len).sum())
    }

    /// Counts work about to be done, or refuses it.
    pub(crate) fn spend(&self, factors: [usize; 3]) -> Result<(), KernelError> {
        let work = factors.into_iter().try_fold(1usize, usize::checked_mul).ok_or(KernelError::TooLarge)?;
        self.budget.take_work(work)
    }

    /// The integers of an input that says how, not what: axes, a shape, indices.
    pub(crate) fn integers(&self, input: usize) -> Result<Cow<'_, [i64]>, KernelError> {
        match self.tensor(input)?.data() {
            TensorData::Int64(elements) => Ok(Cow::Borrowed(elements)),
            TensorData::Int32(elements) => Ok(Cow::Owned(elements.iter().map(|&element| element.into()).collect())),
            other => refuse!("input {input} is {}, not INT64 or INT32", other.datatype()),
        }
    }

    pub(crate) fn optional_integers(&self, input: usize) -> Result<Option<Cow<'_, [i64]>>, KernelError> {
        match self.optional(input) {
            None => Ok(None),
            Some(_) => self.integers(input).map(Some),
        }
    }

    /// The elements of an input that must be of this type.
    pub(crate) fn elements<T: Element>(&self, input: usize) -> Result<&[T], KernelError> {
        let tensor = self.tensor(input)?;
        tensor.view().ok_or_else(|| wrong_type(input, tensor, T::wrap(Vec::new()).datatype().as_str()))
    }
}

/// The fault of an input of a type that the operator does not take.
pub(crate) fn wrong_type(input: usize, tensor: &Tensor, wanted: &str) -> KernelError {
    KernelError::invalid(format!("input {input} is {}, not {wanted}", tensor.datatype()))
}

/// The numbers of a feature matrix as `f32`, which is what the operators of `ai.onnx.ml` compute in.
pub(crate) fn features(tensor: &Tensor) -> Result<Cow<'_, [f32]>, KernelError> {
    Ok(match tensor.data() {
        TensorData::Float(elements) => Cow::Borrowed(elements),
        TensorData::Double(elements) => elements.iter().map(|&element| element as f32).collect(),
        TensorData::Int64(elements) => elements.iter().map(|&element| element as f32).collect(),
        TensorData::Int32(elements) => elements.iter().map(|&element| element as f32).collect(),
        other => refuse!("input 0 is {}, not a number of 32 or 64 bits", other.datatype()),
    })
}

/// Returns rows and columns of a matrix; a vector is one row.
pub(crate) fn rows_and_columns(shape: &[usize]) -> Result<(usize, usize), KernelError> {
    match *shape {
        [columns] => Ok((1, columns)),
        [rows, columns] => Ok((rows, columns)),
        _ => refuse!("the input has {} dimensions, not 1 or 2", shape.len()),
    }
}

/// Returns the place of an axis that may be counted from the end.
pub(crate) fn resolve_axis(axis: i64, rank: usize) -> Result<usize, KernelError> {
    let counted = if axis < 0 { axis + rank as i64 } else { axis };
    match usize::try_from(counted) {
        Ok(place) if place < rank => Ok(place),
        _ => refuse!("axis {axis} is not within {rank} dimensions"),
    }
}

/// A shape cut at one axis: how often, how long, and how far apart its elements are.
#[derive(Clone, Copy)]
pub(crate) struct AxisSplit {
    pub(crate) outer: usize,
    pub(crate) length: usize,
    pub(crate) inner: usize,
}

impl AxisSplit {
    pub(crate) fn new(shape: &[usize], axis: usize) -> Self {
        Self { outer: product(&shape[..axis]), length: shape[axis], inner: product(&shape[axis + 1..]) }
    }
}

/// The number of elements in some dimensions of a shape that is within bounds.
pub(crate) fn product(dims: &[usize]) -> usize {
    dims.iter().product()
}

#[cfg(test)]
pub(crate) mod testing {
    //! Runs one operator on tensors, as a graph of one node would.

    use super::*;
    use crate::attributes::Attributes;
    use crate::proto::{AttributeProto, TensorProto, attribute_type, data_type};

    pub(crate) fn tensor<T>(shape: &[usize], elements: Vec<T>) -> Tensor
    where
        TensorData: From<Vec<T>>,
    {
        Tensor::new(shape.to_vec(), elements).unwrap()
    }

    pub(crate) fn texts(shape: &[usize], elements: &[&str]) -> Tensor {
        tensor(shape, elements.iter().map(|&text| text.to_owned()).collect())
    }

    fn attribute(name: &str, r#type: i32) -> AttributeProto {
        AttributeProto { name: Some(name.to_owned()), r#type: Some(r#type), ..Default::default() }
    }

    pub(crate) fn int(name: &str, value: i64) -> AttributeProto {
        AttributeProto { i: Some(value), ..attribute(name, attribute_type::INT) }
    }

    pub(crate) fn float(name: &str, value: f32) -> AttributeProto {
        AttributeProto { f: Some(value), ..attribute(name, attribute_type::FLOAT) }
    }

    pub(crate) fn string(name: &str, value: &str) -> AttributeProto {
        AttributeProto { s: Some(value.into()), ..attribute(name, attribute_type::STRING) }
    }

    pub(crate) fn ints(name: &str, values: &[i64]) -> AttributeProto {
        AttributeProto { ints: values.to_vec(), ..attribute(name, attribute_type::INTS) }
    }

    pub(crate) fn floats(name: &str, values: &[f32]) -> AttributeProto {
        AttributeProto { floats: values.to_vec(), ..attribute(name, attribute_type::FLOATS) }
    }

    pub(crate) fn strings(name: &str, values: &[&str]) -> AttributeProto {
        AttributeProto {
            strings: values.iter().map(|&value| value.into()).collect(),
            ..attribute(name, attribute_type::STRINGS)
        }
    }

    pub(crate) fn float_tensor(name: &str, values: &[f32]) -> AttributeProto {
        AttributeProto {
            t: Some(TensorProto {
                dims: vec![values.len() as i64],
                data_type: Some(data_type::FLOAT),
                float_data: values.to_vec(),
                ..Default::default()
            }),
            ..attribute(name, attribute_type::TENSOR)
        }
    }

    /// Builds the newest version of an operator and runs it; an input that is `None` is left out.
    pub(crate) fn run(
        operator: &str,
        attributes: Vec<AttributeProto>,
        inputs: Vec<Option<Tensor>>,
    ) -> Result<Vec<Tensor>, KernelError> {
        let ml = find(Domain::Ml, operator).map(|operator| (operator, 5));
        let (found, opset) =
            ml.or_else(|| find(Domain::Onnx, operator).map(|operator| (operator, 22))).expect("the operator is known");
        run_version(found, opset, attributes, inputs)
    }

    pub(crate) fn run_version(
        operator: &Operator,
        opset: i64,
        attributes: Vec<AttributeProto>,
        inputs: Vec<Option<Tensor>>,
    ) -> Result<Vec<Tensor>, KernelError> {
        let mut attributes = Attributes::new(attributes);
        let kernel = (operator.build)(&mut attributes, opset)?;
        attributes.finish()?;
        let sources: Vec<Source> = inputs
            .iter()
            .enumerate()
            .map(|(index, input)| match input {
                None => Source::Absent,
                Some(_) => Source::Slot { index, last: true },
            })
            .collect();
        let mut slots = inputs;
        let mut context = Context { sources: &sources, constants: &[], slots: &mut slots, budget: &Budget::for_run() };
        Ok(match kernel.run(&mut context)? {
            Outputs::One(tensor) => vec![tensor],
            Outputs::Two(first, second) => vec![first, second],
        })
    }

    /// Runs an operator that must succeed, on inputs that are all given, and returns its first output.
    pub(crate) fn first(operator: &str, attributes: Vec<AttributeProto>, inputs: Vec<Tensor>) -> Tensor {
        let inputs = inputs.into_iter().map(Some).collect();
        let mut outputs = run(operator, attributes, inputs).expect("the operator computes");
        outputs.swap_remove(0)
    }

    /// Runs an operator that must not compute and returns why.
    pub(crate) fn refusal(operator: &str, attributes: Vec<AttributeProto>, inputs: Vec<Tensor>) -> String {
        let inputs = inputs.into_iter().map(Some).collect();
        match run(operator, attributes, inputs) {
            Ok(outputs) => panic!("{operator} computed {outputs:?}"),
            Err(KernelError::Invalid(reason)) => reason,
            Err(KernelError::TooLarge) => "too large".to_owned(),
        }
    }
}
