//! Aliases: names that people move by themselves, but for those that promotions move.

use stemma_api::types::{Alias, AliasMove, RemoveAlias, SetAlias};
use stemma_core::{
    ErrorKind, Problem, Refusal,
    event::Event,
    id::RequestId,
    name::{AliasName, ModelName, ProjectName},
    version::VersionNumber,
};

use crate::{
    Caller, Engine, Known,
    model::{names::check_alias, said::said},
    resolve::find_version,
};

/// Moves among which one that was just made is looked for.
const MOVES_LOOKED_AT: u32 = 100;

/// A model and the alias of it that is meant.
pub type OfAlias<'a> = (&'a ModelName, &'a AliasName);

impl Engine {
    /// Points an alias at a version. One that points there already is left as it is, and that is no change.
    pub async fn set_alias(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        (model, alias): OfAlias<'_>,
        set: SetAlias,
    ) -> Result<Alias, Problem> {
        let reason = &said(&set.reason, "the reason", "--reason")?;
        let version = &set.version;
        let decide = || async move {
            let to = find_version(self.known(), project, model, version).await?.number;
            check_free(self.known(), project, model, alias).await?;
            let from = self.known().alias_target(project, model, alias).await?;
            if from == Some(to) {
                return Ok(Vec::new());
            }
            if from.is_none() {
                check_alias(self.known(), project, model, alias).await?;
            }
            let (project, model, alias, reason) = (project.clone(), model.clone(), alias.clone(), reason.clone());
            Ok(vec![Event::AliasMoved { project, model, alias, from, to, reason }])
        };
        self.change(caller, request, decide).await?;
        let aliases = self.known().current_aliases(project, model).await?;
        let found = aliases.into_iter().find(|one| one.alias == *alias);
        found.ok_or_else(|| Problem::new(ErrorKind::Conflict, format!("alias `{alias}` was removed meanwhile")))
    }

    pub async fn remove_alias(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        (model, alias): OfAlias<'_>,
        remove: RemoveAlias,
    ) -> Result<AliasMove, Problem> {
        let reason = &said(&remove.reason, "the reason", "--reason")?;
        let decide = || async move {
            check_free(self.known(), project, model, alias).await?;
            let from = target(self.known(), project, model, alias).await?;
            let (project, model, alias, reason) = (project.clone(), model.clone(), alias.clone(), reason.clone());
            Ok(vec![Event::AliasRemoved { project, model, alias, from, reason }])
        };
        self.change(caller, request, decide).await?;
        let moves = self.known().alias_moves(project, model, None, MOVES_LOOKED_AT).await?.items;
        let done = moves.into_iter().find(|one| one.alias == *alias && one.to.is_none());
        done.ok_or_else(|| Problem::new(ErrorKind::Conflict, "this request id was used for something else"))
    }
}

/// What an alias points at.
async fn target(
    known: &Known,
    project: &ProjectName,
    model: &ModelName,
    alias: &AliasName,
) -> Result<VersionNumber, Problem> {
    match known.alias_target(project, model, alias).await? {
        Some(number) => Ok(number),
        // says what is near, also if there is no such model
        None => Ok(find_version(known, project, model, alias.as_str()).await?.number),
    }
}

/// An alias that a promotion rule moves is moved by promotions only: nobody comes into a stage's place beside its rule.
async fn check_free(known: &Known, project: &ProjectName, model: &ModelName, alias: &AliasName) -> Result<(), Problem> {
    let policy = known.policy_or_default(project, model).await?;
    let Some(stage) = policy.protects(alias) else { return Ok(()) };
    let message = format!("alias `{alias}` of `{model}` is protected: promotions to {stage} move it, and nothing else");
    let hint = format!(
        "`stemma promote {model}@VERSION {stage}` moves it, `stemma promote {model} {stage} --previous` moves it back"
    );
    Err(Refusal::new(message).hint(hint).into())
}
