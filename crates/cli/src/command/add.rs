use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use stemma_api::types::{AddDatasetVersion, ContentClaim, DatasetVersionAdded};
use stemma_core::{Problem, name::DatasetName};
use stemma_workspace::Added;

use super::Global;
use crate::{
    print::{self, Output},
    session::{self, Session},
    view,
};

/// Version data: its content goes into the store, and one line into `stemma.lock`
///
/// The home numbers the contents of a name: content that it has under that name already keeps its number.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// Files
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The dataset's name; without it, the one it has or one made from the path
    #[arg(long)]
    name: Option<DatasetName>,
    /// Where it came from
    #[arg(long, value_name = "URL")]
    source: Option<String>,
    /// Why it changed
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// A dataset version that it was made from, as in `german-credit@1`
    #[arg(long, value_name = "NAME@N")]
    derived_from: Vec<String>,
}

pub async fn run(args: AddArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let added = session::with(global, async |session| add(&args, session, output).await).await?;
    output.result(&added, || print::columns(added.iter().map(row)));
    Ok(ExitCode::SUCCESS)
}

async fn add(args: &AddArgs, session: &Session, output: &Output) -> Result<Vec<DatasetVersionAdded>, Problem> {
    let files = put(args, session, output)?;
    let claims: Vec<ContentClaim> =
        files.iter().map(|file| ContentClaim { digest: file.digest, size: file.size }).collect();
    session.ensure_content(&claims, output).await?;
    let mut added = Vec::with_capacity(files.len());
    for file in files {
        let version = AddDatasetVersion {
            digest: file.digest,
            path: file.path.to_string(),
            source: args.source.clone(),
            why: args.why.clone(),
            derived_from: args.derived_from.clone(),
        };
        added.push(session.client.add_dataset_version(&session.project, &file.name, &version).await?);
    }
    Ok(added)
}

/// Puts the files into the store and the lock.
fn put(args: &AddArgs, session: &Session, output: &Output) -> Result<Vec<Added>, Problem> {
    let paths: Result<Vec<PathBuf>, Problem> = args.paths.iter().map(|path| absolute(path)).collect();
    let paths = paths?;
    let total = paths.iter().filter_map(|path| path.metadata().ok()).map(|meta| meta.len()).sum();
    let bar = output.progress(total, "adding");
    let (mut current, mut before) = (None, 0);
    let mut progress = |path: &stemma_core::name::TreePath, done| {
        if current.as_ref() != Some(path) {
            before = bar.position();
            current = Some(path.clone());
        }
        bar.set_position(before + done);
    };
    let (workspace, store) = (session.workspace()?, session.store()?);
    // nothing else happens in this process meanwhile
    let added = tokio::task::block_in_place(|| {
        stemma_workspace::add(workspace, store, &paths, args.name.as_ref(), &mut progress)
    });
    bar.finish_and_clear();
    Ok(added?)
}

/// The workspace sees relative paths from its root, a person from where they stand.
pub fn absolute(path: &Path) -> Result<PathBuf, Problem> {
    std::path::absolute(path).map_err(|error| Problem::invalid(format!("`{}` is not a path: {error}", path.display())))
}

fn row(added: &DatasetVersionAdded) -> Vec<String> {
    let version = &added.version;
    let unchanged = if added.unchanged { "unchanged" } else { "" };
    vec![
        view::dataset::name(version),
        version.digest.to_string(),
        version.path.clone(),
        print::bytes(version.size),
        unchanged.to_owned(),
    ]
}
