//! Deploy: a new immutable revision answers for an endpoint from the moment it is committed.

use std::collections::BTreeMap;

use stemma_api::types::{ArmStatus, Deploy, DeployedRevision, EndpointDetail, EndpointStats, ModelVersion};
use stemma_core::{
    Problem, Refusal, canonical,
    composition::{Sequence, StepSpec},
    event::Event,
    id::RequestId,
    name::{EndpointName, ProjectName},
    near,
    overrule::{OVERRIDES_MAX, Override},
    policy::{Action, Stage},
    route::{Revision, Route},
    signature::Signature,
    target::Target,
};
use stemma_gateway::table::arm_key;

use crate::{
    Caller, Engine,
    facts::FoundEndpoint,
    problem::internal,
    rollout::{check_weight, keeps_canary},
};

/// Predictions listed on an endpoint's page.
const RECENT: usize = 20;

/// A sequence whose steps fit, and its contract.
struct Fitted {
    sequence: Sequence,
    signature: Signature,
}

impl Engine {
    /// Deploys versions behind an endpoint, making the endpoint if there is none.
    pub async fn deploy(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        endpoint: &EndpointName,
        deploy: Deploy,
    ) -> Result<DeployedRevision, Problem> {
        let decide = || self.deployment_events(project, endpoint, &deploy);
        let events = self.change(caller, request, decide).await?;
        let number = deployed_number(&events)?;
        self.republish_routes().await?;
        self.revision(endpoint, number).await
    }

    async fn deployment_events(
        &self,
        project: &ProjectName,
        endpoint: &EndpointName,
        deploy: &Deploy,
    ) -> Result<Vec<Event>, Problem> {
        let stable = self.fit(project, endpoint, deploy, &deploy.spec.steps).await?;
        for target in stable.sequence.targets() {
            self.may_serve(project, target).await?;
        }
        check_overrides(endpoint, &deploy.spec.overrides, &stable)?;
        let (route, salt) = match &deploy.canary {
            None => (Route::Single { serves: stable.sequence }, endpoint.to_string()),
            Some(canary) => {
                check_weight(canary.weight_percent)?;
                let tried = self.fit_canary(project, endpoint, deploy, &canary.model, &stable).await?;
                // another canary is tried on other units
                let (digest, _) = canonical::digest(&tried).map_err(internal)?;
                let weight_percent = canary.weight_percent;
                let route = Route::Canary { stable: stable.sequence, canary: tried, weight_percent };
                (route, format!("{endpoint}/{}", digest.short()))
            }
        };
        let (mut events, ordinal, number) = self.next_place(project, endpoint).await?;
        if !deploy.end_canary
            && let Some(live) = self.live_revision_if_any(endpoint).await?
        {
            keeps_canary(&live.revision, Some(&route))?;
        }
        let revision = Revision {
            v: 1,
            project: project.clone(),
            endpoint: endpoint.clone(),
            ordinal,
            number,
            route,
            overrides: deploy.spec.overrides.clone(),
            signature: stable.signature,
            salt,
            log: deploy.spec.log,
        };
        events.push(self.revision_event(project, revision, &deploy.reason).await?);
        Ok(events)
    }

    /// Stores a revision's body, then tells that it was deployed.
    pub(crate) async fn revision_event(
        &self,
        project: &ProjectName,
        mut revision: Revision,
        reason: &str,
    ) -> Result<Event, Problem> {
        revision.make_fit();
        let (digest, bytes) = canonical::digest(&revision).map_err(internal)?;
        self.put_content(project, bytes).await?;
        Ok(Event::RevisionDeployed { revision, digest, reason: reason.to_owned() })
    }

    /// Resolves the steps, loads every model (it must load before anybody is sent to it) and checks that they fit.
    async fn fit(
        &self,
        project: &ProjectName,
        endpoint: &EndpointName,
        deploy: &Deploy,
        steps: &[StepSpec],
    ) -> Result<Fitted, Problem> {
        let mut targets = Vec::new();
        let mut models = Vec::new();
        for step in steps {
            let version = self.find_model_reference(project, &step.model).await?;
            models.push(self.load_model(version.digest).await?);
            targets.push(Target { model: version.model, version: version.number, digest: version.digest });
        }
        let signatures: Vec<&Signature> = models.iter().map(|model| model.signature()).collect();
        let named = steps.iter().cloned().zip(targets).zip(&signatures);
        let named = named.map(|((step, target), signature)| (step, target, *signature)).collect();
        let fitted = Sequence::resolve(named, &deploy.spec.outputs)
            .and_then(|sequence| sequence.signature(&signatures).map(|signature| Fitted { sequence, signature }));
        fitted.map_err(|faults| {
            let refusal = Refusal::new(format!("the steps of `{endpoint}` do not fit together"));
            refusal.missing(faults).hint(format!("see `[endpoint.{endpoint}]` in stemma.toml")).into()
        })
    }

