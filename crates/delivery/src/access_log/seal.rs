//! Sealing: an ended segment of the access log becomes content, and the ledger says so.

use stemma_core::{
    Problem,
    event::{AccessLogSealed, Event},
    id::RequestId,
    record::Actor,
};
use stemma_engine::problem::{internal, store_problem};
use stemma_gateway::{AccessLog, SegmentId};

use super::keep::access_problem;
use crate::Delivery;

impl Delivery {
    /// Seals every segment of the access log that is not written any more; returns how many. Content first, then the fact,
    /// then the segment goes.
    pub async fn seal_access_log(&self) -> Result<u64, Problem> {
        let Some(log) = self.open_access_log().cloned() else { return Ok(0) };
        let _alone = self.sealing_access().lock().await;
        let (mut sealed, mut failed) = (0, Ok(()));
        for segment in log.unsealed() {
            match seal_segment(self, &log, segment).await {
                Ok(()) => sealed += 1,
                // one that can't be sealed must not keep the others from it
                Err(problem) => failed = Err(problem),
            }
        }
        failed.map(|()| sealed)
    }
}

async fn seal_segment(delivery: &Delivery, log: &AccessLog, segment: SegmentId) -> Result<(), Problem> {
    // a crash came between the commit and the removal of the segment: the fact is there already
    if delivery.known().access_part_of(segment).await?.is_none() {
        let event = store(delivery, log.clone(), segment).await?;
        let events = &vec![event];
        let change = || async move { Ok(events.clone()) };
        delivery.engine().change_as(&Actor::system(), RequestId::generate(), change).await?;
    }
    let log = log.clone();
    tokio::task::spawn_blocking(move || log.remove(segment)).await.map_err(internal)?.map_err(access_problem)
}

async fn store(delivery: &Delivery, log: AccessLog, segment: SegmentId) -> Result<Event, Problem> {
    let store = delivery.known().store().clone();
    let put = move || -> Result<Event, Problem> {
        let sealed = log.seal(segment).map_err(access_problem)?;
        let info = store.put_bytes(&sealed.lines).map_err(store_problem)?;
        Ok(Event::AccessLogSealed(AccessLogSealed {
            segment,
            entries: sealed.entries,
            not_written: sealed.not_written,
            first: sealed.first,
            last: sealed.last,
            digest: info.digest,
            size: info.size,
        }))
    };
    tokio::task::spawn_blocking(put).await.map_err(internal)?
}
