use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use stemma_core::{Digest, ErrorKind, Problem, name::TreePath};
use stemma_store::{Store, StoreError, VerifyReport};
use stemma_workspace::{State, StatusEntry, Workspace, WorkspaceError};

use super::Global;
use crate::{
    print::{self, Output},
    session, view,
};

/// Read all content in this workspace back and check that it is what it was
///
/// Ends with exit code 8 if anything that is stored is damaged.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Put damaged content back from tracked files that still have it
    #[arg(long)]
    repair: bool,
}

#[derive(Serialize)]
struct Verified {
    #[serde(flatten)]
    report: VerifyReport,
    /// Tracked files whose content is damaged.
    lost: Vec<TreePath>,
    /// Tracked files whose content was put back before.
    repaired: Vec<TreePath>,
}

pub async fn run(args: VerifyArgs, _global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let workspace = session::require_workspace()?;
    let store = workspace.open_store()?;
    let verified = tokio::task::block_in_place(|| verify(&args, &workspace, &store, output))?;
    output.result(&verified, || text(&verified, output));
    if verified.report.damaged.is_empty() {
        Ok(ExitCode::SUCCESS)
    } else {
        Ok(ExitCode::from(ErrorKind::Corrupt.exit_code()))
    }
}

fn verify(args: &VerifyArgs, workspace: &Workspace, store: &Store, output: &Output) -> Result<Verified, Problem> {
    let mut report = read_back(store, output)?;
    let mut repaired = Vec::new();
    if args.repair && !report.damaged.is_empty() {
        repaired = repair(workspace, store, &report)?;
        report = read_back(store, output)?;
    }
    let lock = workspace.lock()?;
    let lost = lock.entries().filter(|(_, entry)| is_lost(store, &report, &entry.digest));
    let lost = lost.map(|(path, _)| path.clone()).collect();
    Ok(Verified { report, lost, repaired })
}

fn read_back(store: &Store, output: &Output) -> Result<VerifyReport, Problem> {
    let bar = output.progress(0, "reading");
    let mut progress = |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let report = store.verify(&mut progress).map_err(WorkspaceError::from)?;
    bar.finish_and_clear();
    Ok(report)
}

fn is_lost(store: &Store, report: &VerifyReport, digest: &Digest) -> bool {
    report.damaged.iter().any(|damage| damage.digest == Some(*digest)) || !store.contains(digest)
}

/// Adds tracked files again whose content is damaged in the store and whole in the folder.
fn repair(workspace: &Workspace, store: &Store, report: &VerifyReport) -> Result<Vec<TreePath>, Problem> {
    let files = stemma_workspace::status(workspace)?;
    let is_cure = |file: &&StatusEntry| file.state == State::Unchanged && is_lost(store, report, &file.digest);
    let cures: Vec<&StatusEntry> = files.iter().filter(is_cure).collect();
    let put = || -> Result<(), StoreError> {
        let mut batch = store.repairing_batch();
        for file in &cures {
            let path = workspace.root().join(file.path.as_str());
            if path.is_dir() {
                stemma_store::Tree::from_directory(&mut batch, &path)?;
            } else {
                batch.put_file(&path, &mut |_| {})?;
            }
        }
        batch.commit()
    };
    put().map_err(WorkspaceError::from)?;
    Ok(cures.into_iter().map(|file| file.path.clone()).collect())
}

fn text(verified: &Verified, output: &Output) -> String {
    let VerifyReport { blobs, bytes, damaged, .. } = &verified.report;
    let all = format!("{}, {}", view::count(*blobs, "content"), print::bytes(*bytes));
    let mut text = match damaged.len() as u64 {
        0 => format!("{all}: {}\n", output.green("all as it was")),
        number => format!("{all}: {}\n", output.red(view::count(number, "damage"))),
    };
    for damage in damaged {
        let pack = damage.pack.as_ref().map(|pack| match damage.offset {
            Some(offset) => format!("{pack} at {offset}"),
            None => pack.clone(),
        });
        let place = damage.digest.map(|digest| digest.to_string()).or(pack).unwrap_or_default();
        text.push_str(&format!("  {place}: {}\n", damage.what));
    }
    for path in &verified.repaired {
        text.push_str(&format!("repaired from the file: {path}\n"));
    }
    for path in &verified.lost {
        text.push_str(&format!("the content of a tracked file is damaged: {path}\n"));
    }
    text
}
