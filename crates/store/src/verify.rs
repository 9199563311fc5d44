//! Reading everything back: are all bytes what they were when they were put?

use std::fs::File;

use serde::{Deserialize, Serialize};
use stemma_core::Digest;

use crate::{
    blob::BlobReader,
    error::{IoContext as _, Result, StoreError},
    pack::{self, PackId},
    record::Kind,
    store::Store,
    tree::TreeEntry,
};

/// Something in the store that is not as it was put.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// The blob or tree that can't be read, if the damage was met by reading one.
    pub digest: Option<Digest>,
    /// The pack file that holds the damage, if it was met by reading packs.
    pub pack: Option<String>,
    pub offset: Option<u64>,
    pub what: String,
}

/// What a full verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyReport {
    pub blobs: u64,
    pub trees: u64,
    /// Plain bytes of the blobs and trees that were read.
    pub bytes: u64,
    pub damaged: Vec<Damage>,
}

impl Store {
    /// Checks every record of every pack, then reads every blob and tree and checks its digest.
    ///
    /// `progress` gets the bytes read so far, and how many there are in all. Damage is reported, not returned as an
    /// error; an error means that the store could not be read.
    pub fn verify(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<VerifyReport> {
        self.index().refresh()?;
        let packs = self.index().packs();
        let contents: Vec<(Kind, Digest, u64)> = [Kind::Blob, Kind::Tree]
            .into_iter()
            .flat_map(|kind| self.index().contents(kind).into_iter().map(move |(d, c)| (kind, d, c.size)))
            .collect();
        let pack_bytes: u64 = packs.iter().map(|(_, end)| end).sum();
        let total = pack_bytes + contents.iter().map(|(_, _, size)| size).sum::<u64>();
        let mut done = 0;
        let mut report = VerifyReport::default();
        for (id, committed_end) in packs {
            self.verify_pack(id, committed_end, &mut report)?;
            done += committed_end;
            progress(done, total);
        }
        for (kind, digest, size) in contents {
            self.verify_content(kind, digest, &mut report, &mut |bytes| progress(done + bytes, total))?;
            done += size;
            progress(done, total);
        }
        Ok(report)
    }

    fn verify_pack(&self, id: PackId, committed_end: u64, report: &mut VerifyReport) -> Result<()> {
        let path = id.pack_path(self.index().dir());
        let damage = |offset, what| Damage { digest: None, pack: Some(format!("{id}.pack")), offset, what };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                report.damaged.push(damage(None, "the pack is missing".to_owned()));
                return Ok(());
            }
            Err(error) => return Err(StoreError::io(&path, error)),
        };
        let len = file.metadata().at(&path)?.len();
        if len < committed_end {
            report.damaged.push(damage(Some(len), format!("the pack is {} bytes too short", committed_end - len)));
        }
        let found = pack::salvage(&file, &path, id, 0, committed_end)?;
        let damages = found.committed.damage.into_iter().chain(found.tail.damage);
        report.damaged.extend(damages.map(|(offset, what)| damage(Some(offset), what)));
        Ok(())
    }

    fn verify_content(
        &self,
        kind: Kind,
        digest: Digest,
        report: &mut VerifyReport,
        progress: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let mut read = 0;
        let checked = BlobReader::open(self.clone(), kind, &digest).and_then(|reader| {
            reader.copy_to(&mut |chunk| {
                read += chunk.len() as u64;
                progress(read);
                Ok(())
            })
        });
        report.bytes += read;
        match kind {
            Kind::Tree => report.trees += 1,
            _ => report.blobs += 1,
        }
        let checked = match kind {
            Kind::Tree => checked.and_then(|()| self.verify_tree(digest)),
            _ => checked,
        };
        let what = match checked {
            Ok(()) => return Ok(()),
            Err(StoreError::Corrupt { what, .. }) => what,
            Err(StoreError::NotFound(absent)) => format!("`{absent}` is not in the store"),
            Err(error) => return Err(error),
        };
        report.damaged.push(Damage { digest: Some(digest), pack: None, offset: None, what });
        Ok(())
    }

    /// A tree whose bytes are right must also decode and find all its files.
    fn verify_tree(&self, digest: Digest) -> Result<()> {
        let tree = self.tree(&digest)?.ok_or(StoreError::NotFound(digest))?;
        let files = tree.entries.values().filter_map(|entry| match entry {
            TreeEntry::File { digest, .. } => Some(digest),
            TreeEntry::Symlink { .. } | TreeEntry::EmptyDirectory => None,
        });
        self.require_blobs(files)
    }
}
