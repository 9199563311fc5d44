//! Deploy: a new immutable revision answers for an endpoint from the moment it is committed.

use std::collections::BTreeMap;

use stemma_api::types::{Deploy, DeployedRevision};
use stemma_core::{
    Problem, Refusal,
    endpoint::{
        graph::{Graph, StepSpec},
        overrule::{OVERRIDES_MAX, Override},
        revision::{Arm, Forcing, REVISION_VERSION, Revision, UnitSource, arm, canary_salt},
        route::Route,
        target::Target,
    },
    event::Event,
    id::RequestId,
    name::{EndpointName, ProjectName},
    signature::Signature,
};
use stemma_engine::{Caller, problem::internal, resolve::find_model_reference};

use crate::{
    Delivery,
    publish::republish_routes,
    revision::{check_weight, deployed_number, keeps_canary, revision_event},
    standing::{may_serve, may_try, note_let_in},
};

/// A graph whose steps fit, and its contract.
struct Fitted {
    graph: Graph,
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
        for target in stable.graph.targets() {
            may_serve(self.known(), project, target).await?;
        }
        check_overrides(endpoint, &deploy.spec.overrides, &stable)?;
        let signature = stable.signature.clone();
        let (mut arms, route) = self.divide(project, endpoint, deploy, stable).await?;
        for arm in &mut arms {
            note_let_in(self.known(), project, &mut arm.graph).await?;
        }
        let (mut events, ordinal, number) = self.next_place(project, endpoint).await?;
        let revision = Revision {
            v: REVISION_VERSION,
            project: project.clone(),
            endpoint: endpoint.clone(),
            ordinal,
            number,
            arms,
            route,
            unit: UnitSource::Named,
            force: Forcing::Off,
            overrides: deploy.spec.overrides.clone(),
            signature,
            log: deploy.spec.log,
        };
        if !deploy.end_canary
            && let Some(live) = self.known().live_revision_if_any(endpoint).await?
        {
            keeps_canary(&live.revision, Some(&revision))?;
        }
        events.push(revision_event(self, project, revision, &deploy.reason).await?);
        Ok(events)
    }

    /// The arms, and who is answered by which.
    async fn divide(
        &self,
        project: &ProjectName,
        endpoint: &EndpointName,
        deploy: &Deploy,
        stable: Fitted,
    ) -> Result<(Vec<Arm>, Route), Problem> {
        let named = |name: &str, graph| Arm { name: name.to_owned(), graph };
        let Some(canary) = &deploy.canary else {
            let route = Route::single(arm::SINGLE, endpoint.to_string());
            return Ok((vec![named(arm::SINGLE, stable.graph)], route));
        };
        check_weight(canary.weight_percent)?;
        let tried = self.fit_canary(project, endpoint, deploy, &canary.model, &stable).await?;
        // another canary is tried on other units
        let salt = canary_salt(endpoint, &tried).map_err(internal)?;
        let route = Route::canary(arm::STABLE, arm::CANARY, canary.weight_percent, salt);
        Ok((vec![named(arm::STABLE, stable.graph), named(arm::CANARY, tried)], route))
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
            models.push(self.known().load_version(&version).await?);
            targets.push(Target { model: version.model, version: version.number, digest: version.digest });
        }
        let signatures: Vec<&Signature> = models.iter().map(|model| model.signature()).collect();
        let named = steps.iter().cloned().zip(targets).zip(&signatures);
        let named = named.map(|((step, target), signature)| (step, target, *signature)).collect();
        let fitted = Graph::resolve(named, &deploy.spec.outputs)
            .and_then(|graph| graph.signature(&signatures).map(|signature| Fitted { graph, signature }));
        fitted.map_err(|faults| {
            let refusal = Refusal::new(format!("the steps of `{endpoint}` do not fit together"));
            refusal.missing(faults).hint(format!("see `[endpoint.{endpoint}]` in stemma.toml")).into()
        })
    }

    /// The graph with the canary's version in place of the version of its model.
    async fn fit_canary(
        &self,
        project: &ProjectName,
        endpoint: &EndpointName,
        deploy: &Deploy,
        canary: &str,
        stable: &Fitted,
    ) -> Result<Graph, Problem> {
        let version = find_model_reference(self.known(), project, canary).await?;
        let mut steps = deploy.spec.steps.clone();
        let mut replaced = false;
        for (step, known) in steps.iter_mut().zip(stable.graph.targets()) {
            if known.model == version.model {
                step.model = version.name();
                replaced = true;
            }
        }
        if !replaced {
            let models: Vec<&str> = stable.graph.targets().map(|target| target.model.as_str()).collect();
            let message = format!("endpoint `{endpoint}` asks no model `{}`", version.model);
            return Err(Problem::invalid(message).hint(format!("it asks {}", models.join(", "))));
        }
        let tried = self.fit(project, endpoint, deploy, &steps).await?;
        if tried.graph == stable.graph {
            let message = format!("{} answers behind `{endpoint}` already", version.name());
            return Err(Refusal::new(message).hint("try another version out").into());
        }
        for target in tried.graph.targets() {
            may_try(self.known(), project, target).await?;
        }
        let changes = stable.signature.changes_to(&tried.signature);
        let breaking: Vec<String> = changes.into_iter().filter(|one| one.breaking).map(|one| one.what).collect();
        if breaking.is_empty() {
            return Ok(tried.graph);
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

fn check_overrides(
    endpoint: &EndpointName,
    overrides: &BTreeMap<String, Override>,
    fitted: &Fitted,
) -> Result<(), Problem> {
    let rules = overrides.iter();
    let mut faults: Vec<String> =
        rules.flat_map(|(name, rule)| rule.faults(name, &fitted.graph, &fitted.signature)).collect();
    if overrides.len() > OVERRIDES_MAX {
        faults.push(format!("there are {} overrides; at most {OVERRIDES_MAX} are possible", overrides.len()));
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(Refusal::new(format!("the overrides of `{endpoint}` can't work")).missing(faults).into())
}
