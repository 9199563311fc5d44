use std::{collections::BTreeSet, path::PathBuf, process::ExitCode};

use clap::Args;
use serde::Serialize;
use stemma_api::types::{ContentClaim, ContentList};
use stemma_core::{Clock as _, Digest, Problem, SystemClock};
use stemma_remote::{Absence, PushPlan, Remote, RemoteError, Standing};
use stemma_store::Store;
use stemma_workspace::Workspace;

use crate::{
    global::Global,
    print::{self, Output},
    remotes::{self, Chosen},
    session::{self, Session},
    view,
};

/// Attempts to move a reference that others move too.
const MOVES_MAX: usize = 10;
/// Contents that a server is told at a time to keep.
const KEPT_MAX: usize = 50_000;

/// Send content to a remote: what it lacks, and nothing else
///
/// What was sent before an interruption is not sent again. Without a path, everything that is tracked is sent, and the
/// remote's reference of the project is moved to this state of `stemma.lock`.
#[derive(Debug, Args)]
pub struct PushArgs {
    /// The remote, if there are several; then files or folders
    #[arg(value_name = "REMOTE|PATH")]
    what: Vec<PathBuf>,
    /// Send also what any commit's `stemma.lock` names
    #[arg(long)]
    all_commits: bool,
    /// Only say what would be sent
    #[arg(long)]
    dry_run: bool,
    /// Begin anew where the remote that was pushed to before is gone, empty, or another one
    #[arg(long)]
    create: bool,
}

#[derive(Serialize)]
struct PushResult {
    remote: String,
    dry_run: bool,
    /// Files and folders that the remote lacked.
    contents: u64,
    /// Bytes as they are stored and sent.
    bytes: u64,
    /// The reference that was moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    /// What it took of requests to a server.
    #[serde(skip_serializing_if = "Option::is_none")]
    requests: Option<u64>,
}

pub async fn run(args: PushArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let workspace = session::require_workspace()?;
    let chosen = remotes::choose(&workspace, &args.what)?;
    let contents = remotes::contents(&workspace, &chosen, args.all_commits, output)?;
    let pushed = match chosen.server()? {
        Some(url) => to_server(&args, &url, &chosen, &contents, global, output).await?,
        None => to_objects(&args, &workspace, &chosen, contents, global, output).await?,
    };
    output.result(&pushed, || text(&pushed));
    Ok(ExitCode::SUCCESS)
}

async fn to_objects(
    args: &PushArgs,
    workspace: &Workspace,
    chosen: &Chosen,
    contents: BTreeSet<Digest>,
    global: &Global,
    output: &Output,
) -> Result<PushResult, Problem> {
    let store = workspace.open_store()?;
    let remote = connect(args, workspace, chosen)?;
    let catalog = remote.catalog().await?;
    for unusable in &catalog.unusable {
        output.note(format!("note: {unusable} at the remote, and counts for nothing"));
    }
    let standing = remote.standing(&catalog).await?;
    if let Standing::Gone(absence) = standing
        && !args.create
    {
        return Err(chosen.gone(absence));
    }
    let lock = if chosen.is_whole() { Some(lock_content(workspace, &store)?) } else { None };
    let wanted: Vec<Digest> = contents.into_iter().chain(lock).collect();
    let plan = tokio::task::block_in_place(|| PushPlan::new(&store, &catalog, &wanted))?;
    let mut result = PushResult {
        remote: chosen.name.clone(),
        dry_run: args.dry_run,
        contents: plan.contents,
        bytes: plan.bytes,
        reference: None,
        requests: None,
    };
    if args.dry_run {
        return Ok(result);
    }
    if standing != Standing::Known {
        remote.adopt().await?;
    }
    if !plan.is_empty() {
        let bar = output.progress(plan.bytes, "sending");
        let mut progress = |moved: stemma_remote::Progress| {
            bar.set_length(moved.total);
            bar.set_position(moved.done);
        };
        let pushed = remote.push(&store, &catalog, plan, &mut progress).await;
        bar.finish_and_clear();
        result.bytes = pushed?.bytes;
    }
    if let Some(lock) = lock {
        let project = session::project(global, Some(workspace)).to_string();
        point(&remote, &project, lock).await?;
        result.reference = Some(project);
    }
    Ok(result)
}

