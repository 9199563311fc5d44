use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;
use stemma_core::Problem;
use stemma_remote::Location;
use stemma_workspace::{
    remotes::{add_remote, remove_remote},
    settings::RemoteSettings,
};

use crate::{
    global::Global,
    print::{self, Output},
    session,
};

/// Places that content is pushed to and pulled from
#[derive(Debug, Args)]
pub struct RemoteArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    Add(AddArgs),
    /// List the remotes that `stemma.toml` declares
    List,
    /// Take a remote out of `stemma.toml`; its content stays
    Remove {
        /// What it is called
        name: String,
    },
}

/// Declare a remote in `stemma.toml`
///
/// Credentials never stand there: they come from the environment, as in `AWS_ACCESS_KEY_ID` and
/// `AWS_SECRET_ACCESS_KEY`, `GOOGLE_SERVICE_ACCOUNT`, or `AZURE_STORAGE_ACCOUNT_NAME` and
/// `AZURE_STORAGE_ACCOUNT_KEY`; those of a server are the ones that `stemma init` or `STEMMA_TOKEN` gave.
#[derive(Debug, Args)]
struct AddArgs {
    /// What to call it, as in `origin`
    name: String,
    /// A folder, `s3://BUCKET/PREFIX`, `gs://…`, `az://CONTAINER/PREFIX`, or a server's `http://…`
    url: String,
    /// Address of a server that speaks the cloud's protocol
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// The cloud's region
    #[arg(long)]
    region: Option<String>,
    /// Allow transfers without encryption
    #[arg(long)]
    allow_http: bool,
}

#[derive(Serialize)]
struct Listed {
    name: String,
    #[serde(flatten)]
    settings: RemoteSettings,
}

pub async fn run(args: RemoteArgs, _global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let workspace = session::require_workspace()?;
    match args.act {
        Act::Add(AddArgs { name, url, endpoint, region, allow_http }) => {
            Location::parse(&url)?;
            let settings = RemoteSettings { url, endpoint, region, allow_http };
            add_remote(&workspace, &name, &settings)?;
            let added = Listed { name, settings };
            output.result(&added, || format!("{}  {}", added.name, added.settings.url));
        }
        Act::List => {
            let remotes = workspace.settings().remotes.iter();
            let listed = remotes.map(|(name, settings)| Listed { name: name.clone(), settings: settings.clone() });
            let listed: Vec<Listed> = listed.collect();
            output.result(&listed, || print::table(&["name", "url"], listed.iter().map(row)));
        }
        Act::Remove { name } => {
            remove_remote(&workspace, &name)?;
            output.result(&name, || format!("{name} is no remote any more; what it holds is untouched"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn row(listed: &Listed) -> Vec<String> {
    vec![listed.name.clone(), listed.settings.url.clone()]
}
