use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use serde::Serialize;
use stemma_backup::{LedgerHome, Restored, StageOptions};
use stemma_core::{
    ErrorKind, Problem, Timestamp,
    audit::{Check, Verdict},
    id::HomeId,
};
use stemma_engine::Layout;
use stemma_workspace::Workspace;

use super::audit::{RESTORED, check_text};
use crate::{
    backups::{Bar, PlaceArgs, cache, keep_private},
    history::{Watch, compare_outside},
    print::{self, Output},
    settings, view,
};

/// Bring a home back from a backup
///
/// Content, ledger and prediction log are verified before anything is put in place; what is cut short leaves no home. A home
/// is never put over anything. Tells how the home relates to what this machine and the project remember of it.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// The folder whose `.stemma` it becomes, as a clone of the project
    #[arg(value_name = "INTO", default_value = ".")]
    into: PathBuf,
    /// The backup, by its id; without it, the newest
    #[arg(long, value_name = "ID")]
    backup: Option<String>,
    /// A folder that holds the keys which the backup lacks, as `signing.key` and `prediction.key`
    #[arg(long, value_name = "FOLDER")]
    keys: Option<PathBuf>,
    /// Put the ledger into this PostgreSQL database or schema, in which there is none
    #[arg(long, value_name = "URL", conflicts_with = "in_folder")]
    database: Option<String>,
    /// Put the ledger into the folder, also if it lay in a database
    #[arg(long)]
    in_folder: bool,
}

#[derive(Serialize)]
struct Done {
    id: String,
    home: HomeId,
    root: PathBuf,
    made: Timestamp,
    events: u64,
    contents: u64,
    verdict: Verdict,
    /// Keys without which it can't be opened.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing_keys: Vec<String>,
    /// How it relates to what others remember of it.
    outside: Vec<Check>,
}

pub async fn run(args: RestoreArgs, output: &Output) -> Result<ExitCode, Problem> {
    keep_private();
    let options = StageOptions { ledger: ledger_home(&args)?, keys: args.keys.clone() };
    let place = args.place.place()?;
    let root = root(&args.into)?;
    let cache = cache()?;
    let remote = place.look(cache.path())?;
    let mut bar = Bar::new(output, "bringing");
    let told = &mut |step, moved| bar.tell(step, moved);
    let restored = stemma_backup::restore(&remote, args.backup.as_deref(), &root, &options, told).await;
    bar.end();
    let Restored { id, manifest, report, missing_keys } = restored?;
    let done = Done {
        id,
        home: manifest.home,
        outside: outside(&root, &options.ledger).await?,
        root,
        made: manifest.made,
        events: manifest.ledger.events,
        contents: manifest.contents.number,
        verdict: report.verdict,
        missing_keys,
    };
    output.result(&done, || text(&done, output));
    Ok(ExitCode::SUCCESS)
}

fn ledger_home(args: &RestoreArgs) -> Result<LedgerHome, Problem> {
    match &args.database {
        Some(url) => settings::database_url("--database", url).map(LedgerHome::Database),
        None if args.in_folder => Ok(LedgerHome::Folder),
        None => Ok(LedgerHome::AsItWas),
    }
}

/// The home's folder in a folder that is made if need be.
fn root(into: &Path) -> Result<PathBuf, Problem> {
    let made = fs::create_dir_all(into).and_then(|()| fs::canonicalize(into));
    let into = made.map_err(|error| {
        let message = format!("can't restore into `{}`: {error}", into.display());
        Problem::new(ErrorKind::Config, message)
    })?;
    Ok(into.join(".stemma"))
}

/// What this machine, the project and its witnesses remember of the home that is there now.
async fn outside(root: &Path, ledger: &LedgerHome) -> Result<Vec<Check>, Problem> {
    let database = match ledger {
        LedgerHome::Database(database) => Some(database.clone()),
        LedgerHome::AsItWas | LedgerHome::Folder => None,
    };
    let layout = Layout::new(root).reaching(database);
    let workspace = Workspace::open(root.parent().unwrap_or(root))?;
    let watch = Watch::begin(root.display().to_string(), Some(&workspace));
    let look = async |sizes| stemma_engine::audit::look_at_history(&layout, &sizes).await;
    Ok(compare_outside(&watch, Some(&workspace), look).await)
}

fn text(done: &Done, output: &Output) -> String {
    let what = format!("{}, {}", view::count(done.events, "event"), view::count(done.contents, "content"));
    let (root, made) = (done.root.display(), print::time(done.made));
    let mut text = format!("restored backup {} of {made} into {root}: {what}\n", done.id);
    done.outside.iter().for_each(|check| text.push_str(&check_text(check, output)));
    if done.outside.iter().any(|check| check.faults_total > 0) {
        text.push_str(&format!("others remember another history of this home: {RESTORED}\n"));
    }
    if !done.missing_keys.is_empty() {
        let keys = done.missing_keys.join(", ");
        text.push_str(&format!(
            "it can't be opened before these are in it: {keys}; `stemma audit verify` needs none\n"
        ));
    }
    text.push_str("if the home that was backed up is still in use elsewhere, stop it: each would go its own way\n");
    text
}
