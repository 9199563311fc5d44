//! Packs to write to, and what was committed to them.

use std::{fs::File, io};

use super::shared::Index;
use crate::{
    error::{Result, StoreError},
    fs::durable::sync_dir,
    pack::{Adoption, PackId, PackWriter, SEAL_AT, Scan},
};

impl Index {
    /// Finds a pack that is open and not locked, or makes one.
    ///
    /// So there are never more open packs than there were writers at once, however many batches they commit.
    pub fn writer(&self) -> Result<Box<PackWriter>> {
        if let Some(writer) = self.adopt_any()? {
            return Ok(writer);
        }
        self.refresh()?;
        match self.adopt_any()? {
            Some(writer) => Ok(writer),
            None => self.writer_of_new_pack(),
        }
    }

    /// Makes a pack that nobody else has written to.
    pub fn writer_of_new_pack(&self) -> Result<Box<PackWriter>> {
        let writer = PackWriter::create(self.dir())?;
        self.absorb(writer.id, Scan { committed_end: writer.len(), ..Scan::default() });
        self.sync_name(writer.id)?;
        Ok(writer)
    }

    fn adopt_any(&self) -> Result<Option<Box<PackWriter>>> {
        for id in self.open_packs() {
            if let Some(writer) = self.adopt(id)? {
                return Ok(Some(writer));
            }
        }
        Ok(None)
    }

    fn open_packs(&self) -> Vec<PackId> {
        let state = self.read();
        let open = state.packs.iter().filter(|pack| !pack.sealed && !pack.gone && pack.committed_end < SEAL_AT);
        let mut ids: Vec<PackId> = open.map(|pack| pack.id).collect();
        ids.sort_unstable();
        ids
    }

    fn adopt(&self, id: PackId) -> Result<Option<Box<PackWriter>>> {
        let known_end = self.known(id).map_or(0, |known| known.committed_end);
        let mut seen = Scan::default();
        let adoption = PackWriter::adopt(self.dir(), id, known_end, &mut seen)?;
        self.absorb(id, seen);
        match adoption {
            Adoption::Writer(writer) => {
                self.sync_name(id)?;
                Ok(Some(writer))
            }
            Adoption::Taken => Ok(None),
            Adoption::Damaged(locked) => {
                self.close(id, &locked)?;
                Ok(None)
            }
            Adoption::Closed => {
                if id.index_path(self.dir()).exists() {
                    self.load_sealed(id)?;
                }
                Ok(None)
            }
        }
    }

    /// Makes a pack's name, and the folders above it, survive a power loss before the first record is acknowledged:
    /// their maker may have died too early to do it.
    fn sync_name(&self, id: PackId) -> Result<()> {
        let number = self.write().pack_number(id) as usize;
        if self.read().packs[number].name_synced {
            return Ok(());
        }
        self.dir().ancestors().take(3).try_for_each(sync_dir)?;
        self.write().packs[number].name_synced = true;
        Ok(())
    }

    /// Commits what the writer appended, and ends the pack if it is long enough.
    pub fn commit(&self, writer: &mut PackWriter) -> Result<()> {
        let records = writer.commit()?;
        self.absorb(writer.id, Scan { records, committed_end: writer.len(), rotten: Vec::new() });
        self.mark_synced(writer.id, writer.len());
        if writer.len() >= SEAL_AT {
            self.close(writer.id, writer.file())?;
        }
        Ok(())
    }

    /// Makes the groups of another writer's open pack survive a power loss: that writer may be between its commit
    /// record and the disk.
    pub fn sync_pack(&self, id: PackId) -> Result<()> {
        let Some(known) = self.known(id) else {
            return Ok(());
        };
        let path = id.pack_path(self.dir());
        match File::open(&path).and_then(|file| file.sync_data()) {
            Ok(()) => {}
            // a collection removed it after bringing to disk elsewhere what somebody may rely on
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(StoreError::io(&path, error)),
        }
        self.mark_synced(id, known.committed_end);
        Ok(())
    }
}
