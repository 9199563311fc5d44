//! Sending what a remote lacks.

use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;
use stemma_core::Digest;
use stemma_store::{FinishedPack, PackBuilder, PackId, Record, RecordId, RecordKind, Store, StoreError};
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    Policy, Progress, Remote,
    catalog::{Catalog, index_path, pack_path, write_cached},
    error::{RemoteError, Result},
    wire::{Part, Upload},
};

/// Parts of one pack that are under way at once.
const PARTS_AT_ONCE: usize = 4;
/// Chunks that depend on each other; more is no store of ours.
const DEPTH_MAX: usize = 64;

/// What has to be sent, what is needed before what needs it.
#[derive(Debug, Default)]
pub struct PushPlan {
    records: Vec<RecordId>,
    /// Blobs and trees among them.
    pub contents: u64,
    /// Bytes as they are stored. Chunks that only others depend on come to it while sending.
    pub bytes: u64,
}

/// What was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pushed {
    pub contents: u64,
    pub records: u64,
    /// Bytes of packs and indexes.
    pub bytes: u64,
    pub packs: u64,
}

/// What becomes of a folder when something that it names is not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Members {
    /// It can't be sent: whoever finds it at the remote relies on all of it.
    Required,
    /// It is sent as it is here.
    AsTheyAre,
}

impl PushPlan {
    /// Compares content with what the remote has; reads recipes only.
    pub fn new(store: &Store, catalog: &Catalog, contents: &[Digest]) -> Result<Self> {
        Self::plan(store, catalog, contents, Members::Required)
    }

    /// The same for a copy of a store: folders are sent also if a file that they name was purged here.
    pub fn of_copy(store: &Store, catalog: &Catalog, contents: &[Digest]) -> Result<Self> {
        Self::plan(store, catalog, contents, Members::AsTheyAre)
    }

    fn plan(store: &Store, catalog: &Catalog, contents: &[Digest], members: Members) -> Result<Self> {
        let (parts, recipes) = (Vec::new(), Vec::new());
        let mut planner = Planner { store, catalog, members, seen: HashSet::new(), parts, recipes };
        for digest in contents {
            let recipes = store.recipes(digest);
            if recipes.is_empty() && !has_content(catalog, digest) {
                return Err(StoreError::NotFound(*digest).into());
            }
            recipes.into_iter().try_for_each(|recipe| planner.add(recipe))?;
        }
        let Planner { mut parts, recipes, .. } = planner;
        let contents = recipes.len() as u64;
        parts.extend(recipes);
        let bytes = parts.iter().filter_map(|id| store.record_len(id)).sum();
        Ok(Self { records: parts, contents, bytes })
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

fn has_content(catalog: &Catalog, digest: &Digest) -> bool {
    [RecordKind::Blob, RecordKind::Tree].iter().any(|kind| catalog.has(&RecordId::new(*kind, *digest)))
}

struct Planner<'a> {
    store: &'a Store,
    catalog: &'a Catalog,
    members: Members,
    seen: HashSet<RecordId>,
    parts: Vec<RecordId>,
    /// Those of blobs and trees, members first.
    recipes: Vec<RecordId>,
}

impl Planner<'_> {
    /// Adds a recipe with all that it needs; trees within trees are walked without recursion.
    fn add(&mut self, recipe: RecordId) -> Result<()> {
        let mut open = vec![(recipe, false)];
        while let Some((id, members_are_in)) = open.pop() {
            if members_are_in {
                self.recipes.push(id);
                continue;
            }
            if self.catalog.has(&id) || !self.seen.insert(id) {
                continue;
            }
            self.add_parts(&id)?;
            open.push((id, true));
            if id.kind == RecordKind::Tree {
                let members = self.store.members(&id.digest)?.into_iter();
                let is_sent = |member: &RecordId| self.members == Members::Required || self.store.has_record(member);
                open.extend(members.filter(is_sent).map(|member| (member, false)));
            }
        }
        Ok(())
    }

