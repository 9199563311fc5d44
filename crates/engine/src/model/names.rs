//! Names: a version is called something beside its number, once and for ever.

use stemma_api::types::{GivenNames, ModelVersion};
use stemma_core::{
    Digest, ErrorKind, Problem,
    event::{Event, VersionNamed},
    id::RequestId,
    name::{AliasName, ModelName, ProjectName},
    policy::{self, Holder, ModelPolicy, Stage, Taken},
    version::{GivenName, Naming, SemverName, Step, VersionNumber},
};

use crate::{Caller, Engine, Known, resolve::find_version};

/// The version that is to be named.
pub(crate) struct Unnamed<'a> {
    pub project: &'a ProjectName,
    pub model: &'a ModelName,
    pub number: VersionNumber,
    pub digest: Digest,
    pub step: Step,
    pub reference: Option<VersionNumber>,
}

impl Engine {
    /// Names a version. What it is called already is no change; what it is called otherwise, or what something else is
    /// called, is refused, and then none of the names is given.
    pub async fn name_version(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        model: &ModelName,
        version: &str,
        names: GivenNames,
    ) -> Result<ModelVersion, Problem> {
        if names.is_empty() {
            return Err(Problem::invalid("no name is given").hint("give a `label`, a `semver`, or both"));
        }
        let version = find_version(self.known(), project, model, version).await?;
        name(self, caller, request, &version, &names).await
    }
}

/// Gives a version the names that it lacks, all or none.
pub(crate) async fn name(
    engine: &Engine,
    caller: &Caller,
    request: RequestId,
    version: &ModelVersion,
    names: &GivenNames,
) -> Result<ModelVersion, Problem> {
    let (project, model, number) = (&version.project, &version.model, &version.number.to_string());
    let decide = || async move {
        let version = find_version(engine.known(), project, model, number).await?;
        let new = lacking(&version, names)?;
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let versions = engine.known().versions_if_any(project, model).await?.unwrap_or_default();
        let policy = engine.known().policy_or_default(project, model).await?;
        let unnamed = Unnamed {
            project,
            model,
            number: version.number,
            digest: version.digest,
            step: version.step,
            reference: version.reference,
        };
        naming_events(&unnamed, &versions, &policy, new)
    };
    engine.change(caller, request, decide).await?;
    let version = find_version(engine.known(), project, model, number).await?;
    match lacking(&version, names)?.is_empty() {
        true => Ok(version),
        false => Err(Problem::new(ErrorKind::Conflict, "this request id was used for something else")),
    }
}

/// The names that a version does not have yet. One that it has otherwise is refused: it never moves.
fn lacking(version: &ModelVersion, names: &GivenNames) -> Result<Vec<GivenName>, Problem> {
    let mut new = Vec::new();
    for name in names.each() {
        match version.names.get(&name.naming()) {
            None => new.push(name),
            Some(given) if *given == name.to_string() => {}
            Some(given) => {
                let message =
                    format!("{} has the {} `{given}` already, and names never move", version.name(), name.naming());
                return Err(Problem::new(ErrorKind::Conflict, message).hint("an alias can be moved"));
            }
        }
    }
    Ok(new)
}

/// What naming a version comes to, beside all versions of its model.
pub(crate) fn naming_events(
    unnamed: &Unnamed<'_>,
    versions: &[ModelVersion],
    policy: &ModelPolicy,
    names: impl IntoIterator<Item = GivenName>,
) -> Result<Vec<Event>, Problem> {
    let mut taken = taken(versions);
    // a label must not keep a promotion from moving its alias
    let declared = Stage::ALL.into_iter().filter_map(|stage| policy.promotion(stage).alias);
    taken.extend(declared.map(|alias| Taken { name: alias.to_string(), holder: Holder::Alias }));
    let mut events = Vec::new();
    for name in names {
        match &name {
            GivenName::Label(label) => policy::check_label(label, &taken)?,
            GivenName::Semver(semver) => check_semver(unnamed, versions, semver)?,
        }
        taken.push(Taken { name: name.to_string(), holder: Holder::Version(unnamed.number) });
        events.push(Event::VersionNamed(VersionNamed {
            project: unnamed.project.clone(),
            model: unnamed.model.clone(),
            version: unnamed.number,
            subject: unnamed.digest,
            name,
        }));
    }
    Ok(events)
}

fn check_semver(unnamed: &Unnamed<'_>, versions: &[ModelVersion], semver: &SemverName) -> Result<(), Problem> {
    let mut others: Vec<(VersionNumber, SemverName)> = Vec::new();
    for version in versions.iter().filter(|version| version.number != unnamed.number) {
        if let Some(name) = version.names.get(&Naming::Semver) {
            others.push((version.number, name.parse()?));
        }
    }
    let reference = others.iter().find(|(number, _)| Some(*number) == unnamed.reference);
    let reference = reference.map(|(number, semver)| (*number, semver));
    let others = others.iter().map(|(number, semver)| (*number, semver));
    policy::check_semver(semver, unnamed.step, reference, others)
}

/// Refuses an alias that is, or could become, the name of a version. Whoever moves an alias that is none yet asks this.
pub async fn check_alias(
    known: &Known,
    project: &ProjectName,
    model: &ModelName,
    alias: &AliasName,
) -> Result<(), Problem> {
    let versions = known.versions_if_any(project, model).await?.unwrap_or_default();
    policy::check_alias(alias, &taken(&versions))
}

/// What the versions of a model are called.
fn taken(versions: &[ModelVersion]) -> Vec<Taken> {
    let mut taken = Vec::new();
    for version in versions {
        let names = version.names.values().cloned();
        taken.extend(names.map(|name| Taken { name, holder: Holder::Version(version.number) }));
        let aliases = version.aliases.iter().map(ToString::to_string);
        taken.extend(aliases.map(|name| Taken { name, holder: Holder::Alias }));
    }
    taken
}
