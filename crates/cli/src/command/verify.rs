use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use stemma_core::{ErrorKind, Problem};
use stemma_store::VerifyReport;
use stemma_workspace::{Lock, WorkspaceError};

use super::Global;
use crate::{
    print::{self, Output},
    session, view,
};

/// Read all content in this workspace back and check that it is what it was
///
/// Ends with exit code 8 if something is damaged. Adding a damaged file again repairs it.
#[derive(Debug, Args)]
pub struct VerifyArgs {}

#[derive(Serialize)]
struct Verified {
    #[serde(flatten)]
    report: VerifyReport,
    /// Tracked paths whose content is damaged.
    paths: Vec<String>,
}

pub async fn run(_args: VerifyArgs, _global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let workspace = session::require_workspace()?;
    let store = workspace.open_store()?;
    let bar = output.progress(0, "reading");
    let mut progress = |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let report = tokio::task::block_in_place(|| store.verify(&mut progress)).map_err(WorkspaceError::from)?;
    bar.finish_and_clear();
    let paths = damaged_paths(&report, &workspace.lock()?);
    let verified = Verified { report, paths };
    output.result(&verified, || text(&verified, output));
    if verified.report.damaged.is_empty() {
        Ok(ExitCode::SUCCESS)
    } else {
        Ok(ExitCode::from(ErrorKind::Corrupt.exit_code()))
    }
}

fn damaged_paths(report: &VerifyReport, lock: &Lock) -> Vec<String> {
    let is_damaged = |digest| report.damaged.iter().any(|damage| damage.digest == Some(digest));
    let tracked = lock.entries().filter(|(_, entry)| is_damaged(entry.digest));
    tracked.map(|(path, entry)| format!("{path} ({})", entry.name)).collect()
}

fn text(verified: &Verified, output: &Output) -> String {
    let VerifyReport { blobs, bytes, damaged, .. } = &verified.report;
    let all = format!("{}, {}", view::count(*blobs, "content"), print::bytes(*bytes));
    if damaged.is_empty() {
        return format!("{all}: {}", output.green("all as it was"));
    }
    let mut text = format!("{all}: {}\n", output.red(view::count(damaged.len() as u64, "damage")));
    for damage in damaged {
        let content = damage.digest.map(|digest| digest.to_string());
        let pack = damage.pack.as_ref().map(|pack| match damage.offset {
            Some(offset) => format!("{pack} at {offset}"),
            None => pack.clone(),
        });
        let place = content.or(pack).unwrap_or_default();
        text.push_str(&format!("  {place}: {}\n", damage.what));
    }
    for path in &verified.paths {
        text.push_str(&format!("  tracked as {path}\n"));
    }
    text
}
