//! From what a person typed to the thing itself.

use stemma_api::types::{DatasetVersion, ModelVersion, Resolved};
use stemma_core::{
    Digest, ErrorKind, Problem, canonical,
    id::RunId,
    name::{ModelName, ProjectName},
    near,
    policy::Stage,
    version::Naming,
};
use stemma_ledger::{Access, RunFile, WhichVersion};

use crate::{
    Caller, Known,
    known::{
        Content,
        content::{as_asked, no_content},
    },
    problem::{internal, ledger_problem},
    reference::{Reference, Selector},
};

/// Fewest digits by which a run is found.
const RUN_DIGITS_MIN: usize = 6;
/// Things that are named when a few digits stand for several.
const CANDIDATES_MAX: usize = 10;
/// Uses of one path that are looked at.
const FILES_MAX: usize = 100_000;

impl Known {
    /// Resolves a reference, also to what only some may read.
    pub async fn resolve_for(
        &self,
        caller: &Caller,
        project: &ProjectName,
        reference: &str,
    ) -> Result<Resolved, Problem> {
        let problem = match resolve(self, project, reference).await {
            Err(problem) if problem.kind == ErrorKind::NotFound => problem,
            resolved => return resolved,
        };
        let Ok(Reference::Content(id)) = reference.parse() else { return Err(problem) };
        let Some(digest) = self.resolve_content(project, id).await? else { return Err(problem) };
        let content = self.sealed_content(caller, project, digest).await?.ok_or(problem)?;
        Ok(of_content(&content, digest.short()))
    }
}

/// Resolves a reference to content: a model version, a dataset version, or a digest.
pub async fn resolve(known: &Known, project: &ProjectName, reference: &str) -> Result<Resolved, Problem> {
    match reference.parse()? {
        Reference::Content(id) => {
            let digest = known.resolve_content(project, id).await?.ok_or_else(|| no_content(project, id))?;
            let resolved = resolved_content(known, project, digest, digest.short()).await;
            resolved.map_err(|problem| as_asked(problem, project, id))
        }
        Reference::ShortContent(digits) => {
            let digest = content_like(known, project, &digits).await?;
            resolved_content(known, project, digest, digest.short()).await
        }
        Reference::ContentAt { digest, path } => match version_at(known, project, &path, Some(digest)).await? {
            Some(version) => resolved_dataset(known, &version).await,
            None => resolved_content(known, project, digest, file_name(&path)).await,
        },
        Reference::WrittenBy { run, path } => {
            let record = known.run_record(project, run).await?;
            let file = record.outputs.iter().find(|file| file.path == path);
            let none = || Problem::not_found(format!("run `{run}` wrote no `{path}`"));
            resolved_content(known, project, file.ok_or_else(none)?.digest, file_name(&path)).await
        }
        Reference::Source(source) => {
            let version = version_from(known, project, &source).await?;
            resolved_dataset(known, &version).await
        }
        // its record is content like any other
        Reference::Run(run) => {
            let (digest, _) = canonical::digest(&known.run_record(project, run).await?).map_err(internal)?;
            resolved_content(known, project, digest, format!("{run}.json")).await
        }
        Reference::Prediction(prediction) => {
            Err(Problem::invalid(format!("`{prediction}` is a prediction, not content"))
                .hint(format!("`stemma why {prediction}`")))
        }
        Reference::Name(name) => match resolve_named(known, project, &name, None).await {
            Err(problem) if matches!(problem.kind, ErrorKind::NotFound | ErrorKind::Invalid) => {
                resolve_path_or_run(known, project, &name).await?.ok_or(problem)
            }
            resolved => resolved,
        },
        Reference::Versioned { name, selector } => resolve_named(known, project, &name, Some(&selector)).await,
    }
}

async fn resolve_named(
    known: &Known,
    project: &ProjectName,
    name: &str,
    selector: Option<&str>,
) -> Result<Resolved, Problem> {
    let is_model = match ModelName::new(name) {
        Ok(model) => known.versions_if_any(project, &model).await?.is_some(),
        Err(_) => false,
    };
    if is_model {
        let version = find_version(known, project, &ModelName::new(name)?, selector.unwrap_or("newest")).await?;
        return Ok(Resolved {
            name: version.name(),
            kind: "model".to_owned(),
            digest: version.digest,
            sha256: version.sha256,
            size: version.size,
            is_folder: is_folder(known, version.digest).await?,
            file_name: version.file_name,
        });
    }
    let wanted = selector.map_or(name.to_owned(), |selector| format!("{name}@{selector}"));
    let version = match known.find_dataset(project, &wanted).await {
        Ok(version) => version,
        // how versions of data are called is not the matter where there is no such data
        Err(problem)
            if matches!(problem.kind, ErrorKind::NotFound | ErrorKind::Invalid)
                && !is_dataset(known, project, name).await? =>
        {
            return Err(no_such_name(known, project, name).await?);
        }
        Err(problem) => return Err(problem),
    };
    resolved_dataset(known, &version).await
}

