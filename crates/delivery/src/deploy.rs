//! Deploy: a new immutable revision answers for an endpoint from the moment it is committed.

use std::collections::BTreeMap;

use stemma_api::types::{Deploy, DeployedRevision};
use stemma_core::{
    Problem, Refusal, canonical,
    composition::{Sequence, StepSpec},
    event::Event,
    id::RequestId,
    name::{EndpointName, ProjectName},
    overrule::{OVERRIDES_MAX, Override},
    route::{Revision, Route},
    signature::Signature,
    target::Target,
};
use stemma_engine::{Caller, problem::internal, resolve::find_model_reference};

use crate::{
    Delivery,
    publish::republish_routes,
    rollout::{check_weight, keeps_canary},
    standing::{may_serve, may_try},
};

/// A sequence whose steps fit, and its contract.
struct Fitted {
    sequence: Sequence,
    signature: Signature,
}

impl Delivery {
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
        let events = self.engine().change(caller, request, decide).await?;
        let number = deployed_number(&events)?;
        republish_routes(self).await?;
        self.known().revision(endpoint, number).await
    }

    async fn deployment_events(
        &self,
        project: &ProjectName,
        endpoint: &EndpointName,
        deploy: &Deploy,
    ) -> Result<Vec<Event>, Problem> {
        let stable = self.fit(project, endpoint, deploy, &deploy.spec.steps).await?;
        for target in stable.sequence.targets() {
            may_serve(self.known(), project, target).await?;
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
            && let Some(live) = self.known().live_revision_if_any(endpoint).await?
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
        events.push(revision_event(self, project, revision, &deploy.reason).await?);
        Ok(events)
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
            let version = find_model_reference(self.known(), project, &step.model).await?;
            models.push(self.known().load_model(version.digest).await?);
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
        let version = find_model_reference(self.known(), project, canary).await?;
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
            may_try(self.known(), project, target).await?;
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
        match self.known().endpoint_if_any(endpoint).await? {
            Some(found) if found.project != *project => {
                let message = format!("the name `{endpoint}` is taken by an endpoint of another project");
                Err(Refusal::new(message).hint("endpoint names are unique in a home; choose another").into())
            }
            Some(found) => Ok((Vec::new(), found.ordinal, found.revisions + 1)),
            None => {
                let ordinal = self.known().next_endpoint_ordinal().await?;
                let (project, endpoint) = (project.clone(), endpoint.clone());
                Ok((vec![Event::EndpointCreated { project, endpoint, ordinal }], ordinal, 1))
            }
        }
    }
}

/// Stores a revision's body, then tells that it was deployed.
pub(crate) async fn revision_event(
    delivery: &Delivery,
    project: &ProjectName,
    mut revision: Revision,
    reason: &str,
) -> Result<Event, Problem> {
    revision.make_fit();
    let (digest, bytes) = canonical::digest(&revision).map_err(internal)?;
    delivery.engine().put_content(project, bytes).await?;
    Ok(Event::RevisionDeployed { revision, digest, reason: reason.to_owned() })
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
