//! From bytes to messages and tensors, with the memory they take counted before it is taken.
//!
//! Protobuf lets two bytes stand for a message of hundreds, so the wire format is first walked without allocating and
//! every message, string and number priced; only a model within the bound is decoded.

use prost::Message as _;
use prost::encoding::WireType;
use stemma_tensor::{Element, Tensor, TensorData, element_count};

use crate::error::OnnxError;
use crate::proto::{AttributeProto, EXTERNAL, ModelProto, NodeProto, TensorProto, data_type};

/// The largest model that is read.
pub const MODEL_BYTES_MAX: usize = 256 << 20;
/// The most memory that decoding a model may take.
const MODEL_MEMORY_MAX: usize = 2 << 30;
/// The most operators in a graph.
pub(crate) const NODES_MAX: usize = 10_000;

/// A growing vector has up to twice the memory that it needs.
const GROWTH: usize = 2;
/// What the allocator and the pointer to it add to a string of its own.
const STRING_OVERHEAD: usize = 64;

pub(crate) fn decode(bytes: &[u8]) -> Result<ModelProto, OnnxError> {
    if bytes.len() > MODEL_BYTES_MAX {
        return Err(OnnxError::TooLarge { bytes: bytes.len(), max: MODEL_BYTES_MAX });
    }
    let mut scan = Scan { memory_left: MODEL_MEMORY_MAX, nodes: 0 };
    scan.message(Kind::Model, Wire { bytes, start: 0 })?;
    Ok(ModelProto::decode(bytes)?)
}

/// The messages whose parts are priced one by one.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
}

/// What a field of one of those messages becomes in memory.
enum Part {
    Message(Kind),
    /// An element of a list of strings.
    Text,
    /// An element of a list of numbers, or many of them packed.
    Numbers,
    /// Small messages within messages: a type, a dimension, an operator set.
    Nested,
    /// One string or number, or a field that is not read.
    Plain,
}

impl Kind {
    fn part(self, tag: u64) -> Part {
        match (self, tag) {
            (Self::Model, 7) => Part::Message(Self::Graph),
            (Self::Graph, 1) => Part::Message(Self::Node),
            (Self::Graph, 5) | (Self::Attribute, 5) => Part::Message(Self::Tensor),
            (Self::Node, 5) => Part::Message(Self::Attribute),
            (Self::Node, 1 | 2) | (Self::Attribute, 9) | (Self::Tensor, 6) => Part::Text,
            (Self::Attribute, 7 | 8) | (Self::Tensor, 1 | 4 | 5 | 7 | 10 | 11) => Part::Numbers,
            (Self::Model, 8) | (Self::Graph, 11 | 12) | (Self::Tensor, 13) => Part::Nested,
            _ => Part::Plain,
        }
    }

    fn memory(self) -> usize {
        match self {
            Self::Model | Self::Graph => 0,
            Self::Node => size_of::<NodeProto>(),
            Self::Attribute => size_of::<AttributeProto>(),
            Self::Tensor => size_of::<TensorProto>(),
        }
    }
}

struct Scan {
    memory_left: usize,
    nodes: usize,
}

impl Scan {
    fn message(&mut self, kind: Kind, mut wire: Wire<'_>) -> Result<(), OnnxError> {
        self.price(kind.memory() * GROWTH)?;
        if kind == Kind::Node {
            self.count_node()?;
        }
        while !wire.bytes.is_empty() {
            let (tag, value) = wire.field()?;
            self.part(kind.part(tag), value)?;
        }
        Ok(())
    }

    fn part(&mut self, part: Part, value: Value<'_>) -> Result<(), OnnxError> {
        match (part, value) {
            (Part::Message(kind), Value::Bytes(wire)) => self.message(kind, wire),
            (Part::Text, Value::Bytes(wire)) => self.price(wire.bytes.len() + STRING_OVERHEAD * GROWTH),
            // A packed number has at least one byte, an element in memory at most eight.
            (Part::Numbers, Value::Bytes(wire)) => self.price(wire.bytes.len() * 8 * GROWTH),
            (Part::Numbers, Value::Number) => self.price(8 * GROWTH),
            // The smallest message, two bytes long, takes less than 128 bytes.
            (Part::Nested, Value::Bytes(wire)) => self.price((wire.bytes.len() + 2) * 64 * GROWTH),
            (_, Value::Bytes(wire)) => self.price(wire.bytes.len()),
            (_, Value::Number) => Ok(()),
        }
    }

    fn price(&mut self, memory: usize) -> Result<(), OnnxError> {
        self.memory_left =
            self.memory_left.checked_sub(memory).ok_or(OnnxError::TooMuchMemory { max: MODEL_MEMORY_MAX })?;
        Ok(())
    }

    fn count_node(&mut self) -> Result<(), OnnxError> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(OnnxError::TooMany { what: "nodes", count: self.nodes, max: NODES_MAX });
        }
        Ok(())
    }
}

/// Bytes in protobuf's wire format and where in the file they begin.
struct Wire<'a> {
    bytes: &'a [u8],
    start: usize,
}