async fn resolved_dataset(known: &Known, version: &DatasetVersion) -> Result<Resolved, Problem> {
    Ok(Resolved {
        name: format!("{}@{}", version.dataset, version.number),
        kind: if version.external.is_some() { "external" } else { "dataset" }.to_owned(),
        digest: version.digest,
        sha256: version.sha256,
        size: version.size,
        file_name: file_name(&version.path),
        is_folder: is_folder(known, version.digest).await?,
    })
}

/// A version of which nothing is here any more is still one, and can be named.
async fn is_folder(known: &Known, content: Digest) -> Result<bool, Problem> {
    Ok(known.store_info(content).await?.is_some_and(|content| content.is_folder))
}

async fn resolved_content(
    known: &Known,
    project: &ProjectName,
    digest: Digest,
    file_name: String,
) -> Result<Resolved, Problem> {
    Ok(of_content(&known.readable_content(project, digest).await?, file_name))
}

/// What is no name may be a path that a version was added from or a run used, or the first digits of a run's id.
async fn resolve_path_or_run(known: &Known, project: &ProjectName, text: &str) -> Result<Option<Resolved>, Problem> {
    if let Some(version) = version_at(known, project, text, None).await? {
        return resolved_dataset(known, &version).await.map(Some);
    }
    if let Some(file) = newest_file_at(known, project, text).await? {
        return resolved_content(known, project, file.digest, self::file_name(text)).await.map(Some);
    }
    match run_like(known, project, text).await? {
        Some(run) => Err(Problem::invalid(format!("`{text}` is the run `{run}`, not content"))
            .hint(format!("`stemma show {run}` lists what it read and wrote"))),
        None => Ok(None),
    }
}

/// The newest dataset version that was added from a path, with some bytes if they are said.
pub(crate) async fn version_at(
    known: &Known,
    project: &ProjectName,
    path: &str,
    digest: Option<Digest>,
) -> Result<Option<DatasetVersion>, Problem> {
    let is_it = |version: &DatasetVersion| version.path == path && digest.is_none_or(|it| it == version.digest);
    let versions = known.all_dataset_versions(project).await?.into_iter();
    Ok(versions.filter(is_it).max_by_key(|version| version.added.seq))
}

