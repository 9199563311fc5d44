//! Stored records, of any version of their format.

use serde::Deserialize;

use super::{
    record::{PredictionRecord, RECORD_VERSION},
    v1,
};

/// A stored record that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("the record is of version {0}, which a newer Stemma wrote; this one reads up to {RECORD_VERSION}")]
    Newer(u32),
    #[error("the record can't be read: {0}")]
    Json(#[from] serde_json::Error),
}

/// What tells the versions of the stored format apart; the first did not say which it is.
#[derive(Deserialize)]
struct Versioned {
    #[serde(default = "first")]
    v: u32,
}

const fn first() -> u32 {
    1
}

impl PredictionRecord {
    /// Reads the JSON of a stored record of any version.
    pub fn read(json: &str) -> Result<Self, RecordError> {
        match serde_json::from_str::<Versioned>(json)?.v {
            1 => Ok(serde_json::from_str::<v1::Record>(json)?.into()),
            RECORD_VERSION => Ok(serde_json::from_str(json)?),
            newer => Err(RecordError::Newer(newer)),
        }
    }
}
