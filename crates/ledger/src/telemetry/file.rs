//! The files of runs: who read and who wrote which bytes under which path, and when.

use stemma_core::{
    Digest, Timestamp,
    id::{RunId, WorkspaceId},
    lineage::{
        Certainty,
        origin::{Candidates, FileUse, FileWrite},
    },
    name::ProjectName,
};

use crate::row::file::{Access, text, workspace_text};
use crate::{
    Ledger, LedgerError,
    sql::{Row, Value, filled},
};

/// Rows in one statement.
const CHUNK: usize = 2000;

const COLUMNS: &str = "f.run AS run, f.direction AS direction, f.path AS path, f.digest AS digest, \
                       f.workspace AS workspace, f.started AS started, f.ended AS ended, f.role AS role, f.certainty AS certainty";

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

fn wanted(place: usize, used: &FileUse) -> (usize, &str, String, String, i64, i64, String) {
    let run = used.run.map_or(String::new(), |run| run.to_string());
    let (since, until) = (used.since.micros(), used.until.micros());
    (place, &used.path, used.digest.to_string(), workspace_text(used.workspace), since, until, run)
}

fn quoted(accesses: &[Access]) -> String {
    let quoted: Vec<String> = accesses.iter().map(|access| format!("'{}'", access.as_str())).collect();
    quoted.join(", ")
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
