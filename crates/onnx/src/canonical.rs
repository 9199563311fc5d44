//! What a model is, apart from how it was written down: for asking whether two files are the same model.
//!
//! Values are numbered in the order in which the outputs need them, so that names, the order of nodes, unused parts,
//! notes and the way numbers are packed don't count. What callers see (names of inputs and outputs) does.
//! Floating-point numbers are kept apart from the rest, so that two models of one structure can also be measured.

use std::collections::{BTreeMap, HashMap};

use stemma_core::Digest;
use stemma_tensor::{TensorData, with_elements};

use crate::decode;
use crate::error::OnnxError;
use crate::model::Model;
use crate::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TypeProto, ValueInfoProto,
    attribute_type, dimension_proto, type_proto,
};

const FORMAT: &[u8] = b"stemma onnx canonical 1";
/// Most that single-precision numbers may be apart, relative to the size of their tensor.
pub const TOLERANCE_SINGLE: f64 = 1e-4;
/// The same for double precision.
pub const TOLERANCE_DOUBLE: f64 = 1e-6;

/// A model without its names and notes.
#[derive(Debug, Clone, PartialEq)]
pub struct Canonical {
    structure: Digest,
    numbers: Vec<Numbers>,
}

/// The floating-point numbers of one tensor or attribute.
#[derive(Debug, Clone, PartialEq)]
enum Numbers {
    Single(Vec<u32>),
    Double(Vec<u64>),
}

/// How far the numbers of two models of one structure are apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Distance {
    /// Tensors of floating-point numbers.
    pub tensors: usize,
    /// Those that are not equal to the last bit.
    pub differing: usize,
    /// Of the tensor that is farthest apart: the length of the difference by the length of the first.
    pub relative_max: f64,
    /// Most representable numbers between two numbers.
    pub ulps_max: u64,
    /// Each tensor within the tolerance of its precision.
    pub is_within_tolerance: bool,
}

impl Canonical {
    /// Reads a model; what can't be evaluated has no canonical form.
    pub fn of(bytes: &[u8]) -> Result<Self, OnnxError> {
        Model::parse(bytes)?;
        let proto = decode::decode(bytes)?;
        let graph = proto.graph.as_ref().ok_or(OnnxError::NoGraph)?;
        let mut writer = Writer::default();
        writer.model(&proto, graph)?;
        Ok(Self { structure: Digest::of(&writer.structure), numbers: writer.numbers })
    }

    /// Equal for two files of the same model, to the last bit of every number.
    pub fn digest(&self) -> Digest {
        let mut bytes = Vec::from(FORMAT);
        bytes.extend(self.structure.as_bytes());
        for numbers in &self.numbers {
            numbers.write(&mut bytes);
        }
        Digest::of(&bytes)
    }

    /// Measures how far two models are apart; `None` if their structure is not the same.
    pub fn distance(&self, other: &Self) -> Option<Distance> {
        let is_alike = self.structure == other.structure && self.numbers.len() == other.numbers.len();
        let mut distance = Distance {
            tensors: self.numbers.len(),
            differing: 0,
            relative_max: 0.0,
            ulps_max: 0,
            is_within_tolerance: true,
        };
        for (one, two) in self.numbers.iter().zip(other.numbers.iter().filter(|_| is_alike)) {
            distance.add(one, two)?;
        }
        is_alike.then_some(distance)
    }
}

