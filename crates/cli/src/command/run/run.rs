use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;
use stemma_api::types::{ContentClaim, RecordRun, RunDetail};
use stemma_core::{
    Digest, ErrorKind, Problem,
    record::{RunKind, RunRecord},
};
use stemma_runner::{CaptureLevel, CaptureMode};
use stemma_store::Store;
use stemma_workspace::{CapturedRun, RunRequest, Workspace, WorkspaceError};

use super::auto_register::{Asked, AutoRegistered, auto_register};
use crate::{
    global::Global,
    print::Output,
    recorded::{record, who},
    session::{self, blocking},
    settings, view,
};

/// Longest record that is read back from the store.
const RECORD_BYTES_MAX: u64 = 64 << 20;

/// Run a command and record what it read, wrote and ran on
///
/// The command needs no knowledge of Stemma. Ends with the command's own exit code. With `--json`, the last line of
/// standard output is the run.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// What the run is for
    #[arg(long, value_enum, default_value = "training")]
    kind: Kind,
    /// How closely to watch at most: 4 system calls, 1 Python's own events, 0 only what `stemma.toml` declares
    #[arg(long, value_enum, value_name = "LEVEL", env = settings::env::CAPTURE, hide_env_values = true)]
    capture: Option<Level>,
    /// Send a run to the home that could not be sent when it ended, by the digest of its record
    #[arg(long, value_name = "DIGEST", conflicts_with = "command")]
    resend: Option<Digest>,
    /// The command with its arguments; no shell looks at them
    #[arg(last = true, required_unless_present = "resend", value_name = "COMMAND")]
    command: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Training,
    Evaluation,
    Stage,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Level {
    #[value(name = "4")]
    SystemCalls,
    #[value(name = "1")]
    Python,
    #[value(name = "0")]
    Declared,
}

pub async fn run(args: RunArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    if let Some(digest) = args.resend {
        return resend(digest, global, output).await;
    }
    let workspace = session::require_workspace()?;
    // the home is asked before the command runs, and is free for others while it does
    let actor = session::with(global, async |session| who(session).await).await?;
    let request = RunRequest {
        argv: args.command,
        directory: session::current_dir()?,
        kind: args.kind.into(),
        actor,
        project: session::project(global, Some(&workspace)),
        capture: args.capture.map_or(CaptureMode::Best, CaptureMode::from),
    };
    let asked = Asked::of(&workspace);
    let captured = watch(workspace, request).await?;
    let detail = session::with(global, async |session| record(session, &captured, output).await);
    let detail = detail.await.map_err(|problem| unsent(&problem, &captured.record_digest))?;
    let registered = auto_register(asked, &detail.record, global, output).await;
    report(Reported { detail, auto_register: registered }, &captured.notes, output);
    Ok(ExitCode::from(u8::try_from(captured.exit_code()).unwrap_or(u8::MAX)))
}

/// Records the runs of this workspace that were lost, because Stemma was killed before it could.
pub async fn record_lost(global: &Global, output: &Output) -> Result<(), Problem> {
    // one that can't be opened is told of by the command itself
    let Ok(Some(workspace)) = Workspace::find(&session::current_dir()?) else {
        return Ok(());
    };
    for lost in stemma_workspace::lost_runs(&workspace)? {
        let captured = stemma_workspace::record_lost(&workspace, &workspace.open_store()?, &lost)?;
        session::with(global, async |session| record(session, &captured, output).await).await?;
        lost.forget();
        output.note(format!("run {} was lost and is recorded as such: `stemma run` was ended", captured.record.id));
    }
    Ok(())
}

/// Runs the command on a thread of its own: it takes as long as it takes.
async fn watch(workspace: Workspace, request: RunRequest) -> Result<CapturedRun, Problem> {
    let store = workspace.open_store()?;
    let watched = tokio::task::spawn_blocking(move || stemma_workspace::run(&workspace, &store, &request));
    let watched = watched.await.map_err(|error| Problem::new(ErrorKind::Internal, error.to_string()))?;
    Ok(watched?)
}

/// Nothing is lost: the record is content like any other.
fn unsent(problem: &Problem, record: &Digest) -> Problem {
    let message = format!("the command has run, but the home did not take its record: {}", problem.message);
    Problem { missing: problem.missing.clone(), ..Problem::new(problem.kind, message) }
        .hint(format!("the record is kept; send it with `stemma run --resend {record}`"))
}

/// Sends a record that is only in the workspace's store.
async fn resend(digest: Digest, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let detail = session::with(global, async |session| {
        let store = session.store()?.clone();
        let bytes = blocking(move || store.read(&digest, RECORD_BYTES_MAX)).await?;
        let record: RunRecord = serde_json::from_slice(&bytes)
            .map_err(|error| Problem::invalid(format!("`{digest}` is not the record of a run: {error}")))?;
        let contents = contents(session.store()?, digest, &record)?;
        session.ensure_content(&contents, output).await?;
        session.client.record_run(&session.project, &RecordRun { record, digest }).await
    });
    let detail = detail.await?;
    let registered = match session::require_workspace() {
        Ok(workspace) => auto_register(Asked::of(&workspace), &detail.record, global, output).await,
        // outside of a folder of ours nothing is declared
        Err(_) => None,
    };
    report(Reported { detail, auto_register: registered }, &[], output);
    Ok(ExitCode::SUCCESS)
}

/// Everything that a record names, and the record itself.
fn contents(store: &Store, digest: Digest, record: &RunRecord) -> Result<Vec<ContentClaim>, Problem> {
    let files = record.inputs.iter().chain(&record.outputs).chain(&record.code.files);
    let mut digests: Vec<Digest> = files.map(|file| file.digest).collect();
    digests.extend(record.code.diff);
    digests.extend([record.environment, digest]);
    digests.sort();
    digests.dedup();
    let claim = |digest: Digest| match store.info(&digest).map_err(WorkspaceError::from)? {
        Some(info) => Ok(ContentClaim { digest, size: info.size, like: None }),
        None => Err(Problem::not_found(format!("content `{digest}` of the run is not in the store any more"))),
    };
    digests.into_iter().map(claim).collect()
}

/// The run, and what came of `[auto_register]` if that declares anything.
#[derive(Debug, Serialize)]
struct Reported {
    #[serde(flatten)]
    detail: RunDetail,
    #[serde(skip_serializing_if = "Option::is_none")]
    auto_register: Option<AutoRegistered>,
}

fn report(reported: Reported, notes: &[String], output: &Output) {
    if output.is_json() {
        output.line(&reported);
    } else {
        output.note(view::run::summary(&reported.detail));
    }
    if let Some(registered) = &reported.auto_register {
        registered.tell(output);
    }
    for note in notes {
        output.note(format!("note: {note}"));
    }
}

impl From<Kind> for RunKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Training => Self::Training,
            Kind::Evaluation => Self::Evaluation,
            Kind::Stage => Self::Stage,
        }
    }
}

impl From<Level> for CaptureMode {
    fn from(level: Level) -> Self {
        match level {
            Level::SystemCalls => Self::Best,
            Level::Python => Self::AtMost(CaptureLevel::PythonHook),
            Level::Declared => Self::AtMost(CaptureLevel::Declared),
        }
    }
}