/// The last write to a path, else the last read.
pub(crate) async fn newest_file_at(
    known: &Known,
    project: &ProjectName,
    path: &str,
) -> Result<Option<RunFile>, Problem> {
    for access in [Access::Output, Access::Input, Access::Code] {
        let files = known.ledger().files_at(project, path, &[access], FILES_MAX).await;
        let (mut files, _) = files.map_err(ledger_problem)?;
        files.retain(|file| !known.is_past() || file.ended <= known.now());
        if let Some(file) = files.into_iter().max_by_key(|file| (file.ended, file.run)) {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// The run whose id begins with some digits.
pub(crate) async fn run_like(known: &Known, project: &ProjectName, text: &str) -> Result<Option<RunId>, Problem> {
    let digits = text.strip_prefix("run_").unwrap_or(text);
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if !is_hex || digits.len() < RUN_DIGITS_MIN {
        return Ok(None);
    }
    let found = known.ledger().runs_like(project, digits, CANDIDATES_MAX + 1).await.map_err(ledger_problem)?;
    only(text, "run", found)
}

/// The one content of the project whose digest begins with some digits.
async fn content_like(known: &Known, project: &ProjectName, digits: &str) -> Result<Digest, Problem> {
    let found = known.ledger().contents_like(project, digits, CANDIDATES_MAX + 1).await.map_err(ledger_problem)?;
    let unknown = || Problem::not_found(format!("there is no content `b3:{digits}…` in project `{project}`"));
    only(&format!("b3:{digits}"), "content", found)?.ok_or_else(unknown)
}

/// The one dataset version that came from a source.
async fn version_from(known: &Known, project: &ProjectName, source: &str) -> Result<DatasetVersion, Problem> {
    let wanted = source.strip_prefix("external:").unwrap_or(source);
    let versions = known.all_dataset_versions(project).await?.into_iter();
    let mut found: Vec<DatasetVersion> = versions.filter(|version| version.source.as_deref() == Some(wanted)).collect();
    let newest = found.pop().ok_or_else(|| {
        Problem::not_found(format!("no dataset version of project `{project}` has the source `{wanted}`"))
            .hint("sources are declared with `stemma add --source`")
    })?;
    if found.is_empty() {
        return Ok(newest);
    }
    found.push(newest);
    let names: Vec<String> = found.iter().map(|version| format!("`{}@{}`", version.dataset, version.number)).collect();
    Err(Problem::invalid(format!("{} versions came from `{wanted}`", names.len()))
        .hint(format!("name one: {}", names.join(", "))))
}

async fn is_dataset(known: &Known, project: &ProjectName, name: &str) -> Result<bool, Problem> {
    Ok(known.datasets(project).await?.iter().any(|version| version.dataset.as_str() == name))
}

async fn no_such_name(known: &Known, project: &ProjectName, name: &str) -> Result<Problem, Problem> {
    let models = known.models(project).await?;
    let datasets = known.datasets(project).await?;
    let names = models.iter().map(|m| m.model.as_str()).chain(datasets.iter().map(|d| d.dataset.as_str()));
    let hint = near::hint(name, names, "`stemma models` lists models, `stemma show` anything else");
    Ok(Problem::not_found(format!("there is no model or dataset `{name}` in project `{project}`")).hint(hint))
}

/// Finds `model@selector`.
pub async fn find_model_reference(
    known: &Known,
    project: &ProjectName,
    reference: &str,
) -> Result<ModelVersion, Problem> {
    let (model, selector) = reference.split_once('@').unwrap_or((reference, "newest"));
    find_version(known, project, &ModelName::new(model)?, selector).await
}

/// Finds a version by number, stage (its newest), `newest`, alias or name.
///
/// No alias is a name; but homes from before there were names may have aliases like `7`, which go on to mean what they
/// meant.
pub async fn find_version(
    known: &Known,
    project: &ProjectName,
    model: &ModelName,
    selector: &str,
) -> Result<ModelVersion, Problem> {
    let parsed = Selector::parse(selector);
    let which = match &parsed {
        Selector::Number(number) => WhichVersion::Numbered(*number),
        Selector::Stage(stage) => WhichVersion::NewestIn(*stage),
        Selector::Newest => WhichVersion::NewestNotIn(Stage::Archived),
        Selector::Name(name) => WhichVersion::Alias(name),
    };
    let found = match (known.version_if_any(project, model, which).await?, &parsed) {
        (None, Selector::Name(name)) => known.version_if_any(project, model, WhichVersion::Named(name)).await?,
        (found, _) => found,
    };
    match found {
        Some(version) => Ok(version),
        None => Err(no_version(known, project, model, selector).await?),
    }
}

/// What there is instead of a version that there is not.
async fn no_version(
    known: &Known,
    project: &ProjectName,
    model: &ModelName,
    selector: &str,
) -> Result<Problem, Problem> {
    let Some(versions) = known.versions_if_any(project, model).await? else {
        let models = known.models(project).await?;
        let names = models.iter().map(|summary| summary.model.as_str());
        let hint = near::hint(model.as_str(), names, "`stemma register MODEL FILE` makes one");
        return Ok(Problem::not_found(format!("there is no model `{model}` in project `{project}`")).hint(hint));
    };
    let problem = Problem::not_found(format!("model `{model}` has no version `{selector}`"));
    let numbers: Vec<String> = versions.iter().map(|version| version.number.to_string()).collect();
    let aliases = versions.iter().flat_map(|version| version.aliases.iter().map(|alias| alias.as_str()));
    let given = [Naming::Semver, Naming::Label];
    let names = versions.iter().flat_map(|version| given.iter().filter_map(|naming| version.names.get(naming)));
    let newest = numbers.last().map_or("there is none yet".to_owned(), |newest| {
        format!("the newest is `{newest}`; see `stemma models {model}`")
    });
    let near = near::near(selector, aliases.chain(names.map(String::as_str)).chain(numbers.iter().map(String::as_str)));
    Ok(match near.first() {
        Some(first) if first.parse::<stemma_core::version::VersionNumber>().is_err() => {
            problem.hint(format!("did you mean `{first}`?"))
        }
        _ => problem.hint(newest),
    })
}

/// One of what a few digits stand for; several are refused by name.
fn only<T: std::fmt::Display>(typed: &str, what: &str, mut found: Vec<T>) -> Result<Option<T>, Problem> {
    if found.len() < 2 {
        return Ok(found.pop());
    }
    let more = if found.len() > CANDIDATES_MAX { ", …" } else { "" };
    let names: Vec<String> = found.iter().take(CANDIDATES_MAX).map(|one| format!("`{one}`")).collect();
    Err(Problem::invalid(format!("several {what}s begin with `{typed}`"))
        .hint(format!("give more digits: {}{more}", names.join(", "))))
}

fn of_content(content: &Content, file_name: String) -> Resolved {
    Resolved {
        name: content.digest.to_string(),
        kind: "content".to_owned(),
        digest: content.digest,
        sha256: content.sha256,
        size: content.size,
        file_name,
        is_folder: content.is_folder,
    }
}

fn file_name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}