    fn add_parts(&mut self, recipe: &RecordId) -> Result<()> {
        for part in self.export(recipe)?.needs() {
            if self.catalog.has(part) || !self.seen.insert(*part) {
                continue;
            }
            if part.kind == RecordKind::Page {
                for chunk in self.export(part)?.needs() {
                    if !self.catalog.has(chunk) && self.seen.insert(*chunk) {
                        self.parts.push(*chunk);
                    }
                }
            }
            self.parts.push(*part);
        }
        Ok(())
    }

    fn export(&self, id: &RecordId) -> Result<Record> {
        Ok(self.store.export(id)?.ok_or(StoreError::NotFound(id.digest))?)
    }
}

/// What the packing thread hands over.
enum Packed {
    Part(PackId, Vec<u8>),
    End(PackId, FinishedPack, u64),
}

/// Packs records on a thread of its own, at most a part ahead of what is sent.
struct Packer {
    store: Store,
    catalog: Arc<Catalog>,
    policy: Policy,
    sender: mpsc::Sender<Packed>,
    sent: HashSet<RecordId>,
    builder: PackBuilder,
    records: u64,
}

/// The receiver failed and says why itself.
struct Stopped;

impl Packer {
    fn new(store: Store, catalog: Arc<Catalog>, policy: Policy, sender: mpsc::Sender<Packed>) -> Self {
        Self { store, catalog, policy, sender, sent: HashSet::new(), builder: PackBuilder::default(), records: 0 }
    }

    fn pack(mut self, records: &[RecordId]) -> Result<()> {
        for id in records {
            if self.sent.contains(id) {
                continue;
            }
            for record in self.with_bases(id)? {
                if self.add(&record).is_err() {
                    return Ok(());
                }
            }
        }
        if !self.builder.is_empty() {
            let _ = self.end();
        }
        Ok(())
    }

    /// The record, behind the chunks that it depends on and that the remote lacks.
    fn with_bases(&self, id: &RecordId) -> Result<Vec<Record>> {
        let mut chain = vec![self.export(id)?];
        while let Some(base) = chain.last().and_then(|record| self.missing_base(record)) {
            if chain.len() > DEPTH_MAX {
                return Err(RemoteError::Worker(format!("too many chunks depend on each other below {}", id.digest)));
            }
            chain.push(self.export(&base)?);
        }
        chain.reverse();
        Ok(chain)
    }

    fn missing_base(&self, record: &Record) -> Option<RecordId> {
        let depends = record.id().kind == RecordKind::Chunk;
        let base = record.needs().first().filter(|_| depends)?;
        (!self.sent.contains(base) && !self.catalog.has(base)).then_some(*base)
    }

    fn export(&self, id: &RecordId) -> Result<Record> {
        Ok(self.store.export(id)?.ok_or(StoreError::NotFound(id.digest))?)
    }

    fn add(&mut self, record: &Record) -> std::result::Result<(), Stopped> {
        self.builder.add(record);
        self.sent.insert(record.id());
        self.records += 1;
        while self.builder.ready() >= self.policy.part_len {
            let part = Packed::Part(self.builder.id(), self.builder.take(self.policy.part_len));
            self.sender.blocking_send(part).map_err(|_| Stopped)?;
        }
        if self.builder.len() >= self.policy.pack_len { self.end() } else { Ok(()) }
    }

    fn end(&mut self) -> std::result::Result<(), Stopped> {
        let builder = std::mem::take(&mut self.builder);
        let records = std::mem::take(&mut self.records);
        let end = Packed::End(builder.id(), builder.finish(), records);
        self.sender.blocking_send(end).map_err(|_| Stopped)
    }
}

