//! From what a person typed to the thing itself.

use stemma_api::types::{ModelVersion, Resolved};
use stemma_core::{
    Problem,
    name::{ModelName, ProjectName},
    near,
    policy::Stage,
};

use crate::{
    Engine,
    reference::{Reference, Selector},
};

impl Engine {
    /// Resolves a reference to content: a model version, a dataset version, or a digest.
    pub async fn resolve(&self, project: &ProjectName, reference: &str) -> Result<Resolved, Problem> {
        match reference.parse()? {
            Reference::Content(id) => {
                let unknown = || Problem::not_found(format!("there is no content `{id}` in project `{project}`"));
                let digest = self.resolve_content(project, id).await?.ok_or_else(unknown)?;
                let content = self.readable_content(project, digest).await?;
                Ok(Resolved {
                    name: digest.to_string(),
                    kind: "content".to_owned(),
                    digest,
                    sha256: content.sha256,
                    size: content.size,
                    file_name: digest.short(),
                    is_folder: content.is_folder,
                })
            }
            Reference::Run(run) => Err(Problem::invalid(format!("`{run}` is a run, not content"))
                .hint(format!("`stemma show {run}` lists what it read and wrote"))),
            Reference::Prediction(prediction) => {
                Err(Problem::invalid(format!("`{prediction}` is a prediction, not content"))
                    .hint(format!("`stemma why {prediction}`")))
            }
            Reference::Name(name) => self.resolve_named(project, &name, None).await,
            Reference::Versioned { name, selector } => self.resolve_named(project, &name, Some(&selector)).await,
        }
    }

    async fn resolve_named(
        &self,
        project: &ProjectName,
        name: &str,
        selector: Option<&str>,
    ) -> Result<Resolved, Problem> {
        let is_model = match ModelName::new(name) {
            Ok(model) => self.versions_if_any(project, &model).await?.is_some(),
            Err(_) => false,
        };
        if is_model {
            let version = self.find_version(project, &ModelName::new(name)?, selector.unwrap_or("newest")).await?;
            return Ok(Resolved {
                name: version.name(),
                kind: "model".to_owned(),
                digest: version.digest,
                sha256: version.sha256,
                size: version.size,
                file_name: version.file_name,
                is_folder: false,
            });
        }
        let wanted = selector.map_or(name.to_owned(), |selector| format!("{name}@{selector}"));
        let version = match self.find_dataset(project, &wanted).await {
            Ok(version) => version,
            Err(problem)
                if problem.kind == stemma_core::ErrorKind::NotFound && !self.is_dataset(project, name).await? =>
            {
                return Err(self.no_such_name(project, name).await?);
            }
            Err(problem) => return Err(problem),
        };
        // a version of which nothing is here any more is still one, and can be named
        let is_folder = self.store_info(version.digest).await?.is_some_and(|content| content.is_folder);
        let file_name = version.path.rsplit('/').next().unwrap_or(name).to_owned();
        Ok(Resolved {
            name: format!("{}@{}", version.dataset, version.number),
            kind: if version.external.is_some() { "external" } else { "dataset" }.to_owned(),
            digest: version.digest,
            sha256: version.sha256,
            size: version.size,
            file_name,
            is_folder,
        })
    }

    async fn is_dataset(&self, project: &ProjectName, name: &str) -> Result<bool, Problem> {
        Ok(self.datasets(project).await?.iter().any(|version| version.dataset.as_str() == name))
    }

    async fn no_such_name(&self, project: &ProjectName, name: &str) -> Result<Problem, Problem> {
        let models = self.models(project).await?;
        let datasets = self.datasets(project).await?;
        let names = models.iter().map(|m| m.model.as_str()).chain(datasets.iter().map(|d| d.dataset.as_str()));
        let hint = near::hint(name, names, "`stemma models` lists models, `stemma show` anything else");
        Ok(Problem::not_found(format!("there is no model or dataset `{name}` in project `{project}`")).hint(hint))
    }

    /// Finds `model@selector`.
    pub(crate) async fn find_model_reference(
        &self,
        project: &ProjectName,
        reference: &str,
    ) -> Result<ModelVersion, Problem> {
        let (model, selector) = reference.split_once('@').unwrap_or((reference, "newest"));
        self.find_version(project, &ModelName::new(model)?, selector).await
    }

    /// Finds a version by number, alias, stage (its newest) or `newest`.
    pub(crate) async fn find_version(
        &self,
        project: &ProjectName,
        model: &ModelName,
        selector: &str,
    ) -> Result<ModelVersion, Problem> {
        let Some(mut versions) = self.versions_if_any(project, model).await? else {
            let models = self.models(project).await?;
            let names = models.iter().map(|summary| summary.model.as_str());
            let hint = near::hint(model.as_str(), names, "`stemma register MODEL FILE` makes one");
            return Err(Problem::not_found(format!("there is no model `{model}` in project `{project}`")).hint(hint));
        };
        let at = match Selector::parse(selector) {
            Selector::Number(number) => versions.iter().position(|version| version.number == number),
            Selector::Stage(stage) => versions.iter().rposition(|version| version.stage == stage),
            Selector::Newest => versions.iter().rposition(|version| version.stage != Stage::Archived),
            Selector::Alias(alias) => {
                versions.iter().position(|version| version.aliases.iter().any(|a| a.as_str() == alias))
            }
        };
        match at {
            Some(at) => Ok(versions.swap_remove(at)),
            None => Err(no_version(model, selector, &versions)),
        }
    }
}

fn no_version(model: &ModelName, selector: &str, versions: &[ModelVersion]) -> Problem {
    let problem = Problem::not_found(format!("model `{model}` has no version `{selector}`"));
    let numbers: Vec<String> = versions.iter().map(|version| version.number.to_string()).collect();
    let aliases = versions.iter().flat_map(|version| version.aliases.iter().map(|alias| alias.as_str()));
    let newest = numbers.last().map_or("there is none yet".to_owned(), |newest| {
        format!("the newest is `{newest}`; see `stemma models {model}`")
    });
    let near = near::near(selector, aliases.chain(numbers.iter().map(String::as_str)));
    match near.first() {
        Some(first) if first.parse::<stemma_core::version::VersionNumber>().is_err() => {
            problem.hint(format!("did you mean `{first}`?"))
        }
        _ => problem.hint(newest),
    }
}
