//! What a graph takes and gives, and which of its outputs are a classifier's label and probabilities.

use std::collections::{HashMap, HashSet};

use stemma_core::signature::{Datatype, Field, Signature};
use stemma_tensor::{Tensor, TensorData};

use crate::decode;
use crate::error::OnnxError;
use crate::proto::{GraphProto, NodeProto, TensorTypeProto, ValueInfoProto, data_type, dimension_proto, type_proto};

pub(crate) struct Interface {
    pub(crate) signature: Signature,
    /// For each input the name of its first dimension; inputs whose names are the same have as many rows.
    pub(crate) row_names: Vec<Option<String>>,
    pub(crate) classes: Option<Vec<String>>,
    pub(crate) label_output: Option<usize>,
    pub(crate) probability_output: Option<ProbabilityOutput>,
    pub(crate) margin_output: Option<usize>,
}

/// Which output has the probabilities, or other scores, of the classes: `[rows, classes]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbabilityOutput {
    /// The place in the signature's outputs.
    pub output: usize,
    /// The classes' labels as text, in the order of the columns.
    pub classes: Vec<String>,
}

impl Interface {
    pub(crate) fn read(graph: &GraphProto) -> Result<Self, OnnxError> {
        let initialized: HashSet<&str> = graph.initializer.iter().filter_map(|tensor| tensor.name.as_deref()).collect();
        let mut inputs = Vec::new();
        let mut row_names = Vec::new();
        for input in &graph.input {
            let name = input.name.as_deref().unwrap_or_default();
            if !initialized.contains(name) {
                let declared = tensor_type("input", input)?;
                inputs.push(input_field(name, declared)?);
                row_names.push(row_name(declared));
            }
        }
        let makers = Makers::new(graph);
        let outputs = graph.output.iter().map(|output| output_field(output, &makers)).collect::<Result<_, _>>()?;
        let mut interface = Self {
            signature: Signature { inputs, outputs },
            row_names,
            classes: None,
            label_output: None,
            probability_output: None,
            margin_output: None,
        };
        interface.find_classifier(graph, &makers);
        interface.correct_shapes();
        Ok(interface)
    }

    fn find_classifier(&mut self, graph: &GraphProto, makers: &Makers<'_>) {
        for (place, output) in graph.output.iter().enumerate() {
            match makers.role(output.name.as_deref().unwrap_or_default()) {
                Some((Role::Label, classes)) if self.label_output.is_none() => {
                    self.label_output = Some(place);
                    self.classes.get_or_insert(classes);
                }
                Some((Role::Probabilities, classes)) if self.probability_output.is_none() => {
                    self.classes = Some(classes.clone());
                    self.probability_output = Some(ProbabilityOutput { output: place, classes });
                }
                _ => {}
            }
        }
        if self.probability_output.is_none() {
            self.probability_output = self.probabilities_beside_the_label();
        }
        if self.probability_output.is_none() {
            self.margin_output = self.margin_beside_the_label();
        }
        if self.label_output.is_none() && self.probability_output.is_some() {
            self.label_output = self.label_beside_the_probabilities();
        }
    }

    /// The only other output of a classifier of two classes, if it is one real number a row.
    fn margin_beside_the_label(&self) -> Option<usize> {
        let (label, classes) = (self.label_output?, self.classes.as_ref()?);
        let [first, second] = self.signature.outputs.as_slice() else {
            return None;
        };
        let (place, other) = if label == 0 { (1, second) } else { (0, first) };
        let is_real = matches!(other.datatype, Datatype::Fp32 | Datatype::Fp64);
        (classes.len() == 2 && is_real && is_one_a_row(other)).then_some(place)
    }

    /// The only output that names things and has one element a row, or the only one of those that is called a label.
    ///
    /// A threshold of one's own is put behind a classifier with plain operators, which say nothing of classes.
    fn label_beside_the_probabilities(&self) -> Option<usize> {
        let names_things = |field: &Field| {
            !matches!(field.datatype, Datatype::Fp16 | Datatype::Fp32 | Datatype::Fp64) && is_one_a_row(field)
        };
        let outputs = self.signature.outputs.iter().enumerate().filter(|(_, field)| names_things(field));
        let outputs: Vec<(usize, &Field)> = outputs.collect();
        let called = outputs.iter().filter(|(_, field)| field.name.to_ascii_lowercase().contains("label"));
        match (outputs.as_slice(), called.collect::<Vec<_>>().as_slice()) {
            ([(only, _)], _) | (_, [(only, _)]) => Some(*only),
            _ => None,
        }
    }

