//! Whether a backup can be restored: by a rehearsal, from which nothing stays.

use std::path::Path;

use stemma_core::{Problem, audit::AuditReport};
use stemma_remote::Remote;

use crate::{
    list::choose,
    manifest::Manifest,
    problem::unusable,
    stage::{LedgerHome, StageOptions, Staged, stage},
    told::Told,
};

/// A backup that was restored into a folder of its own and verified there.
#[derive(Debug, Clone)]
pub struct Rehearsed {
    pub id: String,
    pub manifest: Manifest,
    pub report: AuditReport,
    /// Keys without which it can't be opened, by their paths in it.
    pub missing_keys: Vec<String>,
}

/// Restores a backup (the newest, if none is wanted) into a folder within `scratch`, which needs as much room as the home,
/// and removes it again.
pub async fn verify(
    remote: &Remote,
    wanted: Option<&str>,
    scratch: &Path,
    told: Told<'_>,
) -> Result<Rehearsed, Problem> {
    let (id, manifest) = choose(remote, wanted).await?;
    let folder = tempfile::tempdir_in(scratch).map_err(|error| unusable(scratch, &error))?;
    let options = StageOptions { ledger: LedgerHome::Folder, keys: None };
    let Staged { report, missing_keys } = stage(remote, &manifest, folder.path(), &options, told).await?;
    Ok(Rehearsed { id, manifest, report, missing_keys: missing_keys.into_iter().collect() })
}