impl Numbers {
    fn write(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Single(bits) => {
                bytes.push(4);
                bytes.extend((bits.len() as u64).to_le_bytes());
                bytes.extend(bits.iter().flat_map(|bits| bits.to_le_bytes()));
            }
            Self::Double(bits) => {
                bytes.push(8);
                bytes.extend((bits.len() as u64).to_le_bytes());
                bytes.extend(bits.iter().flat_map(|bits| bits.to_le_bytes()));
            }
        }
    }

    fn values(&self) -> Vec<f64> {
        match self {
            Self::Single(bits) => bits.iter().map(|bits| f64::from(f32::from_bits(*bits))).collect(),
            Self::Double(bits) => bits.iter().map(|bits| f64::from_bits(*bits)).collect(),
        }
    }

    /// The numbers' places on a line without gaps, on which neighbours are one apart.
    fn places(&self) -> Vec<i128> {
        let place = |magnitude: i128, negative: bool| if negative { -magnitude } else { magnitude };
        match self {
            Self::Single(bits) => bits.iter().map(|b| place(i128::from(b & (u32::MAX >> 1)), b >> 31 == 1)).collect(),
            Self::Double(bits) => bits.iter().map(|b| place(i128::from(b & (u64::MAX >> 1)), b >> 63 == 1)).collect(),
        }
    }

    const fn tolerance(&self) -> f64 {
        match self {
            Self::Single(_) => TOLERANCE_SINGLE,
            Self::Double(_) => TOLERANCE_DOUBLE,
        }
    }
}

impl Distance {
    /// Returns `None` if the two are of different length or precision.
    fn add(&mut self, one: &Numbers, two: &Numbers) -> Option<()> {
        let (a, b) = (one.values(), two.values());
        if a.len() != b.len() || std::mem::discriminant(one) != std::mem::discriminant(two) {
            return None;
        }
        if one == two {
            return Some(());
        }
        let square = |x: f64| x * x;
        let length: f64 = a.iter().map(|x| square(*x)).sum::<f64>().sqrt();
        // numbers that have no difference (infinities, NaN) and are not the same are as far apart as can be
        let apart = |x: f64, y: f64| if x.to_bits() == y.to_bits() { 0.0 } else { square(x - y) };
        let difference: f64 = a.iter().zip(&b).map(|(x, y)| apart(*x, *y)).sum::<f64>().sqrt();
        let relative = match difference / length {
            _ if difference == 0.0 => 0.0,
            relative if relative.is_nan() => f64::INFINITY,
            relative => relative,
        };
        let gaps = one.places().into_iter().zip(two.places()).map(|(x, y)| (x - y).unsigned_abs());
        let ulps = gaps.max().and_then(|gap| u64::try_from(gap).ok()).unwrap_or(u64::MAX);
        self.differing += 1;
        self.relative_max = self.relative_max.max(relative);
        self.ulps_max = self.ulps_max.max(ulps);
        self.is_within_tolerance &= relative <= one.tolerance();
        Some(())
    }
}

/// Where a value comes from.
#[derive(Clone, Copy)]
enum Origin<'a> {
    Input(usize),
    Constant(&'a TensorProto),
    /// A node's output.
    Made(usize, usize),
}

#[derive(Default)]
struct Writer {
    structure: Vec<u8>,
    numbers: Vec<Numbers>,
    /// Names of open dimensions, which writers make up: only which of them are the same counts.
    dimensions: HashMap<String, u64>,
    /// Constants that are written already: a large one may be used often.
    constants: HashMap<String, u64>,
}

impl Writer {
    fn model(&mut self, model: &ModelProto, graph: &GraphProto) -> Result<(), OnnxError> {
        let constants: HashMap<&str, &TensorProto> =
            graph.initializer.iter().filter_map(|tensor| Some((tensor.name.as_deref()?, tensor))).collect();
        let inputs = graph.input.iter().filter(|input| !constants.contains_key(name_of(input)));
        let mut origins: HashMap<&str, Origin<'_>> = HashMap::new();
        self.mark("inputs");
        for (place, input) in inputs.enumerate() {
            self.interface(input);
            origins.insert(name_of(input), Origin::Input(place));
        }
        origins.extend(constants.iter().map(|(name, tensor)| (*name, Origin::Constant(tensor))));
        for (number, node) in graph.node.iter().enumerate() {
            let outputs = node.output.iter().enumerate().filter(|(_, output)| !output.is_empty());
            origins.extend(outputs.map(|(place, output)| (output.as_str(), Origin::Made(number, place))));
        }
        let needed = needed_order(graph, &origins);
        self.opsets(&model.opset_import, needed.iter().map(|number| &graph.node[*number]));
        let places: HashMap<usize, usize> = needed.iter().enumerate().map(|(place, node)| (*node, place)).collect();
        for number in &needed {
            self.node(&graph.node[*number], &origins, &places)?;
        }
        self.mark("outputs");
        for output in &graph.output {
            self.interface(output);
            self.source(name_of(output), &origins, &places)?;
        }
        Ok(())
    }