    /// The only other output of a classifier that is put together from plain operators.
    fn probabilities_beside_the_label(&self) -> Option<ProbabilityOutput> {
        let (label, classes) = (self.label_output?, self.classes.as_ref()?);
        let [first, second] = self.signature.outputs.as_slice() else {
            return None;
        };
        let (place, other) = if label == 0 { (1, second) } else { (0, first) };
        let wide_enough = match *other.shape {
            [_, columns] => columns == -1 || columns == classes.len() as i64,
            _ => false,
        };
        let is_real = matches!(other.datatype, Datatype::Fp32 | Datatype::Fp64);
        (wide_enough && is_real).then(|| ProbabilityOutput { output: place, classes: classes.clone() })
    }

    /// Writers declare labels of shape `[1]`, or nothing, where there is one a row.
    fn correct_shapes(&mut self) {
        let any_rows = self.signature.inputs.iter().any(|input| input.shape.first() == Some(&-1));
        let outputs = &mut self.signature.outputs;
        if let Some(label) = self.label_output
            && any_rows
            && let Some(rows @ 1) = outputs[label].shape.first_mut()
        {
            *rows = -1;
        }
        if let Some(probabilities) = &self.probability_output {
            let rows = if any_rows { -1 } else { 1 };
            outputs[probabilities.output].shape = vec![rows, probabilities.classes.len() as i64];
        }
    }
}

fn is_one_a_row(field: &Field) -> bool {
    matches!(*field.shape, [_] | [_, 1])
}

#[derive(Clone, Copy, PartialEq)]
enum Role {
    Label,
    Probabilities,
}

/// The node that makes each value, and the constants.
struct Makers<'a> {
    nodes: HashMap<&'a str, (&'a NodeProto, usize)>,
    graph: &'a GraphProto,
}

impl<'a> Makers<'a> {
    fn new(graph: &'a GraphProto) -> Self {
        let outputs = graph.node.iter().flat_map(|node| {
            let names = node.output.iter().enumerate();
            names.map(move |(place, name)| (name.as_str(), (node, place)))
        });
        Self { nodes: outputs.collect(), graph }
    }

    /// Returns what a value means if a classifier made it, through operators that change only its form.
    fn role(&self, value: &str) -> Option<(Role, Vec<String>)> {
        let mut value = value;
        // a chain as long as the graph has a loop, which the plan refuses later
        for _ in 0..=self.graph.node.len() {
            let &(node, place) = self.nodes.get(value)?;
            match node.op_type.as_deref()? {
                "Identity" | "Cast" | "Reshape" | "Squeeze" | "Unsqueeze" | "Flatten" => {
                    value = node.input.first()?;
                }
                "ZipMap" => return Some((Role::Probabilities, class_names(node)?)),
                "TreeEnsembleClassifier" | "LinearClassifier" => {
                    let role = if place == 0 { Role::Label } else { Role::Probabilities };
                    return Some((role, class_names(node)?));
                }
                "ArrayFeatureExtractor" => {
                    return Some((Role::Label, self.constant_texts(node.input.first()?)?));
                }
                _ => return None,
            }
        }
        None
    }

    fn is_zip_map(&self, value: &str) -> Option<usize> {
        let &(node, _) = self.nodes.get(value)?;
        match node.op_type.as_deref()? {
            "ZipMap" => Some(class_names(node)?.len()),
            _ => None,
        }
    }

    /// The labels that a classifier picks from, if they are a constant.
    fn constant_texts(&self, value: &str) -> Option<Vec<String>> {
        let initializer = self.graph.initializer.iter().find(|tensor| tensor.name.as_deref() == Some(value));
        let proto = match initializer {
            Some(tensor) => tensor,
            None => {
                let &(node, _) = self.nodes.get(value)?;
                let attribute = node.attribute.first()?;
                (node.op_type.as_deref() == Some("Constant")).then_some(attribute.t.as_ref()?)?
            }
        };
        let tensor = decode::tensor(proto.clone()).ok()?;
        texts(&tensor)
    }
}

