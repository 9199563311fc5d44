//! Who is adding content, and by which marks: files in `leases/`, each locked by the process that made it.
//!
//! A lease file is magic (8 bytes), version (u16), reserved (6), epoch and generation of the marks its holder goes by
//! (u64 each, little-endian), and the CRC-32 of all that. Until that is written, and whenever it can't be read, its
//! holder counts as going by no marks at all. A file that nobody locks belongs to a dead process and is removed.

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::file::{Marks, MarksId};
use crate::{
    error::{IoContext as _, Result, StoreError},
    fs::lock,
    little_endian::{le_u16, le_u32, le_u64},
};

const MAGIC: [u8; 8] = *b"\x9dSTMLSE\n";
const VERSION: u16 = 1;
const LEN: usize = 36;
/// A new file may be taken for a dead one's before it is locked; so often is not by chance.
const ATTEMPTS: usize = 100;

/// Protects what its holder adds, or finds present, from being collected as long as it lives.
///
/// Hold one from before you look for content or start a [`Batch`](crate::Batch) until you have recorded your reference
/// to it; then no collection can come in between, whatever its grace period. Each batch holds one of its own, up to the
/// end of its commit.
#[derive(Debug)]
#[must_use = "it protects only as long as it is held"]
pub struct Lease {
    /// Its lock is what says that we live.
    _file: File,
    path: PathBuf,
    marks: Arc<Marks>,
}

impl Lease {
    /// `newest_marks` reads them; it is asked when the lease can be seen.
    pub(crate) fn take(root: &Path, newest_marks: impl FnOnce() -> Result<Arc<Marks>>) -> Result<Self> {
        let dir = leases_dir(root);
        DirBuilder::new().recursive(true).mode(0o700).create(&dir).at(&dir)?;
        for _ in 0..ATTEMPTS {
            let path = dir.join(uuid::Uuid::now_v7().simple().to_string());
            let mut file = File::options().write(true).create_new(true).mode(0o600).open(&path).at(&path)?;
            file.lock().at(&path)?;
            if lock::is_unlinked(&file, &path)? {
                continue;
            }
            // only now: whoever looks at the leases from here on sees us, so that marks made later wait for us
            let marks = newest_marks()?;
            file.write_all(&encode(marks.id)).at(&path)?;
            return Ok(Self { _file: file, path, marks });
        }
        let busy = io::Error::new(io::ErrorKind::WouldBlock, "every new lease was taken for a dead one");
        Err(StoreError::io(&dir, busy))
    }

    /// The marks that its holder goes by.
    pub(crate) fn marks(&self) -> &Arc<Marks> {
        &self.marks
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // a file that stays is removed by the next collection
        let _ = fs::remove_file(&self.path);
    }
}

/// The living leases of a store.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    held: Vec<MarksId>,
}

impl Leases {
    /// Reads who lives.
    pub fn read(root: &Path) -> Result<Self> {
        let mut leases = Self::default();
        each_file(root, &mut |path| {
            leases.held.extend(read_living(path)?);
            Ok(())
        })?;
        Ok(leases)
    }

    /// Removes what the dead have left.
    pub fn bury(root: &Path) -> Result<()> {
        each_file(root, &mut lock::remove_if_dead)
    }

    pub fn count(&self) -> u64 {
        self.held.len() as u64
    }

    /// Up to this generation all of them have read the marks of this epoch.
    pub fn floor(&self, epoch: u64) -> u64 {
        let read = |id: &MarksId| if id.epoch == epoch { id.generation } else { 0 };
        self.held.iter().map(read).min().unwrap_or(u64::MAX)
    }
}

fn leases_dir(root: &Path) -> PathBuf {
    root.join("leases")
}

fn each_file(root: &Path, visit: &mut dyn FnMut(&Path) -> Result<()>) -> Result<()> {
    let dir = leases_dir(root);
    let entries = match fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(StoreError::io(&dir, error)),
    };
    entries.into_iter().try_for_each(|entry| visit(&entry.at(&dir)?.path()))
}

