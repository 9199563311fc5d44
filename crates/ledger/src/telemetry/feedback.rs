//! What came of predictions, as it was sent.

use stemma_core::name::ProjectName;

use crate::row::place::next_place;
use crate::{
    Ledger, LedgerError,
    sql::{Session, Value},
};

impl Ledger {
    /// Keeps feedback on a prediction, unless there is more or less of it by now than the caller knows of; returns
    /// whether it was kept. The body is opaque here.
    pub async fn insert_feedback(
        &self,
        project: &ProjectName,
        prediction: &str,
        known: usize,
        body: &str,
    ) -> Result<bool, LedgerError> {
        let row = [Value::Text(project.to_string()), prediction.into(), body.into()];
        self.write(move |tx| Box::pin(insert_feedback(&mut tx.session, known, row))).await
    }

    pub async fn feedback(&self, prediction: &str) -> Result<Vec<String>, LedgerError> {
        let sql = "SELECT body FROM feedback WHERE prediction = $1 ORDER BY place";
        let rows = self.read().await?.rows(sql, &[prediction.into()]).await?;
        rows.iter().map(|row| row.text("body")).collect()
    }
}

/// Adds a row (project, prediction, body) if there are so many on its prediction.
async fn insert_feedback(session: &mut Session, known: usize, row: [Value; 3]) -> Result<bool, LedgerError> {
    let counted = "SELECT COUNT(*) AS there FROM feedback WHERE prediction = $1";
    let there = session.row(counted, &row[1..2]).await?.map(|row| row.int("there")).transpose()?;
    if there != i64::try_from(known).ok() {
        return Ok(false);
    }
    let place = next_place(session, "feedback").await?;
    let [project, prediction, body] = row;
    let sql = "INSERT INTO feedback (place, project, prediction, body) VALUES ($1, $2, $3, $4)";
    session.execute(sql, &[Value::Int(place), project, prediction, body]).await?;
    Ok(true)
}
