//! What came of predictions in homes from before there was a feedback log. No rows are added.

use crate::{Ledger, LedgerError, sql::Value};

/// Predictions that are asked about in one query.
const ASKED_AT_ONCE: usize = 1000;

impl Ledger {
    /// Whether the home has such rows.
    pub async fn has_feedback_rows(&self) -> Result<bool, LedgerError> {
        Ok(self.read().await?.row("SELECT place FROM feedback LIMIT 1", &[]).await?.is_some())
    }

    /// The rows about predictions, each with the prediction, in the order in which they were told. The body is opaque here.
    pub async fn feedback_rows(&self, predictions: &[String]) -> Result<Vec<(String, String)>, LedgerError> {
        let mut session = self.read().await?;
        let mut found = Vec::new();
        for asked in predictions.chunks(ASKED_AT_ONCE) {
            let places: Vec<String> = (1..=asked.len()).map(|n| format!("${n}")).collect();
            let sql = format!(
                "SELECT place, prediction, body FROM feedback WHERE prediction IN ({}) ORDER BY place",
                places.join(", ")
            );
            let values: Vec<Value> = asked.iter().map(|prediction| prediction.as_str().into()).collect();
            for row in session.rows(&sql, &values).await? {
                found.push((row.int("place")?, row.text("prediction")?, row.text("body")?));
            }
        }
        found.sort_by_key(|(place, _, _)| *place);
        Ok(found.into_iter().map(|(_, prediction, body)| (prediction, body)).collect())
    }

    /// All rows of a project, a page at a time: (place, prediction, body) behind a place, in order.
    pub async fn page_of_feedback_rows(
        &self,
        project: &str,
        after: i64,
        limit: usize,
    ) -> Result<Vec<(i64, String, String)>, LedgerError> {
        let sql = format!(
            "SELECT place, prediction, body FROM feedback WHERE project = $1 AND place > $2 ORDER BY place LIMIT {limit}"
        );
        let rows = self.read().await?.rows(&sql, &[project.into(), Value::Int(after)]).await?;
        rows.iter().map(|row| Ok((row.int("place")?, row.text("prediction")?, row.text("body")?))).collect()
    }
}
