//! The versions of the stored format that are read, and why a file can't be.

use arrow_array::RecordBatch;
use parquet::{errors::ParquetError, file::metadata::ParquetMetaData};
use stemma_core::endpoint::prediction::PredictionRecord;

use super::{columns, v1};

/// What a file's metadata calls its version of the stored format.
pub const FORMAT: &str = "stemma.format";
/// The version that is written.
pub const WRITTEN_FORMAT: &str = "2";

/// Why a row of a sealed part could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SealedError {
    #[error("sealed predictions cannot be read: {0}")]
    Parquet(#[from] ParquetError),
    #[error("sealed predictions hold rows {first}..{end}, not row {row}")]
    NoSuchRow { row: u32, first: u32, end: u64 },
    #[error("sealed predictions are damaged at row {row}")]
    Corrupt { row: u32 },
    #[error("sealed predictions are of version {0}, which a newer Stemma wrote; this one reads up to {WRITTEN_FORMAT}")]
    Newer(String),
    #[error("sealed predictions do not say their version")]
    NoVersion,
}

/// The versions of the stored format that are read.
#[derive(Clone, Copy)]
pub enum Format {
    V1,
    V2,
}

impl Format {
    pub fn of(metadata: &ParquetMetaData) -> Result<Self, SealedError> {
        let notes = metadata.file_metadata().key_value_metadata().into_iter().flatten();
        let version = notes.filter(|note| note.key == FORMAT).find_map(|note| note.value.as_deref());
        match version {
            Some("1") => Ok(Self::V1),
            Some(WRITTEN_FORMAT) => Ok(Self::V2),
            Some(newer) => Err(SealedError::Newer(newer.to_owned())),
            None => Err(SealedError::NoVersion),
        }
    }

    pub fn record_at(self, batch: &RecordBatch, at: usize) -> Option<(u32, PredictionRecord)> {
        match self {
            Self::V1 => v1::record_at(batch, at),
            Self::V2 => columns::record_at(batch, at),
        }
    }

    /// The column with the name of the arm.
    pub const fn arm(self) -> &'static str {
        match self {
            Self::V1 => v1::ARM,
            Self::V2 => columns::ARM,
        }
    }
}
