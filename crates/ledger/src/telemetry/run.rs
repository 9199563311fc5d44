//! Runs, each with the files and edges that its record tells.

use stemma_core::{Digest, id::RunId, name::ProjectName, record::RunRecord};

use crate::row::{edge::insert_edge, file::insert_files, place::next_place, search::insert_for_search};
use crate::{
    Ledger, LedgerError,
    sql::{Session, Value},
};

/// Runs named in one question to the database.
const CHUNK: usize = 2000;

impl Ledger {
    /// Writes a run, its files and its edges, all or nothing. A run that is there already is left as it is; returns
    /// whether what is there now is this record.
    pub async fn insert_run(&self, record: &RunRecord, digest: Digest) -> Result<bool, LedgerError> {
        let record = record.clone();
        self.write(move |tx| Box::pin(async move { insert_run(&mut tx.session, &record, digest).await })).await
    }

    pub async fn run(&self, project: &ProjectName, run: RunId) -> Result<Option<RunRecord>, LedgerError> {
        let sql = "SELECT record FROM run WHERE project = $1 AND run = $2";
        let values = [Value::Text(project.to_string()), Value::Text(run.to_string())];
        let row = self.read().await?.row(sql, &values).await?;
        row.map(|row| row.json("record")).transpose()
    }

    /// Runs before one (or all), newest first. Ids sort by time.
    pub async fn runs(
        &self,
        project: &ProjectName,
        before: Option<RunId>,
        limit: u32,
    ) -> Result<Vec<RunRecord>, LedgerError> {
        let before = before.map_or("g".to_owned(), |run| run.to_string());
        let sql = "SELECT record FROM run WHERE project = $1 AND run < $2 ORDER BY run DESC LIMIT $3";
        let values = [Value::Text(project.to_string()), before.into(), Value::Int(i64::from(limit))];
        let rows = self.read().await?.rows(sql, &values).await?;
        rows.iter().map(|row| row.json("record")).collect()
    }

    /// Ids of runs that begin with some hex digits, in order.
    pub async fn runs_like(
        &self,
        project: &ProjectName,
        prefix: &str,
        limit: usize,
    ) -> Result<Vec<RunId>, LedgerError> {
        // `g` sorts after every hex digit
        let sql =
            format!("SELECT run FROM run WHERE project = $1 AND run >= $2 AND run < $3 ORDER BY run LIMIT {limit}");
        let values = [Value::Text(project.to_string()), prefix.into(), Value::Text(format!("{prefix}g"))];
        self.read().await?.rows(&sql, &values).await?.iter().map(|row| row.parsed("run")).collect()
    }

    /// Runs by their ids, hundreds at a time, to say what they are.
    pub async fn runs_by_id(&self, project: &ProjectName, runs: &[RunId]) -> Result<Vec<RunRecord>, LedgerError> {
        let mut session = self.read().await?;
        let sql = format!(
            "SELECT record FROM run WHERE project = $1 AND run IN (SELECT list.value->>0 FROM {})",
            session.list_at(2)
        );
        let mut found = Vec::new();
        for chunk in runs.chunks(CHUNK) {
            let values = [Value::Text(project.to_string()), Value::list(chunk.iter().map(|run| [run]))?];
            for row in session.rows(&sql, &values).await? {
                found.push(row.json("record")?);
            }
        }
        Ok(found)
    }
}

async fn insert_run(session: &mut Session, record: &RunRecord, digest: Digest) -> Result<bool, LedgerError> {
    let place = next_place(session, "run").await?;
    let sql = "INSERT INTO run (place, run, project, digest, record) VALUES ($1, $2, $3, $4, $5) \
               ON CONFLICT (run) DO NOTHING";
    let (run, project) = (Value::Text(record.id.to_string()), Value::Text(record.project.to_string()));
    let body = Value::Text(serde_json::to_string(record)?);
    let values = [Value::Int(place), run.clone(), project, Value::Text(digest.to_string()), body];
    if session.execute(sql, &values).await? == 0 {
        let there = session.row("SELECT project, digest FROM run WHERE run = $1", &[run]).await?;
        let there = there.ok_or_else(|| LedgerError::Damaged(format!("run {} is there and is not", record.id)))?;
        return Ok(there.text("project")? == record.project.as_str() && there.parsed::<Digest>("digest")? == digest);
    }
    insert_files(session, record).await?;
    insert_for_search(session, place, record).await?;
    for edge in record.edges() {
        insert_edge(session, &record.project, &edge).await?;
    }
    Ok(true)
}
