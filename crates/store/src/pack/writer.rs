//! Writing packs: one writer each, groups that count once they are on disk.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use stemma_core::Sha256;

use super::{
    group::Group,
    id::{PACK_HEADER_LEN, PackId, encode_pack_header},
    record::{Header, PackedRecord},
    salvage::salvage,
    scan::{Scan, scan},
};
use crate::{
    error::{IoContext as _, Result, StoreError},
    fs::{direct::DirectWriter, lock},
};

/// A pack this long takes no further group; it gets its index and stays as it is.
pub(crate) const SEAL_AT: u64 = 32 << 20;
/// A group that makes its pack this long is committed and goes on in the next pack.
pub(crate) const PACK_MAX: u64 = 64 << 20;
/// What a pack ends in until it has its name.
const NEW: &str = "new";
/// A new pack may be taken for a dead maker's before it is locked; so often is not by chance.
const ATTEMPTS: usize = 100;

/// What became of an attempt to go on writing in a pack.
pub(crate) enum Adoption {
    Writer(Box<PackWriter>),
    /// Another writer has it.
    Taken,
    /// It has its index, is long enough, or is gone.
    Closed,
    /// Bytes within its committed groups have rotted; it must not be written to any more. The file is locked.
    Damaged(File),
}

/// The one writer of a pack, as long as it lives: it holds the file's exclusive lock.
pub(crate) struct PackWriter {
    pub id: PackId,
    path: PathBuf,
    file: File,
    committed_end: u64,
    /// Where the next record goes.
    end: u64,
    output: DirectWriter,
    group: Group,
    records: Vec<PackedRecord>,
    /// From the first byte of a commit record on, nothing may be cut off: a reader may have seen it.
    commit_begun: bool,
}

impl PackWriter {
    /// Makes a pack, and writes to it.
    pub fn create(dir: &Path) -> Result<Box<Self>> {
        for _ in 0..ATTEMPTS {
            if let Some(new) = NewPack::make(dir)? {
                return new.publish(dir);
            }
        }
        let busy = io::Error::new(io::ErrorKind::WouldBlock, "every new pack was taken for a dead one");
        Err(StoreError::io(dir, busy))
    }

    /// Tries to become the writer of an existing pack. `known_end` is where this process knows a committed group
    /// to end; `seen` receives what was committed behind it.
    pub fn adopt(dir: &Path, id: PackId, known_end: u64, seen: &mut Scan) -> Result<Adoption> {
        let path = id.pack_path(dir);
        let file = match File::options().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Adoption::Closed),
            Err(error) => return Err(StoreError::io(&path, error)),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Adoption::Taken),
            Err(TryLockError::Error(error)) => return Err(StoreError::io(&path, error)),
        }
        if lock::is_unlinked(&file, &path)? || id.index_path(dir).exists() {
            return Ok(Adoption::Closed);
        }
        *seen = scan(&file, &path, id, known_end)?;
        if seen.committed_end >= SEAL_AT {
            return Ok(Adoption::Closed);
        }
        let len = file.metadata().at(&path)?.len();
        if len > seen.committed_end {
            let tail = salvage(&file, &path, id, seen.committed_end, len)?;
            if tail.last_commit_end.is_some() {
                return Ok(Adoption::Damaged(file));
            }
            file.set_len(seen.committed_end).at(&path)?;
        }
        let mut writer = Self::at_end(id, path, file, seen.committed_end);
        if writer.committed_end == 0 {
            writer.write_pack_header()?;
            seen.committed_end = writer.committed_end;
        }
        Ok(Adoption::Writer(Box::new(writer)))
    }

    fn at_end(id: PackId, path: PathBuf, file: File, end: u64) -> Self {
        Self {
            id,
            path,
            file,
            committed_end: end,
            end,
            output: DirectWriter::starting_at(end),
            group: Group::starting_at(end),
            records: Vec::new(),
            commit_begun: false,
        }
    }

    /// Begins anew a pack of which not even the header is left, or that a version without [`NewPack`] has only named.
    fn write_pack_header(&mut self) -> Result<()> {
        self.file.write_all_at(&encode_pack_header(self.id), 0).at(&self.path)?;
        self.file.sync_data().at(&self.path)?;
        self.committed_end = PACK_HEADER_LEN as u64;
        self.go_to(self.committed_end);
        Ok(())
    }

    /// Goes on from here with a new group.
    fn go_to(&mut self, end: u64) {
        self.end = end;
        self.output = DirectWriter::starting_at(end);
        self.group = Group::starting_at(end);
    }

    /// Length of the pack with all that was appended.
    pub fn len(&self) -> u64 {
        self.end
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    /// Drops what was appended since the last commit.
    pub fn roll_back(&mut self) -> Result<()> {
        self.records.clear();
        self.go_to(self.committed_end);
        self.file.set_len(self.end).at(&self.path)
    }

    pub fn has_uncommitted(&self) -> bool {
        self.group.count > 0
    }

    pub fn append(&mut self, header: &Header, payload: &[u8], content: Option<(u64, Sha256)>) -> Result<()> {
        self.records.push(PackedRecord::new(header, self.end, content));
        let bytes = header.encode(self.id, self.end);
        self.group.add(&bytes);
        self.write(&bytes, payload)
    }

    fn write(&mut self, header: &[u8], payload: &[u8]) -> Result<()> {
        self.end += (header.len() + payload.len()) as u64;
        self.output.write(&self.file, header).at(&self.path)?;
        self.output.write(&self.file, payload).at(&self.path)
    }

    pub(super) fn flush(&mut self) -> Result<()> {
        self.output.flush(&self.file).at(&self.path)
    }

    /// Makes all that was appended count: bytes to disk, then the commit record, then that to disk.
    pub fn commit(&mut self) -> Result<Vec<PackedRecord>> {
        self.flush()?;
        self.file.sync_data().at(&self.path)?;
        let (header, payload) = self.group.commit_record();
        for _ in 0..2 {
            let bytes = header.encode(self.id, self.end);
            self.write(&bytes, &payload)?;
        }
        self.commit_begun = true;
        self.flush()?;
        self.file.sync_data().at(&self.path)?;
        self.committed_end = self.end;
        self.commit_begun = false;
        self.group = Group::starting_at(self.end);
        Ok(std::mem::take(&mut self.records))
    }
}

