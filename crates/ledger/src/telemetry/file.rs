//! The files of runs: who read and who wrote which bytes under which path, and when.

use stemma_core::{
    Digest, Timestamp,
    id::{RunId, WorkspaceId},
    lineage::{
        Certainty,
        origin::{Candidates, FileUse, FileWrite},
    },
    name::ProjectName,
    record::{FileRef, RunRecord},
};

use crate::{
    Ledger, LedgerError,
    sql::{Row, Session, Value, filled},
};

/// Rows in one statement.
const CHUNK: usize = 2000;
/// Records that are read at a time when their files are listed anew.
const RECORDS: i64 = 50;

const COLUMNS: &str = "f.run AS run, f.direction AS direction, f.path AS path, f.digest AS digest, \
                       f.workspace AS workspace, f.started AS started, f.ended AS ended, f.role AS role, f.certainty AS certainty";

/// What a run did with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    Input,
    Output,
    Code,
}

impl Access {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::Code => "code",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Input, Self::Output, Self::Code].into_iter().find(|access| access.as_str() == text)
    }
}

/// A file of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFile {
    pub run: RunId,
    pub access: Access,
    pub path: String,
    pub digest: Digest,
    pub workspace: Option<WorkspaceId>,
    pub started: Timestamp,
    pub ended: Timestamp,
    pub role: Option<String>,
    pub certainty: Certainty,
}

impl RunFile {
    /// The question where it came from.
    pub fn as_use(&self) -> FileUse {
        FileUse {
            path: self.path.clone(),
            digest: self.digest,
            workspace: self.workspace,
            since: self.started,
            until: self.ended,
            run: Some(self.run),
        }
    }
}

impl Ledger {
    /// Files of some runs; true if there are more than `limit`.
    pub async fn files_of_runs(
        &self,
        project: &ProjectName,
        runs: &[RunId],
        accesses: &[Access],
        limit: usize,
    ) -> Result<(Vec<RunFile>, bool), LedgerError> {
        self.files_listed(project, "f.run", runs, accesses, limit).await
    }

    /// Files of runs with some bytes; true if there are more than `limit`.
    pub async fn files_with(
        &self,
        project: &ProjectName,
        digests: &[Digest],
        accesses: &[Access],
        limit: usize,
    ) -> Result<(Vec<RunFile>, bool), LedgerError> {
        self.files_listed(project, "f.digest", digests, accesses, limit).await
    }

    /// Files of runs at a path.
    pub async fn files_at(
        &self,
        project: &ProjectName,
        path: &str,
        accesses: &[Access],
        limit: usize,
    ) -> Result<(Vec<RunFile>, bool), LedgerError> {
        self.files_listed(project, "f.path", &[path], accesses, limit).await
    }

    /// Files of runs below a folder; true if there are more than `limit`.
    pub async fn files_below(
        &self,
        project: &ProjectName,
        folder: &str,
        accesses: &[Access],
        limit: usize,
    ) -> Result<(Vec<RunFile>, bool), LedgerError> {
        // `0` is the character behind `/`
        let sql = format!(
            "SELECT {COLUMNS} FROM run_file f WHERE f.project = $1 AND f.direction IN ({}) AND f.path >= $2 AND f.path < $3 \
             LIMIT {}",
            quoted(accesses),
            limit + 1
        );
        let values = [text(project), Value::Text(format!("{folder}/")), Value::Text(format!("{folder}0"))];
        let rows = self.read().await?.rows(&sql, &values).await?;
        cut(rows.iter().map(file_of).collect::<Result<_, _>>()?, limit)
    }

