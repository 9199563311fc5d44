//! Zip archives: torch checkpoints, TorchScript, and Keras 3.

use std::{collections::BTreeSet, io};

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
    tape::{Budget, Packed, Stop, Tape},
};

/// Pickles of an archive that are looked at; torch writes three at most.
const PICKLES_MAX: usize = 64;

pub(crate) fn findings(source: &dyn ReadAt, budget: &Budget) -> Result<Findings, Fault> {
    let Some(members) = settle(members(source))? else {
        return Ok(Findings::opaque("it begins as a zip archive, but its directory can be read in more than one way"));
    };
    let archive = Archive { source, members: &members, budget };
    let has = |name: &str| members.iter().any(|member| member.name == name);
    let is_keras = has("config.json") && has("metadata.json");
    // one file may be both, and is loaded by who takes it for the other
    let is_torch = members.iter().any(|member| below_top(&folded(&member.name)) == "data.pkl");
    if !is_keras && !is_torch {
        let what = format!("the {} members of a zip archive of no known format", members.len());
        return Ok(Findings::opaque(what));
    }
    let mut found = Findings::of(ModelFormat::Keras);
    if is_torch {
        archive.look_at_torch(&mut found)?;
    }
    if is_keras {
        found.format = ModelFormat::Keras;
        archive.look_at_keras(&mut found)?;
    }
    Ok(found)
}

/// As torch looks for names: it finds `DATA.PKL` where it asks for `data.pkl`.
fn folded(name: &str) -> String {
    name.to_ascii_lowercase().replace('\\', "/")
}

/// Everything of a checkpoint lies in one folder, whose name says nothing.
fn below_top(name: &str) -> &str {
    name.split_once('/').map_or(name, |(_, rest)| rest)
}

struct Archive<'a> {
    source: &'a dyn ReadAt,
    members: &'a [Member],
    budget: &'a Budget,
}

impl<'a> Archive<'a> {
    fn look_at_torch(&self, found: &mut Findings) -> Result<(), Fault> {
        let code = self.members.iter().find(|member| below_top(&folded(&member.name)).starts_with("code/"));
        found.format = if code.is_some() { ModelFormat::Torchscript } else { ModelFormat::Torch };
        found.runs.extend(code.map(|code| format!("runs TorchScript, as in `{}`", code.name)));
        let mut seen = BTreeSet::new();
        let doubled = self.members.iter().find(|member| !seen.insert(folded(&member.name)));
        found.unseen.extend(doubled.map(|member| format!("which of several members is taken for `{}`", member.name)));
        let mut pickles = self.members.iter().filter(|member| folded(&member.name).ends_with(".pkl"));
        for member in pickles.by_ref().take(PICKLES_MAX) {
            self.look_at_pickle(member, found)?;
        }
        found.unseen.extend(pickles.map(|member| format!("`{}`, one of too many pickles", member.name)));
        Ok(())
    }

    fn look_at_pickle(&self, member: &Member, found: &mut Findings) -> Result<(), Fault> {
        let Some(mut tape) = self.tape(member) else {
            found.unseen.push(format!("`{}`, which is encrypted or compressed in an unknown way", member.name));
            return Ok(());
        };
        let scanned = pickle::scan(&mut tape, self.budget)?;
        found.pickle(&scanned, Some(&member.name))?;
        if scanned.has_rest {
            found.unseen.push(format!("what follows the pickle in `{}`", member.name));
        }
        Ok(())
    }

    fn look_at_keras(&self, found: &mut Findings) -> Result<(), Fault> {
        let mut asked = keras::Asked::default();
        for member in self.members.iter().filter(|member| member.name == "config.json") {
            match self.text(member)? {
                Ok(config) => asked.look_at(&config),
                Err(why) => found.unseen.push(format!("`{}`, which {why}", member.name)),
            }
        }
        asked.tell(found);
        Ok(())
    }

    fn tape(&self, member: &Member) -> Option<Tape<'a>> {
        let end = member.start + member.len;
        match member.packing {
            Packing::Plain => Some(Tape::plain(self.source, member.start, end)),
            Packing::Deflated => Some(Tape::inflated(self.source, member.start, end, Packed::Deflate, self.budget)),
            Packing::Other => None,
        }
    }

    /// A member whole, unless it is too long; the text says why not.
    fn text(&self, member: &Member) -> io::Result<Result<Vec<u8>, &'static str>> {
        let Some(mut tape) = self.tape(member) else {
            return Ok(Err("is encrypted or compressed in an unknown way"));
        };
        let most = keras::CONFIG_LEN_MAX as usize;
        match tape.peek(most + 1) {
            Ok(bytes) if bytes.len() <= most => Ok(Ok(bytes.to_vec())),
            Ok(_) => Ok(Err("is longer than 8 MiB")),
            Err(Stop::Odd(_)) => Ok(Err("is damaged")),
            Err(Stop::Io(error)) => Err(error),
        }
    }
}
