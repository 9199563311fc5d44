use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use stemma_api::types::Resolved;
use stemma_core::{Digest, Problem, name::TreePath};
use stemma_store::Store;
use stemma_workspace::{State, StatusEntry, Workspace};

use crate::{
    argument::absolute,
    difference::{ContentAt, Diff, FileDiff, FileState, Options, Side, diff_any, trees},
    global::Global,
    print::Output,
    session::{self, Session},
    view,
};

/// Say what changed: files, and in them tensors, rows and lines
///
/// Without a name, or with tracked paths: between `stemma.lock` and the folder. With one name: between that content and
/// the file in the folder that it is a version of. With two: between those. Tensors are matched by name, rows by the
/// columns of `--key`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// Tracked files or folders; or one or two of `dataset@1`, `model@1.0.0`, `b3:…`, and files
    #[arg(value_name = "THING")]
    things: Vec<String>,
    /// Columns that tell a table's rows apart; without them a row is itself
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    key: Vec<String>,
    /// Rows and tensors of each kind to show
    #[arg(long, value_name = "N", default_value_t = 10)]
    show: usize,
}

pub async fn run(args: DiffArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let workspace = Workspace::find(&session::current_dir()?)?;
    let options = Options { key: args.key.clone(), shown: args.show };
    let diff = match &workspace {
        Some(workspace) if are_tracked(workspace, &args.things)? => {
            diff_folder(workspace, &args.things, &options, global, output).await?
        }
        _ => diff_pair(&args.things, &options, global, output).await?,
    };
    output.result(&diff, || view::diff::text(&diff, args.show, output));
    Ok(ExitCode::SUCCESS)
}

/// Whether all that was typed is tracked, or holds what is.
fn are_tracked(workspace: &Workspace, things: &[String]) -> Result<bool, Problem> {
    let lock = workspace.lock()?;
    let is_tracked = |thing: &String| {
        let wanted = below(workspace, thing)?;
        Ok(lock.entries().any(|(path, _)| Path::new(path.as_str()).starts_with(&wanted)))
    };
    let tracked: Result<Vec<bool>, Problem> = things.iter().map(is_tracked).collect();
    Ok(tracked?.into_iter().all(|tracked| tracked))
}

/// A typed path, from the workspace's root; what lies outside is left as it is.
fn below(workspace: &Workspace, typed: &str) -> Result<PathBuf, Problem> {
    let path = absolute(Path::new(typed))?;
    Ok(path.strip_prefix(workspace.root()).map(Path::to_owned).unwrap_or(path))
}

/// Tracked files that are not as `stemma.lock` says.
async fn diff_folder(
    workspace: &Workspace,
    things: &[String],
    options: &Options,
    global: &Global,
    output: &Output,
) -> Result<Diff, Problem> {
    let wanted: Vec<PathBuf> = things.iter().map(|thing| below(workspace, thing)).collect::<Result<_, _>>()?;
    let is_wanted =
        |path: &TreePath| wanted.is_empty() || wanted.iter().any(|wanted| Path::new(path.as_str()).starts_with(wanted));
    let entries = tokio::task::block_in_place(|| stemma_workspace::status(workspace))?;
    let changed: Vec<StatusEntry> =
        entries.into_iter().filter(|entry| entry.state != State::Unchanged && is_wanted(&entry.path)).collect();
    let store = workspace.open_store()?;
    fetch_missing(&store, &changed, global, output).await?;
    tokio::task::block_in_place(|| {
        let mut diff = Diff::default();
        for entry in changed {
            diff_entry(workspace, &store, entry, options, output)?.append_to(&mut diff);
        }
        Ok(diff)
    })
}

/// What the lock names but this workspace does not hold comes from the home.
async fn fetch_missing(
    store: &Store,
    entries: &[StatusEntry],
    global: &Global,
    output: &Output,
) -> Result<(), Problem> {
    let is_missing = |entry: &&StatusEntry| {
        let is_here = store.contains(&entry.digest) || trees::is_tree(store, &entry.digest).unwrap_or(false);
        entry.state == State::Modified && !is_here
    };
    let missing: Vec<Digest> = entries.iter().filter(is_missing).map(|entry| entry.digest).collect();
    if missing.is_empty() {
        return Ok(());
    }
    session::with(global, async |session| {
        for digest in &missing {
            session.fetch(digest, output).await?;
        }
        Ok(())
    })
    .await
}

