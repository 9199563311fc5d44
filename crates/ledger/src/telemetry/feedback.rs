//! Feedback on predictions: rows that are only ever added.

use stemma_core::{
    Timestamp,
    name::ProjectName,
    record::{Actor, Auth},
};

use crate::{
    CommitError, Ledger, LedgerError, View,
    sql::{Row, Value},
};

/// Most feedback that is shown of one prediction.
const FEEDBACK_MAX: u32 = 1000;

/// One piece of feedback.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedbackRow {
    pub project: ProjectName,
    /// The prediction's id as text.
    pub prediction: String,
    pub label: Option<String>,
    /// A finite number.
    pub reward: Option<f64>,
    pub comment: Option<String>,
    pub time: Timestamp,
    pub actor: Actor,
}

impl Ledger {
    pub async fn insert_feedback(&self, feedback: &FeedbackRow) -> Result<(), CommitError> {
        let row = [
            Value::text(&feedback.project),
            Value::text(&feedback.prediction),
            Value::opt_text(feedback.label.as_ref()),
            Value::opt_real(feedback.reward),
            Value::opt_text(feedback.comment.as_ref()),
            feedback.time.into(),
            Value::text(&feedback.actor.principal),
            feedback.actor.auth.as_str().into(),
        ];
        let sql = "INSERT INTO feedback (id, project, prediction, label, reward, comment, time, actor, auth)
             SELECT COALESCE(MAX(id), 0) + 1, $1, $2, $3, $4, $5, $6, $7, $8 FROM feedback";
        self.write(move |tx| {
            Box::pin(async move {
                tx.connection().execute(sql, &row).await?;
                Ok(())
            })
        })
        .await
    }
}

impl View {
    /// Feedback on a prediction, oldest first.
    pub async fn feedback_for(&mut self, prediction: &str) -> Result<Vec<FeedbackRow>, LedgerError> {
        let sql = "SELECT * FROM feedback WHERE prediction = $1 ORDER BY id LIMIT $2";
        let rows = self.connection().rows(sql, &[prediction.into(), FEEDBACK_MAX.into()]).await?;
        rows.iter().map(feedback).collect()
    }
}

fn feedback(row: &Row) -> Result<FeedbackRow, LedgerError> {
    Ok(FeedbackRow {
        project: row.parse("project")?,
        prediction: row.text("prediction")?.to_owned(),
        label: row.opt_text("label")?.map(str::to_owned),
        reward: row.opt_real("reward")?,
        comment: row.opt_text("comment")?.map(str::to_owned),
        time: row.time("time")?,
        actor: Actor { principal: row.parse("actor")?, auth: row.word("auth", Auth::parse)? },
    })
}
