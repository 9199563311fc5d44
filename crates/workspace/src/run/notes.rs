//! What a person should know of how a run was captured.

use std::path::Path;

use stemma_core::{pointer::POINTER_BYTES_MAX, record::FileRef};
use stemma_runner::Capture;

use super::{
    captured::ContentKind,
    ran::Ran,
    shelf::{Shelf, shown_path},
};
use crate::pointer;

/// Files of the environment that a run changed, by name; the rest is counted.
const ENVIRONMENT_CHANGES_MAX: usize = 20;
/// Names of hub repositories in the notes.
const HUB_NOTES_MAX: usize = 10;

/// Notes how it was watched.
pub(super) fn note_capture(ran: &Ran<'_>, shelf: &mut Shelf<'_>) {
    for note in &ran.code.notes {
        shelf.note(note.clone());
    }
    for problem in &ran.environment.problems {
        shelf.note(problem.clone());
    }
    let Capture { level, fallback, .. } = &ran.execution.capture;
    if let Some(reason) = fallback {
        let method = level.name();
        shelf.note(format!("system calls could not be watched ({reason}); captured by {method}"));
    }
    for used in ran.classified.hub.iter().take(HUB_NOTES_MAX) {
        let (kind, repository, blob) = (&used.kind, &used.repository, &used.blob);
        shelf.note(format!("read from a hub's cache: {kind} `{repository}`, blob `{blob}`"));
    }
}

/// Notes what the run read and wrote that nobody can keep.
pub(super) fn note_unheld(ran: &Ran<'_>, shelf: &mut Shelf<'_>) {
    let shown = |path: &Path| shown_path(ran.workspace.root(), path);
    for pipe in &ran.classified.pipes {
        shelf.miss(shown(pipe), ContentKind::Input, "it is a pipe or a device".into());
    }
    let written = &ran.classified.environment.written;
    for path in written.iter().take(ENVIRONMENT_CHANGES_MAX) {
        shelf.miss(shown(path), ContentKind::Output, "it is a part of the environment".into());
    }
    if let Some(more) = written.len().checked_sub(ENVIRONMENT_CHANGES_MAX + 1) {
        shelf.note(format!("the run changed {} more files of its own environment", more + 1));
    }
}

/// Names the inputs that only say where content is.
pub(super) fn note_pointers(ran: &Ran<'_>, inputs: &[FileRef], shelf: &mut Shelf<'_>) {
    let root = ran.workspace.root();
    // what DVC itself reads is no input that was meant to be something else
    let is_meant = |path: &str| Path::new(path).extension().is_some_and(|extension| extension == "dvc");
    for input in inputs.iter().filter(|input| input.size <= POINTER_BYTES_MAX && !is_meant(&input.path)) {
        if let Some(pointer) = pointer::at(&root.join(&input.path)) {
            shelf.note(format!("input `{}` is {pointer}, not the content: {}", input.path, pointer.hint()));
        }
    }
}
