//! Which feedback is about which prediction, of all that is not sealed yet.
//!
//! What an earlier process left is read when somebody asks for the first time: most commands open a home and never do.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Mutex, MutexGuard},
};

use stemma_core::endpoint::{
    feedback::StoredFeedback,
    prediction::{PredictionAddress, PredictionKey},
};

use crate::log::{LogError, SegmentId, Unread, segment::Segment, segments::SegmentLog};

/// Feedback, and where it lies.
#[derive(Debug, Clone, PartialEq)]
pub struct PlacedFeedback {
    /// The prediction that it is about.
    pub prediction: PredictionAddress,
    /// The segment in which it was told; what was told later has a greater one, or a greater row in the same.
    pub segment: SegmentId,
    pub row: u32,
    pub stored: StoredFeedback,
}

#[derive(Debug)]
pub struct Index {
    key: PredictionKey,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    /// Predictions with the rows about them.
    segments: BTreeMap<SegmentId, BTreeSet<(PredictionAddress, u32)>>,
    /// Of earlier processes, still to be read.
    unlisted: Vec<SegmentId>,
    unread: Vec<Unread>,
}

impl Index {
    pub fn new(key: PredictionKey, unlisted: Vec<SegmentId>) -> Self {
        Self { key, entries: Mutex::new(Entries { unlisted, ..Entries::default() }) }
    }

    pub fn add(&self, segment: SegmentId, prediction: PredictionAddress, row: u32) {
        self.entries().segments.entry(segment).or_default().insert((prediction, row));
    }

    pub fn forget(&self, segment: SegmentId) {
        let mut entries = self.entries();
        entries.segments.remove(&segment);
        entries.unlisted.retain(|one| *one != segment);
        entries.unread.retain(|one| one.segment != segment);
    }

    pub fn about(&self, log: &SegmentLog, predictions: &[PredictionAddress]) -> Vec<PlacedFeedback> {
        self.read(log, |rows| {
            let of = |prediction: &PredictionAddress| rows.range((*prediction, 0)..=(*prediction, u32::MAX)).copied();
            predictions.iter().flat_map(of).collect()
        })
    }

    pub fn of_endpoint(&self, log: &SegmentLog, ordinal: u16) -> Vec<PlacedFeedback> {
        self.read(log, |rows| rows.iter().filter(|(prediction, _)| prediction.endpoint == ordinal).copied().collect())
    }

    pub fn unread(&self, log: &SegmentLog) -> Vec<Unread> {
        self.listed(log).unread.clone()
    }

    /// The predictions of a segment in order, each with the row about it and where that row lies.
    pub fn sorted(&self, segment: &Segment) -> Result<Vec<(PredictionAddress, u32, u64)>, LogError> {
        let mut all = Vec::new();
        for (ordinal, rows) in segment.index(|index| index.rows.clone()) {
            for (row, offset) in rows {
                all.push((self.read_at(segment, ordinal, row, offset)?.0, row, offset));
            }
        }
        all.sort_unstable();
        Ok(all)
    }

    pub fn read_at(
        &self,
        segment: &Segment,
        ordinal: u16,
        row: u32,
        offset: u64,
    ) -> Result<(PredictionAddress, StoredFeedback), LogError> {
        self.decode(segment, ordinal, &segment.read_at(ordinal, row, offset)?)
    }

    /// Reads the rows that are wanted of each segment. What was told and did not come to disk is not there.
    fn read(
        &self,
        log: &SegmentLog,
        wanted: impl Fn(&BTreeSet<(PredictionAddress, u32)>) -> Vec<(PredictionAddress, u32)>,
    ) -> Vec<PlacedFeedback> {
        let rows: Vec<_> = {
            let entries = self.listed(log);
            entries.segments.iter().map(|(segment, rows)| (*segment, wanted(rows))).collect()
        };
        let mut found = Vec::new();
        for (id, rows) in rows {
            let Some(segment) = log.segment(id).filter(|_| !rows.is_empty()) else { continue };
            for (prediction, row) in rows {
                let read = segment.read(prediction.endpoint, row);
                let decoded = read.and_then(|payload| {
                    payload.map(|payload| self.decode(&segment, prediction.endpoint, &payload)).transpose()
                });
                match decoded {
                    Ok(Some((_, stored))) => found.push(PlacedFeedback { prediction, segment: id, row, stored }),
                    Ok(None) => {}
                    Err(error) => self.entries().note(Unread { segment: id, what: error.to_string() }),
                }
            }
        }
        found.sort_by_key(|one| (one.segment, one.row));
        found
    }

    fn decode(
        &self,
        segment: &Segment,
        ordinal: u16,
        payload: &[u8],
    ) -> Result<(PredictionAddress, StoredFeedback), LogError> {
        let undecodable = |error| LogError::io("decode feedback of", &segment.path, error);
        let stored = StoredFeedback::read(payload).map_err(|error| undecodable(io::Error::other(error)))?;
        let address = stored.prediction.open(&self.key).filter(|address| address.endpoint == ordinal);
        let address = address.ok_or_else(|| undecodable(io::Error::other("it is about no prediction of this home")))?;
        Ok((address, stored))
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn listed(&self, log: &SegmentLog) -> MutexGuard<'_, Entries> {
        let mut entries = self.entries();
        for id in std::mem::take(&mut entries.unlisted) {
            let Some(segment) = log.segment(id) else { continue };
            if let Some(offset) = segment.damage {
                entries.unread.push(Unread { segment: id, what: format!("it is damaged at byte {offset}") });
            }
            for (ordinal, rows) in segment.index(|index| index.rows.clone()) {
                for (row, offset) in rows {
                    match self.read_at(&segment, ordinal, row, offset) {
                        Ok((prediction, _)) => drop(entries.segments.entry(id).or_default().insert((prediction, row))),
                        Err(error) => entries.unread.push(Unread { segment: id, what: error.to_string() }),
                    }
                }
            }
        }
        entries
    }
}

impl Entries {
    /// What can't be read is told once, however often it is met.
    fn note(&mut self, unread: Unread) {
        if !self.unread.contains(&unread) {
            self.unread.push(unread);
        }
    }
}
