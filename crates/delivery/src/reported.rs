//! The reports that lie in segments which are not sealed, by endpoint.

use std::collections::{BTreeMap, HashMap, HashSet};

use stemma_core::{Digest, Problem, Timestamp, endpoint::prediction::PredictionRecord};
use stemma_engine::problem::internal;
use stemma_gateway::{SegmentId, Unread};

/// What tells a report from all others of an endpoint; two have the same only if they are the same.
pub type ReportKey = [u8; 16];

/// What a report says; two have the same only if they say the same.
pub type ReportContent = [u8; 16];

/// What is reported of an endpoint in segments that are not sealed.
#[derive(Default)]
pub struct OpenReports {
    segments: BTreeMap<SegmentId, HashMap<ReportKey, ReportContent>>,
    /// Where there may be more.
    pub unread: Vec<Unread>,
}

/// Read from the log when an endpoint is reported to for the first time, and after anything went wrong.
#[derive(Default)]
pub struct ReportedIds(HashMap<u16, OpenReports>);

/// The key of a report by the reporter's id and the time of the prediction.
pub fn report_key(id: &str, time: Timestamp) -> ReportKey {
    shortened(Digest::of(format!("{}\n{id}", time.micros()).as_bytes()))
}

/// What was said of a prediction, besides its id and time; not who reported it, from where and when.
pub fn report_content(record: &PredictionRecord) -> Result<ReportContent, Problem> {
    let unit = record.draw.as_ref().map(|draw| &draw.unit);
    let named = (record.revision_digest, &record.request_id, record.trace, unit);
    let told = (&record.outcome, &record.inputs, &record.outputs, record.latency_us);
    let text = serde_json::to_vec(&(named, told)).map_err(internal)?;
    Ok(shortened(Digest::of(&text)))
}

fn shortened(digest: Digest) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&digest.as_bytes()[..16]);
    short
}

impl OpenReports {
    pub fn find(&self, key: &ReportKey) -> Option<&ReportContent> {
        self.segments.values().find_map(|reports| reports.get(key))
    }

    pub fn add(&mut self, segment: SegmentId, key: ReportKey, content: ReportContent) {
        self.segments.entry(segment).or_default().insert(key, content);
    }

    /// What was sealed is forgotten: it is found in its file.
    pub fn keep_only(&mut self, there: &HashSet<SegmentId>) {
        self.segments.retain(|segment, _| there.contains(segment));
        self.unread.retain(|unread| there.contains(&unread.segment));
    }
}

impl ReportedIds {
    /// Takes out what is known of an endpoint. Whoever has recorded all that was to be recorded puts it back: if not, some
    /// of it may lie in the log, and the log is read again.
    pub fn take(&mut self, ordinal: u16) -> Option<OpenReports> {
        self.0.remove(&ordinal)
    }

    pub fn put_back(&mut self, ordinal: u16, open: OpenReports) {
        self.0.insert(ordinal, open);
    }
}
