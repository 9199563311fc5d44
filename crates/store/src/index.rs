//! What this process knows about all packs, and the files behind it.
//!
//! The index is only ever behind what other processes have committed: a name that is not found makes it look at
//! the folder again.

mod following;
mod questions;
mod reading;
mod state;
mod writing;

use std::{
    collections::HashSet,
    fs,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use stemma_core::{Digest, Sha256};

use crate::{
    error::{IoContext as _, Result},
    fs::direct,
    marks::Marks,
    pack::PackId,
    pack::{CODEC_INLINE, Kind},
};

pub(crate) use reading::{ROTTEN, RecordFault, Stored};
use state::State;

/// Where a record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pack: u32,
    stored: u32,
    codec: u8,
    pub offset: u64,
}

/// A blob or tree in the index.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Content {
    place: Place,
    pub size: u64,
    pub sha256: Sha256,
}

impl Content {
    /// Whether the content is in its recipe, so that there is nothing else to look for.
    pub fn is_inline(&self) -> bool {
        self.place.codec == CODEC_INLINE
    }
}

pub(crate) struct Index {
    dir: PathBuf,
    state: RwLock<State>,
    refreshing: Mutex<()>,
    files: Mutex<Vec<(u32, Arc<direct::Input>)>>,
}

/// Whether a copy of a record is a delta, and the pack and offset where it lies.
pub(crate) type CopyPlace = (bool, PackId, u64);

/// What somebody who adds content goes by, and what of it must be on disk before it counts.
pub(crate) struct Reliance<'a> {
    pub marks: &'a Marks,
    /// Records that are being added together.
    pub pending: &'a HashSet<(Kind, Digest)>,
    pub unsynced: &'a mut HashSet<PackId>,
}

impl Index {
    pub fn open(root: &Path) -> Result<Self> {
        let dir = root.join("packs");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).at(&dir)?;
        let index = Self { dir, state: RwLock::default(), refreshing: Mutex::default(), files: Mutex::default() };
        index.refresh()?;
        Ok(index)
    }

    // A panic while a lock is held leaves maps that are at worst behind the files; going on is right.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn files(&self) -> MutexGuard<'_, Vec<(u32, Arc<direct::Input>)>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
