use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use serde::Serialize;
use stemma_core::{Digest, Problem, at, name::TreePath};
use stemma_workspace::{CheckedOut, CheckoutError, Overwrite, State};

use crate::{
    argument::absolute,
    global::Global,
    print::{self, Output},
    session::{self, Session},
};

/// Bring tracked files to the content that `stemma.lock` says
///
/// A changed file whose content is nowhere else is refused. Content that is not here is fetched from the server.
#[derive(Debug, Args)]
pub struct CheckoutArgs {
    /// Files or folders; without one, everything that is tracked. With `@3` or `@{2026-03-01}` also `stemma.lock` goes
    /// back to that version
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
    if let Some(versions) = versions(&args)? {
        let written = session::with(global, async |session| travel(session, &versions, args.force, output).await);
        report(written.await?, output);
        return Ok(ExitCode::SUCCESS);
    }
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
    report(written, output);
    Ok(ExitCode::SUCCESS)
}

fn report(written: Vec<CheckedOut>, output: &Output) {
    let written = written.into_iter().map(|file| Written { path: file.path, digest: file.digest, was: file.was });
    let written: Vec<Written> = written.collect();
    output.result(&written, || text(&written));
}

/// The paths as texts, if they name versions; some that do and some that don't would leave in doubt what is meant.
fn versions(args: &CheckoutArgs) -> Result<Option<Vec<String>>, Problem> {
    let typed: Vec<String> = args.paths.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    let mut versioned = 0;
    for (text, path) in typed.iter().zip(&args.paths) {
        // a file whose name looks like that is meant itself
        versioned += usize::from(at::split(text)?.1.is_some() && path.symlink_metadata().is_err());
    }
    match versioned {
        0 => Ok(None),
        some if some == typed.len() => Ok(Some(typed)),
        _ => Err(Problem::invalid("some of the paths name a version and some do not")
            .hint("check out earlier versions and present ones one after the other")),
    }
}

async fn travel(
    session: &Session,
    versions: &[String],
    force: bool,
    output: &Output,
) -> Result<Vec<CheckedOut>, Problem> {
    let mut to = Vec::with_capacity(versions.len());
    for typed in versions {
        let (subject, _) = at::split(typed)?;
        let path = session::meant(session, subject)?.path.ok_or_else(|| {
            Problem::not_found(format!("`{subject}` is no path in this workspace")).hint("see `stemma status`")
        })?;
        let content = session::content(session, typed).await?;
        if !session.store()?.contains(&content.digest) {
            session.fetch(&content.digest, output).await?;
        }
        output.note(format!("{path} as {}", content.name));
        to.push((path, content.digest));
    }
    let (workspace, store) = (session.workspace()?, session.store()?);
    let overwrite = if force { Overwrite::Force } else { Overwrite::Refuse };
    Ok(tokio::task::block_in_place(|| stemma_workspace::travel(workspace, store, &to, overwrite))?)
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
