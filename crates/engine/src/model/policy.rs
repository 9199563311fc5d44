//! Policy: a model's rules, declared.

use std::collections::BTreeMap;

use stemma_api::types::PolicyState;
use stemma_core::{
    Problem,
    event::Event,
    id::RequestId,
    name::{GateName, ModelName, ProjectName},
    policy::{GateFault, GateSpec, ModelPolicy},
};

use crate::{
    Caller, Engine,
    model::{cases::packed_cases, evaluate::evaluation_data},
};

impl Engine {
    /// Declares a model's rules; the model is made if there is none.
    pub async fn set_policy(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        model: &ModelName,
        policy: ModelPolicy,
    ) -> Result<PolicyState, Problem> {
        caller.must_be_proved("set a policy")?;
        let pinned = BTreeMap::from([(model.clone(), self.pinned(project, policy).await?)]);
        let mut states = self.set_pinned(caller, request, project, pinned).await?;
        Ok(states.remove(model).expect("each model has a state"))
    }

    /// Declares the rules of several models: of all, or of none if one can't be.
    pub async fn set_policies(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        policies: BTreeMap<ModelName, ModelPolicy>,
    ) -> Result<BTreeMap<ModelName, PolicyState>, Problem> {
        caller.must_be_proved("set a policy")?;
        let mut pinned = BTreeMap::new();
        for (model, policy) in policies {
            let policy = self.pinned(project, policy).await.map_err(|problem| {
                let message = format!("no rules were set, for those of `{model}` can't be: {}", problem.message);
                Problem { message, ..problem }
            })?;
            pinned.insert(model, policy);
        }
        self.set_pinned(caller, request, project, pinned).await
    }

    async fn set_pinned(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        policies: BTreeMap<ModelName, ModelPolicy>,
    ) -> Result<BTreeMap<ModelName, PolicyState>, Problem> {
        let wanted = &policies;
        let decide = || async move {
            let mut events = Vec::new();
            for (model, policy) in wanted {
                let known = self.known().versions_if_any(project, model).await?.is_some();
                if known && self.known().policy_or_default(project, model).await? == *policy {
                    continue;
                }
                let (project, model, policy) = (project.clone(), model.clone(), policy.clone());
                if !known {
                    events.push(Event::ModelCreated { project: project.clone(), model: model.clone() });
                }
                events.push(Event::PolicySet { project, model, policy });
            }
            Ok(events)
        };
        let events = self.change(caller, request, decide).await?;
        let is_changed = |wanted: &ModelName| {
            events.iter().any(|event| matches!(event, Event::PolicySet { model, .. } if model == wanted))
        };
        let state = |(model, policy)| {
            let changed = is_changed(&model);
            (model, PolicyState { policy, changed })
        };
        Ok(policies.into_iter().map(state).collect())
    }

    /// A policy whose data are named with their numbers: a newer version of a dataset does not change what was declared.
    async fn pinned(&self, project: &ProjectName, mut policy: ModelPolicy) -> Result<ModelPolicy, Problem> {
        if let Some(signature) = &policy.signature {
            signature.check()?;
        }
        policy.check_people().map_err(Problem::invalid)?;
        if let Some(spec) = &mut policy.evaluation {
            spec.data = evaluation_data(self.known(), project, spec).await?.name;
        }
        for (name, gate) in &mut policy.gates {
            gate.check(policy.evaluation.as_ref()).map_err(|fault| wrong_gate(name, fault))?;
            for data in gate.datasets_mut() {
                let version = self.known().find_dataset(project, data).await?;
                *data = format!("{}@{}", version.dataset, version.number);
            }
            if let GateSpec::RegressionCases { path, cases } = gate {
                let missing = || {
                    let message = format!("gate `{name}` has no cases: the digest of those in `{path}` is missing");
                    Problem::invalid(message).hint("`stemma policy apply` packs and sends them")
                };
                packed_cases(self.known(), project, cases.ok_or_else(missing)?).await?;
            }
        }
        Ok(policy)
    }
}

fn wrong_gate(name: &GateName, fault: GateFault) -> Problem {
    let problem = Problem::invalid(format!("gate `{name}`: {}", fault.message));
    match fault.hint {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}