fn texts(tensor: &Tensor) -> Option<Vec<String>> {
    match tensor.data() {
        TensorData::String(labels) => Some(labels.clone()),
        TensorData::Int64(labels) => Some(labels.iter().map(i64::to_string).collect()),
        TensorData::Int32(labels) => Some(labels.iter().map(i32::to_string).collect()),
        TensorData::Bool(labels) => Some(labels.iter().map(bool::to_string).collect()),
        _ => None,
    }
}

/// Reads the labels that a classifier or a `ZipMap` has as attributes.
fn class_names(node: &NodeProto) -> Option<Vec<String>> {
    node.attribute.iter().find_map(|attribute| {
        let names: Vec<String> = match attribute.name.as_deref()? {
            "classlabels_strings" => decode::strings(attribute.strings.clone()).ok()?,
            "classlabels_int64s" | "classlabels_ints" => attribute.ints.iter().map(i64::to_string).collect(),
            _ => return None,
        };
        (!names.is_empty()).then_some(names)
    })
}

fn output_field(output: &ValueInfoProto, makers: &Makers<'_>) -> Result<Field, OnnxError> {
    let name = output.name.as_deref().unwrap_or_default();
    if let Some(classes) = makers.is_zip_map(name) {
        return Ok(Field {
            name: name.to_owned(),
            datatype: Datatype::Fp32,
            shape: vec![-1, classes as i64],
            optional: false,
        });
    }
    let declared = tensor_type("output", output)?;
    Ok(Field {
        name: name.to_owned(),
        datatype: datatype("output", name, declared)?,
        // an output of unknown shape has at least one element a row
        shape: shape(declared).unwrap_or_else(|| vec![-1]),
        optional: false,
    })
}

fn input_field(name: &str, declared: &TensorTypeProto) -> Result<Field, OnnxError> {
    let Some(shape) = shape(declared) else {
        return Err(unsupported("input", name, "a tensor of unknown shape".to_owned()));
    };
    Ok(Field { name: name.to_owned(), datatype: datatype("input", name, declared)?, shape, optional: false })
}

fn unsupported(role: &'static str, value: &str, what: String) -> OnnxError {
    OnnxError::UnsupportedType { role, value: value.to_owned(), what }
}

fn tensor_type<'a>(role: &'static str, value: &'a ValueInfoProto) -> Result<&'a TensorTypeProto, OnnxError> {
    let what = match value.r#type.as_ref().and_then(|proto| proto.value.as_ref()) {
        Some(type_proto::Value::Tensor(tensor)) => return Ok(tensor),
        Some(type_proto::Value::Sequence(_)) => "a sequence that is not made by `ZipMap`",
        Some(type_proto::Value::Map(_)) => "a map",
        None => "none is declared",
    };
    let name = value.name.as_deref().unwrap_or_default();
    Err(unsupported(role, name, what.to_owned()))
}

/// Returns the declared sizes with `-1` for those that are open, or nothing if not even their number is known.
fn shape(declared: &TensorTypeProto) -> Option<Vec<i64>> {
    let dims = &declared.shape.as_ref()?.dim;
    let size = |value: &Option<dimension_proto::Value>| match value {
        Some(dimension_proto::Value::DimValue(size)) if *size >= 0 => *size,
        _ => -1,
    };
    Some(dims.iter().map(|dim| size(&dim.value)).collect())
}

fn row_name(declared: &TensorTypeProto) -> Option<String> {
    let first = declared.shape.as_ref()?.dim.first()?;
    match &first.value {
        Some(dimension_proto::Value::DimParam(name)) => Some(name.clone()),
        _ => Some(String::new()),
    }
}

fn datatype(role: &'static str, name: &str, declared: &TensorTypeProto) -> Result<Datatype, OnnxError> {
    Ok(match declared.elem_type.unwrap_or_default() {
        data_type::FLOAT => Datatype::Fp32,
        data_type::DOUBLE => Datatype::Fp64,
        data_type::INT8 => Datatype::Int8,
        data_type::INT16 => Datatype::Int16,
        data_type::INT32 => Datatype::Int32,
        data_type::INT64 => Datatype::Int64,
        data_type::UINT8 => Datatype::Uint8,
        data_type::UINT16 => Datatype::Uint16,
        data_type::UINT32 => Datatype::Uint32,
        data_type::UINT64 => Datatype::Uint64,
        data_type::BOOL => Datatype::Bool,
        data_type::STRING => Datatype::Bytes,
        other => return Err(unsupported(role, name, format!("element type {other}"))),
    })
}