/// What the holder of a lease goes by; `None` if nobody holds it.
fn read_living(path: &Path) -> Result<Option<MarksId>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io(path, error)),
    };
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {}
        Ok(()) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(StoreError::io(path, error)),
    }
    let mut bytes = [0; LEN];
    match file.read_exact(&mut bytes) {
        Ok(()) => Ok(Some(decode(&bytes).unwrap_or_default())),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Some(MarksId::default())),
        Err(error) => Err(StoreError::io(path, error)),
    }
}

fn encode(id: MarksId) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
    bytes[16..24].copy_from_slice(&id.epoch.to_le_bytes());
    bytes[24..32].copy_from_slice(&id.generation.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..32]);
    bytes[32..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8; LEN]) -> Option<MarksId> {
    let is_whole = bytes[..8] == MAGIC
        && le_u16(&bytes[8..10]) == VERSION
        && le_u32(&bytes[32..]) == crc32fast::hash(&bytes[..32]);
    is_whole.then(|| MarksId { epoch: le_u64(&bytes[16..24]), generation: le_u64(&bytes[24..32]) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn take(root: &Path, id: MarksId) -> Lease {
        Lease::take(root, || Ok(Arc::new(Marks { id, ..Marks::default() }))).unwrap()
    }

    #[test]
    fn whoever_can_not_be_understood_counts_as_going_by_no_marks() {
        let id = MarksId { epoch: 3, generation: 7 };
        let good = encode(id);
        assert_eq!(decode(&good), Some(id));
        for bit in 0..LEN * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&bad), None, "bit {bit}");
        }
        let folder = tempfile::tempdir().unwrap();
        let lease = take(folder.path(), id);
        assert_eq!(Leases::read(folder.path()).unwrap().floor(3), 7);
        for bytes in [&good[..LEN - 1], &[0; LEN], b""] {
            fs::write(&lease.path, bytes).unwrap();
            assert_eq!(Leases::read(folder.path()).unwrap().floor(3), 0);
        }
    }

    #[test]
    fn a_lease_can_be_seen_before_its_marks_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut seen = None;
        let lease = Lease::take(folder.path(), || {
            seen = Some(Leases::read(folder.path())?);
            Ok(Arc::default())
        });
        let seen = seen.unwrap();
        assert_eq!((seen.count(), seen.floor(3)), (1, 0), "whoever makes marks now waits for it");
        drop(lease);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn marks_are_known_to_all_up_to_the_least_of_the_living(
            leases in proptest::collection::vec((1u64..3, 1u64..20, any::<bool>()), 0..6),
        ) {
            let folder = tempfile::tempdir_in(crate::testing::memory()).unwrap();
            let taken = leases.iter().map(|(epoch, generation, lives)| {
                let lease = take(folder.path(), MarksId { epoch: *epoch, generation: *generation });
                (lease, *lives)
            });
            let living: Vec<Lease> = taken.filter(|(_, lives)| *lives).map(|(lease, _)| lease).collect();
            // a file that nobody locks is of somebody who died
            let dead = leases_dir(folder.path()).join("dead");
            fs::create_dir_all(leases_dir(folder.path())).unwrap();
            fs::write(&dead, encode(MarksId { epoch: 1, generation: 0 })).unwrap();
            let read = Leases::read(folder.path()).unwrap();
            prop_assert_eq!(read.count(), living.len() as u64);
            for epoch in 1..3 {
                let known = leases.iter().filter(|(.., lives)| *lives);
                let known = known.map(|(of, generation, _)| if *of == epoch { *generation } else { 0 });
                prop_assert_eq!(read.floor(epoch), known.min().unwrap_or(u64::MAX));
            }
            Leases::bury(folder.path()).unwrap();
            prop_assert!(!dead.exists());
            prop_assert_eq!(Leases::read(folder.path()).unwrap().count(), living.len() as u64, "the living stay");
        }
    }
}
