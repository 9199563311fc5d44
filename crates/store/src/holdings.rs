//! What a store holds, as this process knows it: the packs of a folder, and which of their records are marked.
//!
//! Everything that reads or adds stands on this; it knows of neither.

use std::{
    collections::HashSet,
    fs,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use stemma_core::{ContentId, Digest, Sha256};

use crate::{
    error::{IoContext as _, Result, StoreError},
    index::{Index, ROTTEN},
    marks::{self, Lease, Marks},
    pack::Kind,
};

/// Both names of a blob, and how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BlobInfo {
    pub digest: Digest,
    pub sha256: Sha256,
    pub size: u64,
}

/// What a store takes up and what it would take up without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    pub packs: u64,
    /// Packs and indexes together.
    pub bytes_on_disk: u64,
    pub blobs: u64,
    pub trees: u64,
    /// Sum of the sizes of all blobs.
    pub plain_bytes: u64,
}

/// A folder, its index and its marks. Clones are cheap and share what they know.
#[derive(Clone)]
pub(crate) struct Holdings {
    index: Arc<Index>,
    root: Arc<Path>,
    /// The marks as they were last read; the index is at least as new.
    marks: Arc<Mutex<Arc<Marks>>>,
}

impl Holdings {
    /// Makes the folder (mode 0700) if there is none.
    pub fn open(root: &Path) -> Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(root).at(root)?;
        let marks = Arc::new(Mutex::new(Arc::new(marks::load(root)?)));
        Ok(Self { index: Arc::new(Index::open(root)?), root: root.into(), marks })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Returns the newest marks, and looks at the folder if they have changed: records may have gone or moved.
    pub fn marks(&self) -> Result<Arc<Marks>> {
        let mut known = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        if marks::peek(&self.root)? != known.id {
            let newest = marks::load(&self.root)?;
            self.index.refresh()?;
            *known = Arc::new(newest);
        }
        Ok(Arc::clone(&known))
    }

    pub fn lease(&self) -> Result<Lease> {
        Lease::take(&self.root, || self.marks())
    }

    pub fn info(&self, digest: &Digest) -> Result<Option<BlobInfo>> {
        let find = || self.index.content(Kind::Blob, digest);
        let Some(content) = self.after_a_second_look(find)? else {
            let is_rotten = self.index.is_rotten(digest);
            return if is_rotten { Err(StoreError::corrupt(*digest, ROTTEN)) } else { Ok(None) };
        };
        Ok(Some(BlobInfo { digest: *digest, sha256: content.sha256, size: content.size }))
    }

    pub fn contains(&self, digest: &Digest) -> bool {
        self.after_a_second_look(|| self.knows(digest).then_some(())).ok().flatten().is_some()
    }

    pub fn missing(&self, digests: &[Digest]) -> Vec<Digest> {
        // a folder that can't be read has nothing new
        let _ = self.marks();
        let unknown = |digest: &&Digest| !self.knows(digest);
        if digests.iter().any(|digest| !self.knows(digest)) {
            let _ = self.index.refresh();
        }
        digests.iter().filter(unknown).copied().collect()
    }

    pub fn contents(&self) -> Result<Vec<Digest>> {
        self.marks()?;
        self.index.refresh()?;
        let mut names = [Kind::Blob, Kind::Tree].map(|kind| self.index.names(kind)).concat();
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    fn knows(&self, digest: &Digest) -> bool {
        [Kind::Blob, Kind::Tree].iter().any(|kind| self.index.content(*kind, digest).is_some())
    }

    pub fn resolve(&self, id: &ContentId) -> Result<Option<Digest>> {
        self.after_a_second_look(|| match id {
            ContentId::Blake3(digest) => self.knows(digest).then_some(*digest),
            ContentId::Sha256(sha256) => self.index.by_sha256(sha256),
        })
    }

    /// Asks after looking for what a collection has removed, and again after looking for what others have written.
    fn after_a_second_look<T>(&self, find: impl Fn() -> Option<T>) -> Result<Option<T>> {
        // marks that can't be read say nothing
        let _ = self.marks();
        if let Some(found) = find() {
            return Ok(Some(found));
        }
        self.index.refresh()?;
        Ok(find())
    }

    pub fn usage(&self) -> Result<Usage> {
        self.index.refresh()?;
        let mut usage = Usage { packs: 0, bytes_on_disk: 0, blobs: 0, trees: 0, plain_bytes: 0 };
        for (id, _) in self.index.packs() {
            usage.packs += 1;
            usage.bytes_on_disk += file_len(id.pack_path(self.index.dir()))?;
            usage.bytes_on_disk += file_len(id.index_path(self.index.dir()))?;
        }
        let blobs = self.index.contents(Kind::Blob);
        usage.blobs = blobs.len() as u64;
        usage.plain_bytes = blobs.iter().map(|(_, content)| content.size).sum();
        usage.trees = self.index.contents(Kind::Tree).len() as u64;
        Ok(usage)
    }

    /// Fails if one of the contents is not here; one look at the folder for all of them.
    pub fn require<'a>(&self, kind: Kind, digests: impl Iterator<Item = &'a Digest>) -> Result<()> {
        let wanted: HashSet<Digest> = digests.copied().collect();
        let absent = |digest: &&Digest| self.index.content(kind, digest).is_none();
        if wanted.iter().any(|digest| absent(&digest)) {
            self.index.refresh()?;
        }
        match wanted.iter().find(absent) {
            Some(digest) => Err(StoreError::NotFound(*digest)),
            None => Ok(()),
        }
    }
}

/// 0 for a file that is not there, or no longer.
fn file_len(path: PathBuf) -> Result<u64> {
    match fs::metadata(&path) {
        Ok(meta) => Ok(meta.len()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(StoreError::io(&path, error)),
    }
}