/// The folder of a remote is made by the first push only: later, one that is not there is on a disk that is not there.
fn connect(args: &PushArgs, workspace: &Workspace, chosen: &Chosen) -> Result<Remote, Problem> {
    let is_first = !stemma_remote::was_met(&chosen.cache(workspace))?;
    match chosen.connect(workspace, args.create || is_first) {
        Err(RemoteError::NotThere { .. }) => Err(chosen.gone(Absence::NotThere)),
        connected => Ok(connected?),
    }
}

/// Keeps the text of `stemma.lock` as content.
fn lock_content(workspace: &Workspace, store: &Store) -> Result<Digest, Problem> {
    let text = workspace.lock()?.render();
    Ok(store.put_bytes(text.as_bytes()).map_err(stemma_workspace::WorkspaceError::from)?.digest)
}

/// Moves the project's reference. Who comes second moves it on: both states stay in its history.
async fn point(remote: &Remote, project: &str, lock: Digest) -> Result<(), Problem> {
    let by = session::asserted_name().await.map_or_else(|| "somebody".to_owned(), |name| name.to_string());
    let mut moved = Ok(());
    for _ in 0..MOVES_MAX {
        let held = remote.reference(project).await?;
        if held.as_ref().is_some_and(|held| held.digest == lock) {
            return Ok(());
        }
        match remote.advance(project, held.as_ref(), lock, &by, SystemClock.now()).await {
            Ok(_) => return Ok(()),
            Err(error @ RemoteError::Moved { .. }) => moved = Err(error),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(moved?)
}

/// A server is told which contents there are, folders level by level, and sent those that it lacks.
async fn to_server(
    args: &PushArgs,
    url: &str,
    chosen: &Chosen,
    contents: &BTreeSet<Digest>,
    global: &Global,
    output: &Output,
) -> Result<PushResult, Problem> {
    let global = Global { server: Some(url.to_owned()), ..global.clone() };
    session::with(&global, async |session| {
        check_home(args, chosen, session).await?;
        let store = session.store()?;
        let claims = remotes::claims(store, contents)?;
        let lacking = session.lacking(store, &claims).await?;
        let (count, bytes) = (lacking.len() as u64, lacking.iter().map(|piece| piece.size).sum());
        if !args.dry_run {
            session.send(store, lacking, output).await?;
            keep(session, claims).await?;
        }
        Ok(PushResult {
            remote: chosen.name.clone(),
            dry_run: args.dry_run,
            contents: count,
            bytes,
            reference: None,
            requests: Some(session.client.requests()),
        })
    })
    .await
}

/// A server whose home is another one has lost, or never had, what was pushed before.
async fn check_home(args: &PushArgs, chosen: &Chosen, session: &Session) -> Result<(), Problem> {
    let cache = chosen.cache(session.workspace()?);
    let home = session.client.home().await?.home.to_string();
    match stemma_remote::remembered(&cache)? {
        Some(known) if known == home => Ok(()),
        Some(_) if !args.create => Err(chosen.gone(Absence::Another)),
        _ if args.dry_run => Ok(()),
        _ => Ok(stemma_remote::remember(&cache, &home)?),
    }
}

/// What nobody names is garbage: a push makes a fact of it that its contents are to stay.
async fn keep(session: &Session, mut claims: Vec<ContentClaim>) -> Result<(), Problem> {
    while !claims.is_empty() {
        let rest = claims.split_off(claims.len().min(KEPT_MAX));
        session.client.keep_content(&session.project, &ContentList { contents: claims }).await?;
        claims = rest;
    }
    Ok(())
}

fn text(pushed: &PushResult) -> String {
    let PushResult { remote, contents, bytes, .. } = pushed;
    let what = format!("{}, {}", view::count(*contents, "content"), print::bytes(*bytes));
    match (contents, pushed.dry_run) {
        (0, _) => format!("`{remote}` has everything"),
        (_, true) => format!("would send {what} to `{remote}`"),
        (_, false) => format!("sent {what} to `{remote}`"),
    }
}
