use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::Args;
use serde::Serialize;
use stemma_core::{
    ErrorKind, Problem, SystemClock,
    id::{HomeId, RequestId},
    name::{PrincipalName, ProjectName},
};
use stemma_delivery::Delivery;
use stemma_engine::{DatabaseUrl, Engine};
use stemma_workspace::{Nesting, Workspace, credentials, home::HomeLock};

use crate::{global::Global, history::Watch, print::Output, session, settings};

/// Make this folder a workspace with a home of its own
///
/// Makes `.stemma/` and a first `stemma.toml`, and you its owner. The owner's token is shown once and kept in your
/// configuration folder, so that your own commands act with it. With `--server`, the folder becomes a workspace of
/// that server's home instead.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Make a workspace inside another one
    #[arg(long)]
    nested: bool,
    /// Keep the ledger in this PostgreSQL database, as in `postgres://stemma@db.example/stemma?schema=credit`; content
    /// stays in this folder
    ///
    /// The schema, `stemma` if none is named, is made if it is missing. The home remembers the address without its
    /// password: later commands take it from STEMMA_DATABASE or PGPASSWORD. One server at a time uses the database.
    #[arg(long, value_name = "URL", env = "STEMMA_DATABASE", hide_env_values = true)]
    database: Option<String>,
}

#[derive(Serialize)]
struct Made {
    root: PathBuf,
    changed: Vec<&'static str>,
    #[serde(flatten)]
    home: Option<NewHome>,
}

#[derive(Serialize)]
struct NewHome {
    home: HomeId,
    owner: PrincipalName,
    token: String,
    /// Where the token is kept; absent if it could not be.
    credentials: Option<PathBuf>,
}

pub async fn run(args: InitArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let database = args.database.as_deref().map(|text| settings::database_url("--database", text)).transpose()?;
    let nesting = if args.nested { Nesting::Allow } else { Nesting::Refuse };
    let made = stemma_workspace::init(&session::current_dir()?, nesting)?;
    let workspace = made.workspace;
    let home = match &global.server {
        Some(_) => None,
        None => Some(make_home(&workspace, database, global, output).await?),
    };
    let made = Made { root: workspace.root().to_owned(), changed: made.changed, home };
    output.result(&made, || text(&made));
    Ok(ExitCode::SUCCESS)
}

async fn make_home(
    workspace: &Workspace,
    database: Option<DatabaseUrl>,
    global: &Global,
    output: &Output,
) -> Result<NewHome, Problem> {
    let dir = workspace.home_dir();
    let owner = match &global.acting_as {
        Some(name) => name.clone(),
        None => session::asserted_name().await.ok_or_else(nameless)?,
    };
    let lock = HomeLock::acquire(&dir)?;
    if dir.join("home.json").exists() {
        let message = format!("`{}` is a home already", dir.display());
        return Err(Problem::new(ErrorKind::Conflict, message).hint("see `stemma status`"));
    }
    let (delivery, token) = Delivery::create_in(&dir, database, owner.clone(), Arc::new(SystemClock)).await?;
    let home = delivery.known().home_id();
    let project = make_project(delivery.engine(), &session::project(global, Some(workspace)), &token).await;
    let remembered = remember(delivery.engine(), workspace).await;
    delivery.close().await;
    drop(delivery);
    drop(lock);
    if let Err(problem) = project {
        output.note(format!("the project of this workspace could not be made: {}", problem.message));
    }
    if let Err(problem) = remembered {
        output.note(format!("the new home can't be remembered here: {}", problem.message));
    }
    let credentials = match save_token(home, &token) {
        Ok(path) => Some(path),
        Err(problem) => {
            output.note(format!("the token could not be kept: {}", problem.message));
            None
        }
    };
    Ok(NewHome { home, owner, token, credentials })
}

/// Makes the project that the workspace says its things are in, as its owner; `default` is there from the start.
async fn make_project(engine: &Engine, project: &ProjectName, token: &str) -> Result<(), Problem> {
    if engine.known().projects().contains(project) {
        return Ok(());
    }
    let owner = engine.known().authenticate(token)?;
    engine.create_project(&owner, RequestId::generate(), project).await.map(drop)
}

/// A home that was made here on purpose is the one that belongs here, whatever was here before.
async fn remember(engine: &Engine, workspace: &Workspace) -> Result<(), Problem> {
    let watch = Watch::begin(workspace.home_dir().display().to_string(), None);
    match watch.memory() {
        Some(memory) => Ok(memory.remember_only(watch.place(), &engine.history(&[].into()).await?.head)?),
        None => Ok(()),
    }
}

/// Keeps the owner's token in the user's configuration folder.
fn save_token(home: HomeId, token: &str) -> Result<PathBuf, Problem> {
    let dir = settings::config_dir()
        .ok_or_else(|| Problem::new(ErrorKind::Config, "HOME and STEMMA_CONFIG_DIR are not set"))?;
    credentials::save(&dir, &home.to_string(), token)?;
    Ok(dir)
}

fn nameless() -> Problem {
    Problem::invalid("who owns the home?").hint("name yourself with `--as E-MAIL`, or set Git's `user.email`")
}

fn text(made: &Made) -> String {
    let root = made.root.display();
    let mut text = match made.changed.as_slice() {
        [] => format!("`{root}` is a workspace\n"),
        changed => format!("`{root}` is a workspace (new or changed: {})\n", changed.join(", ")),
    };
    if let Some(NewHome { owner, token, credentials, .. }) = &made.home {
        text.push_str(&format!("{owner} owns its home, with the token (shown only now)\n\n  {token}\n\n"));
        text.push_str(&match credentials {
            Some(dir) => format!("kept in `{}`; your commands use it from there", dir.display()),
            None => "not kept anywhere: set STEMMA_TOKEN to it to act as the owner".to_owned(),
        });
    }
    text
}
