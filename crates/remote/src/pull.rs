//! Bringing content from a remote into a store.
//!
//! Content is brought in the order in which it can be checked: recipes tell which chunks are needed, chunks are checked
//! one by one and committed as they come, and a recipe is believed only when its whole content has been read by it.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use bytes::Bytes;
use stemma_core::{Digest, ErrorKind};
use stemma_store::{Batch, Record, RecordFault, RecordId, RecordKind, Store, StoreError};
use tokio::task::JoinSet;

use crate::{
    Progress, Remote,
    catalog::{Catalog, Place, pack_path},
    error::{RemoteError, Result},
};

/// Longest stretch of a pack that is read at once, unless a record is longer.
const RUN_MAX: u64 = 8 << 20;
/// Between two records that are needed, so many bytes are read in vain rather than asking twice.
const GAP_MAX: u64 = 64 << 10;
/// Recipes that are brought together.
const WINDOW: usize = 1024;
/// So much is committed at once.
const COMMIT_BYTES: u64 = 32 << 20;
/// Bytes of chunks that are held until what they depend on is here.
const HELD_BYTES_MAX: u64 = 32 << 20;
/// Chunks that depend on each other; more is no remote of ours.
const DEPTH_MAX: usize = 8;

/// How to bring content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PullOptions {
    /// Reads back what is here already, and replaces what is damaged or lost of it.
    pub repair: bool,
}

/// What was brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pulled {
    /// Blobs and trees that were not here before.
    pub contents: u64,
    /// Bytes that were read from packs.
    pub bytes: u64,
    /// What the remote does not have either; everything else was brought all the same.
    pub absent: Vec<Digest>,
}

impl Remote {
    /// Brings content, for trees with all that they name. What has arrived stays, so that after an interruption only
    /// the rest is brought.
    pub async fn pull(
        &self,
        store: &Store,
        catalog: &Arc<Catalog>,
        contents: &[Digest],
        options: PullOptions,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Pulled> {
        // nothing that is found or brought may be collected before the caller is told
        let lease = store.lease()?;
        let mut pull = Pull {
            remote: self,
            store: store.clone(),
            catalog: Arc::clone(catalog),
            options,
            pulled: Pulled::default(),
            moved: Progress::default(),
            progress,
        };
        pull.all(contents).await?;
        drop(lease);
        Ok(pull.pulled)
    }
}

struct Pull<'a> {
    remote: &'a Remote,
    store: Store,
    catalog: Arc<Catalog>,
    options: PullOptions,
    pulled: Pulled,
    moved: Progress,
    progress: &'a mut (dyn FnMut(Progress) + Send),
}