    async fn files_listed(
        &self,
        project: &ProjectName,
        column: &str,
        keys: &[impl std::fmt::Display],
        accesses: &[Access],
        limit: usize,
    ) -> Result<(Vec<RunFile>, bool), LedgerError> {
        let mut session = self.read().await?;
        let mut found = Vec::new();
        for chunk in keys.chunks(CHUNK) {
            let sql = format!(
                "SELECT {COLUMNS} FROM run_file f WHERE f.project = $1 AND f.direction IN ({}) \
                 AND {column} IN (SELECT list.value->>0 FROM {}) LIMIT {}",
                quoted(accesses),
                session.list_at(2),
                limit.saturating_sub(found.len()) + 1
            );
            let values = [text(project), Value::list(chunk.iter().map(|key| [key.to_string()]))?];
            for row in session.rows(&sql, &values).await? {
                found.push(file_of(&row)?);
            }
            if found.len() > limit {
                break;
            }
        }
        cut(found, limit)
    }

    /// For each use the writes that it may go back to, in the order of the uses.
    pub async fn candidates(&self, project: &ProjectName, uses: &[FileUse]) -> Result<Vec<Candidates>, LedgerError> {
        let mut session = self.read().await?;
        let mut found = vec![Candidates::default(); uses.len()];
        for (at, chunk) in uses.chunks(CHUNK).enumerate() {
            let list = Value::list(chunk.iter().enumerate().map(|(n, used)| wanted(at * CHUNK + n, used)))?;
            let sql = filled(include_str!("candidates.sql"), &[("list", &session.list_at(2))]);
            for row in session.rows(&sql, &[text(project), list]).await? {
                let place = usize::try_from(row.int("n")?).ok().and_then(|place| found.get_mut(place));
                let place =
                    place.ok_or_else(|| LedgerError::Damaged("a use has a place that it was not given".into()))?;
                let write = write_of(&row)?;
                match row.text("how")?.as_str() {
                    "before" => place.before = Some(write),
                    "meanwhile" => place.meanwhile = Some(write),
                    _ => place.elsewhere = Some(write),
                }
            }
        }
        Ok(found)
    }
}

/// Lists the files of a run.
pub async fn insert_files(session: &mut Session, record: &RunRecord) -> Result<(), LedgerError> {
    let rows = all_rows_of(record);
    let sql = format!(
        "INSERT INTO run_file (project, run, direction, path, digest, workspace, started, ended, role, certainty) \
         SELECT $1, $2, list.value->>0, list.value->>1, list.value->>2, $3, CAST(list.value->>3 AS BIGINT), \
         CAST(list.value->>4 AS BIGINT), list.value->>5, list.value->>6 FROM {}",
        session.list_at(4)
    );
    for chunk in rows.chunks(CHUNK) {
        let values = [
            text(&record.project),
            text(record.id),
            Value::Text(workspace_text(record.workspace)),
            Value::list(chunk)?,
        ];
        session.execute(&sql, &values).await?;
    }
    Ok(())
}

/// The rows of `run_file` as a record makes them, without project and run: direction, path, digest, workspace, started,
/// ended, role, certainty.
pub fn rows_made_by(record: &RunRecord) -> Vec<[Value; 8]> {
    let workspace = workspace_text(record.workspace);
    let row = |(direction, path, digest, started, ended, role, certainty): FileRow<'_>| {
        let (started, ended) = (Value::Int(started), Value::Int(ended));
        let workspace = workspace.clone().into();
        [direction.into(), path.into(), digest.into(), workspace, started, ended, role.into(), certainty.into()]
    };
    all_rows_of(record).into_iter().map(row).collect()
}

fn all_rows_of(record: &RunRecord) -> Vec<FileRow<'_>> {
    let mut rows = rows_of(record, Access::Input, &record.inputs);
    rows.extend(rows_of(record, Access::Output, &record.outputs));
    rows.extend(rows_of(record, Access::Code, &record.code.files));
    rows
}

/// The columns that differ from file to file.
type FileRow<'a> = (&'static str, &'a str, String, i64, i64, &'a str, &'static str);

