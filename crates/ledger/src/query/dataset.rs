//! Dataset versions.

use stemma_core::{
    Digest,
    event::DatasetVersionAdded,
    name::{DatasetName, ProjectName},
};

use super::{Fact, View, facts};
use crate::{
    LedgerError,
    sql::{Row, Value},
};

#[derive(Debug, Clone, PartialEq)]
pub struct DatasetVersion {
    pub version: DatasetVersionAdded,
    pub added: Fact,
}

impl DatasetVersion {
    fn from_row(row: &Row) -> Result<Self, LedgerError> {
        let version = DatasetVersionAdded {
            project: row.parse("project")?,
            dataset: row.parse("dataset")?,
            number: row.number("number")?,
            digest: row.digest("digest")?,
            sha256: row.opt_sha256("sha256")?,
            size: row.number("size")?,
            path: row.text("path")?.to_owned(),
            source: row.opt_text("source")?.map(str::to_owned),
            why: row.opt_text("why")?.map(str::to_owned),
            derived_from: row.json("derived_from")?,
            run: row.opt_parse("run")?,
        };
        Ok(Self { version, added: Fact::from_row(row)? })
    }
}

impl View {
    /// The newest version of every dataset of a project, in the order of their last change.
    pub async fn datasets(&mut self, project: &ProjectName) -> Result<Vec<DatasetVersion>, LedgerError> {
        let sql = facts!(
            "dataset_version",
            "AND x.project = $2 AND x.number = (SELECT MAX(n.number) FROM dataset_version n
                WHERE n.project = x.project AND n.dataset = x.dataset AND n.from_seq <= $1)
             ORDER BY x.from_seq"
        );
        self.current(sql, [Value::text(project)], DatasetVersion::from_row).await
    }

    /// All versions of a dataset, oldest first; none if there is no such dataset.
    pub async fn dataset_versions(
        &mut self,
        project: &ProjectName,
        dataset: &DatasetName,
    ) -> Result<Vec<DatasetVersion>, LedgerError> {
        let sql = facts!("dataset_version", "AND x.project = $2 AND x.dataset = $3 ORDER BY x.number");
        self.current(sql, [Value::text(project), Value::text(dataset)], DatasetVersion::from_row).await
    }

    /// One version of a dataset.
    pub async fn dataset_version(
        &mut self,
        project: &ProjectName,
        dataset: &DatasetName,
        number: u32,
    ) -> Result<Option<DatasetVersion>, LedgerError> {
        let sql = facts!("dataset_version", "AND x.project = $2 AND x.dataset = $3 AND x.number = $4");
        let values = [Value::text(project), Value::text(dataset), number.into()];
        self.current_one(sql, values, DatasetVersion::from_row).await
    }

    /// The newest version of a dataset.
    pub async fn newest_dataset_version(
        &mut self,
        project: &ProjectName,
        dataset: &DatasetName,
    ) -> Result<Option<DatasetVersion>, LedgerError> {
        let sql = facts!("dataset_version", "AND x.project = $2 AND x.dataset = $3 ORDER BY x.number DESC LIMIT 1");
        self.current_one(sql, [Value::text(project), Value::text(dataset)], DatasetVersion::from_row).await
    }

    /// Every dataset version of a project with this content, in the order in which they were added.
    pub async fn dataset_versions_of_digest(
        &mut self,
        project: &ProjectName,
        digest: Digest,
    ) -> Result<Vec<DatasetVersion>, LedgerError> {
        let sql = facts!("dataset_version", "AND x.digest = $2 AND x.project = $3 ORDER BY x.from_seq");
        self.current(sql, [digest.into(), Value::text(project)], DatasetVersion::from_row).await
    }
}
