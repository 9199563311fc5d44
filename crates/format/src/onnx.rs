//! ONNX: a protobuf message, of which only the path to the weights is walked: `ModelProto.graph.initializer[]`.
//!
//! Format: <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3>. Weights in subgraphs, in attributes and in files
//! of their own are no parts.

use std::io;

use crate::{
    Dtype, Format, Outline, PARTS_MAX, Part, ReadAt, TensorType,
    protobuf::{Value, next, skip},
    walk::{Cursor, Walk, ensure, settle},
};

/// Field 1, a number: `ir_version`, which writers put first.
pub(crate) const FIRST_TAG: &[u8] = &[0x08];
const NAME_LEN_MAX: u64 = 64 << 10;
const DIMENSIONS_MAX: usize = 64;

/// Numbers of fields.
mod field {
    pub const MODEL_IR_VERSION: u64 = 1;
    pub const MODEL_GRAPH: u64 = 7;
    pub const GRAPH_INITIALIZER: u64 = 5;
    pub const TENSOR_DIMS: u64 = 1;
    pub const TENSOR_DATA_TYPE: u64 = 2;
    pub const TENSOR_FLOAT_DATA: u64 = 4;
    pub const TENSOR_NAME: u64 = 8;
    pub const TENSOR_RAW_DATA: u64 = 9;
    pub const TENSOR_DOUBLE_DATA: u64 = 10;
}

/// Leaves out tensors of fewer bytes than `len_min`.
pub(crate) fn outline(source: &dyn ReadAt, len_min: u64) -> io::Result<Option<Outline>> {
    settle(walk(source, len_min))
}

fn walk(source: &dyn ReadAt, len_min: u64) -> Walk<Outline> {
    let mut cursor = Cursor::new(source, 0, source.len());
    let (mut parts, mut has_version, mut has_graph) = (Vec::new(), false, false);
    while cursor.left() > 0 {
        match next(&mut cursor)? {
            (field::MODEL_IR_VERSION, Value::Number(_)) => has_version = true,
            (field::MODEL_GRAPH, Value::Bytes(len)) => {
                let mut inner = cursor.inner(len)?;
                graph(&mut inner, len_min, &mut parts)?;
                cursor.resume(inner);
                has_graph = true;
            }
            (_, value) => skip(&mut cursor, &value)?,
        }
    }
    ensure(has_version && has_graph)?;
    Ok(Outline { format: Format::Onnx, parts })
}

fn graph(cursor: &mut Cursor<'_>, len_min: u64, parts: &mut Vec<Part>) -> Walk<()> {
    while cursor.left() > 0 {
        match next(cursor)? {
            (field::GRAPH_INITIALIZER, Value::Bytes(len)) => {
                let mut inner = cursor.inner(len)?;
                let part = tensor(&mut inner)?;
                cursor.resume(inner);
                parts.extend(part.filter(|part| part.len >= len_min));
                ensure(parts.len() <= PARTS_MAX)?;
            }
            (_, value) => skip(cursor, &value)?,
        }
    }
    Ok(())
}

#[derive(Default)]
struct Tensor {
    name: String,
    shape: Vec<u64>,
    data_type: u64,
    /// Start and length.
    data: Option<(u64, u64)>,
}

fn tensor(cursor: &mut Cursor<'_>) -> Walk<Option<Part>> {
    let mut tensor = Tensor::default();
    while cursor.left() > 0 {
        match next(cursor)? {
            (field::TENSOR_DIMS, Value::Number(side)) => tensor.side(side)?,
            (field::TENSOR_DIMS, Value::Bytes(len)) => {
                let mut inner = cursor.inner(len)?;
                while inner.left() > 0 {
                    tensor.side(inner.varint()?)?;
                }
                cursor.resume(inner);
            }
            (field::TENSOR_DATA_TYPE, Value::Number(data_type)) => tensor.data_type = data_type,
            (field::TENSOR_NAME, Value::Bytes(len)) => {
                ensure(len <= NAME_LEN_MAX)?;
                tensor.name = cursor.string(len)?;
            }
            // a packed list of numbers is written as they lie in memory
            (
                field::TENSOR_RAW_DATA | field::TENSOR_FLOAT_DATA | field::TENSOR_DOUBLE_DATA,
                Value::Bytes(len @ 1..),
            ) => {
                tensor.data = Some((cursor.at(), len));
                cursor.skip(len)?;
            }
            (_, value) => skip(cursor, &value)?,
        }
    }
    Ok(tensor.part())
}

impl Tensor {
    fn side(&mut self, side: u64) -> Walk<()> {
        ensure(self.shape.len() < DIMENSIONS_MAX)?;
        self.shape.push(side);
        Ok(())
    }

    fn part(self) -> Option<Part> {
        let (start, len) = self.data?;
        let tensor = dtype(self.data_type).map(|dtype| TensorType { dtype, shape: self.shape });
        let tensor = tensor.filter(|tensor| tensor.byte_len() == Some(len));
        Some(Part { start, len, name: self.name.into(), tensor })
    }
}

/// `TensorProto.DataType`
fn dtype(data_type: u64) -> Option<Dtype> {
    Some(match data_type {
        1 => Dtype::F32,
        2 => Dtype::U8,
        3 => Dtype::I8,
        4 => Dtype::U16,
        5 => Dtype::I16,
        6 => Dtype::I32,
        7 => Dtype::I64,
        9 => Dtype::Bool,
        10 => Dtype::F16,
        11 => Dtype::F64,
        12 => Dtype::U32,
        13 => Dtype::U64,
        16 => Dtype::Bf16,
        17 => Dtype::F8E4M3,
        19 => Dtype::F8E5M2,
        _ => return None,
    })
}
