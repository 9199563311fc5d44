//! NumPy's `.npy`: a magic, a version, a header that is a Python dictionary as text, then one array.
//!
//! Format: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

use std::io;

use crate::{
    Dtype, Format, Outline, Part, ReadAt, TensorType,
    walk::{Cursor, Stop, Walk, ensure, settle},
};

pub(crate) const MAGIC: &[u8] = b"\x93NUMPY";
/// NumPy itself refuses longer ones, unless it is told to trust the file.
const HEADER_LEN_MAX: u64 = 64 << 10;
/// The array has no name.
const NAME: &str = "array";

pub(crate) fn outline(source: &dyn ReadAt) -> io::Result<Option<Outline>> {
    let array = array(source, 0, source.len())?;
    Ok(array.map(|array| Outline { format: Format::Npy, parts: array.part(NAME.into()).into_iter().collect() }))
}

/// The array of a `.npy` file.
pub(crate) struct Array {
    start: u64,
    end: u64,
    tensor: Option<TensorType>,
}

impl Array {
    pub fn part(self, name: std::sync::Arc<str>) -> Option<Part> {
        let len = self.end - self.start;
        (len > 0).then_some(Part { start: self.start, len, name, tensor: self.tensor })
    }
}

/// The array of the `.npy` file that lies in these bytes.
pub(crate) fn array(source: &dyn ReadAt, start: u64, end: u64) -> io::Result<Option<Array>> {
    settle(walk(source, start, end))
}

fn walk(source: &dyn ReadAt, start: u64, end: u64) -> Walk<Array> {
    let mut cursor = Cursor::new(source, start, end);
    ensure(cursor.array::<6>()? == MAGIC)?;
    let [major, _minor] = cursor.array()?;
    let header_len = match major {
        1 => cursor.u16()?.into(),
        2 | 3 => cursor.u32()?.into(),
        _ => return Err(Stop::Malformed),
    };
    ensure(header_len <= HEADER_LEN_MAX)?;
    let header = cursor.string(header_len)?;
    let start = cursor.at();
    let tensor = tensor_type(&header).filter(|tensor| tensor.byte_len() == Some(cursor.left()));
    Ok(Array { start, end: start + cursor.left(), tensor })
}

/// `None` for records, objects, big-endian numbers, and what makes no sense.
fn tensor_type(header: &str) -> Option<TensorType> {
    let dtype = dtype(quoted(value(header, "descr")?)?)?;
    let mut shape = shape(value(header, "shape")?)?;
    if value(header, "fortran_order")?.starts_with("True") {
        // as it lies in the file, the array is the transposed one
        shape.reverse();
    }
    Some(TensorType { dtype, shape })
}

/// What stands behind a key of the dictionary. The keys are fixed and no value contains one.
fn value<'h>(header: &'h str, key: &str) -> Option<&'h str> {
    let (_, rest) = header.split_once(&format!("'{key}':"))?;
    Some(rest.trim_start())
}

fn quoted(value: &str) -> Option<&str> {
    value.strip_prefix('\'')?.split_once('\'').map(|(text, _)| text)
}

fn shape(value: &str) -> Option<Vec<u64>> {
    let (sides, _) = value.strip_prefix('(')?.split_once(')')?;
    let sides = sides.split(',').map(str::trim).filter(|side| !side.is_empty());
    sides.map(|side| side.parse().ok()).collect()
}

fn dtype(descr: &str) -> Option<Dtype> {
    Some(match descr {
        "|b1" => Dtype::Bool,
        "|u1" => Dtype::U8,
        "|i1" => Dtype::I8,
        "<u2" => Dtype::U16,
        "<i2" => Dtype::I16,
        "<u4" => Dtype::U32,
        "<i4" => Dtype::I32,
        "<u8" => Dtype::U64,
        "<i8" => Dtype::I64,
        "<f2" => Dtype::F16,
        "<f4" => Dtype::F32,
        "<f8" => Dtype::F64,
        _ => return None,
    })
}
