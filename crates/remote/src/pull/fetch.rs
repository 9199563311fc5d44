//! Reading records out of a remote's packs, those that lie close together at once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use stemma_core::ErrorKind;
use stemma_store::{Batch, PackId, Record, RecordFault, RecordId, Store};
use tokio::{sync::Semaphore, task::JoinSet};

use super::options::PullOptions;
use crate::{
    Remote,
    catalog::{Catalog, RecordCopy, pack_path},
    error::{RemoteError, Result},
};

/// Longest stretch of a pack that is read at once, unless a record is longer.
const RUN_MAX: u64 = 4 << 20;
/// Between two records that are needed, so many bytes are read in vain rather than asking twice.
const GAP_MAX: u64 = 64 << 10;

/// Where records come from, and the store that they are for. Clones share the requests that may be under way at once.
#[derive(Clone)]
pub(super) struct Source {
    pub remote: Remote,
    pub catalog: Arc<Catalog>,
    pub store: Store,
    options: PullOptions,
    /// Asked what is here; nothing is put in it.
    asked: Arc<Mutex<Batch>>,
    requests: Arc<Semaphore>,
}

/// Records that were read, and the bytes of packs that it took.
#[derive(Default)]
pub(super) struct Fetched {
    pub records: Vec<Record>,
    pub bytes: u64,
}

impl Source {
    pub fn new(remote: &Remote, catalog: &Arc<Catalog>, store: &Store, options: PullOptions) -> Self {
        Self {
            remote: remote.clone(),
            catalog: Arc::clone(catalog),
            store: store.clone(),
            options,
            asked: Arc::new(Mutex::new(batch(store, options))),
            requests: Arc::new(Semaphore::new(remote.wire.policy.concurrency)),
        }
    }

    pub fn batch(&self) -> Batch {
        batch(&self.store, self.options)
    }

    /// Those that are not here, or not to stay.
    pub async fn lacking(&self, ids: Vec<RecordId>) -> Result<Vec<RecordId>> {
        let asked = Arc::clone(&self.asked);
        let lacking = move || {
            let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
            ids.into_iter().filter(|id| !asked.has(id)).collect()
        };
        Ok(tokio::task::spawn_blocking(lacking).await?)
    }

    /// Brings to disk what was found here.
    pub async fn settle(&self) -> Result<()> {
        let (asked, fresh) = (Arc::clone(&self.asked), self.batch());
        let settle = move || {
            let found = std::mem::replace(&mut *asked.lock().unwrap_or_else(PoisonError::into_inner), fresh);
            found.commit()
        };
        Ok(tokio::task::spawn_blocking(settle).await??)
    }

    /// Bytes that records take at the remote.
    pub fn bytes_of(&self, ids: &[RecordId]) -> u64 {
        ids.iter().filter_map(|id| self.catalog.copies_of(id).first()).map(|copy| copy.len).sum()
    }

    /// Fetches records and adds them to `fetched`, also those that come before a failure. Of a damaged record the next
    /// copy is tried.
    pub async fn fetch(&self, ids: Vec<RecordId>, fetched: &mut Fetched) -> Result<()> {
        let mut tries: HashMap<RecordId, usize> = HashMap::new();
        let mut wanted = ids;
        while !wanted.is_empty() {
            let mut copies = Vec::with_capacity(wanted.len());
            for id in &wanted {
                let number = tries.get(id).copied().unwrap_or_default();
                copies.push(*self.catalog.copies_of(id).get(number).ok_or(RemoteError::Absent(id.digest))?);
            }
            wanted.clear();
            let mut under_way: JoinSet<_> = runs(copies).into_iter().map(|run| read_run(self.clone(), run)).collect();
            while let Some(done) = under_way.join_next().await {
                let Arrived { records, damaged, bytes } = done??;
                fetched.bytes += bytes;
                fetched.records.extend(records);
                for (copy, fault) in damaged {
                    let tried = tries.entry(copy.id).or_insert(0);
                    *tried += 1;
                    if *tried >= self.catalog.copies_of(&copy.id).len() {
                        return Err(fault);
                    }
                    wanted.push(copy.id);
                }
            }
        }
        Ok(())
    }
}

