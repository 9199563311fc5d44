//! Dataset versions: a name and a number pointing at content, with its source.

use stemma_api::types::{AddDatasetVersion, AddExternalVersion, DatasetVersion, DatasetVersionAdded};
use stemma_core::{
    Problem,
    at::{self, At},
    canonical, event,
    event::Event,
    external::{External, NOT_HASHED},
    id::RequestId,
    name::{DatasetName, ProjectName},
    near,
};

use crate::{Caller, Engine, content::Content, problem::internal};

/// What becomes a version.
struct Addition {
    add: AddDatasetVersion,
    content: Content,
    external: Option<External>,
}

impl Engine {
    /// Adds content as the next version of a dataset; content that has a number there keeps it.
    pub async fn add_dataset_version(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        dataset: &DatasetName,
        add: AddDatasetVersion,
    ) -> Result<DatasetVersionAdded, Problem> {
        let content = self.readable_content(project, add.digest).await?;
        self.add_version(caller, request, project, dataset, Addition { add, content, external: None }).await
    }

    /// Adds data that is kept elsewhere, by its reference, as the next version of a dataset. Nothing is fetched.
    pub async fn add_external_version(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        dataset: &DatasetName,
        add: AddExternalVersion,
    ) -> Result<DatasetVersionAdded, Problem> {
        let AddExternalVersion { external, source, why, derived_from } = add;
        external.check()?;
        let reference = serde_json::json!({"v": 1, "external": external});
        let reference = canonical::to_bytes(&reference).map_err(internal)?;
        let digest = self.put_content(project, reference).await?;
        let add = AddDatasetVersion { digest, path: external.to_string(), source, why, derived_from };
        // there is nothing of ours to count
        let content = Content { digest, sha256: None, size: 0, is_folder: false };
        self.add_version(caller, request, project, dataset, Addition { add, content, external: Some(external) }).await
    }

    async fn add_version(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        dataset: &DatasetName,
        addition: Addition,
    ) -> Result<DatasetVersionAdded, Problem> {
        let Addition { add, content, external } = addition;
        let known = self.dataset_versions_if_any(project, dataset).await?;
        if let Some(version) = known.into_iter().find(|version| version.digest == add.digest) {
            return Ok(DatasetVersionAdded { version, unchanged: true });
        }
        let mut parents = Vec::with_capacity(add.derived_from.len());
        for parent in &add.derived_from {
            let parent = self.find_dataset(project, parent).await?;
            parents.push(format!("{}@{}", parent.dataset, parent.number));
        }
        let run = self.newest_run_that_wrote(project, add.digest).await?;
        let (add, parents, run, external) = (&add, &parents, run.map(|run| run.id), &external);
        let decide = || async move {
            let versions = self.dataset_versions_if_any(project, dataset).await?;
            Ok(vec![Event::DatasetVersionAdded(event::DatasetVersionAdded {
                project: project.clone(),
                dataset: dataset.clone(),
                number: versions.iter().map(|version| version.number).max().unwrap_or(0) + 1,
                digest: content.digest,
                sha256: content.sha256,
                size: content.size,
                path: add.path.clone(),
                source: add.source.clone(),
                why: add.why.clone(),
                derived_from: parents.clone(),
                run,
                external: external.clone(),
            })])
        };
        self.change(caller, request, decide).await?;
        let versions = self.dataset_versions_if_any(project, dataset).await?;
        let version = versions.into_iter().find(|version| version.digest == add.digest);
        let version = version.ok_or_else(|| Problem::invalid("this request id was used for something else"))?;
        Ok(DatasetVersionAdded { version, unchanged: false })
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
    pub(crate) async fn find_dataset(&self, project: &ProjectName, reference: &str) -> Result<DatasetVersion, Problem> {
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
    pub(crate) async fn find_readable_dataset(
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
}

fn kept_elsewhere(version: &DatasetVersion, external: &External) -> Problem {
    let name = format!("{}@{}", version.dataset, version.number);
    Problem::invalid(format!("`{name}` is kept elsewhere and {NOT_HASHED}: it can't be read"))
        .hint(format!("fetch {} version {} and `stemma add` the file", external.uri, external.version))
}
