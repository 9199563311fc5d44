//! Zip files by what their members are: arrays in `.npz` ([`crate::npy`]), storages of tensors in torch checkpoints
//! ([`crate::torch`]), anything in others.

use std::io;

use crate::{
    Format, Outline, Part, ReadAt,
    archive::{self, Member},
    npy, torch,
    walk::settle,
};

pub(crate) fn outline(source: &dyn ReadAt) -> io::Result<Option<Outline>> {
    let Some(mut members) = settle(archive::members(source))? else {
        return Ok(None);
    };
    let is_npz = members.iter().all(|member| member.name.ends_with(".npy"));
    if !is_npz {
        strip_top_folder(&mut members);
    }
    members.retain(|member| member.len > 0);
    members.sort_by_key(|member| member.start);
    let parts = match torch::parts(source, &members)? {
        Some(parts) => parts,
        None => plain_parts(source, members)?,
    };
    Ok(Some(Outline { format: Format::Zip, parts }))
}

fn plain_parts(source: &dyn ReadAt, members: Vec<Member>) -> io::Result<Vec<Part>> {
    let mut parts = Vec::with_capacity(members.len());
    for member in members {
        let array_name = member.name.strip_suffix(".npy").filter(|_| member.is_plain());
        let array = match array_name {
            Some(_) => npy::array(source, member.start, member.start + member.len)?,
            None => None,
        };
        match (array, array_name) {
            (Some(array), Some(name)) => parts.extend(array.part(name.into())),
            _ => parts.push(member.part()),
        }
    }
    Ok(parts)
}

/// Everything in `name-1.2/…` is what it would be in `name-1.3/…`.
fn strip_top_folder(members: &mut [Member]) {
    let top = members.first().and_then(|first| first.name.split_once('/')).map(|(top, _)| format!("{top}/"));
    let Some(top) = top.filter(|top| members.iter().all(|member| member.name.starts_with(top))) else {
        return;
    };
    members.iter_mut().for_each(|member| drop(member.name.drain(..top.len())));
}
