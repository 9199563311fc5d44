//! What was noted of the prediction and feedback logs while it was not sealed yet, and how much is sealed.

use std::collections::BTreeMap;

use stemma_core::Digest;

use crate::{LedgerAtRest, LedgerError, sql::Session};

/// The longest beginning of a segment that was noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentNote {
    pub segment: u64,
    pub records: u64,
    pub bytes: u64,
    pub digest: Digest,
    /// BLAKE3 of the key of prediction ids; of a segment of feedback nothing.
    pub key: Option<Digest>,
    /// The event that noted it.
    pub seq: u64,
}

const PREDICTION_NOTES: &str =
    "SELECT segment, records, bytes, digest, key_check, from_seq FROM prediction_note ORDER BY bytes, from_seq";
const FEEDBACK_NOTES: &str = "SELECT segment, records, bytes, digest, CAST(NULL AS TEXT) AS key_check, from_seq \
    FROM feedback_note ORDER BY bytes, from_seq";

impl LedgerAtRest {
    /// The longest note of each segment of the prediction log.
    pub async fn prediction_notes(&self) -> Result<Vec<SegmentNote>, LedgerError> {
        notes(&mut self.read().await?, PREDICTION_NOTES).await
    }

    /// The longest note of each segment of the feedback log.
    pub async fn feedback_notes(&self) -> Result<Vec<SegmentNote>, LedgerError> {
        let mut session = self.read().await?;
        // homes that no command has opened since then have no such table
        if !session.has_table("feedback_note").await? {
            return Ok(Vec::new());
        }
        notes(&mut session, FEEDBACK_NOTES).await
    }

    /// How many records of each segment of the prediction log are sealed.
    pub async fn sealed_predictions(&self) -> Result<BTreeMap<u64, u64>, LedgerError> {
        sealed_predictions(&mut self.read().await?).await
    }

    /// How many records of each segment of the feedback log are sealed.
    pub async fn sealed_feedback(&self) -> Result<BTreeMap<u64, u64>, LedgerError> {
        let mut session = self.read().await?;
        if !session.has_table("feedback_segment").await? {
            return Ok(BTreeMap::new());
        }
        sealed_feedback(&mut session).await
    }
}

/// How many records of each segment of the prediction log are sealed.
pub async fn sealed_predictions(session: &mut Session) -> Result<BTreeMap<u64, u64>, LedgerError> {
    sealed(session, "SELECT segment, last_row - first_row + 1 AS records FROM log_part").await
}

/// How many records of each segment of the feedback log are sealed.
pub async fn sealed_feedback(session: &mut Session) -> Result<BTreeMap<u64, u64>, LedgerError> {
    sealed(session, "SELECT segment, records FROM feedback_segment").await
}

async fn sealed(session: &mut Session, sql: &str) -> Result<BTreeMap<u64, u64>, LedgerError> {
    let mut sealed = BTreeMap::new();
    for row in session.rows(sql, &[]).await? {
        *sealed.entry(segment(&row.text("segment")?)?).or_default() += row.int("records")?.max(0) as u64;
    }
    Ok(sealed)
}

async fn notes(session: &mut Session, sql: &str) -> Result<Vec<SegmentNote>, LedgerError> {
    let mut longest = BTreeMap::new();
    for row in session.rows(sql, &[]).await? {
        let key = row.optional_text("key_check")?;
        let note = SegmentNote {
            segment: segment(&row.text("segment")?)?,
            records: row.int("records")?.max(0) as u64,
            bytes: row.int("bytes")?.max(0) as u64,
            digest: row.parsed("digest")?,
            key: key.map(|_| row.parsed("key_check")).transpose()?,
            seq: row.int("from_seq")?.max(0) as u64,
        };
        longest.insert(note.segment, note);
    }
    Ok(longest.into_values().collect())
}

fn segment(text: &str) -> Result<u64, LedgerError> {
    u64::from_str_radix(text, 16).map_err(|_| LedgerError::Damaged(format!("`{text}` is no segment")))
}
