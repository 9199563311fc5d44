//! safetensors: the length of a JSON header (8 bytes, little-endian), the header, then the tensors' bytes.
//!
//! Format: <https://huggingface.co/docs/safetensors>. The header maps names to `dtype`, `shape` and `data_offsets`, which
//! count from behind the header.

use std::{fmt, io};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::{Dtype, Format, HEADER_MAX, Outline, PARTS_MAX, Part, ReadAt, TensorType};

const LENGTH_LEN: u64 = 8;

pub(crate) fn outline(source: &dyn ReadAt) -> io::Result<Option<Outline>> {
    let Some(header_len) = header_len(source)? else {
        return Ok(None);
    };
    let header = source.bytes_at(LENGTH_LEN, header_len as usize)?;
    Ok(parse(&header, LENGTH_LEN + header_len, source.len()))
}

/// Length of the header, if the file can be one of this format.
fn header_len(source: &dyn ReadAt) -> io::Result<Option<u64>> {
    let start = source.bytes_at(0, 9)?;
    let Some((length, [b'{'])) = start.split_at_checked(8) else {
        return Ok(None);
    };
    let len = u64::from_le_bytes(length.try_into().expect("it was split at 8 bytes"));
    Ok((len <= HEADER_MAX && len <= source.len() - LENGTH_LEN).then_some(len))
}

fn parse(header: &[u8], data_start: u64, len: u64) -> Option<Outline> {
    let Entries(entries) = serde_json::from_slice(header).ok()?;
    let mut parts = Vec::with_capacity(entries.len());
    for (name, Entry { dtype, shape, data_offsets: (begin, end) }) in entries {
        let start = data_start.checked_add(begin)?;
        let end = data_start.checked_add(end).filter(|end| *end <= len)?;
        let part_len = end.checked_sub(start)?;
        if part_len > 0 {
            let tensor = tensor_type(&dtype, shape.0, part_len);
            parts.push(Part { start, len: part_len, name: name.into(), tensor });
        }
    }
    parts.sort_unstable_by_key(|part| part.start);
    Some(Outline { format: Format::Safetensors, parts })
}

/// The header's tensors. Read one by one, so that what a header makes us hold is bounded by [`PARTS_MAX`] and its length.
struct Entries(Vec<(String, Entry)>);

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Shape,
    data_offsets: (u64, u64),
}

struct Shape(Vec<u64>);

/// More dimensions than any library makes.
const DIMENSIONS_MAX: usize = 64;

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    }
                    if entries.len() == PARTS_MAX {
                        return Err(A::Error::custom("too many tensors"));
                    }
                    entries.push((name, map.next_value()?));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Map)
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Sides;
        impl<'de> Visitor<'de> for Sides {
            type Value = Shape;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of lengths")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sides: A) -> Result<Shape, A::Error> {
                let mut shape = Vec::new();
                while let Some(side) = sides.next_element()? {
                    if shape.len() == DIMENSIONS_MAX {
                        return Err(A::Error::custom("too many dimensions"));
                    }
                    shape.push(side);
                }
                Ok(Shape(shape))
            }
        }
        deserializer.deserialize_seq(Sides)
    }
}

/// `None` for an element type that is not known here, or whose size does not fit.
fn tensor_type(name: &str, shape: Vec<u64>, len: u64) -> Option<TensorType> {
    let dtype = dtype(name)?;
    let elements = shape.iter().try_fold(1u64, |product, side| product.checked_mul(*side))?;
    (elements.checked_mul(dtype.width() as u64)? == len).then_some(TensorType { dtype, shape })
}

fn dtype(name: &str) -> Option<Dtype> {
    Some(match name {
        "BOOL" => Dtype::Bool,
        "U8" => Dtype::U8,
        "I8" => Dtype::I8,
        "U16" => Dtype::U16,
        "I16" => Dtype::I16,
        "U32" => Dtype::U32,
        "I32" => Dtype::I32,
        "U64" => Dtype::U64,
        "I64" => Dtype::I64,
        "F8_E4M3" => Dtype::F8E4M3,
        "F8_E5M2" => Dtype::F8E5M2,
        "F16" => Dtype::F16,
        "BF16" => Dtype::Bf16,
        "F32" => Dtype::F32,
        "F64" => Dtype::F64,
        _ => return None,
    })
}
