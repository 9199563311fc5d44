//! Contents that arrive in parts: each part is decoded once, checked and kept, and the contents are read meanwhile.
//!
//! A recipe is believed only when the content that it describes has both the digests that it gives. Reading everything
//! once more for that would cost as much as all the rest, so whoever brings parts says which stretches of which contents
//! can be read with them. Parts are decoded by a few threads; the calling thread keeps them and reads the contents, in
//! order.

mod incoming;
mod jobs;
mod reading;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    sync::Arc,
    thread::{self, Scope},
};

pub use incoming::{Delivery, Incoming, Stretch};
use jobs::{Done, Job, missing};
use reading::Reading;

use crate::{
    addition::{import_checked, keep_record},
    batch::Batch,
    codec::Base,
    error::{Result, StoreError},
    exchange::{Record, RecordId, RecordKind},
    threads::in_order,
};

/// Threads that decode parts.
const THREADS_MAX: usize = 8;
/// So much is committed at once.
const COMMIT_BYTES: u64 = 32 << 20;

/// Takes in what `next` gives, until it gives nothing more. `batch` makes the batches that it is committed by.
///
/// Parts are committed as they come, also if there is a failure later: what has come need not come again. A content is
/// here when its last stretch has been read.
pub fn take_in(batch: &dyn Fn() -> Batch, next: &mut dyn FnMut() -> Option<Delivery>) -> Result<()> {
    let mut first = batch();
    let holdings = &first.addition().holdings().clone();
    thread::scope(|scope| {
        let mut intake = Intake { scope, fresh: batch, batch: first, uncommitted: 0, reading: None };
        let mut jobs = VecDeque::new();
        let mut next_job = || {
            while jobs.is_empty() {
                let Some(delivery) = next() else { return Ok(None) };
                jobs = delivery.into_jobs();
            }
            Ok(jobs.pop_front())
        };
        let taken =
            in_order(THREADS_MAX, &mut next_job, &|job: Job| job.work(holdings), &mut |done| intake.take(done?));
        let committed = intake.batch.commit();
        taken.and(committed)
    })
}

/// What the calling thread holds.
struct Intake<'a, 'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    fresh: &'a dyn Fn() -> Batch,
    batch: Batch,
    uncommitted: u64,
    reading: Option<Reading<'scope>>,
}

impl<'scope> Intake<'_, 'scope, '_> {
    fn take(&mut self, done: Done) -> Result<()> {
        match done {
            Done::Checked(part, plain) => self.keep(&part, plain.as_deref())?,
            // it may be about to go, or not be on disk yet
            Done::Fetched(chunk) => {
                if !keep_record(self.batch.addition(), &RecordId::new(RecordKind::Chunk, chunk))? {
                    return Err(missing(chunk));
                }
            }
            Done::Read(content, plain) => self.read(content, plain),
            Done::End(content) => {
                match self.reading.take().filter(|reading| reading.is_of(&content)) {
                    Some(reading) => reading.finish()?,
                    None if content.chunks.is_empty() => {}
                    None => return Err(StoreError::corrupt(content.digest(), "it was not read")),
                }
                self.keep(&content.recipe, None)?;
            }
        }
        Ok(())
    }

    fn keep(&mut self, part: &Record, plain: Option<&Base>) -> Result<()> {
        import_checked(self.batch.addition(), part, plain)?;
        self.uncommitted += part.len();
        if self.uncommitted >= COMMIT_BYTES {
            std::mem::replace(&mut self.batch, (self.fresh)()).commit()?;
            self.uncommitted = 0;
        }
        Ok(())
    }

    fn read(&mut self, content: Arc<Incoming>, plain: Arc<Base>) {
        let reading = match self.reading.take() {
            Some(reading) if reading.is_of(&content) => reading,
            _ => Reading::start(self.scope, content),
        };
        self.reading.insert(reading).update(plain);
    }
}
