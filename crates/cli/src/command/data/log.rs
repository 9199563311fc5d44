use std::process::ExitCode;

use clap::Args;
use stemma_api::types::{DatasetVersion, Page};
use stemma_core::{ErrorKind, Problem, name::DatasetName, near};
use stemma_workspace::{
    Workspace,
    operations::{self, Journal},
};

use crate::{
    global::Global,
    print::Output,
    session::{self, Meant, Session},
    view::log::{Done, DoneToPath, History, Log, Lost, history, list},
};

/// Say what was done in this folder, or how data came to be what it is
///
/// Of a path or a dataset: its versions with who added them, from which run and where they came from, and the
/// operations that changed it here. Ends with exit code 8 if a part of that history is gone.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// A path, or a dataset's name
    #[arg(value_name = "PATH|DATASET")]
    of: Option<String>,
    /// How many of each, newest first
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
}

pub async fn run(args: LogArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let limit = args.limit as usize;
    let Some(of) = &args.of else {
        let workspace = session::require_workspace()?;
        let log = tokio::task::block_in_place(|| operations_of(&workspace, limit))?;
        output.result(&log, || list(&log));
        let is_whole = log.lost.is_nothing() && log.operations.iter().all(|done| done.unreadable.is_none());
        return Ok(exit(is_whole));
    };
    let found = session::with(global, async |session| history_of(session, of, limit).await).await?;
    output.result(&found, || history(&found));
    Ok(exit(found.lost.is_nothing()))
}

fn exit(is_whole: bool) -> ExitCode {
    if is_whole { ExitCode::SUCCESS } else { ExitCode::from(ErrorKind::Corrupt.exit_code()) }
}

fn operations_of(workspace: &Workspace, limit: usize) -> Result<Log, Problem> {
    let journal = Journal::of(workspace)?;
    let lost = Lost::of(&journal);
    if journal.operations.is_empty() {
        return Ok(Log { operations: Vec::new(), lost });
    }
    let store = workspace.open_store()?;
    let newest = journal.operations.into_iter().rev().take(limit);
    let done = newest.map(|operation| {
        // an operation whose texts are gone is still worth a line
        match operations::changed_paths(&store, &operation) {
            Ok(paths) => Done { operation, paths, unreadable: None },
            Err(error) => Done { operation, paths: Vec::new(), unreadable: Some(error.to_string()) },
        }
    });
    Ok(Log { operations: done.collect(), lost })
}

async fn history_of(session: &Session, of: &str, limit: usize) -> Result<History, Problem> {
    let meant = session::meant(session, of)?;
    let mut versions = match &meant.name {
        Some(name) => versions(session, name).await?,
        None => Vec::new(),
    };
    let (mut operations, lost) = match &meant.path {
        Some(_) => tokio::task::block_in_place(|| done_to(session, &meant))?,
        None => (Vec::new(), Lost::default()),
    };
    if versions.is_empty() && operations.is_empty() {
        return Err(unknown(session, of).await);
    }
    versions.truncate(limit);
    operations.truncate(limit);
    Ok(History { path: meant.path, dataset: meant.name, versions, operations, lost })
}

/// Newest first; none if the home does not know the name.
async fn versions(session: &Session, name: &DatasetName) -> Result<Vec<DatasetVersion>, Problem> {
    let versions = async |page: &_| session.client.dataset_versions(&session.project, name, page).await;
    match Page::all(versions).await {
        Err(problem) if problem.kind == ErrorKind::NotFound => Ok(Vec::new()),
        page => Ok(page?.items),
    }
}

fn done_to(session: &Session, meant: &Meant) -> Result<(Vec<DoneToPath>, Lost), Problem> {
    let (Some(path), workspace) = (&meant.path, session.workspace()?) else {
        return Ok((Vec::new(), Lost::default()));
    };
    let journal = Journal::of(workspace)?;
    let mut done: Vec<DoneToPath> =
        operations::path_operations(session.store()?, &journal, path)?.into_iter().map(DoneToPath::from).collect();
    done.reverse();
    Ok((done, Lost::of(&journal)))
}

async fn unknown(session: &Session, of: &str) -> Problem {
    let known = match Page::all(async |page| session.client.datasets(&session.project, page).await).await {
        Ok(page) => page.items,
        Err(problem) => return problem,
    };
    let paths = session.workspace.as_ref().and_then(|workspace| workspace.lock().ok()).unwrap_or_default();
    let names = known.iter().map(|version| version.dataset.as_str());
    let names = names.chain(paths.entries().map(|(path, _)| path.as_str()));
    let hint = near::hint(of, names, "`stemma add FILE` begins; `stemma status` lists what is tracked");
    Problem::not_found(format!("nothing is known of a path or dataset `{of}`")).hint(hint)
}
