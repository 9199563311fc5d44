//! The note of a run that has begun. It goes when the run is recorded; one that nobody holds tells of a run that was
//! lost: Stemma was killed, or the machine went down.
//!
//! `.stemma/open-runs/<run>/note.json` is the record as far as it is known before the command starts, locked by the
//! process that runs it; `kept/` beside it holds what files held before the run changed them.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};
use stemma_core::record::RunRecord;

use crate::{Workspace, WorkspaceError, file};

const FOLDER: &str = "open-runs";
const NOTE: &str = "note.json";
const NOTE_BYTES_MAX: u64 = 16 << 20;

/// A run of this process that has no record yet.
#[derive(Debug)]
pub(super) struct OpenRun {
    folder: PathBuf,
    _held: File,
}

impl OpenRun {
    /// Writes the note; it is there as a whole and locked, or not at all.
    pub fn begin(workspace: &Workspace, draft: &RunRecord) -> Result<Self, WorkspaceError> {
        let folder = workspace.home_dir().join(FOLDER).join(draft.id.to_string());
        let begun = (|| {
            file::create_private_folder(&folder.join("kept"))?;
            let unnamed = folder.join("note.new");
            let mut note = file::create_private(&unnamed)?;
            flock(&note, FlockOperation::LockExclusive)?;
            serde_json::to_writer(&mut note, draft)?;
            note.sync_all()?;
            fs::rename(unnamed, folder.join(NOTE))?;
            Ok(note)
        })();
        match begun {
            Ok(held) => Ok(Self { folder, _held: held }),
            Err(error) => Err(WorkspaceError::io(&folder, error)),
        }
    }

    /// Where to put what files hold before they change.
    pub fn aside(&self) -> PathBuf {
        self.folder.join("kept")
    }

    /// Removes the note: the run is recorded, or there was none. A note that is left is found by the next who looks.
    pub fn forget(&self) {
        // one that can't be removed is told again as a lost run, whose record then stands beside the true one
        _ = fs::remove_dir_all(&self.folder);
    }
}

/// A run that was begun, and whose process is gone; it is told again until it is forgotten.
#[derive(Debug)]
pub struct LostRun {
    /// As far as it was known when the run began.
    pub(super) draft: RunRecord,
    open: OpenRun,
}

impl LostRun {
    /// Forgets it, once its record is safe.
    pub fn forget(&self) {
        self.open.forget();
    }
}

/// Finds the runs of a workspace that were lost; those that go on are left alone.
pub fn lost_runs(workspace: &Workspace) -> Result<Vec<LostRun>, WorkspaceError> {
    let folder = workspace.home_dir().join(FOLDER);
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| WorkspaceError::io(&folder, error))?,
    };
    let mut lost = Vec::new();
    for entry in entries {
        let folder = entry.map_err(|error| WorkspaceError::io(&folder, error))?.path();
        lost.extend(take(&folder).map_err(|error| WorkspaceError::io(&folder.join(NOTE), error))?);
    }
    lost.sort_by_key(|run| run.draft.id);
    Ok(lost)
}

/// Takes a note that nobody holds; `None` if somebody does, or if it was never finished.
fn take(folder: &Path) -> io::Result<Option<LostRun>> {
    let held = match File::open(folder.join(NOTE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    match flock(&held, FlockOperation::NonBlockingLockExclusive) {
        Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
        locked => locked?,
    }
    // whoever held it may have recorded it meanwhile
    let Some(text) = file::read(&folder.join(NOTE), NOTE_BYTES_MAX)? else {
        return Ok(None);
    };
    let draft = serde_json::from_str(&text)?;
    Ok(Some(LostRun { draft, open: OpenRun { folder: folder.to_owned(), _held: held } }))
}
