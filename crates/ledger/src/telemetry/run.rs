//! Runs: the record whole, and what is searched of it in rows.

use stemma_core::{
    Digest, ErrorKind, Problem,
    id::RunId,
    lineage::Edge,
    name::ProjectName,
    record::{FileRef, RunRecord},
};

use crate::{
    CommitError, Ledger, LedgerError, Tx, View,
    sql::{Connection, Kind, Row, Value},
};

/// Most runs in one page.
const RUNS_PAGE_MAX: u32 = 1000;

/// Most runs that are shown of one content.
const RUNS_OF_CONTENT_MAX: u32 = 100;

/// A run as it was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRow {
    /// Counts all runs of the home in the order in which they were recorded.
    pub ordinal: i64,
    pub record: RunRecord,
    /// Digest of the record's canonical JSON.
    pub digest: Digest,
}

impl Ledger {
    /// Records a run with its edges, in one transaction. Returns false if it was recorded before.
    pub async fn insert_run(&self, record: &RunRecord, digest: Digest, edges: &[Edge]) -> Result<bool, CommitError> {
        let (record, edges) = (record.clone(), edges.to_vec());
        self.write(move |tx| Box::pin(async move { insert(tx, &record, digest, &edges).await })).await
    }
}

async fn insert(tx: &mut Tx, record: &RunRecord, digest: Digest, edges: &[Edge]) -> Result<bool, CommitError> {
    let connection = tx.connection();
    let known = connection.row("SELECT digest FROM run WHERE run = $1", &[Value::text(record.id)]).await?;
    if let Some(known) = known {
        if known.digest("digest")? == digest {
            return Ok(false);
        }
        let message = format!("run `{}` was recorded before, and not like this", record.id);
        return Err(Problem::new(ErrorKind::Conflict, message).into());
    }
    let newest = connection.row("SELECT COALESCE(MAX(ordinal), 0) AS newest FROM run", &[]).await?;
    let ordinal = newest.map_or(Ok(0), |row| row.int("newest"))? + 1;
    insert_record(connection, ordinal, record, digest).await?;
    insert_files(connection, ordinal, record).await?;
    insert_numbers(connection, ordinal, record).await?;
    connection.insert_edges(&record.project, edges).await?;
    Ok(true)
}

async fn insert_record(
    connection: &mut Connection,
    ordinal: i64,
    record: &RunRecord,
    digest: Digest,
) -> Result<(), LedgerError> {
    let mut finite = record.clone();
    // JSON has no such numbers; they come back from their rows
    finite.claimed_metrics.retain(|_, value| value.is_finite());
    let json = serde_json::to_string(&finite).map_err(|error| LedgerError::corrupt("a run record", error))?;
    let values = [
        Value::Int(ordinal),
        Value::text(record.id),
        Value::text(&record.project),
        run_kind(record).into(),
        Value::text(&record.actor.principal),
        record.started.into(),
        record.ended.into(),
        Value::bool(record.exit.is_success()),
        record.environment.into(),
        record.input_key().into(),
        digest.into(),
        Value::Text(json),
        Value::count((record.claimed_metrics.len() - finite.claimed_metrics.len()) as u64)?,
    ];
    let sql = "INSERT INTO run (ordinal, run, project, kind, actor, started, ended, succeeded, environment, input_key,
            digest, record, special_metrics) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    connection.execute(sql, &values).await.map(drop)
}

const fn run_kind(record: &RunRecord) -> &'static str {
    use stemma_core::record::RunKind;
    match record.kind {
        RunKind::Training => "training",
        RunKind::Evaluation => "evaluation",
        RunKind::Stage => "stage",
    }
}

async fn insert_files(connection: &mut Connection, ordinal: i64, record: &RunRecord) -> Result<(), LedgerError> {
    let with = |direction: &'static str| move |file| (direction, file);
    let files: Vec<(&str, &FileRef)> = (record.inputs.iter().map(with("input")))
        .chain(record.outputs.iter().map(with("output")))
        .chain(record.code.files.iter().map(with("code")))
        .collect();
    let mut rows = Vec::with_capacity(files.len());
    for (place, (direction, file)) in (0i64..).zip(files) {
        rows.push([
            Value::Int(ordinal),
            Value::Int(place),
            direction.into(),
            Value::text(&file.path),
            file.digest.into(),
            Value::count(file.size)?,
            Value::opt_text(file.role.as_ref()),
            file.certainty.as_str().into(),
        ]);
    }
    let head = "INSERT INTO run_file (run, place, direction, path, digest, size, role, certainty)";
    connection.insert_rows(head, "", &rows).await
}

