//! A model: its contract, the tensors checked against it, and the run.

use std::collections::HashMap;

use stemma_core::near;
use stemma_core::signature::{Field, Signature};
use stemma_tensor::Tensor;

use crate::decode;
use crate::error::{OnnxError, RunError};
use crate::interface::{Interface, ProbabilityOutput};
use crate::kernel::Budget;
use crate::observe;
use crate::plan::Plan;

/// An ONNX model that can be run; immutable, and shared between threads as it is.
pub struct Model {
    signature: Signature,
    row_names: Vec<Option<String>>,
    positions: HashMap<String, usize>,
    classes: Option<Vec<String>>,
    label_output: Option<usize>,
    probability_output: Option<ProbabilityOutput>,
    margin_output: Option<usize>,
    plan: Plan,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("signature", &self.signature).finish_non_exhaustive()
    }
}

/// The contract that a graph states, also one that can't be run here.
pub fn signature_of(bytes: &[u8]) -> Result<Signature, OnnxError> {
    let graph = decode::decode(bytes)?.graph.ok_or(OnnxError::NoGraph)?;
    Ok(Interface::read(&graph)?.signature)
}

impl Model {
    /// Reads a model and checks all of it: after this only the data can be wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, OnnxError> {
        let proto = decode::decode(bytes)?;
        let graph = proto.graph.ok_or(OnnxError::NoGraph)?;
        let interface = Interface::read(&graph)?;
        let names = |fields: &[Field]| -> Vec<String> { fields.iter().map(|field| field.name.clone()).collect() };
        let inputs = names(&interface.signature.inputs);
        let outputs = names(&interface.signature.outputs);
        let plan = Plan::new(graph, &proto.opset_import, &inputs, &outputs)?;
        let mut signature = interface.signature;
        observe::correct_outputs(&mut signature, &plan);
        Ok(Self {
            plan,
            positions: inputs.into_iter().zip(0..).collect(),
            signature,
            row_names: interface.row_names,
            classes: interface.classes,
            label_output: interface.label_output,
            probability_output: interface.probability_output,
            margin_output: interface.margin_output,
        })
    }

    /// The inputs that a caller gives, all of them required, and the outputs, in the order of the graph.
    ///
    /// What `ZipMap` makes appears as the matrix of scores that it is made of; the names are [`Self::classes`].
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The labels of a classifier's classes as text, if the model is one.
    pub fn classes(&self) -> Option<&[String]> {
        self.classes.as_deref()
    }

    /// Which output is the predicted label, if the model is a classifier.
    pub fn label_output(&self) -> Option<usize> {
        self.label_output
    }

    /// Which output has the classes' probabilities, if the model is a classifier and has them.
    pub fn probability_output(&self) -> Option<&ProbabilityOutput> {
        self.probability_output.as_ref()
    }

    /// Which output has the second class's score, if the model is a classifier of two classes and has this score only.
    pub fn margin_output(&self) -> Option<usize> {
        self.margin_output
    }

    /// Runs the model on inputs given by name, in any order.
    pub fn run(&self, inputs: Vec<(String, Tensor)>) -> Result<Vec<(String, Tensor)>, RunError> {
        let outputs = self.run_positional(self.in_order(inputs)?)?;
        let names = self.signature.outputs.iter().map(|field| field.name.clone());
        Ok(names.zip(outputs).collect())
    }

    /// Runs the model on inputs in the order of its signature.
    pub fn run_positional(&self, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, RunError> {
        self.check_inputs(&inputs)?;
        let mut outputs = self.plan.run(inputs, &Budget::for_run())?;
        outputs.iter_mut().for_each(Tensor::unify_nan);
        for (field, output) in self.signature.outputs.iter().zip(&outputs) {
            if output.datatype() != field.datatype {
                return Err(RunError::WrongOutput {
                    output: field.name.clone(),
                    expected: field.datatype,
                    got: output.datatype(),
                });
            }
        }
        Ok(outputs)
    }

    fn in_order(&self, inputs: Vec<(String, Tensor)>) -> Result<Vec<Tensor>, RunError> {
        let mut placed: Vec<Option<Tensor>> = Vec::new();
        placed.resize_with(self.signature.inputs.len(), || None);
        for (at, (name, tensor)) in inputs.into_iter().enumerate() {
            let expected_here = self.signature.inputs.get(at);
            let position =
                if expected_here.is_some_and(|field| field.name == name) { at } else { self.position(&name)? };
            if placed[position].replace(tensor).is_some() {
                return Err(RunError::DuplicateInput { input: name });
            }
        }
        let named = self.signature.inputs.iter().zip(placed);
        named
            .map(|(field, tensor)| {
                tensor.ok_or_else(|| RunError::MissingInput { input: field.name.clone(), expected: self.input_names() })
            })
            .collect()
    }

    fn position(&self, name: &str) -> Result<usize, RunError> {
        /// Names beyond this length are not looked for among the others, which takes their product in time.
        const NEAR_BYTES_MAX: usize = 256;
        if let Some(&position) = self.positions.get(name) {
            return Ok(position);
        }
        let expected = self.input_names();
        let candidates = expected.iter().map(String::as_str);
        let near = if name.len() <= NEAR_BYTES_MAX {
            near::near(name, candidates.filter(|name| name.len() <= NEAR_BYTES_MAX))
        } else {
            Vec::new()
        };
        Err(RunError::UnknownInput {
            input: name.to_owned(),
            near: near.into_iter().map(str::to_owned).collect(),
            expected,
        })
    }

    fn input_names(&self) -> Vec<String> {
        let fields = self.signature.inputs.iter();
        fields.map(|field| field.name.clone()).collect()
    }

    fn check_inputs(&self, inputs: &[Tensor]) -> Result<(), RunError> {
        let fields = &self.signature.inputs;
        if inputs.len() != fields.len() {
            return Err(RunError::WrongInputCount { expected: fields.len(), got: inputs.len() });
        }
        for (at, (field, input)) in fields.iter().zip(inputs).enumerate() {
            check_input(field, input)?;
            self.check_rows(at, inputs)?;
        }
        Ok(())
    }

    /// Inputs with as many rows by declaration must have as many.
    fn check_rows(&self, at: usize, inputs: &[Tensor]) -> Result<(), RunError> {
        let Some(name) = &self.row_names[at] else {
            return Ok(());
        };
        let Some(first) = self.row_names[..at].iter().position(|other| other.as_ref() == Some(name)) else {
            return Ok(());
        };
        let rows = |input: usize| inputs[input].shape().first().copied().unwrap_or(1);
        let is_open = |input: usize| self.signature.inputs[input].shape.first() == Some(&-1);
        if is_open(at) && is_open(first) && rows(at) != rows(first) {
            return Err(RunError::BatchMismatch {
                input: self.signature.inputs[at].name.clone(),
                got: rows(at),
                first: self.signature.inputs[first].name.clone(),
                expected: rows(first),
            });
        }
        Ok(())
    }
}

fn check_input(field: &Field, input: &Tensor) -> Result<(), RunError> {
    if input.datatype() != field.datatype {
        return Err(RunError::WrongDatatype {
            input: field.name.clone(),
            expected: field.datatype,
            got: input.datatype(),
        });
    }
    let fits = |(&declared, &size): (&i64, &usize)| declared == -1 || declared == size as i64;
    if input.shape().len() != field.shape.len() || !field.shape.iter().zip(input.shape()).all(fits) {
        return Err(RunError::WrongShape {
            input: field.name.clone(),
            expected: field.shape.clone(),
            got: input.shape().to_vec(),
        });
    }
    Ok(())
}
