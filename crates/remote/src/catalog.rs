//! What a remote holds, known from one listing and the indexes that go with its packs.
//!
//! An index never changes, so each is fetched once and kept in a folder; an index whose pack is missing or of another
//! length counts for nothing.

use std::{
    collections::{HashMap, HashSet},
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use object_store::path::Path as ObjectPath;
use stemma_store::{IndexFault, PackContents, PackId, RecordId, RecordPlace};
use tokio::task::JoinSet;

use crate::{
    error::{RemoteError, Result},
    wire::Wire,
};

/// Most objects that are listed; a petabyte in packs of 48 MiB has fewer.
const OBJECTS_MAX: usize = 50_000_000;
/// Longest index that is read: more than a pack of nothing but empty records would have.
const INDEX_MAX: u64 = 256 << 20;

/// Where records lie at a remote.
#[derive(Debug, Default)]
pub struct Catalog {
    packs: Vec<PackId>,
    /// Sorted by name; equal names are copies.
    copies: Vec<RecordCopy>,
    /// Packs that can't be used, and why.
    pub unusable: Vec<String>,
}

/// A copy of a record in a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RecordCopy {
    pub id: RecordId,
    /// Number of the pack in the catalog.
    pub pack: u32,
    pub offset: u64,
    pub len: u64,
}

struct Listed {
    id: PackId,
    pack_len: u64,
    index_len: u64,
}

impl Catalog {
    /// Looks at the remote once and fetches the indexes that `cache` lacks.
    pub(crate) async fn load(wire: &Wire, root: &ObjectPath, cache: &Path) -> Result<Self> {
        let mut catalog = Self::default();
        let listed = catalog.list(wire, root).await?;
        fs::create_dir_all(cache).map_err(|source| cache_error(cache, source))?;
        // an empty listing may be that of a disk which is not mounted
        if !listed.is_empty() {
            forget_others(cache, &listed);
        }
        let mut missing = Vec::new();
        for pack in listed {
            match read_cached(cache, &pack) {
                Some(contents) => catalog.add(pack.id, &contents),
                None => missing.push(pack),
            }
        }
        catalog.fetch(wire, root, cache, missing).await?;
        catalog.copies.sort_unstable();
        Ok(catalog)
    }

    /// The packs that have an index.
    async fn list(&mut self, wire: &Wire, root: &ObjectPath) -> Result<Vec<Listed>> {
        let (mut packs, mut indexes) = (HashMap::new(), HashMap::new());
        for object in wire.list(&root.clone().join("packs"), OBJECTS_MAX).await? {
            let Some((id, extension)) = object.location.filename().and_then(|name| name.split_once('.')) else {
                continue;
            };
            let Ok(id) = id.parse::<PackId>() else { continue };
            match extension {
                "pack" => packs.insert(id, object.size),
                "idx" => indexes.insert(id, object.size),
                _ => continue,
            };
        }
        let mut listed = Vec::with_capacity(indexes.len());
        for (id, index_len) in indexes {
            match packs.get(&id) {
                Some(pack_len) if index_len <= INDEX_MAX => listed.push(Listed { id, pack_len: *pack_len, index_len }),
                Some(_) => self.unusable.push(format!("the index of pack {id} is too long")),
                None => self.unusable.push(format!("pack {id} is missing")),
            }
        }
        listed.sort_unstable_by_key(|pack| pack.id);
        Ok(listed)
    }

    async fn fetch(&mut self, wire: &Wire, root: &ObjectPath, cache: &Path, missing: Vec<Listed>) -> Result<()> {
        let mut under_way = JoinSet::new();
        let mut missing = missing.into_iter();
        loop {
            while under_way.len() < wire.policy.concurrency
                && let Some(pack) = missing.next()
            {
                let (wire, object) = (wire.clone(), index_path(root, pack.id));
                under_way.spawn(async move {
                    let _room = wire.budget.take(pack.index_len).await;
                    let bytes = wire.get(&object, None, pack.index_len).await;
                    (pack, bytes)
                });
            }
            let Some(done) = under_way.join_next().await else {
                return Ok(());
            };
            let (pack, bytes) = done?;
            self.take_in(cache, &pack, bytes?)?;
        }
    }