impl Remote {
    /// Sends what is planned. A record is seen by others once the index of its pack is there, and then all that it needs
    /// is there too; what was sent before an interruption is not sent again.
    pub async fn push(
        &self,
        store: &Store,
        catalog: &Arc<Catalog>,
        plan: PushPlan,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Pushed> {
        let (sender, mut packed) = mpsc::channel(1);
        let mut pushed = Pushed { contents: plan.contents, ..Pushed::default() };
        let mut moved = Progress { done: 0, total: plan.bytes };
        let packer = Packer::new(store.clone(), Arc::clone(catalog), self.wire.policy, sender);
        let packer = tokio::task::spawn_blocking(move || packer.pack(&plan.records));
        let mut sent = Ok(());
        while let Some(first) = packed.recv().await {
            let mut moving = |bytes| {
                moved.done += bytes;
                moved.total = moved.total.max(moved.done);
                progress(moved);
            };
            sent = self.send_pack(first, &mut packed, &mut pushed, &mut moving).await;
            if sent.is_err() {
                break;
            }
        }
        drop(packed);
        let packed = packer.await?;
        sent.and(packed)?;
        Ok(pushed)
    }

    /// Sends one pack and then its index; the order is what makes a broken push harmless.
    async fn send_pack(
        &self,
        first: Packed,
        packed: &mut mpsc::Receiver<Packed>,
        pushed: &mut Pushed,
        moving: &mut (dyn FnMut(u64) + Send),
    ) -> Result<()> {
        let (id, pack, records) = match first {
            Packed::End(id, mut pack, records) => {
                let _room = self.wire.budget.take(pack.rest.len() as u64).await;
                let bytes = Bytes::from(std::mem::take(&mut pack.rest));
                moving(bytes.len() as u64);
                self.wire.put(&pack_path(&self.root, id), bytes).await?;
                (id, pack, records)
            }
            Packed::Part(id, bytes) => {
                let upload = self.wire.begin(&pack_path(&self.root, id)).await?;
                match send_parts(self, &upload, Packed::Part(id, bytes), packed, moving).await {
                    Ok((pack, records)) => (id, pack, records),
                    Err(error) => {
                        upload.abort().await;
                        return Err(error);
                    }
                }
            }
        };
        let index = Bytes::from(pack.index);
        self.wire.put(&index_path(&self.root, id), index.clone()).await?;
        // ours need not be fetched; if it can't be kept, it is fetched after all
        let _ = write_cached(&self.cache, id, &index);
        pushed.packs += 1;
        pushed.records += records;
        pushed.bytes += pack.len + index.len() as u64;
        Ok(())
    }
}

/// Sends the parts of a pack as they come and ends the upload.
async fn send_parts(
    remote: &Remote,
    upload: &Upload,
    first: Packed,
    packed: &mut mpsc::Receiver<Packed>,
    moving: &mut (dyn FnMut(u64) + Send),
) -> Result<(FinishedPack, u64)> {
    let mut under_way = JoinSet::new();
    let mut parts: Vec<Part> = Vec::new();
    let mut next = Some(first);
    let mut ended = None;
    let at_once = if upload.is_parallel() { PARTS_AT_ONCE } else { 1 };
    while ended.is_none() {
        let (bytes, end) = match next.take() {
            Some(Packed::Part(_, bytes)) => (bytes, None),
            Some(Packed::End(_, mut pack, records)) => (std::mem::take(&mut pack.rest), Some((pack, records))),
            None => return Err(RemoteError::Worker("the pack was not finished".to_owned())),
        };
        ended = end;
        if !bytes.is_empty() {
            while under_way.len() >= at_once {
                settle(&mut under_way, &mut parts, moving).await?;
            }
            let (number, upload) = (parts.len(), upload.clone());
            parts.push(None);
            let room = remote.wire.budget.take(bytes.len() as u64).await;
            under_way.spawn(async move {
                let (_room, len) = (room, bytes.len() as u64);
                (number, len, upload.part(number, bytes.into()).await)
            });
        }
        if ended.is_none() {
            next = packed.recv().await;
        }
    }
    while !under_way.is_empty() {
        settle(&mut under_way, &mut parts, moving).await?;
    }
    let (pack, records) = ended.expect("the loop ends with it");
    upload.finish(parts, pack.len).await?;
    Ok((pack, records))
}

/// Waits for one part to arrive.
async fn settle(
    under_way: &mut JoinSet<(usize, u64, Result<Part>)>,
    parts: &mut [Part],
    moving: &mut (dyn FnMut(u64) + Send),
) -> Result<()> {
    if let Some(done) = under_way.join_next().await {
        let (number, len, part) = done?;
        parts[number] = part?;
        moving(len);
    }
    Ok(())
}