    /// Operator sets of the domains that are used, under one name each.
    fn opsets<'a>(&mut self, imports: &[OperatorSetIdProto], nodes: impl Iterator<Item = &'a NodeProto>) {
        let used: Vec<&str> = nodes.map(|node| domain(node.domain.as_deref())).collect();
        let versions: BTreeMap<&str, i64> = imports
            .iter()
            .map(|opset| (domain(opset.domain.as_deref()), opset.version.unwrap_or_default()))
            .filter(|(domain, _)| used.contains(domain))
            .collect();
        self.mark("operator sets");
        for (domain, version) in versions {
            self.text(domain.as_bytes());
            self.number(version as u64);
        }
    }

    fn node<'a>(
        &mut self,
        node: &'a NodeProto,
        origins: &HashMap<&'a str, Origin<'a>>,
        places: &HashMap<usize, usize>,
    ) -> Result<(), OnnxError> {
        self.mark("node");
        self.text(domain(node.domain.as_deref()).as_bytes());
        self.text(node.op_type.as_deref().unwrap_or_default().as_bytes());
        self.number(node.input.len() as u64);
        for input in &node.input {
            self.source(input, origins, places)?;
        }
        // what is left out at the end and what is left empty are the same
        let outputs = node.output.iter().rposition(|output| !output.is_empty()).map_or(0, |last| last + 1);
        self.number(outputs as u64);
        let mut attributes: Vec<&AttributeProto> = node.attribute.iter().collect();
        attributes.sort_by_key(|attribute| &attribute.name);
        for attribute in attributes {
            self.attribute(attribute)?;
        }
        Ok(())
    }

    fn source<'a>(
        &mut self,
        name: &str,
        origins: &HashMap<&'a str, Origin<'a>>,
        places: &HashMap<usize, usize>,
    ) -> Result<(), OnnxError> {
        match origins.get(name) {
            None => self.mark("nothing"),
            Some(Origin::Input(place)) => {
                self.mark("input");
                self.number(*place as u64);
            }
            Some(Origin::Constant(tensor)) => self.constant(name, tensor)?,
            Some(Origin::Made(node, output)) => {
                self.mark("made");
                self.number(places.get(node).map_or(u64::MAX, |place| *place as u64));
                self.number(*output as u64);
            }
        }
        Ok(())
    }

    fn constant(&mut self, name: &str, tensor: &TensorProto) -> Result<(), OnnxError> {
        if let Some(number) = self.constants.get(name).copied() {
            self.mark("constant");
            self.number(number);
            return Ok(());
        }
        self.constants.insert(name.to_owned(), self.constants.len() as u64);
        self.tensor(tensor)
    }

    fn attribute(&mut self, attribute: &AttributeProto) -> Result<(), OnnxError> {
        self.mark("attribute");
        self.text(attribute.name.as_deref().unwrap_or_default().as_bytes());
        let kind = attribute.r#type.unwrap_or_default();
        self.number(kind as u64);
        let is = |wanted: i32| kind == wanted || kind == 0;
        if let Some(value) = attribute.f.filter(|_| is(attribute_type::FLOAT)) {
            self.mark("float");
            self.numbers.push(Numbers::Single(vec![value.to_bits()]));
        }
        if let Some(value) = attribute.i.filter(|_| is(attribute_type::INT)) {
            self.mark("int");
            self.number(value as u64);
        }
        if let Some(value) = attribute.s.as_ref().filter(|_| is(attribute_type::STRING)) {
            self.mark("string");
            self.text(value);
        }
        if let Some(tensor) = attribute.t.as_ref().filter(|_| is(attribute_type::TENSOR)) {
            self.tensor(tensor)?;
        }
        if !attribute.floats.is_empty() {
            self.mark("floats");
            self.number(attribute.floats.len() as u64);
            self.numbers.push(Numbers::Single(attribute.floats.iter().map(|value| value.to_bits()).collect()));
        }
        self.number(attribute.ints.len() as u64);
        attribute.ints.iter().for_each(|value| self.number(*value as u64));
        self.number(attribute.strings.len() as u64);
        attribute.strings.iter().for_each(|value| self.text(value));
        Ok(())
    }

    /// However its elements are packed.
    fn tensor(&mut self, proto: &TensorProto) -> Result<(), OnnxError> {
        let tensor = decode::tensor(proto.clone())?;
        self.mark("tensor");
        self.text(tensor.datatype().as_str().as_bytes());
        self.number(tensor.shape().len() as u64);
        tensor.shape().iter().for_each(|size| self.number(*size as u64));
        match tensor.data() {
            TensorData::Float(values) => {
                self.numbers.push(Numbers::Single(values.iter().map(|value| value.to_bits()).collect()));
            }
            TensorData::Double(values) => {
                self.numbers.push(Numbers::Double(values.iter().map(|value| value.to_bits()).collect()));
            }
            TensorData::String(values) => values.iter().for_each(|value| self.text(value.as_bytes())),
            whole => with_elements!(whole, values => values.iter().for_each(|value| {
                // numbers of one type print alike only if they are equal
                self.text(value.to_string().as_bytes());
            })),
        }
        Ok(())
    }

    /// A value's name and type as callers see it.
    fn interface(&mut self, value: &ValueInfoProto) {
        self.text(name_of(value).as_bytes());
        let mut declared = value.r#type.as_ref();
        while let Some(TypeProto { value: Some(kind) }) = declared {
            declared = match kind {
                type_proto::Value::Tensor(tensor) => {
                    self.mark("tensor of");
                    self.number(tensor.elem_type.unwrap_or_default() as u64);
                    let Some(shape) = &tensor.shape else { break };
                    self.number(shape.dim.len() as u64);
                    shape.dim.iter().for_each(|dimension| self.dimension(dimension.value.as_ref()));
                    break;
                }
                type_proto::Value::Sequence(sequence) => {
                    self.mark("sequence of");
                    sequence.elem_type.as_deref()
                }
                type_proto::Value::Map(map) => {
                    self.mark("map of");
                    self.number(map.key_type.unwrap_or_default() as u64);
                    map.value_type.as_deref()
                }
            };
        }
    }

    fn dimension(&mut self, dimension: Option<&dimension_proto::Value>) {
        match dimension {
            None => self.mark("any"),
            Some(dimension_proto::Value::DimValue(size)) => {
                self.mark("size");
                self.number(*size as u64);
            }
            Some(dimension_proto::Value::DimParam(name)) => {
                let next = self.dimensions.len() as u64;
                let number = *self.dimensions.entry(name.clone()).or_insert(next);
                self.mark("open");
                self.number(number);
            }
        }
    }

    fn mark(&mut self, what: &'static str) {
        self.structure.extend(what.as_bytes());
        self.structure.push(0);
    }

    fn number(&mut self, value: u64) {
        self.structure.extend(value.to_le_bytes());
    }

    /// With its length, so that two texts can't be mistaken for two others.
    fn text(&mut self, text: &[u8]) {
        self.number(text.len() as u64);
        self.structure.extend(text);
    }
}

