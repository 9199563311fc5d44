//! A record as it goes into its frame and comes out of it.

use std::{collections::BTreeMap, io};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use stemma_core::{
    endpoint::prediction::{ArmTaken, Outcome, PredictionAddress, PredictionRecord, RECORD_VERSION, RecordError},
    name::ProjectName,
};

use super::{
    error::{AppendError, LogError},
    frame::PAYLOAD_BYTES_MAX,
    segment::Segment,
};

/// A record to be kept, with what its id and its file need.
#[derive(Debug, Clone, Copy)]
pub struct NewRecord<'a> {
    pub project: &'a ProjectName,
    pub ordinal: u16,
    pub record: &'a PredictionRecord,
}

impl NewRecord<'_> {
    /// Returns the record as it will lie in its frame, if it can.
    pub fn encode(&self) -> Result<EncodedRecord, AppendError> {
        if self.record.v != RECORD_VERSION {
            let reason = format!("it is of version {}, not {RECORD_VERSION}", self.record.v);
            return Err(AppendError::Unwritable(reason));
        }
        let propensity = self.record.arm.as_ref().and_then(ArmTaken::propensity);
        if let Some(propensity) = propensity.filter(|propensity| !propensity.is_finite()) {
            return Err(AppendError::Unwritable(format!("propensity {propensity} is not finite")));
        }
        let stored = StoredRef { project: self.project, record: self.record };
        let payload = serde_json::to_vec(&stored).map_err(|error| AppendError::Unwritable(error.to_string()))?;
        if payload.len() > PAYLOAD_BYTES_MAX {
            let bytes = payload.len();
            return Err(AppendError::TooLarge { bytes });
        }
        Ok(EncodedRecord { ordinal: self.ordinal, payload })
    }
}

/// A record as it will lie in its frame. Encoding may take a while; it needs no lock and no disk.
#[derive(Debug, Clone)]
pub struct EncodedRecord {
    pub(crate) ordinal: u16,
    pub(crate) payload: Vec<u8>,
}

/// The payload of a frame.
#[derive(Serialize)]
struct StoredRef<'a> {
    project: &'a ProjectName,
    record: &'a PredictionRecord,
}

/// The payload of a frame, its record still to be read as its version wants it.
#[derive(Deserialize)]
struct Payload<'a> {
    project: ProjectName,
    #[serde(borrow)]
    record: &'a RawValue,
}

/// The payload of a frame, read back.
#[derive(Debug)]
pub struct Stored {
    pub project: ProjectName,
    pub record: PredictionRecord,
}

impl Stored {
    /// Returns the record at an address in this segment, if there is one.
    pub fn find(segment: &Segment, address: PredictionAddress) -> Result<Option<Self>, LogError> {
        let payload = segment.read(address.endpoint, address.row)?;
        payload.map(|payload| Self::decode(segment, &payload)).transpose()
    }

    /// Returns the record whose frame lies at an offset.
    pub fn read_at(segment: &Segment, ordinal: u16, row: u32, offset: u64) -> Result<Self, LogError> {
        Self::decode(segment, &segment.read_at(ordinal, row, offset)?)
    }

    /// The same, unless its text can't be what is looked for: then it is not decoded.
    pub fn read_if(
        segment: &Segment,
        (ordinal, row, offset): (u16, u32, u64),
        may_be: impl Fn(&[u8]) -> bool,
    ) -> Result<Option<Self>, LogError> {
        let payload = segment.read_at(ordinal, row, offset)?;
        may_be(&payload).then(|| Self::decode(segment, &payload)).transpose()
    }

    fn decode(segment: &Segment, payload: &[u8]) -> Result<Self, LogError> {
        let undecodable = |error| LogError::io("decode a record of", &segment.path, io::Error::other(error));
        let Payload { project, record } =
            serde_json::from_slice(payload).map_err(|error| undecodable(RecordError::from(error)))?;
        let record = PredictionRecord::read(record.get()).map_err(undecodable)?;
        Ok(Self { project, record })
    }
}

/// How many answers each arm of each revision gave, or failed to give.
pub type ArmCounts = BTreeMap<(u32, String), u64>;

/// The revision and arm that a record is counted for; none if it was refused.
pub fn counted_arm(record: PredictionRecord) -> Option<(u32, String)> {
    match record.outcome {
        Outcome::Answered | Outcome::Failed { .. } => Some((record.revision, record.arm?.name)),
        Outcome::Refused { .. } => None,
    }
}
