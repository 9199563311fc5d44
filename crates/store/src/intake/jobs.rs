//! The steps on the way of a delivery into the store, in an order in which no thread waits for ever.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, OnceLock},
};

use stemma_core::Digest;

use super::incoming::{Delivery, Incoming, Stretch};
use crate::{
    blob::read_base,
    codec::Base,
    error::{Result, StoreError},
    exchange::{Record, RecordKind, check},
    holdings::Holdings,
    pack::Piece,
};

/// Where the plain bytes of a chunk are left; `None` if they could not be had.
pub(super) type Slot = Arc<OnceLock<Option<Arc<Base>>>>;

/// A step on the way of a delivery into the store.
pub(super) enum Job {
    Check {
        part: Record,
        base: Option<Slot>,
        plain: Leave,
    },
    /// Fetches a chunk that is here already.
    Fetch(Digest, Leave),
    Read {
        content: Arc<Incoming>,
        piece: Piece,
        plain: Slot,
    },
    /// All of it was read.
    End(Arc<Incoming>),
}

pub(super) enum Done {
    Checked(Record, Option<Arc<Base>>),
    Fetched(Digest),
    Read(Arc<Incoming>, Arc<Base>),
    End(Arc<Incoming>),
}

/// Fills a slot, with nothing if it was dropped before: somebody may wait for it.
pub(super) struct Leave(Slot);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.get_or_init(|| None);
    }
}

impl Delivery {
    /// What is needed comes before what needs it; threads take the jobs in this order, so that none waits for ever.
    pub(super) fn into_jobs(self) -> VecDeque<Job> {
        let (chunks, pages): (Vec<_>, Vec<_>) =
            self.parts.into_iter().partition(|part| part.id().kind == RecordKind::Chunk);
        let mut jobs = Jobs {
            parts: chunks.into_iter().map(|part| (part.id().digest, part)).collect(),
            slots: HashMap::new(),
            jobs: pages
                .into_iter()
                .map(|part| Job::Check { part, base: None, plain: Leave(Slot::default()) })
                .collect(),
        };
        for Stretch { content, chunks } in self.stretches {
            let is_last = chunks.end == content.chunks.len();
            for piece in &content.chunks[chunks] {
                let plain = jobs.slot(&piece.digest);
                jobs.jobs.push_back(Job::Read { content: Arc::clone(&content), piece: *piece, plain });
            }
            if is_last {
                jobs.jobs.push_back(Job::End(content));
            }
        }
        while let Some(digest) = jobs.parts.keys().next().copied() {
            jobs.slot(&digest);
        }
        jobs.jobs
    }
}

struct Jobs {
    parts: HashMap<Digest, Record>,
    slots: HashMap<Digest, Slot>,
    jobs: VecDeque<Job>,
}

impl Jobs {
    /// Where the bytes of a chunk are going to be; sees to it that they are.
    fn slot(&mut self, digest: &Digest) -> Slot {
        if let Some(slot) = self.slots.get(digest) {
            return Arc::clone(slot);
        }
        let Some(part) = self.parts.remove(digest) else {
            let slot = self.new_slot(*digest);
            self.jobs.push_back(Job::Fetch(*digest, Leave(Arc::clone(&slot))));
            return slot;
        };
        // without recursion: nobody knows yet how long the chain is
        let mut chain = vec![part];
        while let Some(base) = chain.last().and_then(Record::base).and_then(|base| self.parts.remove(&base)) {
            chain.push(base);
        }
        for part in chain.into_iter().rev() {
            let base = part.base().and_then(|base| self.slots.get(&base).cloned());
            let plain = Leave(self.new_slot(part.id().digest));
            self.jobs.push_back(Job::Check { part, base, plain });
        }
        Arc::clone(&self.slots[digest])
    }

    fn new_slot(&mut self, digest: Digest) -> Slot {
        Arc::clone(self.slots.entry(digest).or_default())
    }
}

impl Job {
    pub fn work(self, holdings: &Holdings) -> Result<Done> {
        match self {
            Self::Check { part, base, plain } => {
                let base = base.and_then(|slot| slot.wait().clone());
                let found = check(holdings, &part, base.as_deref())?.map(Arc::new);
                let _ = plain.0.set(found.clone());
                Ok(Done::Checked(part, found))
            }
            Self::Fetch(digest, plain) => {
                let found = read_base(holdings, &digest)?.ok_or_else(|| missing(digest))?;
                let _ = plain.0.set(Some(Arc::new(found)));
                Ok(Done::Fetched(digest))
            }
            Self::Read { content, piece, plain } => {
                let found = plain.wait().clone().ok_or_else(|| missing(piece.digest))?;
                if found.plain.len() as u64 != piece.len {
                    return Err(StoreError::corrupt(content.digest(), "its recipe gives a chunk another length"));
                }
                Ok(Done::Read(content, found))
            }
            Self::End(content) => {
                if content.chunks.is_empty() {
                    check(holdings, &content.recipe, None)?;
                }
                Ok(Done::End(content))
            }
        }
    }
}

pub(super) fn missing(chunk: Digest) -> StoreError {
    StoreError::corrupt(chunk, "it is missing")
}