impl Pull<'_> {
    async fn all(&mut self, contents: &[Digest]) -> Result<()> {
        let mut seen = HashSet::new();
        let mut level = Vec::new();
        for digest in contents {
            let recipes = self.recipes(digest);
            if recipes.is_empty() {
                self.pulled.absent.push(*digest);
            }
            level.extend(recipes.into_iter().filter(|id| seen.insert(*id)));
        }
        // a tree counts as here only when all that it names is
        let mut trees = Vec::new();
        while !level.is_empty() {
            let mut below = Vec::new();
            for window in level.chunks(WINDOW) {
                let members = self.window(window, &mut trees).await?;
                below.extend(members.into_iter().filter(|id| seen.insert(*id)));
            }
            level = below;
        }
        trees.reverse();
        let trees = self.complete(trees)?;
        self.pulled.contents += trees.len() as u64;
        self.import(trees).await
    }

    /// Leaves out trees that name what is nowhere; of two trees the one that the other names comes first.
    fn complete(&mut self, trees: Vec<Record>) -> Result<Vec<Record>> {
        if self.pulled.absent.is_empty() {
            return Ok(trees);
        }
        let mut absent: HashSet<Digest> = self.pulled.absent.iter().copied().collect();
        let mut complete = Vec::with_capacity(trees.len());
        for tree in trees {
            if self.store.members_by(&tree)?.iter().any(|member| absent.contains(&member.digest)) {
                absent.insert(tree.id().digest);
                self.pulled.absent.push(tree.id().digest);
            } else {
                complete.push(tree);
            }
        }
        Ok(complete)
    }

    /// The recipes of this name, here or at the remote.
    fn recipes(&self, digest: &Digest) -> Vec<RecordId> {
        let ids = [RecordKind::Blob, RecordKind::Tree].map(|kind| RecordId::new(kind, *digest));
        ids.into_iter().filter(|id| self.store.has_record(id) || self.catalog.has(id)).collect()
    }

    fn batch(&self) -> Batch {
        if self.options.repair { self.store.repairing_batch() } else { self.store.batch() }
    }

    /// Brings blobs of these names, and the parts of trees; returns what the trees name, and adds those that are new to
    /// `trees`.
    async fn window(&mut self, ids: &[RecordId], trees: &mut Vec<Record>) -> Result<Vec<RecordId>> {
        let wanted = match self.options.repair {
            true => ids.to_vec(),
            false => self.lacking(ids.to_vec()).await?,
        };
        let (there, not_there): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|id| self.catalog.has(id));
        let lost = not_there.iter().filter(|id| !self.store.has_record(id));
        self.pulled.absent.extend(lost.map(|id| id.digest));
        let recipes = self.records(there).await?;
        self.parts(&recipes).await?;
        let (new_trees, blobs): (Vec<_>, Vec<_>) =
            recipes.into_iter().partition(|record| record.id().kind == RecordKind::Tree);
        self.pulled.contents += blobs.len() as u64;
        self.import(blobs).await?;
        let mut members = Vec::new();
        for tree in &new_trees {
            members.extend(self.store.members_by(tree)?);
        }
        let brought: HashSet<RecordId> = new_trees.iter().map(Record::id).collect();
        let held = |id: &&RecordId| id.kind == RecordKind::Tree && !brought.contains(id) && self.store.has_record(id);
        for tree in ids.iter().filter(held) {
            members.extend(self.store.members(&tree.digest)?);
        }
        trees.extend(new_trees);
        Ok(members)
    }

    /// Brings the chunks that recipes list.
    async fn parts(&mut self, recipes: &[Record]) -> Result<()> {
        let parts = recipes.iter().flat_map(Record::needs).copied();
        let (pages, mut chunks): (HashSet<_>, HashSet<_>) = parts.partition(|part| part.kind == RecordKind::Page);
        let pages = self.records(pages.into_iter().collect()).await?;
        chunks.extend(pages.iter().flat_map(Record::needs).copied());
        self.import(pages).await?;
        self.chunks(chunks.into_iter().collect(), 0).await
    }

    /// Those that are not here, or not to stay.
    async fn lacking(&self, ids: Vec<RecordId>) -> Result<Vec<RecordId>> {
        let mut batch = self.batch();
        let lacking = move || ids.into_iter().filter(|id| !batch.has(id)).collect();
        Ok(tokio::task::spawn_blocking(lacking).await?)
    }

    /// Fetches records and holds them; only for recipes and their pages.
    async fn records(&mut self, ids: Vec<RecordId>) -> Result<Vec<Record>> {
        let mut records = Vec::with_capacity(ids.len());
        self.fetch(ids, async |found| {
            records.extend(found);
            Ok(())
        })
        .await?;
        Ok(records)
    }

    /// Takes records in and commits them.
    async fn import(&self, records: Vec<Record>) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let mut batch = self.batch();
        let imported = tokio::task::spawn_blocking(move || {
            records.iter().try_for_each(|record| batch.import(record))?;
            batch.commit()
        });
        Ok(imported.await??)
    }

    // ---- chunks --------------------------------------------------------------------------------------------------

    /// Brings chunks; those that depend on others after those. `dependents` counts the steps that led here.
    async fn chunks(&mut self, ids: Vec<RecordId>, dependents: usize) -> Result<()> {
        let wanted = self.lacking(ids).await?;
        let depends = |id: &RecordId| self.catalog.places(id).first().is_some_and(|place| place.depends);
        let (differences, whole): (Vec<_>, Vec<_>) = wanted.into_iter().partition(depends);
        self.whole_chunks(whole).await?;
        for slice in self.slices(differences) {
            let slice = self.lacking(slice).await?;
            let differences = self.records(slice).await?;
            let bases: HashSet<RecordId> = differences.iter().flat_map(Record::needs).copied().collect();
            if dependents == DEPTH_MAX && !bases.is_empty() {
                let object = differences[0].id().digest.to_string();
                return Err(RemoteError::Damaged { object, what: "too many chunks depend on each other".to_owned() });
            }
            Box::pin(self.chunks(bases.into_iter().collect(), dependents + 1)).await?;
            self.import(differences).await?;
        }
        Ok(())
    }

    /// So many at a time as may be held until what they depend on is here.
    fn slices(&self, mut ids: Vec<RecordId>) -> Vec<Vec<RecordId>> {
        let place = |id: &RecordId| self.catalog.places(id).first().copied();
        ids.sort_by_cached_key(|id| place(id).map(|place| (place.pack, place.offset)));
        let mut slices: Vec<Vec<RecordId>> = Vec::new();
        let mut room = 0;
        for id in ids {
            let len = place(&id).map_or(0, |place| place.len);
            if len > room || slices.is_empty() {
                slices.push(Vec::new());
                room = HELD_BYTES_MAX;
            }
            room = room.saturating_sub(len);
            slices.last_mut().expect("one was pushed").push(id);
        }
        slices
    }

    /// Fetches chunks that depend on nothing and commits them as they come.
    async fn whole_chunks(&mut self, ids: Vec<RecordId>) -> Result<()> {
        let (store, repair) = (self.store.clone(), self.options.repair);
        let fresh = move || if repair { store.repairing_batch() } else { store.batch() };
        let mut importer = Some(Importer { batch: fresh(), open: 0 });
        let fetched = self.fetch(ids, async |records| {
            let Some(mut taken) = importer.take() else {
                return Ok(());
            };
            let fresh = fresh.clone();
            let work = move || taken.take_in(&records, &fresh).map(|()| taken);
            importer = Some(tokio::task::spawn_blocking(work).await??);
            Ok(())
        });
        let fetched = fetched.await;
        // what came before a failure need not come again
        if let Some(Importer { batch, .. }) = importer {
            tokio::task::spawn_blocking(move || batch.commit()).await??;
        }
        fetched
    }

    // ---- the network ---------------------------------------------------------------------------------------------

    /// Fetches records in runs and hands them on as they come. Of a damaged record the next copy is tried.
    async fn fetch(&mut self, ids: Vec<RecordId>, mut take: impl AsyncFnMut(Vec<Record>) -> Result<()>) -> Result<()> {
        let mut copy = HashMap::new();
        let mut wanted = ids;
        while !wanted.is_empty() {
            let mut places = Vec::with_capacity(wanted.len());
            for id in &wanted {
                let copies = self.catalog.places(id);
                let number: usize = copy.get(id).copied().unwrap_or_default();
                places.push(*copies.get(number).ok_or(RemoteError::Absent(id.digest))?);
            }
            wanted.clear();
            self.moved.total += places.iter().map(|place| place.len).sum::<u64>();
            let mut under_way = JoinSet::new();
            let mut runs = runs(places).into_iter();
            loop {
                while under_way.len() < self.remote.wire.policy.concurrency
                    && let Some(run) = runs.next()
                {
                    under_way.spawn(read_run(self.remote.clone(), Arc::clone(&self.catalog), run));
                }
                let Some(done) = under_way.join_next().await else {
                    break;
                };
                let Arrived { records, damaged, bytes, room } = done??;
                for (place, fault) in damaged {
                    let tried = copy.entry(place.id).or_insert(0);
                    *tried += 1;
                    if *tried >= self.catalog.places(&place.id).len() {
                        return Err(fault);
                    }
                    wanted.push(place.id);
                }
                self.pulled.bytes += bytes;
                self.moved.done += records.iter().map(Record::len).sum::<u64>();
                (self.progress)(self.moved);
                take(records).await?;
                drop(room);
            }
        }
        Ok(())
    }
}

