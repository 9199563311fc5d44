//! Content of projects: a digest grants nothing, only a reference in a project that the caller may read does.

use std::sync::{Arc, PoisonError};

use stemma_api::types::ModelVersion;
use stemma_core::{
    ContentId, Digest, ErrorKind, Problem, Sha256,
    look::ModelFormat,
    name::ProjectName,
    pointer::{POINTER_BYTES_MAX, Pointer},
};
use stemma_ledger::{Recorded, Tombstone};
use stemma_onnx::{Model, OnnxError};
use stemma_store::BlobInfo;
use stemma_table::Source;

use super::sources::Known;
use crate::{
    problem::{internal, ledger_problem, store_problem},
    table::Table,
};

/// Largest model that is loaded into this process.
pub(crate) const MODEL_BYTES_MAX: u64 = 1 << 30;
const NOT_EVALUATED_HINT: &str = "Stemma evaluates ONNX; export scikit-learn pipelines with skl2onnx";

/// Content that the project may read.
#[derive(Debug, Clone, Copy)]
pub struct Content {
    pub digest: Digest,
    pub sha256: Option<Sha256>,
    /// Of a folder the bytes of all its files.
    pub size: u64,
    /// It is a tree.
    pub is_folder: bool,
}

impl Known {
    /// Returns what is known of content that the project may read; anything else does not exist for it.
    pub async fn readable_content(&self, project: &ProjectName, digest: Digest) -> Result<Content, Problem> {
        let unknown = || no_content(project, digest);
        self.leave_out("which contents the project might read: that is told as of now");
        self.check_not_purged(project, digest).await?;
        if !self.ungranted(project, &[digest]).await?.is_empty() {
            return Err(unknown());
        }
        self.store_info(digest).await?.ok_or_else(unknown)
    }

    /// The digest of content that is here; says so if it was removed for good.
    pub async fn resolve_content(&self, project: &ProjectName, id: ContentId) -> Result<Option<Digest>, Problem> {
        if let ContentId::Blake3(digest) = id {
            self.check_not_purged(project, digest).await?;
        }
        let store = self.store().clone();
        let resolved = tokio::task::spawn_blocking(move || store.resolve(&id));
        resolved.await.map_err(internal)?.map_err(store_problem)
    }

    pub async fn store_info(&self, digest: Digest) -> Result<Option<Content>, Problem> {
        let store = self.store().clone();
        let found = tokio::task::spawn_blocking(move || match store.tree_summary(&digest)? {
            Some(tree) => Ok(Some(Content { digest, sha256: None, size: tree.size, is_folder: true })),
            None => Ok(store.info(&digest)?.map(Content::of_blob)),
        });
        found.await.map_err(internal)?.map_err(store_problem)
    }

    /// Reads whole content, verified. Callers have checked that the project may read it.
    pub async fn read_content(&self, digest: Digest, most: u64) -> Result<Vec<u8>, Problem> {
        let store = self.store().clone();
        let read = tokio::task::spawn_blocking(move || store.read(&digest, most));
        read.await.map_err(internal)?.map_err(store_problem)
    }

    pub async fn read_table(&self, name: &str, digest: Digest) -> Result<Table, Problem> {
        let (store, name) = (self.store().clone(), name.to_owned());
        let read = move || {
            let blob = store.open_blob(&digest).map_err(store_problem)?;
            if blob.len() <= POINTER_BYTES_MAX {
                refuse_pointer(&format!("`{name}`"), &store.read(&digest, POINTER_BYTES_MAX).map_err(store_problem)?)?;
            }
            let source: Source = Arc::new(blob);
            Table::read(&name, &source)
        };
        tokio::task::spawn_blocking(read).await.map_err(internal)?
    }

    /// Loads a model from its content; loaded ones are kept while an endpoint or an evaluation holds them.
    pub async fn load_model(&self, digest: Digest) -> Result<Arc<Model>, Problem> {
        self.parse_model(digest).await?.map_err(|error| {
            let problem = Problem::invalid(format!("`{digest}` can't be loaded as a model: {error}"));
            problem.hint(NOT_EVALUATED_HINT)
        })
    }

    /// Loads the model of a version; the error says which version can't be evaluated in this process, and why.
    pub async fn load_version(&self, version: &ModelVersion) -> Result<Arc<Model>, Problem> {
        check_is_evaluated(version)?;
        self.parse_model(version.digest).await?.map_err(|error| {
            let message = format!("{} can't be evaluated here: {error}", version.name());
            Problem::invalid(message).hint(NOT_EVALUATED_HINT)
        })
    }

