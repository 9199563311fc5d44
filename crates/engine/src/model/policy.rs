//! Policy: a model's rules, declared.

use std::collections::{BTreeMap, BTreeSet};

use stemma_api::types::PolicyState;
use stemma_core::{
    Problem,
    event::Event,
    id::RequestId,
    meaning::Thing,
    name::{AliasName, GateName, ModelName, ProjectName},
    policy::{GateFault, GateSpec, ModelPolicy},
};

use crate::{
    Caller, Engine, Known,
    meaning::news::news,
    model::{cases::packed_cases, evaluate::evaluation_data, names::check_alias},
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
                let mut policy = policy.clone();
                let said = policy.take_said();
                let said = news(self.known(), project, &Thing::Model(model.clone()), &said).await?;
                let holds = self.known().policy_or_default(project, model).await?;
                let changes = !known || holds != policy;
                if changes {
                    check_aliases(self.known(), project, model, &holds, &policy).await?;
                }
                if !known {
                    events.push(Event::ModelCreated { project: project.clone(), model: model.clone() });
                }
                if changes {
                    events.push(Event::PolicySet { project: project.clone(), model: model.clone(), policy });
                }
                events.extend(said);
            }
            Ok(events)
        };
        let events = self.change(caller, request, decide).await?;
        let is_changed = |wanted: &ModelName| {
            events.iter().any(|event| match event {
                Event::PolicySet { model, .. } | Event::ModelDescribed { model, .. } => model == wanted,
                _ => false,
            })
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
        if let Some(importance) = &policy.importance {
            importance.check().map_err(|(key, message)| Problem::invalid(format!("importance `{key}`: {message}")))?;
        }
        policy.require.check().map_err(Problem::invalid)?;
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

/// An alias that a promotion is to move must be free. One that was declared before may go on.
async fn check_aliases(
    known: &Known,
    project: &ProjectName,
    model: &ModelName,
    holds: &ModelPolicy,
    wanted: &ModelPolicy,
) -> Result<(), Problem> {
    let declared = |policy: &ModelPolicy| -> BTreeSet<AliasName> {
        policy.promotions.values().filter_map(|rule| rule.alias.clone()).collect()
    };
    for alias in declared(wanted).difference(&declared(holds)) {
        check_alias(known, project, model, alias).await.map_err(|problem| {
            let message = format!("no rules were set, for those of `{model}` can't be: {}", problem.message);
            Problem { message, ..problem }
        })?;
    }
    Ok(())
}

fn wrong_gate(name: &GateName, fault: GateFault) -> Problem {
    let problem = Problem::invalid(format!("gate `{name}`: {}", fault.message));
    match fault.hint {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}