impl Drop for PackWriter {
    /// Gives back the disk space of a group that was not committed. The lock ends with the file.
    fn drop(&mut self) {
        if self.has_uncommitted() && !self.commit_begun {
            // on failure whoever looks at the pack next cuts the tail off
            let _ = self.file.set_len(self.committed_end);
        }
    }
}

/// A pack that nobody sees yet.
///
/// It gets its name only when its header is on disk and its lock is held. So a pack that can be seen has its header,
/// and one without it is damaged: there is no moment at which it could be one that is being made. What a dead maker
/// leaves is removed by the next collection.
struct NewPack {
    id: PackId,
    file: File,
    path: PathBuf,
}

impl NewPack {
    /// `None` if it was taken for a dead maker's before it was locked.
    fn make(dir: &Path) -> Result<Option<Self>> {
        let id = PackId::generate();
        let path = dir.join(format!("{id}.{NEW}"));
        let mut options = File::options();
        let file = options.read(true).write(true).create_new(true).mode(0o600).open(&path).at(&path)?;
        file.lock().at(&path)?;
        if lock::is_unlinked(&file, &path)? {
            return Ok(None);
        }
        let written = file.write_all_at(&encode_pack_header(id), 0).and_then(|()| file.sync_all());
        if written.is_err() {
            // what went wrong tells more than a failure to clean up
            let _ = fs::remove_file(&path);
        }
        written.at(&path)?;
        Ok(Some(Self { id, file, path }))
    }

    /// Gives it its name. That name is on disk only once somebody syncs the folder.
    fn publish(self, dir: &Path) -> Result<Box<PackWriter>> {
        let path = self.id.pack_path(dir);
        fs::rename(&self.path, &path).at(&path)?;
        Ok(Box::new(PackWriter::at_end(self.id, path, self.file, PACK_HEADER_LEN as u64)))
    }
}