fn batch(store: &Store, options: PullOptions) -> Batch {
    if options.repair { store.repairing_batch() } else { store.batch() }
}

/// Records that lie so close together that they are read at once.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    copies: Vec<RecordCopy>,
    start: u64,
    end: u64,
}

struct Arrived {
    records: Vec<Record>,
    damaged: Vec<(RecordCopy, RemoteError)>,
    bytes: u64,
}

fn runs(mut copies: Vec<RecordCopy>) -> Vec<Run> {
    copies.sort_unstable_by_key(|copy| (copy.pack, copy.offset));
    let mut runs: Vec<Run> = Vec::new();
    for copy in copies {
        let end = copy.offset + copy.len;
        match runs.last_mut() {
            Some(run)
                if run.copies[0].pack == copy.pack
                    && copy.offset <= run.end + GAP_MAX
                    && end.max(run.end) - run.start <= RUN_MAX =>
            {
                run.end = run.end.max(end);
                run.copies.push(copy);
            }
            _ => runs.push(Run { copies: vec![copy], start: copy.offset, end }),
        }
    }
    runs
}

async fn read_run(source: Source, run: Run) -> Result<Arrived> {
    let Source { remote, catalog, .. } = source;
    let pack = catalog.pack(run.copies[0].pack);
    let object = pack_path(&remote.root, pack);
    let len = run.end - run.start;
    let turn = source.requests.acquire().await.expect("the semaphore is never closed");
    let bytes = match remote.wire.get(&object, Some(run.start..run.end), len).await {
        Err(RemoteError::Refused { object, kind: ErrorKind::NotFound, .. }) => {
            return Err(RemoteError::Damaged { object, what: "it is missing, but its index is there".to_owned() });
        }
        bytes => bytes?,
    };
    drop(turn);
    let mut arrived = Arrived { records: Vec::with_capacity(run.copies.len()), damaged: Vec::new(), bytes: len };
    for copy in &run.copies {
        match read_record(&bytes, run.start, pack, copy) {
            Ok(record) => arrived.records.push(record),
            Err(fault) => arrived.damaged.push((*copy, damage(object.as_ref(), copy, &fault))),
        }
    }
    Ok(arrived)
}

fn read_record(bytes: &Bytes, start: u64, pack: PackId, copy: &RecordCopy) -> std::result::Result<Record, RecordFault> {
    let from = (copy.offset - start) as usize;
    let record = Record::parse(pack, copy.offset, &bytes.slice(from..from + copy.len as usize))?;
    match record.id() == copy.id {
        true => Ok(record),
        false => Err(RecordFault::Damaged("another record lies where its index says")),
    }
}

fn damage(object: &str, copy: &RecordCopy, fault: &RecordFault) -> RemoteError {
    let what = format!("byte {}, {}: {fault}", copy.offset, copy.id.digest);
    match fault {
        RecordFault::Damaged(_) => RemoteError::Damaged { object: object.to_owned(), what },
        RecordFault::Unknown(_) => RemoteError::UnknownVersion { object: object.to_owned(), what },
    }
}

#[cfg(test)]
mod tests {
    use stemma_core::Digest;
    use stemma_store::RecordKind;

    use super::*;

    fn copy(pack: u32, offset: u64, len: u64) -> RecordCopy {
        let digest = Digest::of(format!("{pack} {offset}").as_bytes());
        RecordCopy { id: RecordId::new(RecordKind::Chunk, digest), pack, offset, len }
    }

    #[test]
    fn neighbours_are_read_at_once_and_no_run_is_too_long() {
        let far = 1000 + GAP_MAX + 101;
        let runs = runs(vec![
            copy(1, 32, 10),
            copy(0, far, 50),
            copy(0, 32, 968),
            copy(0, 1000, 100),
            copy(0, far + 50, RUN_MAX),
            copy(0, far + 50 + RUN_MAX, 20),
        ]);
        let found: Vec<_> = runs.iter().map(|run| (run.copies[0].pack, run.start, run.end, run.copies.len())).collect();
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