enum Value<'a> {
    Number,
    Bytes(Wire<'a>),
}

impl<'a> Wire<'a> {
    fn field(&mut self) -> Result<(u64, Value<'a>), OnnxError> {
        let key = self.varint()?;
        let Ok(wire_type) = WireType::try_from(key & 7) else {
            return Err(self.fault("unknown wire type"));
        };
        let value = match wire_type {
            WireType::Varint => {
                self.varint()?;
                Value::Number
            }
            WireType::SixtyFourBit => self.skip(8)?,
            WireType::ThirtyTwoBit => self.skip(4)?,
            WireType::LengthDelimited => {
                let length = self.varint()?;
                Value::Bytes(self.take(length)?)
            }
            WireType::StartGroup | WireType::EndGroup => {
                return Err(self.fault("groups are not supported"));
            }
        };
        Ok((key >> 3, value))
    }

    fn varint(&mut self) -> Result<u64, OnnxError> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let Some((&byte, rest)) = self.bytes.split_first() else {
                return Err(self.fault("the file ends within a number"));
            };
            self.bytes = rest;
            self.start += 1;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(self.fault("a number is too long"))
    }

    fn skip(&mut self, length: u64) -> Result<Value<'a>, OnnxError> {
        self.take(length)?;
        Ok(Value::Number)
    }

    fn take(&mut self, length: u64) -> Result<Wire<'a>, OnnxError> {
        let split = usize::try_from(length).ok().and_then(|length| self.bytes.split_at_checked(length));
        let Some((taken, rest)) = split else {
            return Err(self.fault("the file ends within a field"));
        };
        let wire = Wire { bytes: taken, start: self.start };
        self.bytes = rest;
        self.start += taken.len();
        Ok(wire)
    }

    fn fault(&self, reason: &'static str) -> OnnxError {
        OnnxError::NotProtobuf { offset: self.start, reason }
    }
}

/// Returns the tensor that a message describes; its elements must all be there.
pub(crate) fn tensor(proto: TensorProto) -> Result<Tensor, OnnxError> {
    let name = proto.name.clone().unwrap_or_default();
    if proto.data_location == Some(EXTERNAL) || !proto.external_data.is_empty() {
        return Err(OnnxError::ExternalData { tensor: name });
    }
    let invalid = |reason: String| OnnxError::InvalidTensor { tensor: name.clone(), reason };
    let shape = dimensions(&proto.dims).map_err(&invalid)?;
    let count = element_count(&shape).ok_or_else(|| invalid(format!("shape {shape:?} is too large")))?;
    let data = elements(proto, count).map_err(&invalid)?;
    Tensor::new(shape, data).map_err(|error| invalid(error.to_string()))
}

fn dimensions(dims: &[i64]) -> Result<Vec<usize>, String> {
    const RANK_MAX: usize = 32;
    if dims.len() > RANK_MAX {
        return Err(format!("{} dimensions, at most {RANK_MAX} are supported", dims.len()));
    }
    dims.iter().map(|&dim| usize::try_from(dim).map_err(|_| format!("dimension {dim} is negative"))).collect()
}

fn elements(proto: TensorProto, count: usize) -> Result<TensorData, String> {
    let Some(data_type) = proto.data_type else {
        return Err("no element type".to_owned());
    };
    if data_type == data_type::STRING {
        return strings(proto.string_data).map(String::wrap);
    }
    if let Some(raw) = proto.raw_data {
        return raw_elements(data_type, &raw, count);
    }
    let small = proto.int32_data;
    Ok(match data_type {
        data_type::FLOAT => proto.float_data.into(),
        data_type::DOUBLE => proto.double_data.into(),
        data_type::INT64 => proto.int64_data.into(),
        data_type::INT32 => small.into(),
        data_type::UINT64 => proto.uint64_data.into(),
        data_type::UINT32 => narrow::<u64, u32>(proto.uint64_data)?.into(),
        data_type::INT16 => narrow::<i32, i16>(small)?.into(),
        data_type::UINT16 => narrow::<i32, u16>(small)?.into(),
        data_type::INT8 => narrow::<i32, i8>(small)?.into(),
        data_type::UINT8 => narrow::<i32, u8>(small)?.into(),
        data_type::BOOL => small.into_iter().map(|element| element != 0).collect::<Vec<_>>().into(),
        other => return Err(unsupported_type(other)),
    })
}

fn narrow<Wide: Copy + std::fmt::Display, Narrow: TryFrom<Wide>>(elements: Vec<Wide>) -> Result<Vec<Narrow>, String> {
    elements
        .into_iter()
        .map(|element| Narrow::try_from(element).map_err(|_| format!("element {element} is out of range")))
        .collect()
}

pub(crate) fn strings(elements: Vec<Vec<u8>>) -> Result<Vec<String>, String> {
    elements.into_iter().map(|bytes| String::from_utf8(bytes).map_err(|_| "a string is not UTF-8".to_owned())).collect()
}