/// Removes what those who died while they made a pack have left.
pub(crate) fn bury_new_packs(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir).at(dir)? {
        let path = entry.at(dir)?.path();
        if path.extension().is_some_and(|extension| extension == NEW) {
            lock::remove_if_dead(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use stemma_core::Digest;

    use super::{
        super::{
            group::COMMIT_LEN,
            record::{CODEC_RAW, HEADER_LEN, Kind},
        },
        *,
    };

    fn writer(dir: &Path, id: PackId) -> Box<PackWriter> {
        match PackWriter::adopt(dir, id, 0, &mut Scan::default()).unwrap() {
            Adoption::Writer(writer) => writer,
            _ => panic!("the pack is open and free"),
        }
    }

    fn append(writer: &mut PackWriter, payload: &[u8]) {
        let (digest, plain) = (Digest::of(payload), payload.len() as u64);
        let header = Header::for_payload(Kind::Chunk, CODEC_RAW, digest, plain, payload);
        writer.append(&header, payload, None).unwrap();
    }

    #[test]
    fn a_scan_may_stop_after_any_group_and_go_on_from_there() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = PackWriter::create(folder.path()).unwrap();
        let (id, path) = (writer.id, writer.path.clone());
        let commit_record = (HEADER_LEN + COMMIT_LEN) as u64;
        let mut ends = vec![writer.len()];
        for group in [2, 1, 3] {
            (0..group).for_each(|number| append(&mut writer, &[group, number]));
            writer.commit().unwrap();
            // between the two copies of the commit record, and behind them
            ends.extend([writer.len() - commit_record, writer.len()]);
        }
        append(&mut writer, b"not committed");
        writer.flush().unwrap();

        let file = File::open(&path).unwrap();
        for (start, records_behind) in ends.iter().zip([6, 4, 4, 3, 3, 0, 0]) {
            let scan = scan(&file, &path, id, *start).unwrap();
            assert_eq!(scan.committed_end, ends[6], "from {start}");
            assert_eq!(scan.records.len(), records_behind, "from {start}");
        }
    }

    fn named(dir: &Path) -> Vec<PathBuf> {
        let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "pack")).collect()
    }

    #[test]
    fn a_pack_that_can_be_seen_has_its_header_and_a_writer() {
        let folder = tempfile::tempdir().unwrap();
        let new = NewPack::make(folder.path()).unwrap().unwrap();
        assert_eq!(fs::read(&new.path).unwrap(), encode_pack_header(new.id));
        assert!(named(folder.path()).is_empty(), "nobody sees it before");
        let writer = new.publish(folder.path()).unwrap();
        assert_eq!(named(folder.path()), std::slice::from_ref(&writer.path));
        assert_eq!(fs::read(&writer.path).unwrap(), encode_pack_header(writer.id));
        let taken = PackWriter::adopt(folder.path(), writer.id, 0, &mut Scan::default()).unwrap();
        assert!(matches!(taken, Adoption::Taken));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_dead_maker_leaves_is_buried_and_what_a_living_one_makes_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let living = NewPack::make(folder.path()).unwrap().unwrap();
        let dead = NewPack::make(folder.path()).unwrap().unwrap();
        let (path, header) = (dead.path.clone(), encode_pack_header(dead.id));
        drop(dead);
        for len in 0..=PACK_HEADER_LEN {
            fs::write(&path, &header[..len]).unwrap();
            bury_new_packs(folder.path()).unwrap();
            assert!(!path.exists(), "it died after {len} bytes");
        }
        assert!(living.path.exists());
        // a collector that comes before the lock takes the file; its maker makes another one
        fs::remove_file(&living.path).unwrap();
        assert!(living.publish(folder.path()).is_err());
        let writer = PackWriter::create(folder.path()).unwrap();
        bury_new_packs(folder.path()).unwrap();
        assert_eq!(named(folder.path()), std::slice::from_ref(&writer.path));
    }

    #[test]
    fn one_pack_has_one_writer_and_what_it_left_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = PackWriter::create(folder.path()).unwrap();
        let id = first.id;
        let taken = PackWriter::adopt(folder.path(), id, 0, &mut Scan::default()).unwrap();
        assert!(matches!(taken, Adoption::Taken));
        append(&mut first, b"kept");
        first.commit().unwrap();
        let committed_end = first.len();
        append(&mut first, b"dropped");
        first.flush().unwrap();
        let path = id.pack_path(folder.path());
        assert!(path.metadata().unwrap().len() > committed_end);
        drop(first);
        assert_eq!(path.metadata().unwrap().len(), committed_end);
        assert_eq!(writer(folder.path(), id).len(), committed_end);
    }
}
