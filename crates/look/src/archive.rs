//! Zip archives: torch checkpoints, TorchScript, and Keras 3.

use std::io;

use stemma_core::look::ModelFormat;
use stemma_format::{
    ReadAt,
    archive::{Member, Packing, members},
    walk::settle,
};

use crate::{
    fault::Fault,
    findings::Findings,
    keras, pickle,
    tape::{Packed, Stop, Tape},
};

/// Pickles of an archive that are looked at; torch writes three at most.
const PICKLES_MAX: usize = 64;
const CONFIG_LEN_MAX: usize = 64 << 20;

pub(crate) fn findings(source: &dyn ReadAt) -> Result<Findings, Fault> {
    let Some(members) = settle(members(source))? else {
        return Ok(Findings::opaque("it begins as a zip archive, but its directory makes no sense"));
    };
    let has = |name: &str| members.iter().any(|member| member.name == name);
    if has("config.json") && has("metadata.json") {
        return keras(source, &members);
    }
    if members.iter().any(|member| below_top(&member.name) == "data.pkl") {
        return torch(source, &members);
    }
    Ok(Findings::opaque(format!("the {} members of a zip archive of no known format", members.len())))
}

/// Everything of a checkpoint lies in one folder, whose name says nothing.
fn below_top(name: &str) -> &str {
    name.split_once('/').map_or(name, |(_, rest)| rest)
}

fn torch(source: &dyn ReadAt, members: &[Member]) -> Result<Findings, Fault> {
    let code = members.iter().find(|member| below_top(&member.name).starts_with("code/"));
    let mut found = Findings::of(if code.is_some() { ModelFormat::Torchscript } else { ModelFormat::Torch });
    found.runs.extend(code.map(|code| format!("runs TorchScript, as in `{}`", code.name)));
    let mut pickles = members.iter().filter(|member| member.name.ends_with(".pkl"));
    for member in pickles.by_ref().take(PICKLES_MAX) {
        match tape(source, member) {
            Some(mut tape) => {
                let scanned = pickle::scan(&mut tape)?;
                found.pickle(&scanned, Some(&member.name))?;
                if scanned.has_rest {
                    found.unseen.push(format!("what follows the pickle in `{}`", member.name));
                }
            }
            None => found.unseen.push(format!("`{}`, which is encrypted or compressed in an unknown way", member.name)),
        }
    }
    found.unseen.extend(pickles.map(|member| format!("`{}`, one of too many pickles", member.name)));
    Ok(found)
}

fn keras(source: &dyn ReadAt, members: &[Member]) -> Result<Findings, Fault> {
    let mut found = Findings::of(ModelFormat::Keras);
    // two members of one name would be read by one program so and by another so
    for member in members.iter().filter(|member| member.name == "config.json") {
        match text(source, member)? {
            Ok(config) => keras::look_at(&config, &mut found),
            Err(why) => found.unseen.push(format!("`{}`, which {why}", member.name)),
        }
    }
    Ok(found)
}

fn tape<'a>(source: &'a dyn ReadAt, member: &Member) -> Option<Tape<'a>> {
    let end = member.start + member.len;
    match member.packing {
        Packing::Plain => Some(Tape::plain(source, member.start, end)),
        Packing::Deflated => Some(Tape::inflated(source, member.start, end, Packed::Deflate)),
        Packing::Other => None,
    }
}

/// A member whole, unless it is too long; the text says why not.
fn text(source: &dyn ReadAt, member: &Member) -> io::Result<Result<Vec<u8>, &'static str>> {
    let Some(mut tape) = tape(source, member) else {
        return Ok(Err("is encrypted or compressed in an unknown way"));
    };
    match tape.peek(CONFIG_LEN_MAX + 1) {
        Ok(bytes) if bytes.len() <= CONFIG_LEN_MAX => Ok(Ok(bytes.to_vec())),
        Ok(_) => Ok(Err("is longer than 64 MiB")),
        Err(Stop::Odd(_)) => Ok(Err("is damaged")),
        Err(Stop::Io(error)) => Err(error),
    }
}
