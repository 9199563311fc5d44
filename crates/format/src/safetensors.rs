//! safetensors: the length of a JSON header (8 bytes, little-endian), the header, then the tensors' bytes.
//!
//! Format: <https://huggingface.co/docs/safetensors>. The header maps names to `dtype`, `shape` and `data_offsets`, which
//! count from behind the header.

use std::{collections::BTreeMap, io};

use crate::{Dtype, Format, HEADER_MAX, Outline, PARTS_MAX, Part, ReadAt, TensorType};

const LENGTH_LEN: u64 = 8;

pub(crate) fn outline(source: &dyn ReadAt) -> io::Result<Option<Outline>> {
    let Some(header_len) = header_len(source)? else {
        return Ok(None);
    };
    let header = source.bytes_at(LENGTH_LEN, header_len as usize)?;
    Ok(parse(&header, LENGTH_LEN + header_len, source.len()))
}

pub(crate) fn may_begin(beginning: &[u8]) -> bool {
    let length = beginning.first_chunk().map(|length| u64::from_le_bytes(*length));
    length.is_some_and(|length| length <= HEADER_MAX) && beginning.get(LENGTH_LEN as usize) == Some(&b'{')
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
    // values first, so that a header of many millions of small values is refused by its number of names
    let entries: BTreeMap<String, serde_json::Value> = serde_json::from_slice(header).ok()?;
    if entries.len() > PARTS_MAX {
        return None;
    }
    let tensors = entries.into_iter().filter(|(name, _)| name != "__metadata__");
    let mut parts = Vec::new();
    for (name, entry) in tensors {
        let offsets = entry.get("data_offsets")?.as_array()?;
        let [begin, end] = offsets.as_slice() else { return None };
        let start = data_start.checked_add(begin.as_u64()?)?;
        let end = data_start.checked_add(end.as_u64()?)?;
        let part_len = end.checked_sub(start)?;
        if end > len {
            return None;
        }
        if part_len > 0 {
            let tensor = tensor_type(&entry, part_len);
            parts.push(Part { start, len: part_len, name: name.into(), tensor });
        }
    }
    parts.sort_unstable_by_key(|part| part.start);
    Some(Outline { format: Format::Safetensors, parts })
}

/// `None` for an element type that is not known here, or whose size does not fit.
fn tensor_type(entry: &serde_json::Value, len: u64) -> Option<TensorType> {
    let dtype = dtype(entry.get("dtype")?.as_str()?)?;
    let shape: Vec<u64> =
        entry.get("shape")?.as_array()?.iter().map(serde_json::Value::as_u64).collect::<Option<_>>()?;
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
