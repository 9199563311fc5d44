use std::process::ExitCode;

use clap::Args;
use stemma_api::types::{ContentUsage, VersionUsage};
use stemma_core::Problem;

use crate::{
    global::Global,
    print::{self, Output},
    session, view,
};

/// Say what versions take up, and what each has to itself
///
/// `own` is what would be freed without a version: what it shares with others (equal content, tensors, pieces of a
/// table) stays for them.
#[derive(Debug, Args)]
pub struct DuArgs {}

pub async fn run(_args: DuArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let usage = session::with(global, async |session| session.client.content_usage(&session.project).await).await?;
    output.result(&usage, || text(&usage));
    Ok(ExitCode::SUCCESS)
}

fn text(usage: &ContentUsage) -> String {
    let here = usage.versions.iter().filter(|version| !version.absent);
    let table = print::table(&["VERSION", "SIZE", "STORED", "OWN", "RATIO"], here.map(row));
    let absent = usage.versions.iter().filter(|version| version.absent).count() as u64;
    let elsewhere = match absent {
        0 => String::new(),
        _ => format!("\n{} not here", view::count(absent, "version")),
    };
    let (size, stored) = (print::bytes(usage.size), print::bytes(usage.stored));
    format!("{table}\n\nall content: {size}, stored in {stored}{elsewhere}")
}

fn row(version: &VersionUsage) -> Vec<String> {
    let ratio = match version.size {
        0 => String::new(),
        size => format!("{:.2}", version.stored as f64 / size as f64),
    };
    let sizes = [version.size, version.stored, version.own].map(print::bytes);
    [vec![version.names.join(", ")], sizes.to_vec(), vec![ratio]].concat()
}
