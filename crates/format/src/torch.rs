//! Torch checkpoints: a zip archive with `data.pkl` and one member `data/<key>` per storage.
//!
//! Names, types and shapes are read off the pickle ([`crate::pickle`]) without running it. A pickle that is not
//! understood costs only the names: the storages are parts all the same.

use std::{collections::HashMap, io, sync::Arc};

use crate::{
    Part, ReadAt, TensorType,
    archive::Member,
    pickle::{self, Tensor},
};

const PICKLE: &str = "data.pkl";
const STORAGE_FOLDER: &str = "data/";
const BYTE_ORDER: &str = "byteorder";
/// Longest pickle that is looked at.
const PICKLE_MAX: u64 = 16 << 20;

/// The parts of a torch checkpoint; `None` if the archive is something else.
pub(crate) fn parts(source: &dyn ReadAt, members: &[Member]) -> io::Result<Option<Vec<Part>>> {
    let Some(pickle) = members.iter().find(|member| member.name == PICKLE && member.is_plain()) else {
        return Ok(None);
    };
    let tensors = match pickle.len <= PICKLE_MAX && is_little_endian(source, members)? {
        true => pickle::tensors(&source.bytes_at(pickle.start, pickle.len as usize)?).unwrap_or_default(),
        false => Vec::new(),
    };
    let mut by_storage: HashMap<&str, Vec<&Tensor>> = HashMap::new();
    for tensor in &tensors {
        by_storage.entry(&tensor.storage).or_default().push(tensor);
    }
    let mut parts = Vec::with_capacity(members.len());
    for member in members {
        let key = member.name.strip_prefix(STORAGE_FOLDER).filter(|_| member.is_plain());
        match key.and_then(|key| by_storage.remove(key)).and_then(|tensors| storage_parts(member, tensors)) {
            Some(found) => parts.extend(found),
            None => parts.push(member.part()),
        }
    }
    Ok(Some(parts))
}

/// Archives from before this member was written are.
fn is_little_endian(source: &dyn ReadAt, members: &[Member]) -> io::Result<bool> {
    let Some(member) = members.iter().find(|member| member.name == BYTE_ORDER) else {
        return Ok(true);
    };
    Ok(member.len == 6 && source.bytes_at(member.start, 6)? == b"little")
}

/// One part for each tensor of a storage; tied tensors count once, under their first name. If some overlap or jump, the
/// storage as a whole is one array; `None` if it is not even that.
fn storage_parts(member: &Member, tensors: Vec<&Tensor>) -> Option<Vec<Part>> {
    let found: Option<Vec<Part>> = tensors.iter().map(|tensor| tensor_part(member, tensor)).collect();
    let Some(mut found) = found else {
        return storage_part(member, &tensors).map(|part| vec![part]);
    };
    found.retain(|part| part.len > 0);
    // stable: the first name stays first
    found.sort_by_key(|part| part.start);
    found.dedup_by(|next, first| (next.start, next.len) == (first.start, first.len));
    let is_disjoint = found.windows(2).all(|pair| pair[0].end() <= pair[1].start);
    if is_disjoint { Some(found) } else { storage_part(member, &tensors).map(|part| vec![part]) }
}

/// `None` if it does not lie in one piece, or not within the storage.
fn tensor_part(member: &Member, tensor: &Tensor) -> Option<Part> {
    let shape = &tensor.shape;
    if !is_contiguous(shape, &tensor.stride) {
        return None;
    }
    let tensor_type = TensorType { dtype: tensor.dtype, shape: shape.clone() };
    let len = tensor_type.byte_len()?;
    let offset = tensor.offset.checked_mul(tensor.dtype.width() as u64)?;
    let fits = offset.checked_add(len)? <= member.len;
    let name = Arc::from(tensor.name.as_str());
    fits.then_some(Part { start: member.start + offset, len, name, tensor: Some(tensor_type) })
}

fn is_contiguous(shape: &[u64], stride: &[u64]) -> bool {
    let mut expected = 1u64;
    shape.len() == stride.len()
        && shape.iter().zip(stride).rev().all(|(&side, &stride)| {
            let fits = side == 1 || stride == expected;
            expected = expected.saturating_mul(side);
            fits
        })
}

fn storage_part(member: &Member, tensors: &[&Tensor]) -> Option<Part> {
    let dtype = tensors.first()?.dtype;
    let width = dtype.width() as u64;
    let is_one_type = tensors.iter().all(|tensor| tensor.dtype == dtype) && member.len.is_multiple_of(width);
    let tensor = TensorType { dtype, shape: vec![member.len / width] };
    is_one_type.then(|| Part { tensor: Some(tensor), ..member.part() })
}
