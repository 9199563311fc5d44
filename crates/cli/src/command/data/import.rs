use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use serde::Serialize;
use stemma_api::types::{AddDatasetVersion, AddImportedVersion, ContentClaim, DatasetVersion, Page};
use stemma_core::{
    Problem,
    name::{DatasetName, TreePath},
};
use stemma_interchange::import::{
    DvcRequest, ForeignVersion, ImportError, Imported, LeftOut, LeftOutKind, LfsRequest, Tally, choose_names, enter,
    import_dvc, import_lfs, worst,
};

use crate::{
    global::Global,
    print::{self, Output},
    session::{self, Session},
    view,
};

/// Bring in what another tool keeps, with its history
///
/// Every object is hashed again by the tool's own rule. What is damaged, missing or unsafe is left out and named, and
/// the rest comes in. Running it again takes up where it was left. The other tool's files are not changed.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct ImportArgs {
    #[command(subcommand)]
    from: From,
}

const EXIT_CODES: &str = "\
Exit codes:
  8  something was damaged and left out      3  something was missing and left out
  2  something was refused and left out";

#[derive(Debug, Subcommand)]
enum From {
    Dvc(DvcArgs),
    Lfs(LfsArgs),
}

/// What a DVC repository tracks: its `.dvc` files and `dvc.lock`, from its cache and remotes that are folders
///
/// Remotes that are no folders are not read: run `dvc fetch --all-commits` first, which fills the cache.
#[derive(Debug, Args)]
struct DvcArgs {
    /// A folder in the repository
    #[arg(default_value = ".", value_name = "REPO")]
    repository: PathBuf,
    /// Look for objects in this remote only, a folder or a name in the repository's settings
    #[arg(long, value_name = "DIR|NAME")]
    remote: Option<String>,
    /// Every commit that a branch or tag leads to, not only the folder as it is
    #[arg(long)]
    all_commits: bool,
}

/// What git-lfs keeps for a repository, from its `.git/lfs`
#[derive(Debug, Args)]
struct LfsArgs {
    /// A folder in the repository
    #[arg(default_value = ".", value_name = "REPO")]
    repository: PathBuf,
    /// Every commit that a branch or tag leads to, not only what is checked out
    #[arg(long)]
    all_commits: bool,
}

