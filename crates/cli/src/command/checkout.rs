use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use serde::Serialize;
use stemma_core::{Digest, Problem, name::TreePath};
use stemma_workspace::{CheckoutError, Overwrite, State};

use super::{Global, add::absolute};
use crate::{
    print::{self, Output},
    session::{self, Session},
};

/// Bring tracked files to the content that `stemma.lock` says
///
/// A changed file whose content is nowhere else is refused. Content that is not here is fetched from the server.
#[derive(Debug, Args)]
pub struct CheckoutArgs {
    /// Files or folders; without one, everything that is tracked
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Overwrite also content that is nowhere else
    #[arg(long)]
    force: bool,
}

#[derive(Serialize)]
struct Written {
    path: TreePath,
    digest: Digest,
    was: State,
}

pub async fn run(args: CheckoutArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let workspace = session::require_workspace_to_change(global).await?;
    let paths: Result<Vec<PathBuf>, Problem> = args.paths.iter().map(|path| absolute(path)).collect();
    let paths = paths?;
    let overwrite = if args.force { Overwrite::Force } else { Overwrite::Refuse };
    let store = workspace.open_store()?;
    let checkout = || tokio::task::block_in_place(|| stemma_workspace::checkout(&workspace, &store, &paths, overwrite));
    let written = match checkout() {
        Err(CheckoutError::NotHere(absent)) if global.server.is_some() => {
            session::with(global, async |session| fetch(session, &absent, output).await).await?;
            checkout()?
        }
        done => done?,
    };
    let written = written.into_iter().map(|file| Written { path: file.path, digest: file.digest, was: file.was });
    let written: Vec<Written> = written.collect();
    output.result(&written, || text(&written));
    Ok(ExitCode::SUCCESS)
}

/// Brings the content of tracked paths from the server.
async fn fetch(session: &Session, paths: &[TreePath], output: &Output) -> Result<(), Problem> {
    let lock = session.workspace()?.lock()?;
    for entry in paths.iter().filter_map(|path| lock.get(path.as_str())) {
        session.fetch(&entry.digest, output).await?;
    }
    Ok(())
}

fn text(written: &[Written]) -> String {
    if written.is_empty() {
        return "everything is as in stemma.lock".to_owned();
    }
    let row = |file: &Written| {
        let what = match file.was {
            State::Missing => "restored",
            State::Modified | State::Unchanged => "overwritten",
        };
        vec![what.to_owned(), file.path.to_string(), file.digest.to_string()]
    };
    print::columns(written.iter().map(row))
}
