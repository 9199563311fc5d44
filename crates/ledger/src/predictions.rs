//! What was noted of the prediction log while it was not sealed yet.

use std::collections::BTreeMap;

use stemma_core::Digest;

use crate::{LedgerAtRest, LedgerError, sql::Session};

/// The longest beginning of a segment that was noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredictionNote {
    pub segment: u64,
    pub records: u64,
    pub bytes: u64,
    pub digest: Digest,
    /// BLAKE3 of the key of prediction ids.
    pub key: Digest,
    /// The event that noted it.
    pub seq: u64,
}

impl LedgerAtRest {
    /// The longest note of each segment.
    pub async fn prediction_notes(&self) -> Result<Vec<PredictionNote>, LedgerError> {
        notes(&mut self.read().await?).await
    }

    /// How many records of each segment are sealed.
    pub async fn sealed_predictions(&self) -> Result<BTreeMap<u64, u64>, LedgerError> {
        sealed(&mut self.read().await?).await
    }
}

/// How many records of each segment are sealed.
pub async fn sealed(session: &mut Session) -> Result<BTreeMap<u64, u64>, LedgerError> {
    let mut sealed = BTreeMap::new();
    for row in session.rows("SELECT segment, first_row, last_row FROM log_part", &[]).await? {
        let records = row.int("last_row")? - row.int("first_row")? + 1;
        *sealed.entry(segment(&row.text("segment")?)?).or_default() += records.max(0) as u64;
    }
    Ok(sealed)
}

async fn notes(session: &mut Session) -> Result<Vec<PredictionNote>, LedgerError> {
    let sql =
        "SELECT segment, records, bytes, digest, key_check, from_seq FROM prediction_note ORDER BY bytes, from_seq";
    let mut longest = BTreeMap::new();
    for row in session.rows(sql, &[]).await? {
        let note = PredictionNote {
            segment: segment(&row.text("segment")?)?,
            records: row.int("records")?.max(0) as u64,
            bytes: row.int("bytes")?.max(0) as u64,
            digest: row.parsed("digest")?,
            key: row.parsed("key_check")?,
            seq: row.int("from_seq")?.max(0) as u64,
        };
        longest.insert(note.segment, note);
    }
    Ok(longest.into_values().collect())
}

fn segment(text: &str) -> Result<u64, LedgerError> {
    u64::from_str_radix(text, 16).map_err(|_| LedgerError::Damaged(format!("`{text}` is no segment")))
}
