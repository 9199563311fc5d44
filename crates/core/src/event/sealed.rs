//! What is sealed: rows that no event made, and segments of the logs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Digest, Timestamp,
    endpoint::prediction::PredictionAddress,
    name::{EndpointName, ProjectName},
};

/// Rows that are sealed in batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SealedRows {
    /// Labels, rewards and comments.
    Feedback,
    /// Which content a project may read.
    Grants,
}

impl SealedRows {
    pub const ALL: [Self; 2] = [Self::Feedback, Self::Grants];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Feedback => "feedback",
            Self::Grants => "grants",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SegmentSealed {
    pub segment: u64,
    pub project: ProjectName,
    pub endpoint: EndpointName,
    pub ordinal: u16,
    /// Days since 1970-01-01 in UTC.
    pub day: i32,
    /// Rows of the segment and endpoint in this file: `first_row ..= last_row`.
    pub first_row: u32,
    pub last_row: u32,
    pub rows: u64,
    pub first_time: Timestamp,
    pub last_time: Timestamp,
    /// Content: Parquet.
    pub digest: Digest,
    pub size: u64,
}

/// What came of the predictions of one endpoint, as it was told in some segments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FeedbackSealed {
    pub project: ProjectName,
    pub endpoint: EndpointName,
    pub ordinal: u16,
    /// The segments, each with how much of it is in this file.
    pub segments: Vec<SegmentRows>,
    pub rows: u64,
    /// The predictions that it is about lie between these.
    pub first: PredictionAddress,
    pub last: PredictionAddress,
    /// When it was told.
    pub first_time: Timestamp,
    pub last_time: Timestamp,
    /// Content: Parquet, sorted by prediction.
    pub digest: Digest,
    pub size: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SegmentRows {
    pub segment: u64,
    pub rows: u64,
}

/// What was noted of who asked for what; a part of the access log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccessLogSealed {
    /// The segment that it comes from; later ones have greater numbers.
    pub segment: u64,
    pub entries: u64,
    /// How many are in it as numbers alone.
    pub not_written: u64,
    /// The times of its entries lie between these.
    pub first: Timestamp,
    pub last: Timestamp,
    /// Content: lines of JSON (`core::access_log`).
    pub digest: Digest,
    pub size: u64,
}

impl AccessLogSealed {
    /// What the event of a segment is about, as in the name of the segment's file.
    pub fn subject_of(segment: u64) -> String {
        format!("{segment:016x}")
    }

    pub(super) fn subject(&self) -> String {
        Self::subject_of(self.segment)
    }
}
