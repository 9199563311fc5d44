//! Taking garbage out of packs: what is to stay goes into another pack, then the old one goes.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::FileExt as _,
    path::Path,
};

use stemma_core::Digest;

use super::{reach::Key, report::Amount};
use crate::{
    blob::{check_record, read_chunk},
    codec::{self, Dependency},
    damage::Damage,
    error::{IoContext as _, Result, StoreError},
    fs::{
        durable::sync_dir,
        lock::{is_unlinked, try_lock},
    },
    holdings::Holdings,
    index::CopyFault,
    marks::{Mark, Marks},
    pack::{
        self, CODEC_RAW, HEADER_LEN, Header, Injury, Kind, PackId, PackIndex, PackWriter, PackedRecord, SEAL_AT,
        is_delta,
    },
};

/// What became of a pack.
#[derive(Debug)]
pub(super) enum Outcome {
    Removed {
        freed: Amount,
        copied: u64,
    },
    /// Somebody writes to it.
    Busy,
    /// Something that has to stay can't be copied.
    Damaged(Vec<Damage>),
    /// Somebody else removed it.
    Gone,
}

/// What to take out of a pack.
pub(super) struct Task<'a> {
    /// Offsets of the copies that are to go.
    pub due: &'a HashSet<u64>,
    /// When what stays, but is garbage all the same, became so, by offset.
    pub waiting: HashMap<u64, u64>,
}

pub(super) struct Sweeper<'a> {
    holdings: &'a Holdings,
    /// The marks that count while this collection lasts.
    marks: &'a Marks,
    /// Chunks that are to go although others may depend on them.
    victims: &'a HashSet<Digest>,
    writer: Option<Box<PackWriter>>,
    /// Where garbage that was copied lies now: the generation of these marks is new.
    pub moved: BTreeMap<PackId, Vec<Mark>>,
}

impl<'a> Sweeper<'a> {
    pub fn new(holdings: &'a Holdings, marks: &'a Marks, victims: &'a HashSet<Digest>) -> Self {
        Self { holdings, marks, victims, writer: None, moved: BTreeMap::new() }
    }

