//! Following what other processes commit, and tidying up behind those that died.

use std::{
    collections::HashSet,
    fs::{self, File},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::Path,
};

use super::shared::{Index, Known};
use crate::{
    error::{IoContext as _, Result, StoreError},
    fs::lock::is_unlinked,
    pack::{self, PackId, PackIndex, SEAL_AT, Scan},
};

/// As often the folder is read again because a pack went away meanwhile.
const REFRESH_ROUNDS: usize = 10;

impl Index {
    /// Reads what is in the folder `packs`, which is made if there is none.
    pub fn open(root: &Path) -> Result<Self> {
        let dir = root.join("packs");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).at(&dir)?;
        let index = Self::new(dir);
        index.refresh()?;
        Ok(index)
    }

    /// Looks at the folder for what other processes have committed since.
    pub fn refresh(&self) -> Result<()> {
        let _one_at_a_time = self.begin_refresh();
        // Where a pack went away its records were copied into another one before, which a listing that was begun
        // earlier may not have.
        for _ in 0..REFRESH_ROUNDS {
            if self.follow_folder()? == Look::Complete {
                break;
            }
        }
        Ok(())
    }

    fn follow_folder(&self) -> Result<Look> {
        let known: Vec<PackId> = self.packs().into_iter().map(|(id, _)| id).collect();
        let listing = Listing::read(self.dir())?;
        let gone: HashSet<PackId> = known.into_iter().filter(|id| !listing.packs.contains(id)).collect();
        let mut look = if gone.is_empty() { Look::Complete } else { Look::PackGone };
        for id in &listing.packs {
            let followed = match self.known(*id) {
                Some(Known { sealed: true, .. }) => Look::Complete,
                _ if listing.indexes.contains(id) => self.load_sealed(*id)?,
                known => self.follow(*id, known.map_or(0, |known| known.committed_end))?,
            };
            if followed == Look::PackGone {
                look = Look::PackGone;
            }
        }
        // only now, so that what was moved is never absent in between
        self.forget(gone);
        Ok(look)
    }

    /// Reads what was appended to a pack that is still open.
    fn follow(&self, id: PackId, committed_end: u64) -> Result<Look> {
        let path = id.pack_path(self.dir());
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Look::PackGone),
            Err(error) => return Err(StoreError::io(&path, error)),
        };
        let committed_end = self.catch_up(id, &file, &path, committed_end)?;
        let len = file.metadata().at(&path)?.len();
        // What lies behind the last group is work in progress if somebody holds the lock.
        if (committed_end < SEAL_AT && len <= committed_end) || file.try_lock().is_err() {
            return Ok(Look::Complete);
        }
        self.finish_dead(id, &file, &path, committed_end)?;
        Ok(Look::Complete)
    }

    /// Tidies up behind a writer that died. The caller holds the pack's lock.
    fn finish_dead(&self, id: PackId, file: &File, path: &Path, committed_end: u64) -> Result<()> {
        if is_unlinked(file, path)? {
            return Ok(());
        }
        let committed_end = self.catch_up(id, file, path, committed_end)?;
        if committed_end >= SEAL_AT {
            // its writer died between the last commit and the index
            return self.close(id, file);
        }
        let len = file.metadata().at(path)?.len();
        let tail = pack::salvage(file, path, id, committed_end, len)?;
        if tail.last_commit_end.is_some() {
            return self.close(id, file);
        }
        if len > committed_end {
            // The rest of a crash. It does no harm, so being unable to cut it off does none either.
            let _ = File::options().write(true).open(path).and_then(|file| file.set_len(committed_end));
        }
        Ok(())
    }

    fn catch_up(&self, id: PackId, file: &File, path: &Path, committed_end: u64) -> Result<u64> {
        let scan = pack::scan(file, path, id, committed_end)?;
        let committed_end = scan.committed_end;
        self.absorb(id, scan);
        Ok(committed_end)
    }

    /// Takes in a pack by its index, or makes the index anew.
    pub(super) fn load_sealed(&self, id: PackId) -> Result<Look> {
        if let Some(index) = PackIndex::load(self.dir(), id)? {
            let PackIndex { records, committed_end } = index;
            self.absorb(id, Scan { records, committed_end, rotten: Vec::new() });
            self.mark_sealed(id);
            return Ok(Look::Complete);
        }
        let path = id.pack_path(self.dir());
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Look::PackGone),
            Err(error) => return Err(StoreError::io(&path, error)),
        };
        if file.try_lock().is_ok() {
            if is_unlinked(&file, &path)? {
                return Ok(Look::PackGone);
            }
            self.close(id, &file)?;
        } else {
            // whoever holds the lock is writing the index
            self.absorb(id, pack::survey(&file, &path, id)?);
        }
        self.mark_sealed(id);
        Ok(Look::Complete)
    }

    /// Ends a pack: nobody will append to it once it has an index. The caller holds its lock.
    pub(super) fn close(&self, id: PackId, file: &File) -> Result<()> {
        let path = id.pack_path(self.dir());
        let scan = pack::survey(file, &path, id)?;
        let (records, committed_end) = (scan.records.clone(), scan.committed_end);
        self.absorb(id, scan);
        file.sync_data().at(&path)?;
        // without an index the pack is only slower to open; a full or read-only disk must not stop a reader
        if (PackIndex { records, committed_end }).write(self.dir(), id).is_ok() {
            self.mark_sealed(id);
        }
        Ok(())
    }
}

/// Whether all of the folder was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Complete,
    /// A pack went away, since the last look or during this one.
    PackGone,
}

#[derive(Default)]
struct Listing {
    packs: HashSet<PackId>,
    indexes: HashSet<PackId>,
}

impl Listing {
    fn read(dir: &Path) -> Result<Self> {
        let mut listing = Self::default();
        for entry in fs::read_dir(dir).at(dir)? {
            let name = entry.at(dir)?.file_name();
            let Some((stem, extension)) = name.to_str().and_then(|name| name.split_once('.')) else {
                continue;
            };
            let Ok(id) = stem.parse() else { continue };
            match extension {
                "pack" => listing.packs.insert(id),
                "idx" => listing.indexes.insert(id),
                _ => continue,
            };
        }
        Ok(listing)
    }
}
