//! Keeping feedback, and finding what is not sealed yet.

use std::{path::Path, sync::Arc};

use stemma_core::{
    Clock,
    endpoint::{
        feedback::StoredFeedback,
        prediction::{PredictionAddress, PredictionKey},
    },
};

use super::index::{Index, PlacedFeedback};
use crate::log::{
    AppendError, EncodedRecord, Extent, LogError, LogOptions, RecoveredSegment, SegmentId, Unread, segments::SegmentLog,
};

/// The feedback log of one home. Clones are handles to the same log.
#[derive(Debug, Clone)]
pub struct FeedbackLog {
    pub(super) segments: SegmentLog,
    pub(super) index: Arc<Index>,
}

impl FeedbackLog {
    /// Opens the log of a directory: recovers what an earlier process left and begins a new segment.
    pub fn open(
        directory: &Path,
        key: PredictionKey,
        clock: Arc<dyn Clock>,
        options: LogOptions,
    ) -> Result<Self, LogError> {
        let segments = SegmentLog::open(directory, clock, options)?;
        let index = Arc::new(Index::new(key, segments.unsealed()));
        Ok(Self { segments, index })
    }

    /// What opening found of earlier processes, oldest first.
    pub fn recovered(&self) -> &[RecoveredSegment] {
        self.segments.recovered()
    }

    /// Keeps feedback in this order; all of it is on disk when this returns. After an error some of it may be.
    pub async fn append(&self, told: &[(PredictionAddress, StoredFeedback)]) -> Result<(), AppendError> {
        let encode = |(address, stored): &(PredictionAddress, StoredFeedback)| {
            let payload = serde_json::to_vec(stored).map_err(|error| AppendError::Unwritable(error.to_string()))?;
            Ok(EncodedRecord { ordinal: address.endpoint, payload })
        };
        let records: Vec<EncodedRecord> = told.iter().map(encode).collect::<Result<_, AppendError>>()?;
        let mut about = told.iter().map(|(address, _)| *address);
        let placed = |place: PredictionAddress| {
            // each record has its place, in their order
            if let Some(prediction) = about.next() {
                self.index.add(place.segment, prediction, place.row);
            }
        };
        self.segments.append_all(records, placed).await
    }

    /// Returns when everything that was appended before is on disk.
    pub async fn flush(&self) -> Result<(), AppendError> {
        self.segments.flush().await
    }

    /// What is on disk and not sealed away about predictions, in the order in which it was told. What can't be read is
    /// missing, and [`FeedbackLog::unread`] has it from then on.
    pub fn about(&self, predictions: &[PredictionAddress]) -> Vec<PlacedFeedback> {
        self.index.about(&self.segments, predictions)
    }

    /// The same of everything of an endpoint.
    pub fn of_endpoint(&self, ordinal: u16) -> Vec<PlacedFeedback> {
        self.index.of_endpoint(&self.segments, ordinal)
    }

    /// What lies in unsealed segments and can't be read: about which predictions it is, nobody knows.
    pub fn unread(&self) -> Vec<Unread> {
        self.index.unread(&self.segments)
    }

    /// Ends the open segment and begins a new one; returns the ended one, or nothing if it held no feedback.
    pub async fn rotate(&self) -> Result<Option<SegmentId>, AppendError> {
        self.segments.rotate().await
    }

    /// Returns the ended segments that are not removed yet, oldest first: they wait to be sealed.
    pub fn unsealed(&self) -> Vec<SegmentId> {
        self.segments.unsealed()
    }

    /// What is on disk of each segment that holds feedback and is not removed, but for damaged ones.
    pub fn extents(&self) -> Vec<Extent> {
        self.segments.extents()
    }

    /// Bytes of ended segments that wait to be sealed.
    pub fn unsealed_bytes(&self) -> u64 {
        self.segments.stats().unsealed_bytes
    }
}
