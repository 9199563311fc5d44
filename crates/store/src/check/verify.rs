//! Reading everything back: are all bytes what they were when they were put?

use std::{collections::HashSet, fs::File, os::unix::fs::FileExt as _, path::Path};

use serde::{Deserialize, Serialize};
use stemma_core::Digest;

use crate::{
    blob::{BlobReader, check_record},
    error::{IoContext as _, Result, StoreError},
    gc,
    index::RecordFault,
    marks::{self, MarksId},
    pack::index_file::PackIndex,
    pack::{self, Found, Injury, PackId},
    pack::{HEADER_LEN, Header, Kind, PAYLOAD_MAX, le_u64},
    store::Store,
    tree::TreeChild,
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

/// What a look at a part of the store found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleReport {
    pub records: u64,
    /// Stored bytes that were read.
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
        let before = marks::peek(self.root())?;
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
            if !self.was_collected(before, &id.pack_path(self.index().dir()))? {
                self.verify_pack(id, committed_end, &mut report)?;
            }
            done += committed_end;
            progress(done, total);
        }
        for (kind, digest, size) in contents {
            let found = report.damaged.len();
            self.verify_content(kind, digest, &mut report, &mut |bytes| progress(done + bytes, total))?;
            if report.damaged.len() > found && self.is_garbage(kind, &digest)? {
                report.damaged.truncate(found);
            }
            done += size;
            progress(done, total);
        }
        Ok(report)
    }

    /// Checks some records, others for another seed, until so many bytes are read.
    ///
    /// Packs are read from a place in them on that the seed chooses, as are the packs themselves; what is damaged is
    /// said of the pack, and of each content that needs the damaged part and can't be read for it.
    pub fn verify_sample(&self, seed: u64, budget_bytes: u64) -> Result<SampleReport> {
        self.index().refresh()?;
        let mut packs = self.index().packs();
        let draw = |id: PackId| {
            let mut hasher = blake3::Hasher::new();
            hasher.update(&seed.to_le_bytes()).update(&id.0);
            le_u64(&hasher.finalize().as_bytes()[..8])
        };
        packs.sort_unstable_by_key(|(id, _)| draw(*id));
        let mut report = SampleReport::default();
        let mut hit: HashSet<(Kind, Digest)> = HashSet::new();
        for (id, committed_end) in packs {
            if report.bytes >= budget_bytes {
                break;
            }
            self.sample_pack(id, draw(id) % committed_end.max(1), budget_bytes, &mut report, &mut hit)?;
        }
        if !hit.is_empty() {
            self.name_contents(&hit, &mut report)?;
        }
        Ok(report)
    }

    /// Checks the records of a pack from an offset on, round to where it began.
    fn sample_pack(
        &self,
        id: PackId,
        from: u64,
        budget_bytes: u64,
        report: &mut SampleReport,
        hit: &mut HashSet<(Kind, Digest)>,
    ) -> Result<()> {
        let path = id.pack_path(self.index().dir());
        let file = match File::open(&path) {
            Ok(file) => file,
            // collected, or `verify` says so
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(StoreError::io(&path, error)),
        };
        let mut records = match PackIndex::load(self.index().dir(), id)? {
            Some(index) => index.records,
            None => {
                let survey = pack::survey(&file, &path, id)?;
                hit.extend(survey.rotten.iter().filter_map(|injury| injury.record));
                report.damaged.extend(survey.rotten.into_iter().map(|injury| self.of_injury(id, injury)));
                survey.records
            }
        };
        records.sort_unstable_by_key(|found| (found.offset < from, found.offset));
        for found in records {
            if report.bytes >= budget_bytes {
                break;
            }
            report.records += 1;
            report.bytes += HEADER_LEN as u64 + u64::from(found.stored);
            if let Some(what) = self.check_place(id, &file, &path, &found)? {
                hit.insert((found.kind, found.digest));
                if self.marks()?.get(id, found.offset).is_some() {
                    continue;
                }
                let (pack, offset) = (Some(format!("{id}.pack")), Some(found.offset));
                report.damaged.push(Damage { digest: None, pack, offset, what });
            }
        }
        Ok(())
    }

    /// What is wrong with a record where it lies, if anything.
    fn check_place(&self, id: PackId, file: &File, path: &Path, found: &Found) -> Result<Option<String>> {
        let mut bytes = vec![0; HEADER_LEN + (found.stored as usize).min(PAYLOAD_MAX as usize)];
        match file.read_exact_at(&mut bytes, found.offset) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Ok(Some("its pack ends before it".to_owned()));
            }
            Err(error) => return Err(StoreError::io(path, error)),
        }
        let payload = bytes.split_off(HEADER_LEN);
        let header = Header::parse(&bytes, id, found.offset).ok();
        let header = header.filter(|header| (header.kind, header.digest) == (found.kind, found.digest));
        let Some(header) = header.filter(|header| header.payload_is_whole(&payload)) else {
            return Ok(Some(format!("the bytes of {} do not match their check", found.digest)));
        };
        match check_record(self, &header, &payload) {
            Ok(()) => Ok(None),
            Err(RecordFault::Damaged(what)) => Ok(Some(format!("{}: {what}", found.digest))),
            Err(RecordFault::Other(error)) => Err(error),
        }
    }

    /// Adds the contents that can't be read because of damaged records.
    fn name_contents(&self, hit: &HashSet<(Kind, Digest)>, report: &mut SampleReport) -> Result<()> {
        for kind in [Kind::Blob, Kind::Tree] {
            for digest in self.index().names(kind) {
                let mut is_hit = false;
                let parts = gc::each_part(self, (kind, digest), &mut |part| is_hit |= hit.contains(&part));
                let is_broken = matches!(parts, Err(StoreError::Corrupt { .. }));
                if is_hit || is_broken {
                    let mut verified = VerifyReport::default();
                    self.verify_content(kind, digest, &mut verified, &mut |_| {})?;
                    if !self.is_garbage(kind, &digest)? {
                        report.damaged.extend(verified.damaged);
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether a pack is not there because a collection, begun or ended since the marks were read, took it away.
    fn was_collected(&self, before: MarksId, pack: &Path) -> Result<bool> {
        Ok(!pack.exists() && (gc::is_under_way(self.root())? || marks::peek(self.root())? != before))
    }

    /// Whether a content can't be read because a collection took it away, or a part of it so far.
    fn is_garbage(&self, kind: Kind, digest: &Digest) -> Result<bool> {
        let marks = self.marks()?;
        let places = self.index().places_of(kind, digest);
        Ok(places.into_iter().all(|(pack, offset)| marks.get(pack, offset).is_some()))
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
        let injuries = found.committed.damage.into_iter().chain(found.tail.damage);
        report.damaged.extend(injuries.map(|injury| self.of_injury(id, injury)));
        Ok(())
    }

    /// Names the content too if nothing else will: one whose only recipe rotted is not known to be here.
    fn of_injury(&self, id: PackId, injury: Injury) -> Damage {
        let Injury { offset, record, what } = injury;
        let lost = record.filter(|(kind, digest)| {
            matches!(kind, Kind::Blob | Kind::Tree) && self.index().content(*kind, digest).is_none()
        });
        Damage { digest: lost.map(|(_, digest)| digest), pack: Some(format!("{id}.pack")), offset: Some(offset), what }
    }

    pub(crate) fn verify_content(
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

    /// A node of a tree whose bytes are right must also decode and find all that it names.
    fn verify_tree(&self, digest: Digest) -> Result<()> {
        let children = self.tree_children(&digest)?;
        let files = children.iter().filter_map(|child| match child {
            TreeChild::File { digest, .. } => Some(digest),
            TreeChild::Node(_) => None,
        });
        self.require(Kind::Blob, files)?;
        let nodes = children.iter().filter_map(|child| match child {
            TreeChild::Node(digest) => Some(digest),
            TreeChild::File { .. } => None,
        });
        self.require(Kind::Tree, nodes)
    }
}