fn diff_entry(
    workspace: &Workspace,
    store: &Store,
    entry: StatusEntry,
    options: &Options,
    output: &Output,
) -> Result<Diff, Problem> {
    let path = entry.path.to_string();
    if entry.state == State::Missing {
        return Ok(FileDiff { before: path.clone(), after: path, state: FileState::Removed, contents: None }.into());
    }
    let before = Side {
        name: format!("{path} (stemma.lock)"),
        file_name: path.clone(),
        digest: Some(entry.digest),
        content: ContentAt::Stored(store.clone(), entry.digest),
    };
    let after = Side {
        name: path.clone(),
        file_name: path.clone(),
        digest: entry.present,
        content: ContentAt::File(workspace.root().join(&path)),
    };
    diff_any(&before, &after, options, output)
}

/// Two contents by any of their names, or one and its file in the folder.
async fn diff_pair(things: &[String], options: &Options, global: &Global, output: &Output) -> Result<Diff, Problem> {
    let (before, after) = match things {
        [one, other] if is_file(one) && is_file(other) => (file(one), file(other)),
        [one, other] => {
            session::with(global, async |session| {
                Ok((side(session, one, output).await?, side(session, other, output).await?))
            })
            .await?
        }
        [one] => session::with(global, async |session| with_folder(session, one, output).await).await?,
        [] => return Err(no_workspace()),
        _ => {
            return Err(Problem::invalid(
                "more than two things can't be compared, unless all of them are tracked files",
            )
            .hint("`stemma status` lists what is tracked"));
        }
    };
    tokio::task::block_in_place(|| diff_any(&before, &after, options, output))
}

fn no_workspace() -> Problem {
    match session::require_workspace() {
        Err(problem) => problem,
        Ok(_) => Problem::invalid("nothing to compare"),
    }
}

fn is_file(typed: &str) -> bool {
    Path::new(typed).is_file()
}

fn file(typed: &str) -> Side {
    let content = ContentAt::File(PathBuf::from(typed));
    Side { name: typed.to_owned(), file_name: typed.to_owned(), digest: None, content }
}

/// A file as it is; anything else is a name that the home knows.
async fn side(session: &Session, typed: &str, output: &Output) -> Result<Side, Problem> {
    if is_file(typed) {
        return Ok(file(typed));
    }
    let resolved = session.client.resolve(&session.project, typed).await?;
    stored(session, resolved, output).await
}

async fn stored(session: &Session, resolved: Resolved, output: &Output) -> Result<Side, Problem> {
    let digest = resolved.digest;
    let content = if session.workspace.is_some() {
        let store = session.store()?;
        if !store.contains(&digest) && !trees::is_tree(store, &digest)? {
            session.fetch(&digest, output).await?;
        }
        ContentAt::Stored(session.store()?.clone(), digest)
    } else {
        ContentAt::Fetched(session.download(&resolved, &std::env::temp_dir(), output).await?)
    };
    Ok(Side { name: resolved.name, file_name: resolved.file_name, digest: Some(digest), content })
}

/// A dataset's version, and the file that is tracked under that dataset's name.
async fn with_folder(session: &Session, typed: &str, output: &Output) -> Result<(Side, Side), Problem> {
    if is_file(typed) {
        return Err(Problem::invalid(format!("`{typed}` is not tracked, so there is nothing to compare it with"))
            .hint(format!("name both: `stemma diff dataset@1 {typed}`")));
    }
    let resolved = session.client.resolve(&session.project, typed).await?;
    let name = resolved.name.split('@').next().unwrap_or_default().to_owned();
    let workspace = session.workspace()?;
    let path = workspace.lock()?.path_of(&name).map(TreePath::to_string);
    let path = path.filter(|_| resolved.kind == "dataset").ok_or_else(|| {
        Problem::invalid(format!("no tracked file is a version of `{typed}`"))
            .hint(format!("name what to compare it with: `stemma diff {typed} OTHER`"))
    })?;
    let content = ContentAt::File(workspace.root().join(&path));
    let after = Side { name: path.clone(), file_name: path, digest: None, content };
    Ok((stored(session, resolved, output).await?, after))
}
