//! Which predictions are looked for, but for what their values must be.

use crate::{
    Digest, Timestamp,
    endpoint::prediction::{Hex, NodeRecord, Outcome, PredictionRecord},
    name::ModelName,
    version::VersionNumber,
};

/// Which predictions are looked for. Whatever is said must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wanted {
    /// Whose requests.
    pub unit: Option<String>,
    /// The caller's own id.
    pub request_id: Option<String>,
    pub trace_id: Option<Hex<16>>,
    pub since: Option<Timestamp>,
    /// The last moment.
    pub until: Option<Timestamp>,
    /// What one of the steps asked.
    pub asked: Option<Asked>,
    /// Only requests that failed or were refused.
    pub unanswered: bool,
}

/// What a step asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    Version(ModelName, VersionNumber),
    /// The bytes.
    Digest(Digest),
}

impl Wanted {
    /// Whether a record is one of those.
    pub fn fits(&self, record: &PredictionRecord) -> bool {
        let unit = || record.draw.as_ref().map(|draw| &draw.unit);
        let trace_id = || record.trace.map(|trace| trace.trace_id);
        self.fits_time(record.time)
            && self.unit.as_ref().is_none_or(|wanted| unit() == Some(wanted))
            && self.request_id.as_ref().is_none_or(|wanted| record.request_id.as_ref() == Some(wanted))
            && self.trace_id.is_none_or(|wanted| trace_id() == Some(wanted))
            && !(self.unanswered && record.outcome == Outcome::Answered)
            && self.asked.as_ref().is_none_or(|asked| record.nodes.iter().any(|node| asked.is_of(node)))
    }

    pub fn fits_time(&self, time: Timestamp) -> bool {
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time <= until)
    }

    /// Whether something that lasted from one moment to another can have had a part in it.
    pub fn overlaps(&self, first: Timestamp, last: Timestamp) -> bool {
        self.since.is_none_or(|since| last >= since) && self.until.is_none_or(|until| first <= until)
    }
}

impl Asked {
    fn is_of(&self, node: &NodeRecord) -> bool {
        match self {
            Self::Version(model, version) => {
                node.model.as_ref() == Some(model) && node.version.as_ref() == Some(version)
            }
            Self::Digest(digest) => node.what.digest() == Some(*digest),
        }
    }
}
