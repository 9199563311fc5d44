//! Stretches of contents on their way from packs into the store: a few are fetched ahead of the one that is taken in.

use std::{collections::HashSet, mem, sync::Arc};

use futures::StreamExt as _;
use stemma_store::{Delivery, Incoming, Record, RecordId, Stretch, take_in};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::{
    arrivals::Arrivals,
    fetch::{Fetched, Source},
};
use crate::error::{RemoteError, Result};

/// Plain bytes of chunks that are brought together, unless one is longer.
const PLAIN_BYTES: u64 = 4 << 20;
/// Chunks and ends of contents that are brought together; of short ones there are many.
const STEPS: usize = 4096;
/// Chunks of trees that are brought together; each is a few dozen KiB.
const TREES: usize = 64;
/// Deliveries that are fetched at once.
const AHEAD: usize = 6;
/// Chunks that depend on each other; more is no remote of ours.
const DEPTH_MAX: usize = 8;

/// What comes together.
#[derive(Default)]
pub(super) struct Planned {
    chunks: Vec<RecordId>,
    plain_bytes: u64,
    steps: usize,
    stretches: Vec<Stretch>,
}

/// Cuts contents into stretches. `of_trees` are chunks of trees, which are read later.
pub(super) fn plan(contents: &[Arc<Incoming>], of_trees: &[RecordId]) -> Vec<Planned> {
    let of_trees = of_trees.chunks(TREES);
    let mut planned: Vec<Planned> = of_trees
        .map(|chunks| Planned { chunks: chunks.to_vec(), plain_bytes: PLAIN_BYTES, ..Planned::default() })
        .collect();
    let mut open = Planned::default();
    for content in contents {
        let mut begin = 0;
        for (number, (chunk, len)) in content.chunks().enumerate() {
            if open.steps >= STEPS || (open.plain_bytes > 0 && open.plain_bytes + len > PLAIN_BYTES) {
                open.read(content, begin..number);
                planned.push(mem::take(&mut open));
                begin = number;
            }
            open.chunks.push(chunk);
            open.plain_bytes += len;
            open.steps += 1;
        }
        open.read(content, begin..content.chunks().len());
        open.steps += 1;
    }
    planned.push(open);
    planned
}

impl Planned {
    fn read(&mut self, content: &Arc<Incoming>, chunks: std::ops::Range<usize>) {
        // of a content without chunks there is nothing but its end
        if !chunks.is_empty() || content.chunks().len() == 0 {
            self.stretches.push(Stretch { content: Arc::clone(content), chunks });
        }
    }
}

/// What was fetched of a delivery, the room that it has in memory, and whether that is all.
struct Brought {
    fetched: Fetched,
    stretches: Vec<Stretch>,
    room: OwnedSemaphorePermit,
    outcome: Result<()>,
}

/// Brings what is planned, and takes it in while the next is on its way. `pages` have come already.
pub(super) async fn deliver(
    source: &Source,
    arrivals: &mut Arrivals<'_>,
    pages: Vec<Record>,
    planned: Vec<Planned>,
) -> Result<()> {
    let (sender, receiver) = mpsc::channel(1);
    let (into, pages) = (source.clone(), Delivery { parts: pages, stretches: Vec::new() });
    let taken = tokio::task::spawn_blocking(move || {
        let mut deliveries = Deliveries { first: Some(pages), receiver, held: None };
        take_in(&|| into.batch(), &mut || deliveries.next())
    });
    let sent = send(source, arrivals, planned, sender).await;
    // a failure to take something in is why the rest could not be sent
    taken.await??;
    sent
}

async fn send(
    source: &Source,
    arrivals: &mut Arrivals<'_>,
    planned: Vec<Planned>,
    sender: mpsc::Sender<(Delivery, OwnedSemaphorePermit)>,
) -> Result<()> {
    let is_new = |id: &&RecordId| !source.store.has_record(id);
    let new: Vec<RecordId> = planned.iter().flat_map(|planned| &planned.chunks).filter(is_new).copied().collect();
    arrivals.expect(source.bytes_of(&new));
    let mut brought = futures::stream::iter(planned).map(|planned| bring(source, planned)).buffered(AHEAD);
    while let Some(Brought { fetched, stretches, room, outcome }) = brought.next().await {
        arrivals.add(&fetched);
        let delivery = Delivery { parts: fetched.records, stretches };
        if sender.send((delivery, room)).await.is_err() {
            break;
        }
        outcome?;
    }
    Ok(())
}

/// Deliveries for the thread that takes them in.
struct Deliveries {
    first: Option<Delivery>,
    receiver: mpsc::Receiver<(Delivery, OwnedSemaphorePermit)>,
    held: Option<OwnedSemaphorePermit>,
}

impl Deliveries {
    fn next(&mut self) -> Option<Delivery> {
        // the one before has been passed on
        self.held = None;
        self.first.take().or_else(|| {
            let (delivery, room) = self.receiver.blocking_recv()?;
            self.held = Some(room);
            Some(delivery)
        })
    }
}

/// Fetches those of the chunks that are not here, and what they depend on.
async fn bring(source: &Source, planned: Planned) -> Brought {
    // as much again for what they depend on
    let room = source.remote.wire.budget.take(2 * planned.plain_bytes).await;
    let mut fetched = Fetched::default();
    let outcome = bring_all(source, planned.chunks, &mut fetched).await;
    let stretches = if outcome.is_ok() { planned.stretches } else { Vec::new() };
    if outcome.is_err() {
        // what these depend on may not have come
        fetched.records.retain(|record| record.needs().is_empty());
    }
    Brought { fetched, stretches, room, outcome }
}

async fn bring_all(source: &Source, mut wanted: Vec<RecordId>, fetched: &mut Fetched) -> Result<()> {
    let mut seen = HashSet::new();
    for _ in 0..=DEPTH_MAX {
        wanted.retain(|id| seen.insert(*id));
        let before = fetched.records.len();
        source.fetch(source.lacking(wanted).await?, fetched).await?;
        wanted = fetched.records[before..].iter().flat_map(Record::needs).copied().collect();
        if wanted.is_empty() {
            return Ok(());
        }
    }
    let object = wanted[0].digest.to_string();
    Err(RemoteError::Damaged { object, what: "too many chunks depend on each other".to_owned() })
}
