use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use stemma_core::{Digest, Problem, name::TreePath};
use stemma_workspace::{
    Overwrite, Undone,
    operations::{FileChange, Operation},
};

use crate::{
    global::Global,
    print::{self, Output},
    session, view,
};

/// Take back the last operation in this folder, or a named one
///
/// `stemma.lock` and the files that the operation wrote become what they were before. Dataset versions stay in the
/// home. Taking back is an operation too: `stemma undo` once more restores what it took back.
#[derive(Debug, Args)]
pub struct UndoArgs {
    /// Its number in `stemma log`; without it, the last operation
    #[arg(value_name = "OPERATION")]
    operation: Option<u64>,
    /// Override what changed since; content of overwritten files is kept in the store
    #[arg(long)]
    force: bool,
}

#[derive(Serialize)]
struct TakenBack {
    undone: Operation,
    operation: Option<u64>,
    lock: Vec<Entry>,
    files: Vec<FileChange>,
}

#[derive(Serialize)]
struct Entry {
    path: TreePath,
    digest: Option<Digest>,
}

pub async fn run(args: UndoArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let workspace = session::require_workspace_to_change(global).await?;
    let overwrite = if args.force { Overwrite::Force } else { Overwrite::Refuse };
    let store = workspace.open_store()?;
    let undo = || stemma_workspace::undo(&workspace, &store, args.operation, overwrite);
    let Undone { operation, number, lock, files } = tokio::task::block_in_place(undo)?;
    let lock = lock.into_iter().map(|(path, digest)| Entry { path, digest }).collect();
    let taken_back = TakenBack { undone: operation, operation: number, lock, files };
    output.result(&taken_back, || text(&taken_back));
    Ok(ExitCode::SUCCESS)
}

fn text(taken_back: &TakenBack) -> String {
    let undone = view::log::what(&taken_back.undone);
    let Some(number) = taken_back.operation else {
        return format!("everything is as before operation {} already: {undone}", taken_back.undone.number);
    };
    let content = |digest: Option<Digest>| digest.map(|digest| digest.to_string()).unwrap_or_default();
    let entry = |entry: &Entry| {
        let what = if entry.digest.is_some() { "in the lock" } else { "not tracked" };
        vec![what.to_owned(), entry.path.to_string(), content(entry.digest)]
    };
    let file = |file: &FileChange| {
        let what = if file.after.is_some() { "written" } else { "removed" };
        vec![what.to_owned(), file.path.to_string(), content(file.after)]
    };
    let rows = taken_back.lock.iter().map(entry).chain(taken_back.files.iter().map(file));
    format!(
        "operation {} is taken back by operation {number}: {undone}\n{}",
        taken_back.undone.number,
        print::columns(rows)
    )
}