fn name_of(value: &ValueInfoProto) -> &str {
    value.name.as_deref().unwrap_or_default()
}

fn domain(domain: Option<&str>) -> &str {
    match domain.unwrap_or_default() {
        "ai.onnx" => "",
        domain => domain,
    }
}

/// The nodes that the outputs need, each after those whose values it takes; the same whatever the order in the file.
fn needed_order<'a>(graph: &'a GraphProto, origins: &HashMap<&'a str, Origin<'a>>) -> Vec<usize> {
    let maker = |name: &str| match origins.get(name) {
        Some(Origin::Made(node, _)) => Some(*node),
        _ => None,
    };
    let mut order = Vec::new();
    let mut seen = vec![false; graph.node.len()];
    for output in &graph.output {
        // a stack of its own: graphs are deep, threads' stacks are not
        let mut open: Vec<(usize, usize)> = Vec::new();
        let mut enter = |node: Option<usize>, open: &mut Vec<(usize, usize)>| {
            if let Some(node) = node.filter(|node| !std::mem::replace(&mut seen[*node], true)) {
                open.push((node, 0));
            }
        };
        enter(maker(name_of(output)), &mut open);
        while let Some((node, next)) = open.last_mut() {
            let input = graph.node[*node].input.get(*next);
            *next += 1;
            match input {
                Some(input) => enter(maker(input), &mut open),
                None => {
                    order.push(*node);
                    open.pop();
                }
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    fn sample(name: &str) -> ModelProto {
        let path = format!("{}/tests/data/{name}.onnx", env!("CARGO_MANIFEST_DIR"));
        ModelProto::decode(std::fs::read(path).unwrap().as_slice()).unwrap()
    }

    fn canonical(model: &ModelProto) -> Canonical {
        Canonical::of(&model.encode_to_vec()).unwrap()
    }

    /// Gives all inner values, nodes and open dimensions other names, and lists constants and operator sets backwards.
    fn renamed(mut model: ModelProto) -> ModelProto {
        let graph = model.graph.as_mut().unwrap();
        let kept: Vec<String> =
            graph.input.iter().chain(&graph.output).map(|value| name_of(value).to_owned()).collect();
        let rename = |name: &mut String| {
            if !name.is_empty() && !kept.contains(name) {
                *name = format!("other_{name}");
            }
        };
        for node in &mut graph.node {
            node.input.iter_mut().chain(&mut node.output).for_each(rename);
            node.name = Some("another".to_owned());
            node.attribute.reverse();
        }
        for tensor in &mut graph.initializer {
            rename(tensor.name.get_or_insert_default());
        }
        graph.initializer.reverse();
        model.opset_import.reverse();
        model.opset_import.push(OperatorSetIdProto { domain: Some("unused".to_owned()), version: Some(7) });
        model
    }

    #[test]
    fn names_and_order_make_no_other_model() {
        for name in ["table_logistic", "table_boosting", "forest", "mlp", "lightgbm", "xgboost_three"] {
            let model = sample(name);
            let other = renamed(model.clone());
            assert_ne!(model.encode_to_vec(), other.encode_to_vec(), "{name}");
            assert_eq!(canonical(&model).digest(), canonical(&other).digest(), "{name}");
        }
    }

    #[test]
    fn notes_and_the_packing_of_numbers_make_no_other_model() {
        let model = sample("mlp");
        let mut bytes = model.encode_to_vec();
        // producer name and version, a doc string, and a metadata entry: fields that are not read
        for (field, text) in [(2u8, "skl2onnx"), (3, "9.9"), (6, "a note"), (14, "\u{a}\u{1}k")] {
            bytes.push(field << 3 | 2);
            bytes.push(text.len() as u8);
            bytes.extend(text.as_bytes());
        }
        let noted = Canonical::of(&bytes).unwrap();
        assert_eq!(noted.digest(), canonical(&model).digest());

        let mut packed = model.clone();
        let tensors = &mut packed.graph.as_mut().unwrap().initializer;
        let floats = tensors.iter_mut().find(|tensor| tensor.data_type == Some(1)).unwrap();
        let raw: Vec<u8> = match (&floats.raw_data, floats.float_data.as_slice()) {
            (Some(raw), _) => raw.clone(),
            (None, values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        };
        match floats.raw_data.take() {
            Some(_) => floats.float_data = raw.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            None => {
                floats.float_data.clear();
                floats.raw_data = Some(raw);
            }
        }
        assert_ne!(packed.encode_to_vec(), model.encode_to_vec());
        assert_eq!(canonical(&packed), canonical(&model));
    }

    /// Changes the last bit of one number.
    fn nudged(mut model: ModelProto) -> ModelProto {
        let floats = model.graph.as_mut().unwrap().node.iter_mut().flat_map(|node| &mut node.attribute);
        let attribute = floats.into_iter().find(|attribute| attribute.floats.len() > 1).unwrap();
        attribute.floats[1] = f32::from_bits(attribute.floats[1].to_bits() + 1);
        model
    }

    #[test]
    fn one_bit_of_one_number_makes_another_model_and_a_near_one() {
        let model = sample("logistic");
        let (before, after) = (canonical(&model), canonical(&nudged(model)));
        assert_ne!(before.digest(), after.digest());
        let distance = before.distance(&after).unwrap();
        assert_eq!((distance.differing, distance.ulps_max, distance.is_within_tolerance), (1, 1, true));
        assert!(distance.relative_max > 0.0 && distance.relative_max < 1e-6, "{distance:?}");
        let same = before.distance(&before).unwrap();
        assert_eq!((same.differing, same.relative_max, same.ulps_max), (0, 0.0, 0));
    }

    #[test]
    fn what_callers_see_and_what_is_computed_counts() {
        let model = sample("logistic");
        let change = |edit: &dyn Fn(&mut GraphProto)| {
            let mut other = model.clone();
            edit(other.graph.as_mut().unwrap());
            canonical(&other)
        };
        let rename = |graph: &mut GraphProto| {
            let old = graph.input[0].name.replace("applicant".to_owned()).unwrap();
            let inputs = graph.node.iter_mut().flat_map(|node| &mut node.input);
            inputs.filter(|input| **input == old).for_each(|input| *input = "applicant".to_owned());
        };
        for other in [
            change(&rename),
            change(&|graph| graph.output.reverse()),
            change(&|graph| {
                let ints = graph.node.iter_mut().flat_map(|node| &mut node.attribute);
                let labels = ints.into_iter().find(|attribute| !attribute.ints.is_empty()).unwrap();
                labels.ints.reverse();
            }),
        ] {
            assert_ne!(other.digest(), canonical(&model).digest());
            assert_eq!(other.distance(&canonical(&model)), None);
        }
        assert_eq!(canonical(&sample("forest")).distance(&canonical(&model)), None);
    }

    #[test]
    fn all_samples_have_forms_of_their_own() {
        let folder = format!("{}/tests/data", env!("CARGO_MANIFEST_DIR"));
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let models = files.filter(|path| path.extension().is_some_and(|extension| extension == "onnx"));
        let mut forms = HashMap::new();
        for path in models {
            let form = Canonical::of(&std::fs::read(&path).unwrap()).unwrap();
            if let Some(other) = forms.insert(form.digest(), path.clone()) {
                panic!("{} and {} are the same model", other.display(), path.display());
            }
        }
        assert!(forms.len() >= 30);
    }

    #[test]
    fn the_form_is_frozen() {
        let digest = canonical(&sample("logistic")).digest().to_string();
        assert_eq!(digest, "b3:563513bee55e49052c63de5d00bbec3819c2837d126c56a4e9634d26757559f6");
    }

    #[test]
    fn numbers_without_a_difference_are_never_near() {
        let form = |value: f32| Canonical {
            structure: Digest::of(b""),
            numbers: vec![Numbers::Single(vec![value.to_bits(), 1f32.to_bits()])],
        };
        let distance = |a: f32, b: f32| form(a).distance(&form(b)).unwrap();
        assert!(!distance(f32::NAN, 1.0).is_within_tolerance);
        assert!(!distance(f32::INFINITY, f32::MAX).is_within_tolerance);
        assert!(distance(f32::NAN, f32::NAN).is_within_tolerance);
        assert!(distance(0.0, -0.0).is_within_tolerance);
        assert!(distance(1.0, 1.00001).is_within_tolerance && !distance(1.0, 1.01).is_within_tolerance);
    }
}
