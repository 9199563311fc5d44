//! Where sealed predictions and what came of them lie, and what was noted of those that are not sealed yet.

use stemma_core::{
    endpoint::prediction::PredictionAddress,
    event::{FeedbackSealed, SegmentSealed},
    name::EndpointName,
};

use super::view::{View, text};
use crate::{LedgerError, sql::Value, writing::note};

impl View {
    /// The sealed file that holds a prediction.
    pub async fn log_part(&self, address: PredictionAddress) -> Result<Option<SegmentSealed>, LedgerError> {
        let (segment, ordinal) = (segment_text(address.segment), Value::Int(i64::from(address.endpoint)));
        note("log_part", &[("segment", segment.clone()), ("ordinal", ordinal.clone())]);
        let mut read = self.read().await?;
        let sql = format!(
            "SELECT body FROM log_part t WHERE segment = $1 AND ordinal = $2 AND first_row <= $3 AND last_row >= $3 AND {}",
            read.holds("t")
        );
        let row = read.session.row(&sql, &[segment, ordinal, Value::Int(i64::from(address.row))]).await?;
        row.map(|row| row.json("body")).transpose()
    }

    pub async fn log_parts(&self, endpoint: &EndpointName) -> Result<Vec<SegmentSealed>, LedgerError> {
        let parts = self.read().await?.bodies("log_part", &[("endpoint", text(endpoint))]).await?;
        Ok(parts.into_iter().map(|part| part.value).collect())
    }

    /// Sealed files of some endpoints, those of the newest segments first, from behind one on.
    pub async fn log_parts_before(
        &self,
        ordinals: &[u16],
        behind: PredictionAddress,
        limit: usize,
    ) -> Result<Vec<SegmentSealed>, LedgerError> {
        note("log_part", &[]);
        let mut read = self.read().await?;
        let sql = format!(
            "SELECT body FROM log_part t WHERE (segment < $1 OR (segment = $1 AND (ordinal < $2 OR (ordinal = $2 AND first_row < $3)))) \
             AND ordinal IN (SELECT CAST(list.value->>0 AS BIGINT) FROM {}) AND {} \
             ORDER BY segment DESC, ordinal DESC, first_row DESC LIMIT $5",
            read.session.list_at(4),
            read.holds("t")
        );
        let list = Value::list(ordinals.iter().map(|ordinal| [ordinal.to_string()]))?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = [
            segment_text(behind.segment),
            Value::Int(i64::from(behind.endpoint)),
            Value::Int(i64::from(behind.row)),
            list,
            Value::Int(limit),
        ];
        read.session.rows(&sql, &values).await?.iter().map(|row| row.json("body")).collect()
    }

    /// Sealed feedback on the predictions of an endpoint, as it was sealed.
    pub async fn feedback_parts(&self, ordinal: u16) -> Result<Vec<FeedbackSealed>, LedgerError> {
        let key = [("ordinal", Value::Int(i64::from(ordinal)))];
        let parts = self.read().await?.bodies("feedback_part", &key).await?;
        Ok(parts.into_iter().map(|part| part.value).collect())
    }

    /// Whether a segment of feedback is sealed: it is in one act, about whichever endpoints it is.
    pub async fn is_feedback_sealed(&self, segment: u64) -> Result<bool, LedgerError> {
        note("feedback_segment", &[("segment", segment_text(segment))]);
        let mut read = self.read().await?;
        let sql = format!("SELECT segment FROM feedback_segment t WHERE segment = $1 AND {} LIMIT 1", read.holds("t"));
        Ok(read.session.row(&sql, &[segment_text(segment)]).await?.is_some())
    }

    /// How many records of a segment of predictions were noted.
    pub async fn noted_records(&self, segment: u64) -> Result<u64, LedgerError> {
        self.noted("prediction_note", segment).await
    }

    /// How much of a segment of feedback was noted.
    pub async fn noted_feedback(&self, segment: u64) -> Result<u64, LedgerError> {
        self.noted("feedback_note", segment).await
    }

    async fn noted(&self, table: &'static str, segment: u64) -> Result<u64, LedgerError> {
        note(table, &[("segment", segment_text(segment))]);
        let mut read = self.read().await?;
        let sql = format!("SELECT MAX(records) AS records FROM {table} t WHERE segment = $1 AND {}", read.holds("t"));
        let row = read.session.row(&sql, &[segment_text(segment)]).await?;
        let records = row.map(|row| row.optional_int("records")).transpose()?.flatten();
        Ok(records.unwrap_or(0).max(0) as u64)
    }

    /// Whether ids of predictions were given that a key is needed for.
    pub async fn has_prediction_notes(&self) -> Result<bool, LedgerError> {
        note("prediction_note", &[]);
        let mut read = self.read().await?;
        let sql = format!("SELECT segment FROM prediction_note t WHERE {} LIMIT 1", read.holds("t"));
        Ok(read.session.row(&sql, &[]).await?.is_some())
    }
}

/// As in the name of the segment's file.
fn segment_text(segment: u64) -> Value {
    Value::Text(format!("{segment:016x}"))
}