    fn take_in(&mut self, cache: &Path, pack: &Listed, bytes: Bytes) -> Result<()> {
        match PackContents::parse(pack.id, &bytes) {
            Ok(contents) if contents.len == pack.pack_len => {
                write_cached(cache, pack.id, &bytes)?;
                self.add(pack.id, &contents);
            }
            Ok(contents) => self
                .unusable
                .push(format!("pack {} has {} bytes, but its index says {}", pack.id, pack.pack_len, contents.len)),
            Err(IndexFault::Damaged) => self.unusable.push(format!("the index of pack {} is damaged", pack.id)),
            Err(IndexFault::Version(version)) => {
                let object = format!("{}.idx", pack.id);
                return Err(RemoteError::UnknownVersion { object, what: format!("index format {version}") });
            }
        }
        Ok(())
    }

    fn add(&mut self, id: PackId, contents: &PackContents) {
        let pack = u32::try_from(self.packs.len()).expect("a listing is bounded");
        self.packs.push(id);
        self.copies.extend(contents.records.iter().map(|found| {
            let RecordPlace { id, offset, len } = *found;
            RecordCopy { id, pack, offset, len }
        }));
    }

    /// Whether the remote holds a record, and with it all that it needs.
    pub fn has(&self, id: &RecordId) -> bool {
        !self.copies_of(id).is_empty()
    }

    /// All copies of a record.
    pub(crate) fn copies_of(&self, id: &RecordId) -> &[RecordCopy] {
        let start = self.copies.partition_point(|copy| copy.id < *id);
        let len = self.copies[start..].partition_point(|copy| copy.id == *id);
        &self.copies[start..start + len]
    }

    pub(crate) fn pack(&self, number: u32) -> PackId {
        self.packs[number as usize]
    }

    /// How many packs can be used.
    pub fn packs(&self) -> usize {
        self.packs.len()
    }

    /// Whether nothing of ours is there, usable or not.
    pub fn is_empty(&self) -> bool {
        self.packs.is_empty() && self.unusable.is_empty()
    }

    pub fn records(&self) -> usize {
        self.copies.len()
    }
}

pub(crate) fn pack_path(root: &ObjectPath, id: PackId) -> ObjectPath {
    root.clone().join("packs").join(format!("{id}.pack"))
}

pub(crate) fn index_path(root: &ObjectPath, id: PackId) -> ObjectPath {
    root.clone().join("packs").join(format!("{id}.idx"))
}

pub(crate) fn cache_error(path: &Path, source: io::Error) -> RemoteError {
    RemoteError::Cache { path: path.to_owned(), source }
}

fn cached_path(cache: &Path, id: PackId) -> PathBuf {
    cache.join(format!("{id}.idx"))
}

/// `None` if it is not there or not what belongs to the pack.
fn read_cached(cache: &Path, pack: &Listed) -> Option<PackContents> {
    let path = cached_path(cache, pack.id);
    let is_it = fs::metadata(&path).ok()?.len() == pack.index_len;
    let contents = PackContents::parse(pack.id, &is_it.then(|| fs::read(&path).ok()).flatten()?).ok()?;
    (contents.len == pack.pack_len).then_some(contents)
}

pub(crate) fn write_cached(cache: &Path, id: PackId, bytes: &[u8]) -> Result<()> {
    write_beside(cache, &format!("{id}.idx"), bytes)
}

/// Writes a file into the cache, whole or not at all.
pub(crate) fn write_beside(cache: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let path = cache.join(name);
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(cache)?;
        file.write_all(bytes)?;
        file.persist(&path).map_err(|error| error.error)
    };
    write().map(drop).map_err(|source| cache_error(&path, source))
}

/// Removes indexes of packs that are gone; what can't be removed only takes up room.
fn forget_others(cache: &Path, listed: &[Listed]) {
    let known: HashSet<String> = listed.iter().map(|pack| format!("{}.idx", pack.id)).collect();
    for entry in fs::read_dir(cache).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_index = Path::new(&name).extension().is_some_and(|extension| extension == "idx");
        if is_index && !name.to_str().is_some_and(|name| known.contains(name)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