fn rows_of<'a>(record: &RunRecord, access: Access, files: &'a [FileRef]) -> Vec<FileRow<'a>> {
    let row = |file: &'a FileRef| {
        let (from, to) = span(record, file);
        let role = file.role.as_deref().unwrap_or_default();
        let (path, digest) = (file.path.as_str(), file.digest.to_string());
        (access.as_str(), path, digest, from.micros(), to.micros(), role, file.certainty.as_str())
    };
    files.iter().map(row).collect()
}

/// From when to when a file may have been read or written: the moment, where the record holds it, else the whole run.
fn span(record: &RunRecord, file: &FileRef) -> (Timestamp, Timestamp) {
    let within = |time: Timestamp| time.clamp(record.started, record.ended.max(record.started));
    match (file.read_at, file.written_at) {
        (Some(read), _) => (within(read), within(read)),
        // a file that was moved there keeps an older time, and the run began before it wrote
        (None, Some(written)) => (record.started, within(written)),
        (None, None) => (record.started, record.ended),
    }
}

/// Lists the files of all runs, for a table that is new.
pub async fn insert_all_files(session: &mut Session) -> Result<(), LedgerError> {
    let sql = format!("SELECT place, record FROM run WHERE place > $1 ORDER BY place LIMIT {RECORDS}");
    let mut last = i64::MIN;
    loop {
        let rows = session.rows(&sql, &[Value::Int(last)]).await?;
        for row in &rows {
            insert_files(session, &row.json("record")?).await?;
        }
        let Some(row) = rows.last() else {
            return Ok(());
        };
        last = row.int("place")?;
    }
}

fn wanted(place: usize, used: &FileUse) -> (usize, &str, String, String, i64, i64, String) {
    let run = used.run.map_or(String::new(), |run| run.to_string());
    let (since, until) = (used.since.micros(), used.until.micros());
    (place, &used.path, used.digest.to_string(), workspace_text(used.workspace), since, until, run)
}

fn workspace_text(workspace: Option<WorkspaceId>) -> String {
    workspace.map_or(String::new(), |workspace| workspace.to_string())
}

fn quoted(accesses: &[Access]) -> String {
    let quoted: Vec<String> = accesses.iter().map(|access| format!("'{}'", access.as_str())).collect();
    quoted.join(", ")
}

fn text(value: impl std::fmt::Display) -> Value {
    Value::Text(value.to_string())
}

fn cut(mut files: Vec<RunFile>, limit: usize) -> Result<(Vec<RunFile>, bool), LedgerError> {
    let is_cut = files.len() > limit;
    files.truncate(limit);
    Ok((files, is_cut))
}

fn file_of(row: &Row) -> Result<RunFile, LedgerError> {
    let damaged = |what: &str| LedgerError::Damaged(format!("a file of a run has an unknown {what}"));
    let role = row.text("role")?;
    Ok(RunFile {
        run: row.parsed("run")?,
        access: Access::parse(&row.text("direction")?).ok_or_else(|| damaged("direction"))?,
        path: row.text("path")?,
        digest: row.parsed("digest")?,
        workspace: workspace_of(row)?,
        started: Timestamp(row.int("started")?),
        ended: Timestamp(row.int("ended")?),
        role: (!role.is_empty()).then_some(role),
        certainty: Certainty::parse(&row.text("certainty")?).ok_or_else(|| damaged("certainty"))?,
    })
}

fn write_of(row: &Row) -> Result<FileWrite, LedgerError> {
    Ok(FileWrite {
        run: row.parsed("run")?,
        path: row.text("path")?,
        digest: row.parsed("digest")?,
        workspace: workspace_of(row)?,
        started: Timestamp(row.int("started")?),
        ended: Timestamp(row.int("ended")?),
    })
}

fn workspace_of(row: &Row) -> Result<Option<WorkspaceId>, LedgerError> {
    match row.text("workspace")? {
        text if text.is_empty() => Ok(None),
        _ => row.parsed("workspace").map(Some),
    }
}
