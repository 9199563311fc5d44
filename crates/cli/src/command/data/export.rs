use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use stemma_api::types::Resolved;
use stemma_core::{ErrorKind, Problem, name::TreePath};
use stemma_interchange::export::{About, ExportError, Exported, OciLayout};
use stemma_store::{Store, StoreError, Tree, TreeEntry};
use stemma_workspace::WorkspaceError;

use crate::{
    argument::model_and_version,
    global::Global,
    print::{self, Output},
    session::{self, Session},
};

/// Take content out in the form of another tool
#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(subcommand)]
    to: To,
}

#[derive(Debug, Subcommand)]
enum To {
    Oci(OciArgs),
}

/// An OCI image layout as ModelPack describes it, for `skopeo`, `oras` and registries
///
/// One raw layer a file, so that a layer's digest is the file's SHA-256. The folder appears whole or not at all.
#[derive(Debug, Args)]
struct OciArgs {
    /// `model@version`, `dataset@number`, `b3:…` or `sha256:…`
    #[arg(value_name = "REF")]
    reference: String,
    /// The folder to make
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

pub async fn run(args: ExportArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let To::Oci(args) = args.to;
    let exported = session::with(global, async |session| {
        let resolved = session.client.resolve(&session.project, &args.reference).await?;
        let about = about(&resolved, session).await?;
        let layout = OciLayout::begin(&args.output, about)?;
        match tree(&resolved, session)? {
            Some((store, tree)) => tokio::task::block_in_place(|| fill(layout, store, &tree, output)),
            None => single(layout, &resolved, session, output).await,
        }
    });
    let exported = exported.await?;
    output.result(&exported, || {
        let layers = crate::view::count(exported.layers as u64, "layer");
        format!("{}  {}  {layers}  {}", exported.path.display(), exported.manifest, print::bytes(exported.size))
    });
    Ok(ExitCode::SUCCESS)
}

/// What the home knows of the thing.
async fn about(resolved: &Resolved, session: &Session) -> Result<About, Problem> {
    let mut ids = BTreeMap::from([
        ("digest", resolved.digest.to_string()),
        ("version", resolved.name.clone()),
        ("project", session.project.to_string()),
    ]);
    let (name, version) = resolved.name.split_once('@').unwrap_or((&resolved.file_name, &resolved.name));
    let mut about = About { name: name.to_owned(), version: version.to_owned(), ..About::default() };
    if resolved.kind == "content" {
        about.version = resolved.digest.short();
        ids.remove("version");
    }
    about.is_dataset = resolved.kind == "dataset";
    if resolved.kind == "model" {
        let (model, selector) = model_and_version(&resolved.name)?;
        let version = session.client.version(&session.project, &model, &selector).await?.version;
        about.created = Some(version.registered.time.to_string());
        about.authors = version.trainer.iter().map(ToString::to_string).collect();
        about.format = Some(version.format);
        ids.extend(version.run.map(|run| ("run", run.to_string())));
    }
    about.ids = ids;
    Ok(about)
}

/// The folder, if it is one.
fn tree<'a>(resolved: &Resolved, session: &'a Session) -> Result<Option<(&'a Store, Tree)>, Problem> {
    if session.workspace.is_none() {
        return Ok(None);
    }
    let store = session.store()?;
    let tree = store.tree(&resolved.digest).map_err(of_store)?;
    Ok(tree.map(|tree| (store, tree)))
}

fn fill(mut layout: OciLayout, store: &Store, tree: &Tree, output: &Output) -> Result<Exported, Problem> {
    let bar = output.progress(tree.size(), "writing");
    for (path, entry) in &tree.entries {
        let TreeEntry::File { digest, executable, .. } = entry else {
            output.note(format!("`{path}` is left out: a layer is a file, and this is a link or an empty folder"));
            continue;
        };
        let mut reader = store.open_blob(digest).map_err(of_store)?;
        let sha256 = reader.sha256();
        layout.add(path, *executable, Some(sha256), &mut reader, &mut |read| bar.inc(read))?;
    }
    bar.finish_and_clear();
    Ok(layout.finish()?)
}

async fn single(
    mut layout: OciLayout,
    resolved: &Resolved,
    session: &Session,
    output: &Output,
) -> Result<Exported, Problem> {
    let unnamed = || TreePath::new(resolved.digest.hex());
    let path = TreePath::new(resolved.file_name.as_str()).or_else(|_| unnamed())?;
    let file = session.download(resolved, layout.staging(), output).await?;
    let mut reader = file.reopen().map_err(|error| session::cannot_write(file.path(), &error))?;
    let write = || -> Result<Exported, ExportError> {
        layout.add(&path, false, resolved.sha256, &mut reader, &mut |_| {})?;
        drop(file);
        layout.finish()
    };
    Ok(tokio::task::block_in_place(write)?)
}

fn of_store(error: StoreError) -> Problem {
    match error {
        StoreError::NotFound(digest) => {
            Problem::new(ErrorKind::NotFound, format!("content `{digest}` is not in this workspace"))
        }
        other => WorkspaceError::from(other).into(),
    }
}
