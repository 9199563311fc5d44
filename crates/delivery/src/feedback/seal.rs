//! Sealing: parts of the feedback log become Parquet content, and the ledger says so.

use stemma_core::{
    Problem,
    event::{Event, FeedbackSealed, SegmentRows},
    id::RequestId,
    record::Actor,
};
use stemma_engine::problem::{internal, store_problem};
use stemma_gateway::{Extent, SealedFeedback, SegmentId};

use crate::{
    Delivery,
    problem::{feedback_problem, feedback_seal_problem, read_problem},
};

/// Ended segments are sealed when they are so long together,
const BYTES_DUE: u64 = 32 << 20;
/// or so many,
const SEGMENTS_DUE: usize = 16;
/// or the oldest of them is so old: small files make finding slow.
const AGE_DUE_MILLIS: i64 = 24 * 3_600_000;
/// Segments that go into one file at most.
const SEGMENTS_MAX: usize = 64;

impl Delivery {
    /// Seals ended segments of feedback once there is enough of it.
    pub async fn seal_feedback_if_due(&self) -> Result<u64, Problem> {
        let now = self.known().now().millis();
        let mut waiting = self.unsealed_feedback();
        // what could not be sealed a moment ago is not decoded again at once
        waiting.retain(|segment| !self.unsealable_feedback().is_recent(*segment, now));
        // a segment's id begins with the time when it was made
        let oldest = waiting.first().map_or(i64::MAX, |segment| i64::try_from(segment >> 16).unwrap_or(i64::MAX));
        let is_old = now.saturating_sub(oldest) > AGE_DUE_MILLIS;
        let is_much = self.feedback_log().unsealed_bytes() >= BYTES_DUE || waiting.len() >= SEGMENTS_DUE;
        match !waiting.is_empty() && (is_old || is_much) {
            true => self.seal_waiting_feedback(waiting).await,
            false => Ok(0),
        }
    }

    /// Seals every segment of feedback that is not written any more; returns how many. Content first, then the facts, then
    /// the segments go.
    pub async fn seal_feedback(&self) -> Result<u64, Problem> {
        self.seal_waiting_feedback(self.unsealed_feedback()).await
    }

    async fn seal_waiting_feedback(&self, segments: Vec<SegmentId>) -> Result<u64, Problem> {
        let _alone = self.sealing_feedback().lock().await;
        // what another has sealed meanwhile is gone
        let there = self.unsealed_feedback();
        let mut waiting = Vec::new();
        for segment in segments.into_iter().filter(|segment| there.contains(segment)) {
            match self.known().is_feedback_sealed(segment).await? {
                // a crash came between the commit and the removal of the segment
                true => self.remove_feedback(vec![segment], Vec::new()).await?,
                false => waiting.push(segment),
            }
        }
        let (mut sealed, mut failed) = (0, Ok(()));
        for segments in waiting.chunks(SEGMENTS_MAX) {
            if self.seal_feedback_segments(segments.to_vec()).await.is_ok() {
                sealed += segments.len() as u64;
                continue;
            }
            // those that can't be sealed must not keep the others from it
            for segment in segments {
                match self.seal_feedback_alone(*segment).await {
                    Ok(()) => sealed += 1,
                    Err(problem) => {
                        self.unsealable_feedback().note(*segment, self.known().now().millis());
                        failed = Err(problem);
                    }
                }
            }
        }
        failed.map(|()| sealed)
    }

    /// Seals one segment, of which an attempt with others may have come as far as the fact.
    async fn seal_feedback_alone(&self, segment: SegmentId) -> Result<(), Problem> {
        if !self.unsealed_feedback().contains(&segment) {
            return Ok(());
        }
        match self.known().is_feedback_sealed(segment).await? {
            true => self.remove_feedback(vec![segment], Vec::new()).await,
            false => self.seal_feedback_segments(vec![segment]).await,
        }
    }

    /// Closes the open segment of feedback, so that everything in it can be sealed.
    pub async fn rotate_feedback(&self) -> Result<(), Problem> {
        self.feedback_log().rotate().await.map(drop).map_err(feedback_problem)
    }

    /// Makes a fact of what segments hold that are not sealed yet, so that what goes of it is noticed.
    pub(crate) async fn note_feedback(&self) -> Result<(), Problem> {
        self.feedback_log().flush().await.map_err(feedback_problem)?;
        let mut events = Vec::new();
        for Extent { segment, records, bytes, digest } in self.feedback_log().extents() {
            if records > self.known().noted_feedback(segment).await? {
                events.push(Event::FeedbackNoted { segment, records, bytes, digest });
            }
        }
        self.commit_feedback(events).await
    }

    /// Ended segments, oldest first. A damaged one stays as it is, for a person to look at.
    fn unsealed_feedback(&self) -> Vec<SegmentId> {
        let log = self.feedback_log();
        let damaged = |segment: &SegmentId| {
            log.recovered().iter().any(|found| found.segment == *segment && found.damage.is_some())
        };
        log.unsealed().into_iter().filter(|segment| !damaged(segment)).collect()
    }

    async fn seal_feedback_segments(&self, segments: Vec<SegmentId>) -> Result<(), Problem> {
        let (log, asked) = (self.feedback_log().clone(), segments.clone());
        let parts = tokio::task::spawn_blocking(move || log.seal(&asked));
        let parts = parts.await.map_err(internal)?.map_err(feedback_seal_problem)?;
        let mut events = Vec::new();
        for part in &parts {
            events.push(self.store_feedback(part).await?);
        }
        self.commit_feedback(events).await?;
        self.remove_feedback(segments, parts).await
    }

    async fn commit_feedback(&self, events: Vec<Event>) -> Result<(), Problem> {
        if events.is_empty() {
            return Ok(());
        }
        let events = &events;
        let change = || async move { Ok(events.clone()) };
        self.engine().change_as(&Actor::system(), RequestId::generate(), change).await.map(drop)
    }

    async fn remove_feedback(&self, segments: Vec<SegmentId>, parts: Vec<SealedFeedback>) -> Result<(), Problem> {
        let log = self.feedback_log().clone();
        let remove = tokio::task::spawn_blocking(move || log.remove(&segments, &parts));
        remove.await.map_err(internal)?.map_err(read_problem)
    }

    async fn store_feedback(&self, part: &SealedFeedback) -> Result<Event, Problem> {
        let (store, file) = (self.known().store().clone(), part.file.clone());
        let stored = tokio::task::spawn_blocking(move || store.put_file(&file));
        let info = stored.await.map_err(internal)?.map_err(store_problem)?;
        let rows = |(segment, rows): &(SegmentId, u64)| SegmentRows { segment: *segment, rows: *rows };
        Ok(Event::FeedbackSealed(FeedbackSealed {
            project: part.project.clone(),
            endpoint: part.endpoint.clone(),
            ordinal: part.ordinal,
            segments: part.segments.iter().map(rows).collect(),
            rows: part.rows,
            first: part.first,
            last: part.last,
            first_time: part.first_time,
            last_time: part.last_time,
            digest: info.digest,
            size: info.size,
        }))
    }
}
