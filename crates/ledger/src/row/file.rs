//! The files of a run as rows, one for each use of a file.

use stemma_core::{
    Timestamp,
    id::WorkspaceId,
    record::{FileRef, RunRecord},
};

use crate::{
    LedgerError,
    sql::{Session, Value},
};

/// Rows in one statement.
const CHUNK: usize = 2000;
/// Records that are read at a time when their files are listed anew.
const RECORDS: i64 = 50;

/// What a run did with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    Input,
    Output,
    Code,
}

impl Access {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::Code => "code",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Input, Self::Output, Self::Code].into_iter().find(|access| access.as_str() == text)
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

pub fn workspace_text(workspace: Option<WorkspaceId>) -> String {
    workspace.map_or(String::new(), |workspace| workspace.to_string())
}

pub fn text(value: impl std::fmt::Display) -> Value {
    Value::Text(value.to_string())
}