/// Takes in chunks on a thread that may block, and commits now and then.
struct Importer {
    batch: Batch,
    /// Bytes that are not committed.
    open: u64,
}

impl Importer {
    fn take_in(&mut self, records: &[Record], fresh: &impl Fn() -> Batch) -> std::result::Result<(), StoreError> {
        for record in records {
            self.batch.import(record)?;
            self.open += record.len();
        }
        if self.open >= COMMIT_BYTES {
            std::mem::replace(&mut self.batch, fresh()).commit()?;
            self.open = 0;
        }
        Ok(())
    }
}

/// Records that lie so close together that they are read at once.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    places: Vec<Place>,
    start: u64,
    end: u64,
}

struct Arrived {
    records: Vec<Record>,
    damaged: Vec<(Place, RemoteError)>,
    bytes: u64,
    /// Given back when the records have been taken in.
    room: tokio::sync::OwnedSemaphorePermit,
}

fn runs(mut places: Vec<Place>) -> Vec<Run> {
    places.sort_unstable_by_key(|place| (place.pack, place.offset));
    let mut runs: Vec<Run> = Vec::new();
    for place in places {
        let end = place.offset + place.len;
        match runs.last_mut() {
            Some(run)
                if run.places[0].pack == place.pack
                    && place.offset <= run.end + GAP_MAX
                    && end.max(run.end) - run.start <= RUN_MAX =>
            {
                run.end = run.end.max(end);
                run.places.push(place);
            }
            _ => runs.push(Run { places: vec![place], start: place.offset, end }),
        }
    }
    runs
}

