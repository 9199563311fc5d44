use std::{collections::BTreeSet, path::PathBuf, process::ExitCode};

use clap::Args;
use serde::Serialize;
use stemma_core::{Digest, ErrorKind, Problem};
use stemma_remote::{Progress, PullOptions};
use stemma_workspace::Workspace;

use crate::{
    global::Global,
    print::{self, Output},
    remotes::{self, Chosen},
    session, view,
};

/// Bring content from a remote into this workspace, checked byte by byte
///
/// Files are not touched; `stemma checkout` writes them. What has arrived stays: run the command again after an
/// interruption, and only the rest is brought. Ends with exit code 3 if something is not at the remote.
#[derive(Debug, Args)]
pub struct PullArgs {
    /// The remote, if there are several; then files or folders
    #[arg(value_name = "REMOTE|PATH")]
    what: Vec<PathBuf>,
    /// Bring also what any commit's `stemma.lock` names
    #[arg(long)]
    all_commits: bool,
    /// Read back what is here already, and replace what is damaged of it
    #[arg(long)]
    repair: bool,
}

#[derive(Serialize)]
struct PullResult {
    remote: String,
    /// Files and folders that were not here before.
    contents: u64,
    /// Bytes that were received.
    bytes: u64,
    /// What is neither here nor at the remote.
    absent: Vec<Digest>,
    /// Paths in `stemma.lock` that have such content.
    absent_paths: Vec<String>,
    /// What it took of requests to a server.
    #[serde(skip_serializing_if = "Option::is_none")]
    requests: Option<u64>,
}

pub async fn run(args: PullArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let workspace = session::require_workspace()?;
    let chosen = remotes::choose(&workspace, &args.what)?;
    let contents = remotes::contents(&workspace, &chosen, args.all_commits, output)?;
    let pulled = match chosen.server()? {
        Some(url) => from_server(&url, &workspace, &chosen, &contents, global, output).await?,
        None => from_objects(&args, &workspace, &chosen, contents, output).await?,
    };
    output.result(&pulled, || text(&pulled));
    if pulled.absent.is_empty() { Ok(ExitCode::SUCCESS) } else { Ok(ExitCode::from(ErrorKind::NotFound.exit_code())) }
}

async fn from_objects(
    args: &PullArgs,
    workspace: &Workspace,
    chosen: &Chosen,
    contents: BTreeSet<Digest>,
    output: &Output,
) -> Result<PullResult, Problem> {
    let store = workspace.open_store()?;
    let remote = chosen.connect(workspace, false)?;
    let catalog = remote.catalog().await?;
    for unusable in &catalog.unusable {
        output.note(format!("note: {unusable} at the remote, and counts for nothing"));
    }
    let bar = output.progress(0, "receiving");
    let mut progress = |moved: Progress| {
        bar.set_length(moved.total);
        bar.set_position(moved.done);
    };
    let wanted: Vec<Digest> = contents.into_iter().collect();
    let options = PullOptions { repair: args.repair, ..PullOptions::default() };
    let pulled = remote.pull(&store, &catalog, &wanted, options, &mut progress).await;
    bar.finish_and_clear();
    let pulled = pulled?;
    result(workspace, chosen, pulled.contents, pulled.bytes, pulled.absent)
}

async fn from_server(
    url: &str,
    workspace: &Workspace,
    chosen: &Chosen,
    contents: &BTreeSet<Digest>,
    global: &Global,
    output: &Output,
) -> Result<PullResult, Problem> {
    let global = Global { server: Some(url.to_owned()), ..global.clone() };
    let (fetched, requests) = session::with(&global, async |session| {
        let fetched = session.fetch_all(contents, output).await?;
        Ok((fetched, session.client.requests()))
    })
    .await?;
    let pulled = result(workspace, chosen, fetched.contents, fetched.bytes, fetched.absent)?;
    Ok(PullResult { requests: Some(requests), ..pulled })
}

fn result(
    workspace: &Workspace,
    chosen: &Chosen,
    contents: u64,
    bytes: u64,
    absent: Vec<Digest>,
) -> Result<PullResult, Problem> {
    let lock = workspace.lock()?;
    let paths = lock.entries().filter(|(_, entry)| absent.contains(&entry.digest));
    let absent_paths = paths.map(|(path, _)| path.to_string()).collect();
    Ok(PullResult { remote: chosen.name.clone(), contents, bytes, absent, absent_paths, requests: None })
}

fn text(pulled: &PullResult) -> String {
    let PullResult { remote, contents, bytes, absent, absent_paths, .. } = pulled;
    let mut text = match contents {
        0 if absent.is_empty() => "everything that is tracked is here".to_owned(),
        0 => format!("nothing of `{remote}` was needed"),
        _ => {
            let count = view::count(*contents, "content");
            format!("brought {count}, {} from `{remote}`; `stemma checkout` writes files", print::bytes(*bytes))
        }
    };
    for path in absent_paths {
        text.push_str(&format!("\nneither here nor at the remote: {path}"));
    }
    let others = absent.len().saturating_sub(absent_paths.len());
    if others > 0 {
        text.push_str(&format!("\nneither here nor at the remote: {}", view::count(others as u64, "other content")));
    }
    text
}
