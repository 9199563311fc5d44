//! Counting answers by revision and arm: those still in the log, then those of sealed files.

use stemma_core::{
    Problem, Timestamp, endpoint::prediction::REPORTED_REVISION, event::SegmentSealed, name::EndpointName,
};
use stemma_engine::problem::internal;
use stemma_gateway::{ArmCounts, Seen, SegmentId, count_reported, count_sealed};

use crate::{
    Delivery, gap,
    problem::log_problem,
    sealed::{BlobChunks, SealedFile, look_into},
};

/// Sealed files of one endpoint that are counted at most, the newest.
const PARTS_MAX: usize = 5_000;

/// What was counted, and why it may be more.
pub(crate) struct Counted {
    pub counts: ArmCounts,
    pub gaps: Vec<String>,
}

/// How answers of a sealed file are counted.
type CountFile = fn(BlobChunks) -> Result<ArmCounts, stemma_gateway::SealedError>;

/// Counts answers in the log, and in sealed files that are not older than `since`.
pub(crate) async fn count_answers(
    delivery: &Delivery,
    (endpoint, ordinal): (&EndpointName, u16),
    since: Option<Timestamp>,
) -> Result<Counted, Problem> {
    let (seen, counts) = count_open(delivery, ordinal).await?;
    let mut counted = Counted { counts, gaps: gap::in_log(&seen) };
    let mut parts = delivery.known().sealed_parts(endpoint).await?;
    // what was sealed meanwhile is counted already
    parts.retain(|part| !seen.segments.contains(&part.segment) && since.is_none_or(|since| part.last_time >= since));
    counted.add_parts(delivery, endpoint, parts, count_sealed).await?;
    Ok(counted)
}

/// Counts only what was reported from `since` on, whenever it was made: files that can hold none of it are not looked at, and
/// are no gaps.
pub(crate) async fn count_reports(
    delivery: &Delivery,
    (endpoint, ordinal): (&EndpointName, u16),
    since: Timestamp,
) -> Result<Counted, Problem> {
    let (mut seen, mut counts) = count_open(delivery, ordinal).await?;
    counts.retain(|(revision, _), _| *revision == REPORTED_REVISION);
    let mut parts = delivery.known().sealed_parts(endpoint).await?;
    let ends = Ends::of(seen.segments.iter().copied().chain(parts.iter().map(|part| part.segment)));
    seen.unread.retain(|unread| ends.is_since(unread.segment, since));
    parts.retain(|part| !seen.segments.contains(&part.segment) && ends.is_since(part.segment, since));
    let mut counted = Counted { counts, gaps: gap::in_log(&seen) };
    counted.add_parts(delivery, endpoint, parts, count_reported).await?;
    Ok(counted)
}

async fn count_open(delivery: &Delivery, ordinal: u16) -> Result<(Seen, ArmCounts), Problem> {
    delivery.log().flush().await.map_err(log_problem)?;
    let log = delivery.log().clone();
    tokio::task::spawn_blocking(move || log.counts(ordinal)).await.map_err(internal)
}

impl Counted {
    async fn add_parts(
        &mut self,
        delivery: &Delivery,
        endpoint: &EndpointName,
        mut parts: Vec<SegmentSealed>,
        count: CountFile,
    ) -> Result<(), Problem> {
        if parts.len() > PARTS_MAX {
            let all = parts.len();
            self.gaps.push(format!("only the newest {PARTS_MAX} of {all} sealed files of `{endpoint}` are counted"));
            parts.drain(..all - PARTS_MAX);
        }
        let mut gone = 0;
        for part in parts {
            let look = move |file: &SealedFile, counts: &mut ArmCounts| {
                *counts = file.read(count)?;
                Ok(())
            };
            let (found, gap) = look_into(delivery, (&part.project, part.digest), ArmCounts::new(), look).await?;
            gone += gap.map_or(0, |_| part.rows);
            for (arm, count) in found {
                *self.counts.entry(arm).or_default() += count;
            }
        }
        if gone > 0 {
            self.gaps.push(format!(
                "the log of {gone} answers of `{endpoint}` was removed or is lost: whose they were is not known"
            ));
        }
        Ok(())
    }
}

/// When segments ended at the latest: each before another began.
struct Ends(Vec<SegmentId>);

impl Ends {
    fn of(segments: impl Iterator<Item = SegmentId>) -> Self {
        let mut segments: Vec<SegmentId> = segments.collect();
        segments.sort_unstable();
        Self(segments)
    }

    /// Whether something in a segment may have been recorded since then.
    fn is_since(&self, segment: SegmentId, since: Timestamp) -> bool {
        let next = self.0.get(self.0.partition_point(|other| *other <= segment));
        // a segment's id begins with the milliseconds at which it was made
        let began = next.and_then(|next| i64::try_from(next >> 16).ok());
        began.is_none_or(|began| began >= since.millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_ended_before_the_next_began() {
        let [one, two, open] = [1_000_u64 << 16, 2_000_u64 << 16, 3_000_u64 << 16];
        let ends = Ends::of([open, two, one, two].into_iter());
        for (segment, since, expected) in [
            (one, 2_000, true),
            (one, 2_001, false),
            (two, 3_000, true),
            (two, 3_001, false),
            (open, i64::MAX / 1000, true),
        ] {
            assert_eq!(ends.is_since(segment, Timestamp(since * 1000)), expected, "{segment:x} {since}");
        }
    }
}
