//! A backup put in the place of a home: by a rename, when all of it is there and verified.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use stemma_core::{ErrorKind, Problem, audit::AuditReport};
use stemma_engine::Layout;
use stemma_remote::Remote;

use crate::{
    list::choose,
    manifest::Manifest,
    problem::unusable,
    stage::{LedgerHome, StageOptions, Staged, stage},
    told::Told,
    workshop::Workshop,
};

/// A home that is in its place.
#[derive(Debug, Clone)]
pub struct Restored {
    pub id: String,
    pub manifest: Manifest,
    /// What the audit said before it was put there.
    pub report: AuditReport,
    /// Keys without which it can't be opened, by their paths in it.
    pub missing_keys: Vec<String>,
}

/// Restores a backup (the newest, if none is wanted) as the home's folder `root`, where nothing may be. Cut short at any
/// point, there is no home.
pub async fn restore(
    remote: &Remote,
    wanted: Option<&str>,
    root: &Path,
    options: &StageOptions,
    told: Told<'_>,
) -> Result<Restored, Problem> {
    check_empty(root)?;
    let (id, manifest) = choose(remote, wanted).await?;
    check_database(&manifest, options)?;
    let beside = beside(root);
    let room = Workshop::take(&beside)?;
    let staged = room.fresh("home")?;
    let Staged { report, missing_keys } = stage(remote, &manifest, &staged, options, told).await?;
    settle(&staged)?;
    check_empty(root)?;
    // an empty folder may be there, and nothing else
    fs::rename(&staged, root).map_err(|error| unusable(root, &error))?;
    sync(beside.parent().unwrap_or(Path::new(".")))?;
    drop(room);
    // what is left of it is an empty folder
    let _ = fs::remove_dir_all(&beside);
    Ok(Restored { id, manifest, report, missing_keys: missing_keys.into_iter().collect() })
}

/// `.stemma.restoring` beside `.stemma`: on the same disk, so that a rename puts it in place.
fn beside(root: &Path) -> PathBuf {
    let mut name = root.file_name().unwrap_or_default().to_owned();
    name.push(".restoring");
    root.with_file_name(name)
}

/// A home is never put over anything.
fn check_empty(root: &Path) -> Result<(), Problem> {
    let mut entries = match fs::read_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(|error| unusable(root, &error))?,
    };
    let Some(first) = entries.next() else { return Ok(()) };
    let first = first.map_err(|error| unusable(root, &error))?.file_name();
    let what = match Layout::new(root).read_home() {
        Ok(Some(home)) => format!("is the home {}", home.home),
        _ => format!("is not empty: it has `{}`", first.display()),
    };
    let message = format!("`{}` {what}; a backup is never put over anything", root.display());
    Err(Problem::new(ErrorKind::Conflict, message).hint("move it elsewhere first, or name another folder"))
}

/// Where the ledger of a home lies that had it in a database is not guessed at.
fn check_database(manifest: &Manifest, options: &StageOptions) -> Result<(), Problem> {
    if manifest.in_database && matches!(options.ledger, LedgerHome::AsItWas) {
        let problem = Problem::invalid("the ledger of this home lay in a PostgreSQL database");
        return Err(problem.hint(
            "say where it is to lie: `--database URL`, a database or schema without a ledger, or `--in-folder`",
        ));
    }
    Ok(())
}

/// Brings to disk what is no content; content is there already.
fn settle(staged: &Path) -> Result<(), Problem> {
    let mut folders = vec![staged.to_owned()];
    let content = Layout::new(staged).content();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|error| unusable(&folder, &error))? {
            let path = entry.map_err(|error| unusable(&folder, &error))?.path();
            if path.is_dir() && path != content {
                folders.push(path);
            } else if path.is_file() {
                sync(&path)?;
            }
        }
        sync(&folder)?;
    }
    Ok(())
}

fn sync(path: &Path) -> Result<(), Problem> {
    File::open(path).and_then(|file| file.sync_all()).map_err(|error| unusable(path, &error))
}
