//! Which reports are recorded already: by the reporter's id and the time of the prediction.

use std::collections::HashSet;

use stemma_core::{Problem, endpoint::prediction::PredictionRecord, name::EndpointName};
use stemma_engine::problem::internal;
use stemma_gateway::{SegmentId, read_marks};

use crate::{
    Delivery,
    problem::{log_problem, read_problem},
    reported::{OpenReports, ReportKey, ReportedIds, report_key},
    sealed::open_sealed,
};

/// Those that are not recorded yet, each once, with their keys.
pub async fn new_ones(
    delivery: &Delivery,
    known: &mut ReportedIds,
    (endpoint, ordinal): (&EndpointName, u16),
    records: Vec<PredictionRecord>,
) -> Result<(Vec<PredictionRecord>, Vec<ReportKey>), Problem> {
    let keyed = |record: PredictionRecord| {
        let key = record.reported.as_ref().map(|reported| report_key(&reported.id, record.time));
        key.map(|key| (key, record))
    };
    let mut new: Vec<(ReportKey, PredictionRecord)> = records.into_iter().filter_map(keyed).collect();
    let mut met = HashSet::with_capacity(new.len());
    new.retain(|(key, _)| met.insert(*key));
    delivery.log().flush().await.map_err(log_problem)?;
    let there: HashSet<SegmentId> = delivery.log().segments().into_iter().collect();
    if !known.is_read(ordinal) {
        known.set(ordinal, read_open(delivery, ordinal).await?);
    }
    let open = known.open(ordinal, &there);
    new.retain(|(key, _)| !open.values().any(|keys| keys.contains(key)));
    let sealed = sealed(delivery, endpoint, &there, &new).await?;
    new.retain(|(key, _)| !sealed.contains(key));
    let (keys, records) = new.into_iter().unzip();
    Ok((records, keys))
}

async fn read_open(delivery: &Delivery, ordinal: u16) -> Result<OpenReports, Problem> {
    let log = delivery.log().clone();
    let read = tokio::task::spawn_blocking(move || {
        let mut found = OpenReports::new();
        log.each(ordinal, |address, record| {
            if let Some(reported) = &record.reported {
                found.entry(address.segment).or_default().insert(report_key(&reported.id, record.time));
            }
        })?;
        Ok(found)
    });
    read.await.map_err(internal)?.map_err(read_problem)
}

/// The reports in sealed files that reach into the time of these.
async fn sealed(
    delivery: &Delivery,
    endpoint: &EndpointName,
    open: &HashSet<SegmentId>,
    new: &[(ReportKey, PredictionRecord)],
) -> Result<HashSet<ReportKey>, Problem> {
    let times = || new.iter().map(|(_, record)| record.time);
    let mut found = HashSet::new();
    let (Some(first), Some(last)) = (times().min(), times().max()) else { return Ok(found) };
    for part in delivery.known().sealed_parts(endpoint).await? {
        // the segment of a part is removed after the part is a fact: until then it is in the open ones
        if open.contains(&part.segment) || part.last_time < first || part.first_time > last {
            continue;
        }
        let file = open_sealed(delivery, &part.project, part.digest).await?;
        let read = move || {
            file.read(|chunks| {
                read_marks(chunks, |mark| {
                    if let Some(id) = mark.reported_id {
                        found.insert(report_key(id, mark.time));
                    }
                })?;
                Ok(found)
            })
        };
        found = tokio::task::spawn_blocking(read).await.map_err(internal)??;
    }
    Ok(found)
}