    /// The sequence with the canary's version in place of the version of its model.
    async fn fit_canary(
        &self,
        project: &ProjectName,
        endpoint: &EndpointName,
        deploy: &Deploy,
        canary: &str,
        stable: &Fitted,
    ) -> Result<Sequence, Problem> {
        let version = self.find_model_reference(project, canary).await?;
        let mut steps = deploy.spec.steps.clone();
        let mut replaced = false;
        for (step, known) in steps.iter_mut().zip(&stable.sequence.steps) {
            if known.target.model == version.model {
                step.model = version.name();
                replaced = true;
            }
        }
        if !replaced {
            let models: Vec<&str> = stable.sequence.targets().map(|target| target.model.as_str()).collect();
            let message = format!("endpoint `{endpoint}` asks no model `{}`", version.model);
            return Err(Problem::invalid(message).hint(format!("it asks {}", models.join(", "))));
        }
        let tried = self.fit(project, endpoint, deploy, &steps).await?;
        if tried.sequence == stable.sequence {
            let message = format!("{} answers behind `{endpoint}` already", version.name());
            return Err(Refusal::new(message).hint("try another version out").into());
        }
        for target in tried.sequence.targets() {
            self.may_try(project, target).await?;
        }
        let changes = stable.signature.changes_to(&tried.signature);
        let breaking: Vec<String> = changes.into_iter().filter(|one| one.breaking).map(|one| one.what).collect();
        if breaking.is_empty() {
            return Ok(tried.sequence);
        }
        let message = format!("{} does not keep what callers of `{endpoint}` rely on", version.name());
        Err(Refusal::new(message).missing(breaking).hint("deploy it behind an endpoint of its own").into())
    }

    /// The events that make the endpoint if need be, its ordinal, and the number of its next revision.
    async fn next_place(
        &self,
        project: &ProjectName,
        endpoint: &EndpointName,
    ) -> Result<(Vec<Event>, u16, u32), Problem> {
        match self.endpoint_if_any(endpoint).await? {
            Some(found) if found.project != *project => {
                let message = format!("the name `{endpoint}` is taken by an endpoint of another project");
                Err(Refusal::new(message).hint("endpoint names are unique in a home; choose another").into())
            }
            Some(found) => Ok((Vec::new(), found.ordinal, found.revisions + 1)),
            None => {
                let ordinal = self.next_endpoint_ordinal().await?;
                let (project, endpoint) = (project.clone(), endpoint.clone());
                Ok((vec![Event::EndpointCreated { project, endpoint, ordinal }], ordinal, 1))
            }
        }
    }

    /// Only what was promoted to production may answer everybody.
    pub(crate) async fn may_serve(&self, project: &ProjectName, target: &Target) -> Result<(), Problem> {
        let version = self.find_version(project, &target.model, &target.version.to_string()).await?;
        if version.stage == Stage::Production {
            return Ok(());
        }
        let name = version.name();
        Err(Refusal::new(format!("{name} is in {}, not in production", version.stage))
            .missing(self.missing_for_production(project, &version).await?)
            .hint(format!("`stemma promote {name} production`"))
            .into())
    }

    /// A canary may be what could be promoted to production this moment.
    pub(crate) async fn may_try(&self, project: &ProjectName, target: &Target) -> Result<(), Problem> {
        let version = self.find_version(project, &target.model, &target.version.to_string()).await?;
        let policy = self.policy_or_default(project, &version.model).await?;
        if version.stage == Stage::Production {
            return Ok(());
        }
        let name = version.name();
        if version.stage == Stage::Archived {
            return Err(Refusal::new(format!("{name} is archived")).hint("try another version out").into());
        }
        match self.promotion_grounds(project, &version, &policy, Stage::Production).await {
            Ok(_) => Ok(()),
            Err(problem) => Err(Refusal::new(format!("{name} is not approved for production, not even as a canary"))
                .missing(problem.missing)
                .hint(format!("`stemma gate {name}` runs its gates; `stemma approve {name}` is for somebody else"))
                .into()),
        }
    }

    async fn missing_for_production(
        &self,
        project: &ProjectName,
        version: &ModelVersion,
    ) -> Result<Vec<String>, Problem> {
        let policy = self.policy_or_default(project, &version.model).await?;
        Ok(match self.promotion_grounds(project, version, &policy, Stage::Production).await {
            Ok(_) => vec!["its promotion: everything it needs is there".to_owned()],
            Err(problem) => problem.missing,
        })
    }

    pub async fn endpoints(&self, caller: &Caller, project: &ProjectName) -> Result<Vec<EndpointDetail>, Problem> {
        let mut details = Vec::new();
        for name in self.endpoint_names(project).await? {
            details.push(self.endpoint(caller, project, &name).await?);
        }
        Ok(details)
    }

