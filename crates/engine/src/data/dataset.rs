//! Dataset versions: a name and a number pointing at content, with its source.

use stemma_api::types::{AddDatasetVersion, AddExternalVersion, AddImportedVersion, DatasetVersionAdded};
use stemma_core::{
    Problem, canonical, event,
    event::Event,
    external::External,
    id::RequestId,
    name::{DatasetName, ProjectName},
    pointer::POINTER_BYTES_MAX,
};

use crate::{
    Caller, Engine,
    known::{Content, content::refuse_pointer},
    lineage::trace::writer_now,
    look_alike::refuse_look_alike,
    problem::internal,
};

/// More contents of one path than any history has.
const PLACE_MAX: u32 = 10_000_000;

/// Most versions that one was made from, as people say it.
const PARENTS_MAX: usize = 1000;

/// What becomes a version.
struct Addition {
    add: AddDatasetVersion,
    content: Content,
    external: Option<External>,
    /// The number that it has by its place in a history, if that is free.
    place: Option<u32>,
    /// The revisions whose predictions it was made from.
    answered_by: Vec<String>,
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
        let addition = self.addition(project, add, None).await?;
        self.add_version(caller, request, project, dataset, addition).await
    }

    /// Adds content that another tool has kept, under the number that its place in that history gives it; if the number
    /// is taken by other content, as the next version.
    ///
    /// So the numbers are in the order of the history, in whatever order its parts come in.
    pub async fn add_imported_version(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        dataset: &DatasetName,
        imported: AddImportedVersion,
    ) -> Result<DatasetVersionAdded, Problem> {
        if !(1..=PLACE_MAX).contains(&imported.place) {
            return Err(Problem::invalid(format!("{} is no place in a history", imported.place)));
        }
        let addition = self.addition(project, imported.add, Some(imported.place)).await?;
        self.add_version(caller, request, project, dataset, addition).await
    }

    /// Adds what was made from predictions of these revisions (`endpoint#number`) and what came of them.
    pub async fn add_version_from_feedback(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        dataset: &DatasetName,
        (add, answered_by): (AddDatasetVersion, Vec<String>),
    ) -> Result<DatasetVersionAdded, Problem> {
        let addition = Addition { answered_by, ..self.addition(project, add, None).await? };
        self.add_version(caller, request, project, dataset, addition).await
    }

    async fn addition(
        &self,
        project: &ProjectName,
        add: AddDatasetVersion,
        place: Option<u32>,
    ) -> Result<Addition, Problem> {
        let content = self.known().readable_content(project, add.digest).await?;
        if !content.is_folder && content.size <= POINTER_BYTES_MAX {
            let bytes = self.known().read_content(content.digest, POINTER_BYTES_MAX).await?;
            refuse_pointer(&format!("`{}`", add.path), &bytes)?;
        }
        Ok(Addition { add, content, external: None, place, answered_by: Vec::new() })
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
        let add = AddDatasetVersion { digest, path: external.to_string(), source, why, derived_from, workspace: None };
        // there is nothing of ours to count
        let content = Content { digest, sha256: None, size: 0, is_folder: false };
        let addition = Addition { add, content, external: Some(external), place: None, answered_by: Vec::new() };
        self.add_version(caller, request, project, dataset, addition).await
    }

    async fn add_version(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        dataset: &DatasetName,
        addition: Addition,
    ) -> Result<DatasetVersionAdded, Problem> {
        let Addition { add, content, external, place, answered_by } = addition;
        let known = self.known().dataset_versions_if_any(project, dataset).await?;
        if let Some(version) = known.into_iter().find(|version| version.digest == add.digest) {
            return Ok(DatasetVersionAdded { version, unchanged: true });
        }
        if add.derived_from.len() > PARENTS_MAX {
            let message = format!("{} versions can't all be what it was made from", add.derived_from.len());
            return Err(Problem::invalid(message).hint(format!("name {PARENTS_MAX} at most")));
        }
        let mut parents = Vec::with_capacity(add.derived_from.len());
        for parent in &add.derived_from {
            let parent = self.known().find_dataset(project, parent).await?;
            parents.push(format!("{}@{}", parent.dataset, parent.number));
        }
        let run = writer_now(self.known(), project, add.digest, Some(&add.path), add.workspace).await?;
        let (add, parents, run, external) = (&add, &parents, run.map(|(run, _)| run), &external);
        let answered_by = &answered_by;
        let decide = || async move {
            let versions = self.known().dataset_versions_if_any(project, dataset).await?;
            if versions.is_empty() {
                let newest = self.known().datasets(project).await?;
                refuse_look_alike("dataset", dataset.as_str(), newest.iter().map(|one| one.dataset.as_str()))?;
            }
            Ok(vec![Event::DatasetVersionAdded(event::DatasetVersionAdded {
                project: project.clone(),
                dataset: dataset.clone(),
                number: next_number(versions.iter().map(|version| version.number), place),
                digest: content.digest,
                sha256: content.sha256,
                size: content.size,
                path: add.path.clone(),
                source: add.source.clone(),
                why: add.why.clone(),
                derived_from: parents.clone(),
                run,
                external: external.clone(),
                workspace: add.workspace,
                answered_by: answered_by.clone(),
            })])
        };
        self.change(caller, request, decide).await?;
        let versions = self.known().dataset_versions_if_any(project, dataset).await?;
        let version = versions.into_iter().find(|version| version.digest == add.digest);
        let version = version.ok_or_else(|| Problem::invalid("this request id was used for something else"))?;
        Ok(DatasetVersionAdded { version, unchanged: false })
    }
}

/// The place in a history if it is free, else the number behind all others.
fn next_number(taken: impl Iterator<Item = u32> + Clone, place: Option<u32>) -> u32 {
    match place {
        Some(place) if !taken.clone().any(|number| number == place) => place,
        _ => taken.max().unwrap_or(0) + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_history_is_taken_if_it_is_free() {
        for (taken, place, number) in [
            (&[][..], None, 1),
            (&[1, 2], None, 3),
            (&[3], None, 4),
            (&[], Some(3), 3),
            (&[3], Some(1), 1),
            (&[1, 3], Some(2), 2),
            (&[1, 3], Some(3), 4),
        ] {
            assert_eq!(next_number(taken.iter().copied(), place), number, "{taken:?} {place:?}");
        }
    }
}
