//! Rows that are only ever added: runs with their files and edges, content grants, feedback. They do not pass through
//! the tree one by one; batches of runs are sealed into it.

use stemma_core::{
    Digest,
    id::RunId,
    lineage::{Edge, Node},
    name::ProjectName,
    record::RunRecord,
};

use crate::{
    Ledger, LedgerError,
    files::insert_files,
    sql::{Session, Value},
};

/// Rows in one statement.
const CHUNK: usize = 5000;

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

    /// Which of the digests the project may not read.
    pub async fn ungranted(&self, project: &ProjectName, digests: &[Digest]) -> Result<Vec<Digest>, LedgerError> {
        let mut session = self.read().await?;
        let sql = format!(
            "SELECT digest FROM content_grant WHERE project = $1 AND digest IN (SELECT list.value->>0 FROM {})",
            session.list_at(2)
        );
        let mut missing = Vec::new();
        for chunk in digests.chunks(CHUNK) {
            let values = [Value::Text(project.to_string()), Value::list(chunk.iter().map(|digest| [digest]))?];
            let mut granted = std::collections::HashSet::new();
            for row in session.rows(&sql, &values).await? {
                granted.insert(row.text("digest")?);
            }
            missing.extend(chunk.iter().filter(|digest| !granted.contains(&digest.to_string())).copied());
        }
        Ok(missing)
    }

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

/// The next number of an append-only table. Nobody else writes meanwhile.
pub(crate) async fn next_place(session: &mut Session, table: &str) -> Result<i64, LedgerError> {
    let sql = format!("SELECT MAX(place) AS newest FROM {table}");
    let newest = session.row(&sql, &[]).await?.map(|row| row.optional_int("newest")).transpose()?.flatten();
    Ok(newest.unwrap_or(0) + 1)
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
    for edge in record.edges() {
        insert_edge(session, &record.project, &edge).await?;
    }
    Ok(true)
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

async fn insert_edge(session: &mut Session, project: &ProjectName, edge: &Edge) -> Result<(), LedgerError> {
    let (source, target) = (node_id(session, &edge.from).await?, node_id(session, &edge.to).await?);
    let sql = "INSERT INTO edge (project, source, kind, target, role, certainty) VALUES ($1, $2, $3, $4, $5, $6) \
               ON CONFLICT (project, source, kind, target, role) DO NOTHING";
    let role = edge.role.clone().unwrap_or_default();
    let values = [
        Value::Text(project.to_string()),
        Value::Int(source),
        edge.kind.as_str().into(),
        Value::Int(target),
        role.into(),
        edge.certainty.as_str().into(),
    ];
    session.execute(sql, &values).await.map(drop)
}

async fn node_id(session: &mut Session, node: &Node) -> Result<i64, LedgerError> {
    let key = [Value::from(node.kind.as_str()), Value::from(node.key.clone())];
    let find = "SELECT id FROM node WHERE kind = $1 AND key = $2";
    if let Some(row) = session.row(find, &key).await? {
        return row.int("id");
    }
    let newest = session.row("SELECT MAX(id) AS newest FROM node", &[]).await?;
    let id = newest.map(|row| row.optional_int("newest")).transpose()?.flatten().unwrap_or(0) + 1;
    let values = [Value::Int(id), key[0].clone(), key[1].clone()];
    session.execute("INSERT INTO node (id, kind, key) VALUES ($1, $2, $3)", &values).await?;
    Ok(id)
}