    pub async fn endpoint(
        &self,
        caller: &Caller,
        project: &ProjectName,
        endpoint: &EndpointName,
    ) -> Result<EndpointDetail, Problem> {
        let found = self.found_endpoint(project, endpoint).await?;
        let live = self.live_revision_if_any(endpoint).await?;
        let mut revisions = self.newest_revisions(endpoint).await?;
        let is_listed = |live: &DeployedRevision| {
            revisions.iter().any(|one: &DeployedRevision| one.revision.number == live.revision.number)
        };
        if let Some(live) = live.clone().filter(|live| !is_listed(live)) {
            revisions.push(live);
        }
        let alarms = match &live {
            Some(live) => self.alarms(live).await?,
            None => Vec::new(),
        };
        let parts = self.sealed_parts(endpoint).await?;
        let may_see = caller.may(Action::ReadPredictions, Some(project)).is_ok();
        let recent = if may_see { self.recent_predictions(found.ordinal, RECENT).await? } else { Vec::new() };
        Ok(EndpointDetail {
            project: project.clone(),
            endpoint: endpoint.clone(),
            revisions,
            live: live.as_ref().map(|live| live.revision.number),
            taken_down: self.taken_down(endpoint).await?,
            arms: live.as_ref().map(|live| self.arms(&live.revision)).unwrap_or_default(),
            alarms,
            created: found.created,
            stats: self.endpoint_stats(endpoint),
            sealed_parts: parts.len() as u64,
            sealed_rows: parts.iter().map(|part| part.rows).sum(),
            recent,
        })
    }

    /// One revision of an endpoint of this project, live or not.
    pub async fn endpoint_revision(
        &self,
        project: &ProjectName,
        endpoint: &EndpointName,
        number: u32,
    ) -> Result<DeployedRevision, Problem> {
        self.found_endpoint(project, endpoint).await?;
        self.revision(endpoint, number).await
    }

    /// An endpoint of this project, or what is there instead.
    pub(crate) async fn found_endpoint(
        &self,
        project: &ProjectName,
        endpoint: &EndpointName,
    ) -> Result<FoundEndpoint, Problem> {
        if let Some(found) = self.endpoint_if_any(endpoint).await?.filter(|found| found.project == *project) {
            return Ok(found);
        }
        let names = self.endpoint_names(project).await?;
        let hint = near::hint(endpoint.as_str(), names.iter().map(EndpointName::as_str), "`stemma deploy` makes one");
        Err(Problem::not_found(format!("there is no endpoint `{endpoint}` in project `{project}`")).hint(hint))
    }

    fn arms(&self, live: &Revision) -> Vec<ArmStatus> {
        let status = |arm: stemma_core::route::Arm<'_>| {
            let stats = self.gateway().arm_stats(&live.endpoint, &arm_key(live, arm.variant));
            ArmStatus {
                variant: arm.variant.to_owned(),
                share: arm.share,
                versions: arm.serves.targets().map(|one| format!("{}@{}", one.model, one.version)).collect(),
                answered: stats.as_ref().map_or(0, |stats| stats.answered),
                failed: stats.as_ref().map_or(0, |stats| stats.failed),
                latency_us_p50: stats.as_ref().and_then(|stats| stats.latency_us_p50),
                latency_us_p99: stats.as_ref().and_then(|stats| stats.latency_us_p99),
            }
        };
        live.route.arms().into_iter().map(status).collect()
    }

    /// What somebody should look at: overrides that ended, versions that were withdrawn after they were deployed.
    pub(crate) async fn alarms(&self, live: &DeployedRevision) -> Result<Vec<String>, Problem> {
        let revision = &live.revision;
        let now = self.now();
        let ended = revision.overrides.iter().filter(|(_, rule)| rule.is_expired(now));
        let mut alarms: Vec<String> = ended
            .map(|(name, rule)| {
                let since = rule.expires.map(|since| since.to_string()).unwrap_or_default();
                format!("override `{name}` expired at {since} and is ignored; it is owned by {}", rule.owner)
            })
            .collect();
        for target in revision.route.targets() {
            let version = self.find_version(&revision.project, &target.model, &target.version.to_string()).await?;
            if version.stage == Stage::Archived {
                alarms.push(format!("{} is archived and still answers", version.name()));
            }
        }
        Ok(alarms)
    }

    fn endpoint_stats(&self, endpoint: &EndpointName) -> EndpointStats {
        let Some(stats) = self.gateway().endpoint_stats(endpoint) else {
            return EndpointStats::default();
        };
        EndpointStats {
            requests: stats.requests(),
            errors: stats.errors(),
            latency_us_p50: stats.latency_us(0.5),
            latency_us_p99: stats.latency_us(0.99),
        }
    }
}

/// The number that a commit gave to its revision.
pub(crate) fn deployed_number(events: &[Event]) -> Result<u32, Problem> {
    let deployed = events.iter().find_map(|event| match event {
        Event::RevisionDeployed { revision, .. } => Some(revision.number),
        _ => None,
    });
    deployed.ok_or_else(|| Problem::invalid("this request id was used for something else"))
}

fn check_overrides(
    endpoint: &EndpointName,
    overrides: &BTreeMap<String, Override>,
    fitted: &Fitted,
) -> Result<(), Problem> {
    let rules = overrides.iter();
    let mut faults: Vec<String> =
        rules.flat_map(|(name, rule)| rule.faults(name, &fitted.sequence, &fitted.signature)).collect();
    if overrides.len() > OVERRIDES_MAX {
        faults.push(format!("there are {} overrides; at most {OVERRIDES_MAX} are possible", overrides.len()));
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(Refusal::new(format!("the overrides of `{endpoint}` can't work")).missing(faults).into())
}
