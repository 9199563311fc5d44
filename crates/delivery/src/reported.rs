//! The reports that lie in segments which are not sealed, by endpoint.

use std::collections::{BTreeMap, HashMap, HashSet};

use stemma_core::{Digest, Timestamp, endpoint::prediction::PredictionAddress};
use stemma_gateway::SegmentId;

/// What tells a report from all others of an endpoint; two have the same only if they are the same.
pub type ReportKey = [u8; 16];

/// By segment.
pub type OpenReports = BTreeMap<SegmentId, HashSet<ReportKey>>;

/// Read from the log when an endpoint is reported to for the first time.
#[derive(Default)]
pub struct ReportedIds(HashMap<u16, OpenReports>);

/// The key of a report by the reporter's id and the time of the prediction.
pub fn report_key(id: &str, time: Timestamp) -> ReportKey {
    let digest = Digest::of(format!("{}\n{id}", time.micros()).as_bytes());
    let mut key = ReportKey::default();
    key.copy_from_slice(&digest.as_bytes()[..16]);
    key
}

impl ReportedIds {
    pub fn is_read(&self, ordinal: u16) -> bool {
        self.0.contains_key(&ordinal)
    }

    pub fn set(&mut self, ordinal: u16, open: OpenReports) {
        self.0.insert(ordinal, open);
    }

    /// Those of an endpoint. What was sealed is forgotten: it is found in its file.
    pub fn open(&mut self, ordinal: u16, there: &HashSet<SegmentId>) -> &OpenReports {
        let open = self.0.entry(ordinal).or_default();
        open.retain(|segment, _| there.contains(segment));
        open
    }

    /// Notes what was recorded.
    pub fn add(&mut self, ordinal: u16, recorded: impl Iterator<Item = (PredictionAddress, ReportKey)>) {
        let segments = self.0.entry(ordinal).or_default();
        for (address, key) in recorded {
            segments.entry(address.segment).or_default().insert(key);
        }
    }
}
