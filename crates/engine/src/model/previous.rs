//! Going back: the version that was a stage's before is it again, in one act.

use stemma_api::types::{ModelVersion, PromotePrevious, Promoted};
use stemma_core::{
    Problem, Refusal,
    event::{self, Event},
    id::RequestId,
    name::{ModelName, ProjectName},
    policy::{ModelPolicy, PromotionGrounds, Stage, version_before},
};

use crate::{
    Caller, Engine, Known,
    model::{
        promote::{closing_events, moving_alias, promoted, promotion_grounds},
        said::said,
    },
    resolve::find_version,
};

impl Engine {
    /// Promotes the version that was a stage's before, by the rules of today, and takes the one that is now out of it.
    pub async fn promote_previous(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        model: &ModelName,
        previous: PromotePrevious,
    ) -> Result<Promoted, Problem> {
        let reason = &said(&previous.reason, "the reason", "--reason")?;
        let stage = previous.stage;
        if !stage.is_in_use() {
            return Err(
                Problem::invalid(format!("there is no going back in {stage}")).hint("name `production` or `staging`")
            );
        }
        let decide = || async move {
            let known = self.known();
            let (now, before) = standing_in(known, project, model, stage).await?;
            check_not_put_away(known, project, &before, &now, stage).await?;
            let policy = known.policy_or_default(project, model).await?;
            let grounds = promotion_grounds(known, project, &before, &policy, stage).await?;
            going_back(known, (project, &policy), Exchange { now, before, stage, grounds, reason }).await
        };
        let events = self.change(caller, request, decide).await?;
        promoted(self.known(), project, model, stage, &events).await
    }
}

/// What changes places.
struct Exchange<'a> {
    now: ModelVersion,
    before: ModelVersion,
    stage: Stage,
    grounds: PromotionGrounds,
    reason: &'a str,
}

async fn going_back(
    known: &Known,
    (project, policy): (&ProjectName, &ModelPolicy),
    Exchange { now, before, stage, grounds, reason }: Exchange<'_>,
) -> Result<Vec<Event>, Problem> {
    let moved = |version: &ModelVersion, other: &ModelVersion, to: Stage, grounds: PromotionGrounds| {
        Event::Promoted(event::Promoted {
            project: project.clone(),
            model: version.model.clone(),
            version: version.number,
            subject: version.digest,
            from: version.stage,
            to,
            grounds,
            reason: reason.to_owned(),
            exchanged_with: Some(other.number),
        })
    };
    let mut events = Vec::new();
    if now.stage == stage {
        let came_from = stage_before(known, project, &now, stage).await?;
        events.push(moved(&now, &before, came_from, PromotionGrounds::default()));
    }
    events.push(moved(&before, &now, stage, grounds));
    events.extend(moving_alias(known, project, policy, &before, stage).await?);
    events.extend(closing_events(known, project, &before, stage).await?);
    Ok(events)
}

/// The version that is a stage's now and the one before it.
async fn standing_in(
    known: &Known,
    project: &ProjectName,
    model: &ModelName,
    stage: Stage,
) -> Result<(ModelVersion, ModelVersion), Problem> {
    let promotions = known.promotions_of_model(project, model).await?;
    let entered: Vec<_> = promotions.iter().filter(|one| one.to == stage).map(|one| one.version).collect();
    let Some((now, before)) = version_before(&entered) else {
        // says what is near if there is no such model
        find_version(known, project, model, "newest").await?;
        return Err(Refusal::new(format!("no version of `{model}` was {stage}'s before the one that is now"))
            .hint(format!("`stemma models {model}` lists its versions; promote one by its number"))
            .into());
    };
    let find = |number: String| async move { find_version(known, project, model, &number).await };
    Ok((find(now.to_string()).await?, find(before.to_string()).await?))
}

/// What was archived by the promotion of the version that is now comes back with it; what somebody archived stays.
async fn check_not_put_away(
    known: &Known,
    project: &ProjectName,
    before: &ModelVersion,
    now: &ModelVersion,
    stage: Stage,
) -> Result<(), Problem> {
    if before.stage != Stage::Archived {
        return Ok(());
    }
    let last = known.promotions(project, before).await?.pop();
    if last.is_some_and(|last| last.exchanged_with == Some(now.number)) {
        return Ok(());
    }
    let name = before.name();
    Err(Refusal::new(format!("{name}, which was {stage}'s before {}, is archived", now.number))
        .hint(format!("`stemma promote {name} {stage}` brings it back by name, if that is meant"))
        .into())
}

/// Where a version stood before it entered a stage.
async fn stage_before(
    known: &Known,
    project: &ProjectName,
    version: &ModelVersion,
    stage: Stage,
) -> Result<Stage, Problem> {
    let promotions = known.promotions(project, version).await?;
    let entered = promotions.iter().rev().find(|one| one.to == stage && one.from != stage);
    Ok(entered.map_or(Stage::Development, |one| one.from))
}
