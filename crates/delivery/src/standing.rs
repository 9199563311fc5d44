//! Which versions may answer: everybody, or some as a canary.

use stemma_api::types::{InQuarantine, ModelVersion};
use stemma_core::{
    Problem, Refusal,
    endpoint::{
        graph::{Graph, StepAsks},
        target::Target,
    },
    name::ProjectName,
    policy::Stage,
};
use stemma_engine::{Known, model::promote::promotion_grounds, resolve::find_version};

/// Only what was promoted to production may answer everybody, and only while what that rested on counts.
pub(crate) async fn may_serve(known: &Known, project: &ProjectName, target: &Target) -> Result<(), Problem> {
    let version = not_kept_back(known, project, target).await?;
    if version.stage == Stage::Production {
        return has_grounds_still(known, project, &version).await;
    }
    let name = version.name();
    Err(Refusal::new(format!("{name} is in {}, not in production", version.stage))
        .missing(missing_for_production(known, project, &version).await?)
        .hint(format!("`stemma promote {name} production`"))
        .into())
}

/// A canary may be what could be promoted to production this moment.
pub(crate) async fn may_try(known: &Known, project: &ProjectName, target: &Target) -> Result<(), Problem> {
    let version = not_kept_back(known, project, target).await?;
    let policy = known.policy_or_default(project, &version.model).await?;
    if version.stage == Stage::Production {
        return has_grounds_still(known, project, &version).await;
    }
    let name = version.name();
    if version.stage == Stage::Archived {
        return Err(Refusal::new(format!("{name} is archived")).hint("try another version out").into());
    }
    match promotion_grounds(known, project, &version, &policy, Stage::Production).await {
        Ok(_) => Ok(()),
        Err(problem) => Err(Refusal::new(format!("{name} is not approved for production, not even as a canary"))
            .missing(problem.missing)
            .hint(format!("`stemma gate {name}` runs its gates; `stemma approve {name}` is for somebody else"))
            .into()),
    }
}

/// What is in quarantine is asked nothing new.
pub(crate) async fn not_kept_back(
    known: &Known,
    project: &ProjectName,
    target: &Target,
) -> Result<ModelVersion, Problem> {
    let version = find_version(known, project, &target.model, &target.version.to_string()).await?;
    match kept_back(&version) {
        Some(refusal) => Err(refusal.into()),
        None => Ok(version),
    }
}

/// That a version is in quarantine, if it is.
pub(crate) fn kept_back(version: &ModelVersion) -> Option<Refusal> {
    let InQuarantine { reason, since } = version.quarantine.as_ref()?;
    let (name, who, time) = (version.name(), &since.actor, since.time);
    let refusal = Refusal::new(format!("{name} is in quarantine: {reason} ({who} at {time})"));
    Some(refusal.hint(format!("`stemma quarantine {name} --lift --reason …` ends it")))
}

/// Where a rule lets approvals or evidence expire, each deployment asks for what the promotion would need today.
async fn has_grounds_still(known: &Known, project: &ProjectName, version: &ModelVersion) -> Result<(), Problem> {
    let policy = known.policy_or_default(project, &version.model).await?;
    if !policy.promotion(Stage::Production).lets_expire() {
        return Ok(());
    }
    let grounds = promotion_grounds(known, project, version, &policy, Stage::Production).await;
    grounds.map(drop).map_err(|problem| {
        let name = version.name();
        let message = format!("what {name} was promoted to production on counts no more; what answers goes on");
        Problem { message, ..problem }
    })
}

/// Notes of each version in a graph by which rules it may answer.
pub(crate) async fn note_let_in(known: &Known, project: &ProjectName, graph: &mut Graph) -> Result<(), Problem> {
    for step in &mut graph.steps {
        if let StepAsks::Model { target, let_in } = &mut step.asks {
            *let_in = Some(known.let_in(project, target).await?);
        }
    }
    Ok(())
}

async fn missing_for_production(
    known: &Known,
    project: &ProjectName,
    version: &ModelVersion,
) -> Result<Vec<String>, Problem> {
    let policy = known.policy_or_default(project, &version.model).await?;
    Ok(match promotion_grounds(known, project, version, &policy, Stage::Production).await {
        Ok(_) => vec!["its promotion: everything it needs is there".to_owned()],
        Err(problem) => problem.missing,
    })
}
