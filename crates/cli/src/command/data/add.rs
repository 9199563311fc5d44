use std::{path::PathBuf, process::ExitCode};

use clap::{Args, builder::PossibleValuesParser};
use stemma_api::types::{AddDatasetVersion, AddExternalVersion, ContentClaim, DatasetVersionAdded};
use stemma_core::{
    Problem,
    external::{External, ExternalKind},
    name::DatasetName,
};
use stemma_workspace::{Added, InGit};

use crate::{
    argument::absolute,
    global::Global,
    print::{self, Output},
    session::{self, Session},
    view,
};

/// Version data: its content goes into the store, and one line into `stemma.lock`
///
/// The home numbers the contents of a name: content that it has under that name already keeps its number. In a Git
/// repository, a line in the `.gitignore` beside it keeps it out of Git, unless Git has it already or `!/NAME` stands
/// there.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// Files, or folders that are one version as a whole
    #[arg(required_unless_present = "external", conflicts_with = "external", value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    elsewhere: Elsewhere,
    /// The dataset's name; without it, the one it has or one made from the path
    #[arg(long, conflicts_with = "external")]
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

/// Data that stays where it is: nothing is fetched, and it is marked as not hashed by us.
#[derive(Debug, Args)]
struct Elsewhere {
    /// Register a version of data that is kept elsewhere, under this dataset's name
    #[arg(long, value_name = "NAME", requires = "uri", requires = "version")]
    external: Option<DatasetName>,
    /// Where it is kept, as in `s3://lake/orders` or `kafka://host:9092/topic`
    #[arg(long, requires = "external")]
    uri: Option<String>,
    /// Which version: a table's version or snapshot, an object's version, `0:100..200`, a whole commit id
    #[arg(long, requires = "external")]
    version: Option<String>,
    /// What keeps it, where the URI does not say so
    #[arg(long, requires = "external", value_parser = PossibleValuesParser::new(ExternalKind::ALL.map(ExternalKind::as_str)))]
    kind: Option<String>,
}

impl Elsewhere {
    fn reference(&self) -> Result<External, Problem> {
        let (uri, version) = (self.uri.clone().unwrap_or_default(), self.version.clone().unwrap_or_default());
        let kind = match &self.kind {
            Some(kind) => ExternalKind::parse(kind),
            None => ExternalKind::of_uri(&uri),
        };
        let kind = kind.ok_or_else(|| {
            let kinds = ExternalKind::ALL.map(ExternalKind::as_str).join("`, `");
            Problem::invalid(format!("`{uri}` does not say what keeps the data"))
                .hint(format!("say it with `--kind`: `{kinds}`"))
        })?;
        let external = External { kind, uri, version };
        external.check()?;
        Ok(external)
    }
}

pub async fn run(args: AddArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let added = match &args.elsewhere.external {
        Some(name) => vec![add_external(&args, name, global).await?],
        None => session::with(global, async |session| add(&args, session, output).await).await?,
    };
    output.result(&added, || print::columns(added.iter().map(row)));
    Ok(ExitCode::SUCCESS)
}

async fn add(args: &AddArgs, session: &Session, output: &Output) -> Result<Vec<DatasetVersionAdded>, Problem> {
    let files = put(args, session, output)?;
    let claim = |file: &Added| ContentClaim { digest: file.digest, size: file.size, like: file.before };
    let claims: Vec<ContentClaim> = files.iter().map(claim).collect();
    session.ensure_content(&claims, output).await?;
    let mut added = Vec::with_capacity(files.len());
    let workspace = Some(session.workspace()?.id()?);
    for file in files {
        let version = AddDatasetVersion {
            digest: file.digest,
            path: file.path.to_string(),
            source: args.source.clone(),
            why: args.why.clone(),
            derived_from: args.derived_from.clone(),
            workspace,
        };
        added.push(session.client.add_dataset_version(&session.project, &file.name, &version).await?);
    }
    Ok(added)
}

async fn add_external(args: &AddArgs, name: &DatasetName, global: &Global) -> Result<DatasetVersionAdded, Problem> {
    let add = AddExternalVersion {
        external: args.elsewhere.reference()?,
        source: args.source.clone(),
        why: args.why.clone(),
        derived_from: args.derived_from.clone(),
    };
    session::with(global, async |session| session.client.add_external_version(&session.project, name, &add).await).await
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
        // how much is in a folder turns out on the way
        if bar.position() > bar.length().unwrap_or(0) {
            bar.set_length(bar.position());
        }
    };
    let (workspace, store) = (session.workspace()?, session.store()?);
    // nothing else happens in this process meanwhile
    let added = tokio::task::block_in_place(|| {
        stemma_workspace::add(workspace, store, &paths, args.name.as_ref(), &mut progress)
    });
    bar.finish_and_clear();
    let added = added?;
    tell_of_git(&added, output);
    for added in added.iter().filter(|added| !added.pointers.is_empty()) {
        let names: Vec<String> = added.pointers.iter().map(|(path, _)| added.path.join(path).to_string()).collect();
        let (_, pointer) = added.pointers[0];
        output.note(format!("note: {} only say where content is: {}", print::names(&names), pointer.hint()));
    }
    Ok(added)
}

/// Says what becomes of tracked paths in Git.
fn tell_of_git(added: &[Added], output: &Output) {
    let paths = |is: &dyn Fn(&InGit) -> bool| -> Vec<String> {
        let meant = added.iter().filter(|added| is(&added.in_git));
        meant.map(|added| added.path.to_string()).collect()
    };
    let left_out = paths(&|in_git| matches!(in_git, InGit::LeftOut | InGit::KeptInPart));
    if !left_out.is_empty() {
        output.note(format!("note: Git leaves out {} from now on, as `.gitignore` says", print::names(&left_out)));
    }
    let kept = paths(&|in_git| matches!(in_git, InGit::Kept | InGit::KeptInPart));
    if let Some(first) = kept.first() {
        let names = print::names(&kept);
        output.note(format!(
            "note: Git keeps {names} too; to leave it to Stemma: `git rm -r --cached '{first}'`, and add it again"
        ));
    }
    for added in added {
        if let InGit::Unknown(reason) = &added.in_git {
            output.note(format!("note: Git may take in `{}`: {reason}", added.path));
        }
    }
}

fn row(added: &DatasetVersionAdded) -> Vec<String> {
    let version = &added.version;
    let unchanged = if added.unchanged { "unchanged" } else { "" };
    vec![
        view::dataset::name(version),
        version.digest.to_string(),
        version.path.clone(),
        if version.external.is_some() { String::new() } else { print::bytes(version.size) },
        unchanged.to_owned(),
    ]
}