fn raw_elements(data_type: i32, raw: &[u8], count: usize) -> Result<TensorData, String> {
    macro_rules! little_endian {
        ($type:ty) => {{
            const SIZE: usize = size_of::<$type>();
            let (chunks, rest) = raw.as_chunks::<SIZE>();
            if chunks.len() != count || !rest.is_empty() {
                return Err(format!("{count} elements need {} bytes, there are {}", count * SIZE, raw.len()));
            }
            let elements: Vec<$type> = chunks.iter().map(|&chunk| <$type>::from_le_bytes(chunk)).collect();
            elements.into()
        }};
    }
    Ok(match data_type {
        data_type::FLOAT => little_endian!(f32),
        data_type::DOUBLE => little_endian!(f64),
        data_type::INT64 => little_endian!(i64),
        data_type::INT32 => little_endian!(i32),
        data_type::INT16 => little_endian!(i16),
        data_type::INT8 => little_endian!(i8),
        data_type::UINT64 => little_endian!(u64),
        data_type::UINT32 => little_endian!(u32),
        data_type::UINT16 => little_endian!(u16),
        data_type::UINT8 => little_endian!(u8),
        data_type::BOOL if raw.len() == count => raw.iter().map(|&byte| byte != 0).collect::<Vec<_>>().into(),
        data_type::BOOL => {
            return Err(format!("{count} elements need {count} bytes, there are {}", raw.len()));
        }
        other => return Err(unsupported_type(other)),
    })
}

fn unsupported_type(data_type: i32) -> String {
    format!("element type {data_type} is not supported")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(dims: Vec<i64>, raw: Vec<u8>) -> TensorProto {
        TensorProto {
            name: Some("w".to_owned()),
            dims,
            data_type: Some(data_type::FLOAT),
            raw_data: Some(raw),
            ..Default::default()
        }
    }

    #[test]
    fn elements_are_checked_against_the_bytes_present() {
        let two = [1.5f32.to_le_bytes(), 2.5f32.to_le_bytes()].concat();
        assert_eq!(tensor(floats(vec![2], two.clone())).unwrap().view::<f32>(), Some(&[1.5, 2.5][..]));
        let error = tensor(floats(vec![1 << 20], two)).unwrap_err().to_string();
        assert_eq!(error, "tensor `w`: 1048576 elements need 4194304 bytes, there are 8");
        assert!(tensor(floats(vec![i64::MAX, 2], vec![])).is_err());
        assert!(tensor(floats(vec![-1], vec![])).is_err());
    }

    #[test]
    fn t06_elements_in_other_files_are_refused() {
        let mut elsewhere = floats(vec![1], vec![]);
        elsewhere.data_location = Some(EXTERNAL);
        let error = tensor(elsewhere).unwrap_err().to_string();
        assert_eq!(error, "tensor `w` keeps its data in another file; embed it to make the model one file");
    }

    #[test]
    fn small_integers_come_from_the_common_field() {
        let proto = TensorProto {
            dims: vec![2],
            data_type: Some(data_type::INT8),
            int32_data: vec![-3, 7],
            ..Default::default()
        };
        assert_eq!(tensor(proto.clone()).unwrap().view::<i8>(), Some(&[-3, 7][..]));
        let wide = TensorProto { int32_data: vec![-3, 700], ..proto };
        assert!(tensor(wide).is_err());
    }

    #[test]
    fn many_tiny_nodes_are_refused_before_they_are_made() {
        // a graph (field 7) of nothing but empty nodes (field 1)
        let graph: Vec<u8> = [0x0a, 0].repeat(NODES_MAX + 1);
        let mut bytes = vec![0x3a];
        prost::encoding::encode_varint(graph.len() as u64, &mut bytes);
        bytes.extend(graph);
        assert!(matches!(decode(&bytes), Err(OnnxError::TooMany { what: "nodes", .. })));
    }

    #[test]
    fn memory_is_counted_before_it_is_taken() {
        let scanned = |kind, bytes: &[u8]| {
            let mut scan = Scan { memory_left: 10_000, nodes: 0 };
            scan.message(kind, Wire { bytes, start: 0 }).err().map(|error| error.to_string())
        };
        let refusal = Some("the model would take more than 2147483648 bytes of memory".to_owned());
        // packed integers of an attribute, empty strings, nodes with empty attributes
        let integers = [[0x42, 100].as_slice(), &[1; 100]].concat();
        assert_eq!(scanned(Kind::Attribute, &integers), None);
        assert_eq!(scanned(Kind::Attribute, &integers.repeat(8)), refusal);
        assert_eq!(scanned(Kind::Attribute, &[0x4a, 0].repeat(20)), None);
        assert_eq!(scanned(Kind::Attribute, &[0x4a, 0].repeat(100)), refusal);
        assert_eq!(scanned(Kind::Node, &[0x2a, 0].repeat(5)), None);
        assert_eq!(scanned(Kind::Node, &[0x2a, 0].repeat(50)), refusal);
    }

    #[test]
    fn text_is_not_a_model() {
        let error = decode(b"hello, this is not a model").unwrap_err();
        assert!(matches!(error, OnnxError::NotProtobuf { .. }), "{error}");
    }
}
