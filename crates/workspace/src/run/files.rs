//! The files of a run on their way into the store.

use std::{collections::BTreeMap, path::Path};

use stemma_core::record::FileRef;
use stemma_runner::{Capture, CaptureLevel, FileAccess};
use stemma_store::StoreError;

use super::{
    captured::ContentKind,
    declared::Declared,
    ran::Ran,
    shelf::{Seen, Shelf},
};

/// What the files of a record may take up in JSON, so that homes accept it; what is beyond is cut and marked so.
const FILES_BYTES_MAX: usize = 12 << 20;

/// The files of a run, kept.
#[derive(Default)]
pub(super) struct Files {
    pub inputs: Vec<FileRef>,
    pub outputs: Vec<FileRef>,
    pub code: Vec<FileRef>,
    pub truncated: bool,
}

/// Shelves what the run touched, in the order in which it would be missed.
pub(super) fn shelve_files(ran: &Ran<'_>, shelf: &mut Shelf<'_>) -> Result<Files, StoreError> {
    let mut inputs = observed(&ran.classified.inputs, ContentKind::Input);
    let mut outputs = observed(&ran.classified.outputs, ContentKind::Output);
    if ran.execution.capture.level < CaptureLevel::Ptrace {
        add_declared(&ran.declared, &mut inputs, &mut outputs);
    }
    let capture = &ran.execution.capture;
    let code: Vec<Seen<'_>> = ran.classified.code.iter().map(|path| code_seen(capture, path)).collect();
    let mut budget = FILES_BYTES_MAX;
    let mut files = Files {
        code: shelve_all(shelf, &code, &mut budget)?,
        outputs: shelve_all(shelf, &outputs, &mut budget)?,
        inputs: shelve_all(shelf, &inputs, &mut budget)?,
        truncated: false,
    };
    files.truncated = budget == 0;
    Ok(files)
}

/// Where system calls are not watched, adds the files of `stemma.toml` that were not seen.
fn add_declared<'a>(declared: &'a Declared, inputs: &mut Vec<Seen<'a>>, outputs: &mut Vec<Seen<'a>>) {
    for seen in declared.seen() {
        let is_known = |list: &[Seen<'_>]| list.iter().any(|other| other.path == seen.path);
        if is_known(inputs) || is_known(outputs) {
            continue;
        }
        match seen.what {
            ContentKind::Input => inputs.push(seen),
            _ => outputs.push(seen),
        }
    }
}

fn observed(list: &[FileAccess], what: ContentKind) -> Vec<Seen<'_>> {
    list.iter().map(|access| Seen::observed(access, what)).collect()
}

fn code_seen<'a>(capture: &'a Capture, path: &'a Path) -> Seen<'a> {
    match capture.file(path) {
        Some(access) => Seen::observed(access, ContentKind::Code),
        None => Seen::unseen(path, ContentKind::Code),
    }
}

/// Shelves files until the budget is used up; then it is 0.
fn shelve_all(shelf: &mut Shelf<'_>, list: &[Seen<'_>], budget: &mut usize) -> Result<Vec<FileRef>, StoreError> {
    let mut shelved = Vec::new();
    for seen in list {
        if *budget == 0 {
            break;
        }
        let Some(file) = shelf.shelve(*seen)? else {
            continue;
        };
        let json = serde_json::to_vec(&file).expect("texts, digests and numbers are always JSON");
        *budget = budget.saturating_sub(json.len() + 1);
        shelved.push(file);
    }
    Ok(shelved)
}

impl Files {
    pub fn give_roles(&mut self, roles: &BTreeMap<String, String>) {
        for file in self.inputs.iter_mut().chain(&mut self.outputs) {
            file.role = roles.get(&file.path).cloned();
        }
    }
}