    /// Removes a pack after copying what is to stay. Its lock is held until it is gone: nobody else appends to it.
    pub fn sweep(&mut self, id: PackId, task: &Task<'_>) -> Result<Outcome> {
        let dir = self.holdings.index().dir().to_owned();
        let path = id.pack_path(&dir);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Outcome::Gone),
            Err(error) => return Err(StoreError::io(&path, error)),
        };
        match try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Outcome::Busy),
            Err(TryLockError::Error(error)) => return Err(StoreError::io(&path, error)),
        }
        if is_unlinked(&file, &path)? {
            return Ok(Outcome::Gone);
        }
        // read anew: somebody may have appended since the index looked
        let Inventory { records, damaged } = self.take_stock(id, &file, &path, task)?;
        if !damaged.is_empty() {
            return Ok(Outcome::Damaged(damaged));
        }
        let before = file.metadata().at(&path)?.len();
        match self.copy(id, &file, &path, &records, task)? {
            Ok(copied) => {
                remove_pack(&dir, id)?;
                self.holdings.index().forget(HashSet::from([id]));
                let gone = records.iter().filter(|found| task.due.contains(&found.offset)).count() as u64;
                Ok(Outcome::Removed { freed: Amount { records: gone, bytes: before.saturating_sub(copied) }, copied })
            }
            Err(damaged) => Ok(Outcome::Damaged(damaged)),
        }
    }

    /// All records of a pack, and what of those that are to stay can't be read and lies nowhere else.
    fn take_stock(&self, id: PackId, file: &File, path: &Path, task: &Task<'_>) -> Result<Inventory> {
        let len = file.metadata().at(path)?.len();
        let salvage = pack::salvage(file, path, id, 0, len)?;
        let mut records = salvage.committed.records;
        // of several copies one that depends on nothing, and one without a mark, so that nobody takes it for absent
        records.sort_by_key(|found| (is_delta(found.codec), task.waiting.contains_key(&found.offset)));
        let whole: HashSet<u64> = records.iter().map(|found| found.offset).collect();
        let known = match PackIndex::load(self.holdings.index().dir(), id)? {
            Some(index) => index.records,
            None => pack::survey(file, path, id)?.records,
        };
        let known_at: HashSet<u64> = known.iter().map(|found| found.offset).collect();
        // written again behind the damage
        let again: HashSet<Key> = records.iter().map(|found| (found.kind, found.digest)).collect();
        let mut damaged = Vec::new();
        for found in &known {
            let is_fine = whole.contains(&found.offset) || task.due.contains(&found.offset);
            let key = (found.kind, found.digest);
            if is_fine || again.contains(&key) || self.any_elsewhere(id, key)? {
                continue;
            }
            damaged.push(damage(id, found, "its stored bytes do not match their check"));
        }
        for Injury { offset, record, what } in salvage.committed.damage {
            let is_fine = known_at.contains(&offset) || record.is_some_and(|key| again.contains(&key));
            let is_elsewhere = || record.map_or(Ok(false), |key| self.any_elsewhere(id, key));
            if !is_fine && !is_elsewhere()? {
                damaged.push(Damage { digest: None, pack: Some(format!("{id}.pack")), offset: Some(offset), what });
            }
        }
        Ok(Inventory { records, damaged })
    }

    /// Copies what is to stay and commits it. The inner error says what can't be copied.
    fn copy(
        &mut self,
        id: PackId,
        file: &File,
        path: &Path,
        records: &[PackedRecord],
        task: &Task<'_>,
    ) -> Result<std::result::Result<u64, Vec<Damage>>> {
        let mut copied = 0;
        let mut moved: Vec<Mark> = Vec::new();
        let mut damaged: Vec<(Key, Damage)> = Vec::new();
        let mut kept: HashSet<Key> = HashSet::new();
        for found in records.iter().filter(|found| !task.due.contains(&found.offset)) {
            let key = (found.kind, found.digest);
            let since = task.waiting.get(&found.offset);
            let is_part = matches!(found.kind, Kind::Chunk | Kind::Page);
            if (is_part && kept.contains(&key)) || (since.is_some() && self.base_is_gone(found)?) {
                continue;
            }
            match self.copy_record(id, file, path, found)? {
                Copied::To(offset) => {
                    copied += HEADER_LEN as u64 + u64::from(found.stored);
                    moved.extend(since.map(|since_ms| Mark { offset, generation: 0, since_ms: *since_ms }));
                    kept.insert(key);
                }
                Copied::IsElsewhere => {
                    kept.insert(key);
                }
                Copied::Damaged(what) => damaged.push((key, damage(id, found, &what))),
            }
        }
        let damaged = damaged.into_iter().filter(|(key, _)| !kept.contains(key));
        let damaged: Vec<Damage> = damaged.map(|(_, damage)| damage).collect();
        if !damaged.is_empty() {
            if let Some(writer) = &mut self.writer {
                writer.roll_back()?;
            }
            return Ok(Err(damaged));
        }
        self.commit(moved)?;
        Ok(Ok(copied))
    }

    fn copy_record(&mut self, id: PackId, file: &File, path: &Path, found: &PackedRecord) -> Result<Copied> {
        let mut bytes = vec![0; HEADER_LEN + found.stored as usize];
        file.read_exact_at(&mut bytes, found.offset).at(path)?;
        let payload = bytes.split_off(HEADER_LEN);
        let Ok(header) = Header::parse(&bytes, id, found.offset) else {
            return Ok(Copied::Damaged("its record header is damaged".to_owned()));
        };
        match check_record(self.holdings, &header, &payload) {
            Ok(()) => {}
            Err(CopyFault::Damaged(_)) if self.any_elsewhere(id, (found.kind, found.digest))? => {
                return Ok(Copied::IsElsewhere);
            }
            Err(CopyFault::Damaged(what)) => return Ok(Copied::Damaged(what)),
            Err(CopyFault::Other(error)) => return Err(error),
        }
        if self.elsewhere(id, &header, &payload)? {
            return Ok(Copied::IsElsewhere);
        }
        if let Some(Dependency { base, .. }) = Dependency::of(header.codec, &payload)
            && self.victims.contains(&base)
        {
            return self.append_whole(&found.digest);
        }
        self.append(&header, &payload, found)
    }

    /// Nobody can rely on a chunk that depends on one which was removed.
    fn base_is_gone(&self, found: &PackedRecord) -> Result<bool> {
        if found.kind != Kind::Chunk || !is_delta(found.codec) {
            return Ok(false);
        }
        let index = self.holdings.index();
        Ok(index.bases(&found.digest)?.iter().any(|base| !index.has(Kind::Chunk, base)))
    }

    fn append(&mut self, header: &Header, payload: &[u8], found: &PackedRecord) -> Result<Copied> {
        let writer = self.writer()?;
        let offset = writer.len();
        writer.append(header, payload, found.content)?;
        Ok(Copied::To(offset))
    }

    /// Writes a chunk so that it depends on no other.
    fn append_whole(&mut self, chunk: &Digest) -> Result<Copied> {
        let Some(plain) = read_chunk(self.holdings, chunk)? else {
            return Ok(Copied::Damaged("it is missing".to_owned()));
        };
        let packed = codec::encode(&plain, &codec::Hint::default(), None);
        let (codec, payload) = packed.as_ref().map_or((CODEC_RAW, &plain), |packed| (packed.codec, &packed.payload));
        let header = Header::for_payload(Kind::Chunk, codec, *chunk, plain.len() as u64, payload);
        let writer = self.writer()?;
        let offset = writer.len();
        writer.append(&header, payload, None)?;
        Ok(Copied::To(offset))
    }

    /// Makes chunks independent of what is to go; they are on disk when this returns. Returns what can't be read.
    pub fn make_independent(&mut self, chunks: &[Digest]) -> Result<Vec<Damage>> {
        let mut damaged = Vec::new();
        for chunk in chunks {
            let what = match self.append_whole(chunk) {
                Ok(Copied::Damaged(what)) | Err(StoreError::Corrupt { what, .. }) => what,
                Ok(_) => {
                    if self.writer.as_ref().is_some_and(|writer| writer.len() >= SEAL_AT) {
                        self.commit(Vec::new())?;
                    }
                    continue;
                }
                Err(error) => return Err(error),
            };
            damaged.push(Damage { digest: Some(*chunk), pack: None, offset: None, what });
        }
        self.commit(Vec::new())?;
        Ok(damaged)
    }

    /// Whether a copy that is as good as the one at hand lies in another pack and stays there; it is on disk then.
    fn elsewhere(&self, id: PackId, header: &Header, payload: &[u8]) -> Result<bool> {
        let own_base = Dependency::of(header.codec, payload).map(|dependency| dependency.base);
        self.another(id, (header.kind, header.digest), |other, others| match other.kind {
            // one that depends on another base may depend, through it, on the very copy that is to go
            Kind::Chunk => Dependency::of(other.codec, others).is_none_or(|depends| Some(depends.base) == own_base),
            // other recipes of a content have other parts
            Kind::Blob | Kind::Tree => others == payload,
            Kind::Page | Kind::Commit => true,
        })
    }

    /// The same for a copy that can't be read, so that nothing can depend on it.
    fn any_elsewhere(&self, id: PackId, record: Key) -> Result<bool> {
        self.another(id, record, |_, _| true)
    }

    fn another(&self, id: PackId, record: Key, accept: impl Fn(&Header, &[u8]) -> bool) -> Result<bool> {
        let index = self.holdings.index();
        let accept = |header: &Header, payload: &[u8]| {
            let base = Dependency::of(header.codec, payload).map(|dependency| dependency.base);
            let stays = base.is_none_or(|base| !self.victims.contains(&base));
            stays && accept(header, payload) && check_record(self.holdings, header, payload).is_ok()
        };
        match index.another_copy(record, id, self.marks, accept) {
            Some(other) => index.sync_pack(other).map(|()| true),
            None => Ok(false),
        }
    }

    fn writer(&mut self) -> Result<&mut PackWriter> {
        if self.writer.is_none() {
            self.writer = Some(self.holdings.index().writer_of_new_pack()?);
        }
        Ok(self.writer.as_mut().expect("it was set above"))
    }

    /// Brings what was appended to disk, and notes where garbage lies among it.
    fn commit(&mut self, moved: Vec<Mark>) -> Result<()> {
        let Some(writer) = &mut self.writer else {
            return Ok(());
        };
        if writer.has_uncommitted() {
            self.holdings.index().commit(writer)?;
        }
        if !moved.is_empty() {
            self.moved.entry(writer.id).or_default().extend(moved);
        }
        if writer.len() >= SEAL_AT {
            self.writer = None;
        }
        Ok(())
    }
}

struct Inventory {
    records: Vec<PackedRecord>,
    damaged: Vec<Damage>,
}

enum Copied {
    /// To this offset of the pack that is being written.
    To(u64),
    IsElsewhere,
    Damaged(String),
}

fn damage(id: PackId, found: &PackedRecord, what: &str) -> Damage {
    let (pack, what) = (Some(format!("{id}.pack")), what.to_owned());
    Damage { digest: Some(found.digest), pack, offset: Some(found.offset), what }
}

/// The pack goes first: an index alone is nothing, whereas a pack without its index would be written to again.
fn remove_pack(dir: &Path, id: PackId) -> Result<()> {
    for path in [id.pack_path(dir), id.index_path(dir)] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(StoreError::io(&path, error)),
            _ => {}
        }
    }
    sync_dir(dir)
}