#[derive(Serialize)]
struct Report {
    revisions: usize,
    objects: Tally,
    versions: Vec<Version>,
    /// Paths that stand in `stemma.lock` now.
    tracked: Vec<TreePath>,
    left_out: Vec<LeftOut>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Version {
    #[serde(flatten)]
    version: DatasetVersion,
    /// The home had this content under this name.
    unchanged: bool,
}

pub async fn run(args: ImportArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let report = session::with(global, async |session| import(&args, session, output).await).await?;
    output.result(&report, || text(&report, output));
    let worst = worst(&report.left_out);
    Ok(worst.map_or(ExitCode::SUCCESS, |kind| ExitCode::from(kind.exit_code())))
}

async fn import(args: &ImportArgs, session: &Session, output: &Output) -> Result<Report, Problem> {
    let imported = read(args, session, output)?;
    let names = names(&imported.found, session).await?;
    let mut claims: Vec<ContentClaim> = imported
        .found
        .iter()
        .map(|found| ContentClaim { digest: found.digest, size: found.size, like: None })
        .collect();
    claims.sort_by_key(|claim| claim.digest);
    claims.dedup_by_key(|claim| claim.digest);
    session.ensure_content(&claims, output).await?;
    let bar = output.row_progress(imported.found.len() as u64, "registering");
    let (mut versions, mut displaced) = (Vec::with_capacity(imported.found.len()), 0);
    for found in &imported.found {
        let name = &names[&found.path];
        let add = AddDatasetVersion {
            digest: found.digest,
            path: found.path.to_string(),
            source: Some(found.source.clone()),
            why: found.why.clone(),
            derived_from: Vec::new(),
            workspace: None,
        };
        let added = match found.ordinal {
            Some(place) => {
                let imported = AddImportedVersion { add, place };
                session.client.add_imported_version(&session.project, name, &imported).await?
            }
            None => session.client.add_dataset_version(&session.project, name, &add).await?,
        };
        let is_behind = !added.unchanged && found.ordinal.is_some_and(|place| added.version.number != place);
        displaced += u64::from(is_behind);
        versions.push(Version { version: added.version, unchanged: added.unchanged });
        bar.inc(1);
    }
    bar.finish_and_clear();
    let tracked = track(&imported.found, &names, session)?;
    let Imported { left_out, mut notes, tally, revisions, .. } = imported;
    if displaced > 0 {
        let count = view::count(displaced, "version");
        notes.push(format!("{count} stand behind the others, not at their place in the history: its number was taken"));
    }
    Ok(Report { revisions, objects: tally, versions, tracked, left_out, notes })
}

/// Reads the other tool's files into the store.
fn read(args: &ImportArgs, session: &Session, output: &Output) -> Result<Imported, Problem> {
    let (workspace, store) = (session.workspace()?, session.store()?);
    let bar = output.progress(0, "checking");
    let mut progress = |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let read = || -> Result<Imported, ImportError> {
        match &args.from {
            From::Dvc(DvcArgs { repository, remote, all_commits }) => {
                let remote = remote.as_deref();
                let request = DvcRequest { repository, remote, all_commits: *all_commits };
                import_dvc(workspace, store, request, &mut progress)
            }
            From::Lfs(LfsArgs { repository, all_commits }) => {
                let request = LfsRequest { repository, all_commits: *all_commits };
                import_lfs(workspace, store, request, &mut progress)
            }
        }
    };
    // nothing else happens in this process meanwhile
    let imported = tokio::task::block_in_place(read);
    bar.finish_and_clear();
    Ok(imported?)
}

async fn names(found: &[ForeignVersion], session: &Session) -> Result<BTreeMap<TreePath, DatasetName>, Problem> {
    let known = Page::all(async |page| session.client.datasets(&session.project, page).await).await?.items;
    let holders = known.into_iter().map(|version| (version.dataset, version.path)).collect();
    let lock = session.workspace()?.lock()?;
    Ok(choose_names(found.iter().map(|found| &found.path), &lock, &holders))
}

/// Writes what the repository's folder has now into `stemma.lock`, if that folder is the workspace's.
fn track(
    found: &[ForeignVersion],
    names: &BTreeMap<TreePath, DatasetName>,
    session: &Session,
) -> Result<Vec<TreePath>, Problem> {
    let current = found.iter().filter(|found| found.current);
    let entries: Vec<_> = current.map(|found| (found.path.clone(), found.digest, names[&found.path].clone())).collect();
    let tracked = entries.iter().map(|(path, ..)| path.clone()).collect();
    if !entries.is_empty() {
        let (workspace, store) = (session.workspace()?, session.store()?);
        tokio::task::block_in_place(|| enter(workspace, store, entries))?;
    }
    Ok(tracked)
}

fn text(report: &Report, output: &Output) -> String {
    let mut text = print::columns(report.versions.iter().map(row));
    let Tally { objects, bytes, stored, stored_bytes } = report.objects;
    let all = [view::count(objects, "object"), print::bytes(bytes)].join(", ");
    let new = if stored == 0 {
        "all here already".to_owned()
    } else {
        format!("{stored} new, {}", print::bytes(stored_bytes))
    };
    text.push_str(&format!("\n{all}, each as its name says; {new}\n"));
    if !report.tracked.is_empty() {
        text.push_str(&format!("{} in stemma.lock\n", view::count(report.tracked.len() as u64, "path")));
    }
    for note in &report.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    if !report.left_out.is_empty() {
        text.push_str(&format!("\n{}\n", output.red("left out")));
        text.push_str(&print::columns(report.left_out.iter().map(left_out)));
    }
    text
}

fn row(version: &Version) -> Vec<String> {
    let Version { version, unchanged } = version;
    vec![
        view::dataset::name(version),
        version.digest.to_string(),
        version.path.clone(),
        print::bytes(version.size),
        if *unchanged { "unchanged".to_owned() } else { String::new() },
    ]
}

fn left_out(one: &LeftOut) -> Vec<String> {
    let kind = match one.kind {
        LeftOutKind::Damaged => "damaged",
        LeftOutKind::Missing => "missing",
        LeftOutKind::Refused => "refused",
        LeftOutKind::Skipped => "skipped",
    };
    let commit = one.commit.as_deref().map(|commit| format!(" in {}", view::commit(commit))).unwrap_or_default();
    vec![kind.to_owned(), one.path.clone(), format!("{}{commit}", one.pointer), one.reason.clone()]
}
