//! Reading a whole blob: a few threads read, decode and check chunks ahead of whoever takes them, in order.

use std::{
    collections::VecDeque,
    num::NonZero,
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
    thread,
};

use crate::{blob::BlobReader, error::Result, pack::Piece};

const THREADS_MAX: usize = 4;
/// Chunks per thread that are on their way.
const CHUNKS_AHEAD: usize = 3;
/// Shorter blobs are read by the calling thread: starting others takes longer.
const WORTH_THREADS: u64 = 4 << 20;

/// A chunk to read, and where to leave it.
type Job = (Piece, SyncSender<Result<Vec<u8>>>);

/// Hands all chunks of a blob to `take`, in order.
pub(crate) fn chunks(reader: &BlobReader, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    if reader.len() < WORTH_THREADS {
        return one_by_one(reader, take);
    }
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX);
    let (jobs, waiting) = channel::<Job>();
    let waiting = &Mutex::new(waiting);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(move || serve(reader, waiting));
        }
        // dropped on every way out, which ends the threads
        let jobs = jobs;
        in_order(reader, &jobs, threads * CHUNKS_AHEAD, take)
    })
}

fn one_by_one(reader: &BlobReader, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut at = 0;
    while at < reader.len() {
        let piece = reader.piece_at(at)?;
        take(&reader.uncached_chunk(&piece)?)?;
        at = piece.end();
    }
    Ok(())
}

fn serve(reader: &BlobReader, waiting: &Mutex<Receiver<Job>>) {
    loop {
        let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((piece, answer)) = job else { return };
        // nobody waits any more once a chunk before this one has failed
        let _ = answer.send(reader.uncached_chunk(&piece));
    }
}

fn in_order(
    reader: &BlobReader,
    jobs: &Sender<Job>,
    ahead: usize,
    take: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut under_way: VecDeque<Receiver<Result<Vec<u8>>>> = VecDeque::new();
    let mut at = 0;
    loop {
        while at < reader.len() && under_way.len() < ahead {
            let piece = reader.piece_at(at)?;
            let (answer, read) = sync_channel(1);
            jobs.send((piece, answer)).expect("the threads receive until the sender is dropped");
            under_way.push_back(read);
            at = piece.end();
        }
        let Some(next) = under_way.pop_front() else {
            return Ok(());
        };
        take(&next.recv().expect("the threads answer every job")?)?;
    }
}
