use std::process::ExitCode;

use clap::Args;
use stemma_api::types::DatasetVersion;
use stemma_core::{ErrorKind, Problem, name::DatasetName, near};
use stemma_workspace::{
    Workspace,
    operations::{self, Journal},
};

use super::Global;
use crate::{
    print::Output,
    session::{self, Place, Session},
    view::log::{Done, DoneToPath, History, Log, history, list},
};

/// Say what was done in this folder, or how data came to be what it is
///
/// Of a path or a dataset: its versions with who added them, from which run and where they came from, and the
/// operations that changed it here.
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
        return Ok(ExitCode::SUCCESS);
    };
    let found = session::with(global, async |session| history_of(session, of, limit).await).await?;
    output.result(&found, || history(&found));
    Ok(ExitCode::SUCCESS)
}

fn operations_of(workspace: &Workspace, limit: usize) -> Result<Log, Problem> {
    let journal = Journal::of(workspace)?;
    if journal.operations.is_empty() {
        return Ok(Log { operations: Vec::new(), damaged: journal.damaged });
    }
    let store = workspace.open_store()?;
    let newest = journal.operations.into_iter().rev().take(limit);
    let done = newest.map(|operation| {
        // an operation whose texts are gone is still worth a line
        let paths = operations::changed_paths(&store, &operation).unwrap_or_default();
        Done { operation, paths }
    });
    Ok(Log { operations: done.collect(), damaged: journal.damaged })
}

async fn history_of(session: &Session, of: &str, limit: usize) -> Result<History, Problem> {
    let place = session::place(session, of)?;
    let mut versions = match &place.name {
        Some(name) => versions(session, name).await?,
        None => Vec::new(),
    };
    let mut operations = match &place.path {
        Some(_) => tokio::task::block_in_place(|| done_to(session, &place))?,
        None => Vec::new(),
    };
    if versions.is_empty() && operations.is_empty() {
        return Err(unknown(session, of).await);
    }
    versions.truncate(limit);
    operations.truncate(limit);
    Ok(History { path: place.path, dataset: place.name, versions, operations })
}

/// Newest first; none if the home does not know the name.
async fn versions(session: &Session, name: &DatasetName) -> Result<Vec<DatasetVersion>, Problem> {
    match session.client.dataset_versions(&session.project, name).await {
        Err(problem) if problem.kind == ErrorKind::NotFound => Ok(Vec::new()),
        page => Ok(page?.items),
    }
}

fn done_to(session: &Session, place: &Place) -> Result<Vec<DoneToPath>, Problem> {
    let (Some(path), workspace) = (&place.path, session.workspace()?) else {
        return Ok(Vec::new());
    };
    let journal = Journal::of(workspace)?;
    let mut done: Vec<DoneToPath> =
        operations::path_operations(session.store()?, &journal, path)?.into_iter().map(DoneToPath::from).collect();
    done.reverse();
    Ok(done)
}

async fn unknown(session: &Session, of: &str) -> Problem {
    let known = match session.client.datasets(&session.project).await {
        Ok(page) => page.items,
        Err(problem) => return problem,
    };
    let paths = session.workspace.as_ref().and_then(|workspace| workspace.lock().ok()).unwrap_or_default();
    let names = known.iter().map(|version| version.dataset.as_str());
    let names = names.chain(paths.entries().map(|(path, _)| path.as_str()));
    let hint = near::hint(of, names, "`stemma add FILE` begins; `stemma status` lists what is tracked");
    Problem::not_found(format!("nothing is known of a path or dataset `{of}`")).hint(hint)
}
