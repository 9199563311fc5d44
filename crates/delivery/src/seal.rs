//! Sealing: parts of the prediction log become Parquet content, and the ledger says so.

use stemma_core::{
    Digest, Problem,
    endpoint::prediction::PredictionAddress,
    event::{Event, SegmentSealed},
    id::RequestId,
    record::Actor,
};
use stemma_engine::problem::{internal, store_problem};
use stemma_gateway::{Extent, SealedPart, SegmentId};

use crate::{Delivery, problem::log_problem};

impl Delivery {
    /// Seals every segment that is not written any more. Content first, then the facts, then the segment goes.
    pub async fn seal_predictions(&self) -> Result<u64, Problem> {
        let mut sealed = 0;
        let mut failed = Ok(());
        // a damaged segment stays as it is, for a person to look at: what is whole in it can still be read
        let damaged = |segment: &SegmentId| {
            self.log().recovered().iter().any(|found| found.segment == *segment && found.damage.is_some())
        };
        for segment in self.log().unsealed().into_iter().filter(|segment| !damaged(segment)) {
            match self.seal_segment(segment).await {
                Ok(()) => sealed += 1,
                // one that can't be sealed must not keep the others from it
                Err(problem) => failed = Err(problem),
            }
        }
        failed.map(|()| sealed)
    }

    /// Makes a fact of what segments hold that are not sealed yet, so that what goes of it is noticed.
    pub(crate) async fn note_predictions(&self) -> Result<(), Problem> {
        self.log().flush().await.map_err(log_problem)?;
        let key = Digest::of(self.prediction_key().as_bytes());
        let mut events = Vec::new();
        for extent in self.log().extents() {
            let noted = self.known().noted_records(extent.segment).await?;
            if extent.records > noted {
                let Extent { segment, records, bytes, digest } = extent;
                events.push(Event::PredictionsNoted { segment, records, bytes, digest, key });
            }
        }
        if events.is_empty() {
            return Ok(());
        }
        let events = &events;
        self.engine()
            .change_as(&Actor::system(), RequestId::generate(), || async move { Ok(events.clone()) })
            .await
            .map(drop)
    }

    /// Closes the open segment of the log, so that everything in it can be sealed.
    pub async fn rotate_predictions(&self) -> Result<(), Problem> {
        self.log().rotate().await.map(drop).map_err(log_problem)
    }

    async fn seal_segment(&self, segment: SegmentId) -> Result<(), Problem> {
        let log = self.log().clone();
        let parts =
            tokio::task::spawn_blocking(move || log.seal(segment)).await.map_err(internal)?.map_err(log_problem)?;
        let mut events = Vec::new();
        for part in parts {
            let first = PredictionAddress { segment, endpoint: part.ordinal, row: part.first_row };
            // a crash came between the commit and the removal of the segment: the fact is there already
            if self.known().sealed_part(first).await?.is_none() {
                events.push(self.store_part(segment, part).await?);
            }
        }
        if !events.is_empty() {
            let events = &events;
            self.engine()
                .change_as(&Actor::system(), RequestId::generate(), || async move { Ok(events.clone()) })
                .await?;
        }
        let log = self.log().clone();
        tokio::task::spawn_blocking(move || log.remove(segment)).await.map_err(internal)?.map_err(log_problem)
    }

    async fn store_part(&self, segment: SegmentId, part: SealedPart) -> Result<Event, Problem> {
        let store = self.known().store().clone();
        let file = part.file.clone();
        let stored = tokio::task::spawn_blocking(move || store.put_file(&file));
        let info = stored.await.map_err(internal)?.map_err(store_problem)?;
        Ok(Event::SegmentSealed(SegmentSealed {
            segment,
            project: part.project,
            endpoint: part.endpoint,
            ordinal: part.ordinal,
            day: part.day,
            first_row: part.first_row,
            last_row: part.last_row,
            rows: part.rows,
            first_time: part.first_time,
            last_time: part.last_time,
            digest: info.digest,
            size: info.size,
        }))
    }
}
