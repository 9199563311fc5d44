//! Datasets.

use stemma_api::types::{DatasetVersion, Page};
use stemma_core::{
    Digest, Problem,
    at::{self, At},
    event::DatasetVersionAdded,
    external::{External, NOT_HASHED},
    name::{DatasetName, ProjectName},
    near,
};
use stemma_ledger::Recorded;

use super::sources::{Known, fact};
use crate::problem::ledger_problem;

impl Known {
    /// Versions of a dataset, the highest number first.
    pub async fn page_of_dataset_versions(
        &self,
        project: &ProjectName,
        dataset: &DatasetName,
        cursor: Option<u32>,
        limit: u32,
    ) -> Result<Page<DatasetVersion>, Problem> {
        let rows = self.facts().dataset_versions_below(project, dataset, cursor, limit as usize + 1).await;
        let versions: Vec<DatasetVersion> = rows.map_err(ledger_problem)?.into_iter().map(dataset_version).collect();
        if versions.is_empty() && cursor.is_none() {
            return Err(self.no_dataset(project, dataset.as_str()).await?);
        }
        Ok(Page::of(versions, limit, |last| last.number))
    }

    pub async fn dataset_versions(
        &self,
        project: &ProjectName,
        dataset: &DatasetName,
    ) -> Result<Vec<DatasetVersion>, Problem> {
        let mut versions = self.dataset_versions_if_any(project, dataset).await?;
        if versions.is_empty() {
            return Err(self.no_dataset(project, dataset.as_str()).await?);
        }
        versions.sort_by_key(|version| std::cmp::Reverse(version.number));
        Ok(versions)
    }

    /// Finds `name` (its newest version), `name@number`, or `name@{time}`: the version that was the newest then.
    pub async fn find_dataset(&self, project: &ProjectName, reference: &str) -> Result<DatasetVersion, Problem> {
        let (name, at) = match reference.split_once('@') {
            None => (reference, None),
            Some((name, at)) => (name, Some(at.parse::<At>()?)),
        };
        let dataset = DatasetName::new(name).map_err(|error| {
            Problem::from(error)
                .hint("name a dataset as in `german-credit@1`; paths are looked up in stemma.lock by the CLI")
        })?;
        let mut versions = self.dataset_versions_if_any(project, &dataset).await?;
        versions.sort_by_key(|version| version.number);
        let Some(first) = versions.first().map(|version| version.added.time) else {
            return Err(self.no_dataset(project, name).await?);
        };
        let newest = versions.last().map_or(0, |version| version.number);
        let found = match at {
            None => versions.pop(),
            Some(At::Number(number)) => versions.into_iter().find(|version| version.number == number),
            Some(At::Time(time)) => {
                at::current_at(versions.into_iter().map(|version| (version.added.time, version)), time)
            }
        };
        found.ok_or_else(|| match at {
            Some(At::Time(time)) => Problem::not_found(format!("dataset `{name}` had no version yet at {time}"))
                .hint(format!("the first is from {first}")),
            _ => Problem::not_found(format!("dataset `{name}` has no version {}", at.unwrap_or(At::Number(0))))
                .hint(format!("the newest is {newest}")),
        })
    }

    /// Finds a dataset version whose bytes are here.
    pub async fn find_readable_dataset(
        &self,
        project: &ProjectName,
        reference: &str,
    ) -> Result<DatasetVersion, Problem> {
        let version = self.find_dataset(project, reference).await?;
        match &version.external {
            None => Ok(version),
            Some(external) => Err(kept_elsewhere(&version, external)),
        }
    }

    async fn no_dataset(&self, project: &ProjectName, name: &str) -> Result<Problem, Problem> {
        let all = self.datasets(project).await?;
        let names = all.iter().map(|version| version.dataset.as_str());
        let hint = near::hint(name, names, "`stemma add FILE` makes one");
        Ok(Problem::not_found(format!("there is no dataset `{name}` in project `{project}`")).hint(hint))
    }

    /// The newest version of every dataset, by name.
    pub async fn datasets(&self, project: &ProjectName) -> Result<Vec<DatasetVersion>, Problem> {
        let rows = self.facts().newest_dataset_versions(project).await.map_err(ledger_problem)?;
        let mut newest: Vec<DatasetVersion> = rows.into_iter().map(dataset_version).collect();
        newest.sort_by(|a, b| a.dataset.cmp(&b.dataset));
        Ok(newest)
    }

    /// A page of them. People name datasets, so there are few enough to order here, where all databases order alike.
    pub async fn page_of_datasets(
        &self,
        project: &ProjectName,
        cursor: Option<DatasetName>,
        limit: u32,
    ) -> Result<Page<DatasetVersion>, Problem> {
        let all = self.datasets(project).await?.into_iter();
        let behind = all.filter(|one| cursor.as_ref().is_none_or(|cursor| one.dataset > *cursor)).collect();
        Ok(Page::of(behind, limit, |last| last.dataset.clone()))
    }

    pub async fn all_dataset_versions(&self, project: &ProjectName) -> Result<Vec<DatasetVersion>, Problem> {
        let rows = self.facts().dataset_versions(project, None).await.map_err(ledger_problem)?;
        Ok(rows.into_iter().map(dataset_version).collect())
    }

    /// All versions of a dataset, oldest first; empty if there is no such dataset.
    pub async fn dataset_versions_if_any(
        &self,
        project: &ProjectName,
        dataset: &DatasetName,
    ) -> Result<Vec<DatasetVersion>, Problem> {
        let rows = self.facts().dataset_versions(project, Some(dataset)).await.map_err(ledger_problem)?;
        Ok(rows.into_iter().map(dataset_version).collect())
    }

    /// `name@number` of every dataset version that is this content.
    pub async fn datasets_of(&self, project: &ProjectName, digest: Digest) -> Result<Vec<String>, Problem> {
        let rows = self.facts().dataset_versions_of(project, digest).await.map_err(ledger_problem)?;
        Ok(rows.iter().map(|row| format!("{}@{}", row.value.dataset, row.value.number)).collect())
    }
}

pub(crate) fn dataset_version(row: Recorded<DatasetVersionAdded>) -> DatasetVersion {
    let added = row.value;
    DatasetVersion {
        project: added.project,
        dataset: added.dataset,
        number: added.number,
        digest: added.digest,
        sha256: added.sha256,
        size: added.size,
        path: added.path,
        source: added.source,
        why: added.why,
        derived_from: added.derived_from,
        run: added.run,
        external: added.external,
        workspace: added.workspace,
        added: fact(row.fact),
    }
}

fn kept_elsewhere(version: &DatasetVersion, external: &External) -> Problem {
    let name = format!("{}@{}", version.dataset, version.number);
    Problem::invalid(format!("`{name}` is kept elsewhere and {NOT_HASHED}: it can't be read"))
        .hint(format!("fetch {} version {} and `stemma add` the file", external.uri, external.version))
}
