//! An object of another tool on its way into the store: hashed before it is believed, and what is stored is what was hashed.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use stemma_core::Digest;
use stemma_store::{Batch, BlobInfo, Lease, Store, StoreError, Tree};

use super::{
    left_out::{LeftOutKind, Trouble},
    object::{BLOCK, ObjectId},
};

/// After so much a batch is brought to disk, so that an interrupted import loses little.
const BATCH_OBJECTS: u64 = 4096;
const BATCH_BYTES: u64 = 256 << 20;

/// How much was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Tally {
    /// Different objects that were hashed and are what they are called.
    pub objects: u64,
    pub bytes: u64,
    /// Those of them that the store did not have.
    pub stored: u64,
    pub stored_bytes: u64,
}

/// What an object is to its tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    File,
    /// It lists the files of a folder.
    Listing,
}

/// Says where an object may lie.
type ObjectFiles<'a> = dyn Fn(&ObjectId, ObjectKind) -> Vec<ObjectFile> + 'a;

/// Takes objects of one store of another tool.
pub struct Taker<'a> {
    store: &'a Store,
    /// What was taken or found present must not be collected before somebody refers to it.
    lease: Lease,
    batch: Batch,
    in_batch: (u64, u64),
    /// The files in which an object may lie, the likeliest first; below each folder, links are followed.
    files: Box<ObjectFiles<'a>>,
    known: HashMap<ObjectId, Result<BlobInfo, Trouble>>,
    pub tally: Tally,
    /// What went well only at a second place.
    pub notes: Vec<String>,
    progress: &'a mut dyn FnMut(u64),
    done: u64,
}

/// A file that may hold an object, and the folder that it must not lead out of.
pub struct ObjectFile {
    pub folder: PathBuf,
    pub file: PathBuf,
}

enum Look {
    Absent,
    Bad(Trouble),
}

impl<'a> Taker<'a> {
    pub fn new(
        store: &'a Store,
        files: impl Fn(&ObjectId, ObjectKind) -> Vec<ObjectFile> + 'a,
        progress: &'a mut dyn FnMut(u64),
    ) -> Result<Self, StoreError> {
        let lease = store.lease()?;
        let (batch, files) = (store.batch(), Box::new(files));
        Ok(Self {
            store,
            lease,
            batch,
            in_batch: (0, 0),
            files,
            known: HashMap::new(),
            tally: Tally::default(),
            notes: Vec::new(),
            progress,
            done: 0,
        })
    }

    /// The object as content of ours. `like` is content that it is likely to be a later version of.
    pub fn take(&mut self, id: &ObjectId, like: Option<Digest>) -> Result<Result<BlobInfo, Trouble>, StoreError> {
        if let Some(known) = self.known.get(id) {
            return Ok(known.clone());
        }
        let mut bad = None;
        let mut taken = None;
        for file in (self.files)(id, ObjectKind::File) {
            match self.hash(&file, id) {
                Ok((digest, size)) => {
                    taken = Some(self.put(&file.file, digest, size, like)?);
                    break;
                }
                Err(Look::Absent) => {}
                Err(Look::Bad(trouble)) => bad = Some(trouble),
            }
        }
        let result = match (taken, bad) {
            (Some(info), bad) => {
                self.notes.extend(bad.map(|bad| format!("{}; it is whole in another place", bad.reason)));
                Ok(info)
            }
            (None, Some(bad)) => Err(bad),
            (None, None) => Err(missing(id)),
        };
        self.known.insert(*id, result.clone());
        Ok(result)
    }

    /// The bytes of a listing, which is no content of ours.
    pub fn listing(&mut self, id: &ObjectId, bytes_max: u64) -> Result<Vec<u8>, Trouble> {
        let mut bad = None;
        for file in (self.files)(id, ObjectKind::Listing) {
            match read_listing(&file, id, bytes_max) {
                Ok(bytes) => {
                    self.tally.objects += 1;
                    self.tally.bytes += bytes.len() as u64;
                    return Ok(bytes);
                }
                Err(Look::Absent) => {}
                Err(Look::Bad(trouble)) => bad = Some(trouble),
            }
        }
        Err(bad.unwrap_or_else(|| missing(id)))
    }

    pub fn put_tree(&mut self, tree: &Tree) -> Result<Digest, StoreError> {
        self.batch.put_tree(tree)
    }

    /// Brings everything to disk.
    pub fn finish(self) -> Result<(Tally, Vec<String>, Lease), StoreError> {
        self.batch.commit()?;
        Ok((self.tally, self.notes, self.lease))
    }