async fn read_run(remote: Remote, catalog: Arc<Catalog>, run: Run) -> Result<Arrived> {
    let pack = catalog.pack(run.places[0].pack);
    let object = pack_path(&remote.root, pack);
    let len = run.end - run.start;
    // the bytes as they come, and the records made of them
    let room = remote.wire.budget.take(2 * len).await;
    let bytes = match remote.wire.get(&object, Some(run.start..run.end), len).await {
        Err(RemoteError::Refused { object, kind: ErrorKind::NotFound, .. }) => {
            return Err(RemoteError::Damaged { object, what: "it is missing, but its index is there".to_owned() });
        }
        bytes => bytes?,
    };
    let read = tokio::task::spawn_blocking(move || {
        let mut arrived =
            Arrived { records: Vec::with_capacity(run.places.len()), damaged: Vec::new(), bytes: len, room };
        for place in &run.places {
            match read_record(&bytes, run.start, pack, place) {
                Ok(record) => arrived.records.push(record),
                Err(fault) => arrived.damaged.push((*place, damage(object.as_ref(), place, &fault))),
            }
        }
        arrived
    });
    Ok(read.await?)
}

fn read_record(
    bytes: &Bytes,
    start: u64,
    pack: stemma_store::PackId,
    place: &Place,
) -> std::result::Result<Record, RecordFault> {
    let from = (place.offset - start) as usize;
    let record = Record::parse(pack, place.offset, &bytes[from..from + place.len as usize])?;
    match record.id() == place.id {
        true => Ok(record),
        false => Err(RecordFault::Damaged("another record lies where its index says")),
    }
}

fn damage(object: &str, place: &Place, fault: &RecordFault) -> RemoteError {
    let what = format!("byte {}, {}: {fault}", place.offset, place.id.digest);
    match fault {
        RecordFault::Damaged(_) => RemoteError::Damaged { object: object.to_owned(), what },
        RecordFault::Unknown(_) => RemoteError::UnknownVersion { object: object.to_owned(), what },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(pack: u32, offset: u64, len: u64) -> Place {
        let digest = Digest::of(format!("{pack} {offset}").as_bytes());
        Place { id: RecordId::new(RecordKind::Chunk, digest), pack, offset, len, depends: false }
    }

    #[test]
    fn neighbours_are_read_at_once_and_no_run_is_too_long() {
        let far = 1000 + GAP_MAX + 101;
        let runs = runs(vec![
            place(1, 32, 10),
            place(0, far, 50),
            place(0, 32, 968),
            place(0, 1000, 100),
            place(0, far + 50, RUN_MAX),
            place(0, far + 50 + RUN_MAX, 20),
        ]);
        let found: Vec<_> = runs.iter().map(|run| (run.places[0].pack, run.start, run.end, run.places.len())).collect();
        let long = far + 50;
        let expected = [
            (0, 32, 1100, 2),
            (0, far, far + 50, 1),
            (0, long, long + RUN_MAX, 1),
            (0, long + RUN_MAX, long + RUN_MAX + 20, 1),
            (1, 32, 42, 1),
        ];
        assert_eq!(found, expected);
    }
}
