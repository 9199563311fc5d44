use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use stemma_core::Problem;
use stemma_workspace::{Inside, InsideChange, InsideState, State, StatusEntry};

use crate::{
    global::Global,
    print::{self, Output},
    session, view,
};

/// Say which tracked files differ from `stemma.lock`
///
/// Asks neither the home nor a server.
#[derive(Debug, Args)]
pub struct StatusArgs {}

#[derive(Serialize)]
struct Status {
    clean: bool,
    files: Vec<StatusEntry>,
}

pub async fn run(_args: StatusArgs, _global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let workspace = session::require_workspace()?;
    let files = tokio::task::block_in_place(|| stemma_workspace::status(&workspace))?;
    let clean = files.iter().all(|file| file.state == State::Unchanged);
    let status = Status { clean, files };
    output.result(&status, || text(&status));
    Ok(ExitCode::SUCCESS)
}

/// Paths of one folder that are shown.
const SHOWN_MAX: usize = 20;

/// What differs in a folder.
fn describe(folder: &StatusEntry, inside: &Inside) -> String {
    let row = |change: &InsideChange| {
        let state = match change.state {
            InsideState::Added => "added",
            InsideState::Modified => "modified",
            InsideState::Deleted => "deleted",
        };
        vec![format!("  {state}"), format!("{}/{}", folder.path, change.path)]
    };
    let mut text = format!("\n{}", print::columns(inside.changes.iter().take(SHOWN_MAX).map(row)));
    let all = inside.added + inside.modified + inside.deleted;
    if all > SHOWN_MAX as u64 {
        let Inside { added, modified, deleted, .. } = inside;
        text.push_str(&format!("\n  … {all} in all: {added} added, {modified} modified, {deleted} deleted"));
    }
    if let Some(refused) = &inside.refused {
        text.push_str(&format!("\n  {refused}"));
    }
    text
}

fn text(status: &Status) -> String {
    let tracked = view::count(status.files.len() as u64, "tracked path");
    if status.files.is_empty() {
        return "nothing is tracked yet; `stemma add FILE` begins".to_owned();
    }
    if status.clean {
        return format!("{tracked}, all as in stemma.lock");
    }
    let changed = status.files.iter().filter(|file| file.state != State::Unchanged);
    let row = |file: &StatusEntry| {
        let state = match file.state {
            State::Unchanged => "unchanged",
            State::Modified => "modified",
            State::Missing => "missing",
        };
        vec![state.to_owned(), file.path.to_string(), file.name.to_string()]
    };
    let mut list = print::columns(changed.clone().map(row));
    for (folder, inside) in changed.filter_map(|file| Some((file, file.inside.as_ref()?))) {
        list.push_str(&describe(folder, inside));
    }
    format!("{list}\n\n{tracked}; `stemma add` keeps a change, `stemma checkout` takes it back")
}