    /// Computes both names of a file: the one it must have, and ours.
    fn hash(&mut self, object: &ObjectFile, id: &ObjectId) -> Result<(Digest, u64), Look> {
        let unreadable = |error: io::Error| Look::Bad(unreadable(&object.file, &error));
        let mut file = open(object)?;
        let (mut check, mut ours, mut size) = (id.check(), blake3::Hasher::new(), 0);
        let mut block = Vec::with_capacity(BLOCK);
        loop {
            block.clear();
            (&mut file).take(BLOCK as u64).read_to_end(&mut block).map_err(unreadable)?;
            check.update(&block);
            ours.update(&block);
            size += block.len() as u64;
            self.done += block.len() as u64;
            (self.progress)(self.done);
            if block.len() < BLOCK {
                break;
            }
        }
        let found = check.finish();
        if found != *id {
            return Err(Look::Bad(damaged(&object.file, &found)));
        }
        Ok((Digest::from_bytes(ours.finalize().into()), size))
    }

    /// Puts a file that was hashed into the store, unless it is there.
    fn put(&mut self, file: &Path, digest: Digest, size: u64, like: Option<Digest>) -> Result<BlobInfo, StoreError> {
        self.tally.objects += 1;
        self.tally.bytes += size;
        // what rotted is stored again
        if let Some(info) = self.store.info(&digest).ok().flatten() {
            return Ok(info);
        }
        let like = like.filter(|like| *like != digest);
        let info = self.batch.put_file_like(file, like, &mut |_| {})?;
        if info.digest != digest {
            return Err(StoreError::Changed(file.to_owned()));
        }
        self.tally.stored += 1;
        self.tally.stored_bytes += size;
        self.in_batch = (self.in_batch.0 + 1, self.in_batch.1 + size);
        if self.in_batch.0 >= BATCH_OBJECTS || self.in_batch.1 >= BATCH_BYTES {
            std::mem::replace(&mut self.batch, self.store.batch()).commit()?;
            self.in_batch = (0, 0);
        }
        Ok(info)
    }
}

fn read_listing(object: &ObjectFile, id: &ObjectId, bytes_max: u64) -> Result<Vec<u8>, Look> {
    let mut bytes = Vec::new();
    open(object)?
        .take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Look::Bad(unreadable(&object.file, &error)))?;
    if bytes.len() as u64 > bytes_max {
        let reason = format!("`{}` is longer than {bytes_max} bytes", object.file.display());
        return Err(Look::Bad(Trouble::new(LeftOutKind::Refused, reason)));
    }
    let mut check = id.check();
    bytes.chunks(BLOCK).for_each(|block| check.update(block));
    match check.finish() {
        found if found == *id => Ok(bytes),
        found => Err(Look::Bad(damaged(&object.file, &found))),
    }
}

/// Opens a regular file, also through links that stay inside of the folder.
fn open(object: &ObjectFile) -> Result<File, Look> {
    let ObjectFile { folder, file } = object;
    let refused = |what: &str| Look::Bad(Trouble::new(LeftOutKind::Refused, format!("`{}` {what}", file.display())));
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Look::Absent,
        _ => Look::Bad(unreadable(file, &error)),
    };
    fs::symlink_metadata(file).map_err(failed)?;
    let (real, within) = (fs::canonicalize(file).map_err(failed)?, fs::canonicalize(folder).map_err(failed)?);
    if !real.starts_with(within) {
        return Err(refused("is a link that leads out of its store"));
    }
    // without O_NONBLOCK the mere opening of a named pipe would wait for its writer
    let flags = (rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW).bits().cast_signed();
    let opened = File::options().read(true).custom_flags(flags).open(&real).map_err(failed)?;
    match opened.metadata().map_err(failed)?.is_file() {
        true => Ok(opened),
        false => Err(refused("is not a regular file")),
    }
}

fn missing(id: &ObjectId) -> Trouble {
    Trouble::new(LeftOutKind::Missing, format!("object {id} is in none of the stores that were looked at"))
}

fn damaged(file: &Path, found: &ObjectId) -> Trouble {
    Trouble::new(LeftOutKind::Damaged, format!("`{}` is damaged: its content is {found}", file.display()))
}

fn unreadable(file: &Path, error: &io::Error) -> Trouble {
    Trouble::new(LeftOutKind::Refused, format!("`{}` can't be read: {error}", file.display()))
}
