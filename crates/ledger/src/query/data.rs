//! Versions of datasets, and content that was removed for good.

use serde::de::DeserializeOwned;
use stemma_core::{
    Digest,
    event::{DatasetVersionAdded, VersionRegistered},
    name::{DatasetName, ProjectName},
};

use super::view::{DIGESTS_CHUNK, Key, View, bodies, recorded, text};
use crate::{
    LedgerError, Recorded,
    sql::{Row, Value},
    writing::note,
};

/// Contents that are noted one by one; more are noted as all of their project.
const NOTED_MAX: usize = 20;
/// Columns of content that was removed.
const TOMBSTONE: &str = "t.project AS project, t.digest AS digest, t.reason AS reason";

/// Content that was removed for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    pub project: ProjectName,
    pub digest: Digest,
    pub reason: String,
}

impl View {
    /// All versions of all datasets of a project, or of one, oldest first.
    pub async fn dataset_versions(
        &self,
        project: &ProjectName,
        dataset: Option<&DatasetName>,
    ) -> Result<Vec<Recorded<DatasetVersionAdded>>, LedgerError> {
        let mut key = vec![("project", text(project))];
        key.extend(dataset.map(|dataset| ("dataset", text(dataset))));
        self.read().await?.bodies("dataset_version", &key).await
    }

    /// Some versions of a dataset, the highest number first: those below a number, if one is given.
    pub async fn dataset_versions_below(
        &self,
        project: &ProjectName,
        dataset: &DatasetName,
        below: Option<u32>,
        limit: usize,
    ) -> Result<Vec<Recorded<DatasetVersionAdded>>, LedgerError> {
        note("dataset_version", &[("project", text(project)), ("dataset", text(dataset))]);
        let mut read = self.read().await?;
        let wheres = format!("t.project = $1 AND t.dataset = $2 AND t.number < $3 AND {}", read.holds("t"));
        let values = [text(project), text(dataset), Value::Int(below.map_or(i64::MAX, i64::from))];
        bodies(&read.facts_page("t.body AS body", "dataset_version", &wheres, "t.number DESC", limit, &values).await?)
    }

    /// The version of each dataset of a project that was added last.
    pub async fn newest_dataset_versions(
        &self,
        project: &ProjectName,
    ) -> Result<Vec<Recorded<DatasetVersionAdded>>, LedgerError> {
        note("dataset_version", &[("project", text(project))]);
        let mut read = self.read().await?;
        let wheres = format!(
            "t.project = $1 AND {} AND NOT EXISTS (SELECT 1 FROM dataset_version newer WHERE newer.project = t.project \
             AND newer.dataset = t.dataset AND newer.from_seq > t.from_seq AND {})",
            read.holds("t"),
            read.holds("newer")
        );
        bodies(&read.facts_where("t.body AS body", "dataset_version", &wheres, &[text(project)]).await?)
    }

    pub async fn dataset_versions_of(
        &self,
        project: &ProjectName,
        digest: Digest,
    ) -> Result<Vec<Recorded<DatasetVersionAdded>>, LedgerError> {
        self.read().await?.bodies("dataset_version", &[("project", text(project)), ("digest", text(digest))]).await
    }

    /// Dataset versions that are any of these contents.
    pub async fn dataset_versions_with(
        &self,
        project: &ProjectName,
        digests: &[Digest],
    ) -> Result<Vec<Recorded<DatasetVersionAdded>>, LedgerError> {
        self.versions_with(project, "dataset_version", digests).await
    }

    /// Model versions that are any of these contents.
    pub async fn model_versions_with(
        &self,
        project: &ProjectName,
        digests: &[Digest],
    ) -> Result<Vec<Recorded<VersionRegistered>>, LedgerError> {
        self.versions_with(project, "model_version", digests).await
    }

    async fn versions_with<T: DeserializeOwned>(
        &self,
        project: &ProjectName,
        table: &'static str,
        digests: &[Digest],
    ) -> Result<Vec<Recorded<T>>, LedgerError> {
        let mut read = self.read().await?;
        note_digests(table, Some(project), digests);
        let wheres = format!(
            "t.project = $1 AND {} AND t.digest IN (SELECT list.value->>0 FROM {})",
            read.holds("t"),
            read.session.list_at(2)
        );
        let mut found = Vec::new();
        for chunk in digests.chunks(DIGESTS_CHUNK) {
            let list = Value::list(chunk.iter().map(|digest| [digest.to_string()]))?;
            found.extend(bodies(&read.facts_where("t.body AS body", table, &wheres, &[text(project), list]).await?)?);
        }
        Ok(found)
    }

    /// Who removed content for good, when and why.
    pub async fn tombstone(&self, digest: Digest) -> Result<Option<Recorded<Tombstone>>, LedgerError> {
        Ok(self.tombstones_under(&[("digest", text(digest))]).await?.into_iter().next())
    }

    /// The first of these that was removed for good.
    pub async fn any_tombstone(&self, digests: &[Digest]) -> Result<Option<Recorded<Tombstone>>, LedgerError> {
        let mut read = self.read().await?;
        note_digests("purged", None, digests);
        let listed =
            format!("{} AND t.digest IN (SELECT list.value->>0 FROM {})", read.holds("t"), read.session.list_at(1));
        for chunk in digests.chunks(DIGESTS_CHUNK) {
            let list = Value::list(chunk.iter().map(|digest| [digest.to_string()]))?;
            let rows = read.facts_where(TOMBSTONE, "purged", &listed, &[list]).await?;
            if let Some(row) = rows.first() {
                return tombstone(row).map(Some);
            }
        }
        Ok(None)
    }

    /// What was removed for good in a project.
    pub async fn tombstones(&self, project: &ProjectName) -> Result<Vec<Recorded<Tombstone>>, LedgerError> {
        self.tombstones_under(&[("project", text(project))]).await
    }

    async fn tombstones_under(&self, key: Key<'_>) -> Result<Vec<Recorded<Tombstone>>, LedgerError> {
        self.read().await?.facts(TOMBSTONE, "purged", key).await?.iter().map(tombstone).collect()
    }
}

fn tombstone(row: &Row) -> Result<Recorded<Tombstone>, LedgerError> {
    let (project, digest) = (row.parsed("project")?, row.parsed("digest")?);
    recorded(row, Tombstone { project, digest, reason: row.text("reason")? })
}

/// Notes that rows with these contents are read, of a project or of all.
fn note_digests(table: &'static str, project: Option<&ProjectName>, digests: &[Digest]) {
    let of_project: Vec<_> = project.map(|project| ("project", text(project))).into_iter().collect();
    if digests.len() > NOTED_MAX {
        return note(table, &of_project);
    }
    for digest in digests {
        let mut key = of_project.clone();
        key.push(("digest", text(digest)));
        note(table, &key);
    }
}