    /// The same; none where the version's format or content is one that is not evaluated here.
    pub async fn load_version_if_evaluated(&self, version: &ModelVersion) -> Result<Option<Arc<Model>>, Problem> {
        match check_is_evaluated(version) {
            Err(_) => Ok(None),
            Ok(()) => self.parse_model(version.digest).await.map(Result::ok),
        }
    }

    /// The same, of content that need not be a model that can be evaluated here.
    pub async fn parse_model(&self, digest: Digest) -> Result<Result<Arc<Model>, OnnxError>, Problem> {
        if let Some(model) = self.loaded_model(digest) {
            return Ok(Ok(model));
        }
        let bytes = self.read_content(digest, MODEL_BYTES_MAX).await?;
        refuse_pointer(&format!("`{digest}`"), &bytes)?;
        let parsed = tokio::task::spawn_blocking(move || Model::parse(&bytes)).await.map_err(internal)?;
        Ok(parsed.map(|model| self.keep_model(digest, model)))
    }

    pub async fn ungranted(&self, project: &ProjectName, digests: &[Digest]) -> Result<Vec<Digest>, Problem> {
        self.ledger().ungranted(project, digests).await.map_err(ledger_problem)
    }

    fn loaded_model(&self, digest: Digest) -> Option<Arc<Model>> {
        let models = self.0.models.lock().unwrap_or_else(PoisonError::into_inner);
        models.get(&digest)?.upgrade()
    }

    fn keep_model(&self, digest: Digest, model: Model) -> Arc<Model> {
        let model = Arc::new(model);
        let mut models = self.0.models.lock().unwrap_or_else(PoisonError::into_inner);
        models.retain(|_, held| held.strong_count() > 0);
        models.insert(digest, Arc::downgrade(&model));
        model
    }

    pub async fn tombstone(&self, digest: Digest) -> Result<Option<Recorded<Tombstone>>, Problem> {
        self.facts_of_now().tombstone(digest).await.map_err(ledger_problem)
    }

    /// Refuses to hand out or take in what was removed for good. Who, when and why is for the project where it was.
    pub async fn check_not_purged(&self, project: &ProjectName, digest: Digest) -> Result<(), Problem> {
        self.check_none_purged(project, &[digest]).await
    }

    pub async fn check_none_purged(&self, project: &ProjectName, digests: &[Digest]) -> Result<(), Problem> {
        let found = self.facts_of_now().any_tombstone(digests).await.map_err(ledger_problem)?;
        let Some(Recorded { value, fact }) = found else { return Ok(()) };
        let digest = value.digest;
        if value.project != *project {
            return Err(no_content(project, digest));
        }
        let (by, at, reason) = (fact.actor.principal, fact.time, value.reason);
        Err(Problem::new(ErrorKind::Gone, format!("content `{digest}` was purged on {at} by {by}: {reason}")))
    }
}

impl Content {
    pub(crate) fn of_blob(info: BlobInfo) -> Self {
        Self { digest: info.digest, sha256: Some(info.sha256), size: info.size, is_folder: false }
    }
}

/// Refuses a version of a format that is not evaluated in this process; nothing of it is read.
pub(crate) fn check_is_evaluated(version: &ModelVersion) -> Result<(), Problem> {
    if version.format == ModelFormat::Onnx.as_str() {
        return Ok(());
    }
    let described = ModelFormat::parse(&version.format).map_or("of an unknown format", ModelFormat::described);
    let nature = version.look.as_ref().map(|look| format!(" ({})", look.nature)).unwrap_or_default();
    let message = format!("{} is {described}{nature}, which is not loaded or run here", version.name());
    Err(Problem::invalid(message).hint(NOT_EVALUATED_HINT))
}

/// Content that a project can't read, in the same words whether it is in another project or nowhere.
pub(crate) fn no_content(project: &ProjectName, id: impl std::fmt::Display) -> Problem {
    Problem::not_found(format!("there is no content `{id}` in project `{project}`"))
        .hint("upload it first; `stemma add` and `stemma register` do so")
}

/// The same of content that was asked for by another id than the one that is known here: a SHA-256 tells no digest.
pub(crate) fn as_asked(problem: Problem, project: &ProjectName, id: ContentId) -> Problem {
    if problem.kind == ErrorKind::NotFound { no_content(project, id) } else { problem }
}

/// Refuses what another tool left in the place of content.
pub(crate) fn refuse_pointer(what: &str, bytes: &[u8]) -> Result<(), Problem> {
    Pointer::read(bytes).map_or(Ok(()), |pointer| Err(pointer.refused(what)))
}