async fn insert_numbers(connection: &mut Connection, ordinal: i64, record: &RunRecord) -> Result<(), LedgerError> {
    let params: Vec<[Value; 3]> = record
        .params
        .iter()
        .map(|(name, value)| [Value::Int(ordinal), Value::text(name), Value::text(value)])
        .collect();
    connection.insert_rows("INSERT INTO run_param (run, name, value)", "", &params).await?;
    let metrics: Vec<[Value; 4]> = record
        .claimed_metrics
        .iter()
        .map(|(name, value)| {
            let special = special(*value);
            let value = if special.is_some() { Value::Null(Kind::Real) } else { Value::Real(*value) };
            [Value::Int(ordinal), Value::text(name), value, Value::opt_text(special)]
        })
        .collect();
    connection.insert_rows("INSERT INTO run_metric (run, name, value, special)", "", &metrics).await
}

/// What stands beside a number that a database can't be trusted with.
fn special(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("nan")
    } else if value.is_finite() {
        None
    } else if value > 0.0 {
        Some("inf")
    } else {
        Some("-inf")
    }
}

fn special_value(text: &str) -> Option<f64> {
    match text {
        "nan" => Some(f64::NAN),
        "inf" => Some(f64::INFINITY),
        "-inf" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

impl View {
    pub async fn run(&mut self, run: RunId) -> Result<Option<RunRow>, LedgerError> {
        let runs = self.runs_where("SELECT r.* FROM run r WHERE r.run = $1", &[Value::text(run)]).await?;
        Ok(runs.into_iter().next())
    }

    /// Runs of a project, the last recorded first, at most `limit` and never more than 1,000; `before` is the last run of the
    /// page before.
    pub async fn runs(
        &mut self,
        project: &ProjectName,
        before: Option<RunId>,
        limit: u32,
    ) -> Result<Vec<RunRow>, LedgerError> {
        let sql = "SELECT r.* FROM run r WHERE r.project = $1
                AND ($2 = '' OR r.ordinal < (SELECT b.ordinal FROM run b WHERE b.run = $2))
             ORDER BY r.ordinal DESC LIMIT $3";
        let before = before.map(|run| run.to_string()).unwrap_or_default();
        self.runs_where(sql, &[Value::text(project), Value::Text(before), limit.min(RUNS_PAGE_MAX).into()]).await
    }

    /// Runs of a project that wrote this content, the last recorded first, at most 100.
    pub async fn runs_that_wrote(&mut self, project: &ProjectName, digest: Digest) -> Result<Vec<RunRow>, LedgerError> {
        self.runs_with_file(project, digest, "output").await
    }

    /// Runs of a project that read this content, the last recorded first, at most 100.
    pub async fn runs_that_read(&mut self, project: &ProjectName, digest: Digest) -> Result<Vec<RunRow>, LedgerError> {
        self.runs_with_file(project, digest, "input").await
    }

    async fn runs_with_file(
        &mut self,
        project: &ProjectName,
        digest: Digest,
        direction: &'static str,
    ) -> Result<Vec<RunRow>, LedgerError> {
        let sql = "SELECT r.* FROM run r WHERE r.project = $1
                AND r.ordinal IN (SELECT f.run FROM run_file f WHERE f.digest = $2 AND f.direction = $3)
             ORDER BY r.ordinal DESC LIMIT $4";
        self.runs_where(sql, &[Value::text(project), digest.into(), direction.into(), RUNS_OF_CONTENT_MAX.into()]).await
    }

    async fn runs_where(&mut self, sql: &'static str, values: &[Value]) -> Result<Vec<RunRow>, LedgerError> {
        let mut runs = Vec::new();
        for row in self.connection().rows(sql, values).await? {
            let mut run = read_run(&row)?;
            if row.int("special_metrics")? > 0 {
                self.restore_special_metrics(&mut run).await?;
            }
            runs.push(run);
        }
        Ok(runs)
    }

    async fn restore_special_metrics(&mut self, run: &mut RunRow) -> Result<(), LedgerError> {
        let sql = "SELECT name, special FROM run_metric WHERE run = $1 AND special IS NOT NULL";
        for row in self.connection().rows(sql, &[Value::Int(run.ordinal)]).await? {
            let value = row.word("special", special_value)?;
            run.record.claimed_metrics.insert(row.text("name")?.to_owned(), value);
        }
        Ok(())
    }
}

fn read_run(row: &Row) -> Result<RunRow, LedgerError> {
    Ok(RunRow { ordinal: row.int("ordinal")?, record: row.json("record")?, digest: row.digest("digest")? })
}
