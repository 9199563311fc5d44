//! A home: made once, opened by its owner process.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, RwLock},
};

use stemma_api::types::PolicyState;
use stemma_core::{
    Clock, Digest, ErrorKind, Problem,
    event::Event,
    history,
    id::{HomeId, RequestId, TokenId},
    name::{GateName, ModelName, PrincipalName, ProjectName},
    policy::{GateFault, GateSpec, ModelPolicy, Role},
    record::{Actor, Auth},
};
use stemma_gateway::{Gateway, LogOptions, PredictionLog};
use stemma_ledger::{Commit, Ledger, LedgerAtRest, LedgerOptions, LedgerUrl};
use stemma_store::Store;

use crate::{
    Engine, Inner,
    access::{AccessTable, NewToken, new_token},
    collect::{FolderNeeds, Promises},
    content::store_problem,
    facts::ledger_problem,
    layout::{HOME_FORMAT, HomeFile, Layout},
    ready::Readiness,
    seal::log_problem,
};

/// Events with which a home begins.
const CREATION_EVENTS: u64 = 5;

/// What lies around a home and belongs to it.
#[derive(Default)]
pub struct Surroundings {
    /// The file of the key that signs, outside of the home; without one, the home says which key does.
    pub signing_key: Option<PathBuf>,
    /// Asked before content is removed.
    pub folder_needs: Option<Arc<FolderNeeds>>,
}

impl Engine {
    /// Makes a home in a folder; returns it and its owner's token, which is kept nowhere.
    pub async fn create(root: &Path, owner: PrincipalName, clock: Arc<dyn Clock>) -> Result<(Self, String), Problem> {
        let layout = Layout::new(root);
        if let Some(home) = layout.read_home()? {
            let message = format!("`{}` is a home already ({})", root.display(), home.home);
            return Err(Problem::new(ErrorKind::Conflict, message));
        }
        refuse_history(&layout).await?;
        layout.create_folders()?;
        let home = HomeFile { format: HOME_FORMAT, home: HomeId::generate(), signing_key: None };
        let ledger = open_ledger(&layout, &home, &clock).await?;
        let NewToken { text, hash } = new_token()?;
        let token = TokenId::generate();
        let events = vec![
            Event::HomeCreated { home: home.home, key: Some(ledger.verifier()) },
            Event::ProjectCreated { project: ProjectName::default_project() },
            Event::PrincipalAdded { principal: owner.clone() },
            Event::RoleGranted { principal: owner.clone(), project: None, role: Role::Owner },
            Event::TokenIssued {
                token,
                principal: owner.clone(),
                label: "owner".to_owned(),
                expires: None,
                check: Digest::of(&hash),
            },
        ];
        let commit = Commit {
            actor: Actor { principal: owner, auth: Auth::Asserted },
            request: RequestId::generate(),
            premises: None,
            events,
            token_hash: Some((token, hash)),
        };
        ledger.commit(commit).await.map_err(ledger_problem)?;
        ledger.checkpoint().await.map_err(ledger_problem)?;
        ledger.close().await;
        // last: a folder with this file is a whole home
        layout.write_home(&home)?;
        Ok((Self::open(root, clock).await?, text))
    }

    /// Opens a home. The caller holds its lock.
    pub async fn open(root: &Path, clock: Arc<dyn Clock>) -> Result<Self, Problem> {
        Self::open_with(root, clock, Surroundings::default()).await
    }

    /// The same, with what lies around the home.
    pub async fn open_with(root: &Path, clock: Arc<dyn Clock>, around: Surroundings) -> Result<Self, Problem> {
        let layout = Layout::new(root);
        let Some(mut home) = layout.read_home()? else {
            let problem = Problem::new(ErrorKind::Config, format!("`{}` is no home", root.display()));
            return Err(problem.hint("`stemma init` makes one"));
        };
        layout.create_folders()?;
        home.signing_key = around.signing_key.or(home.signing_key);
        let ledger = open_ledger(&layout, &home, &clock).await?;
        if ledger.now().has_prediction_notes().await.map_err(ledger_problem)? {
            layout.require_prediction_key()?;
        }
        let prediction_key = layout.prediction_key()?;
        let store = Store::open(&layout.content()).map_err(store_problem)?;
        let log =
            PredictionLog::open(&layout.predictions(), prediction_key.clone(), clock.clone(), LogOptions::default());
        let log = log.map_err(log_problem)?;
        for segment in log.recovered().iter().filter(|segment| segment.damage.is_some()) {
            tracing::error!(
                segment = format!("{:016x}", segment.segment),
                "a segment of the prediction log is damaged"
            );
        }
        let gateway = Gateway::new(log.clone(), clock.clone());
        let engine = Self(Arc::new(Inner {
            home: home.home,
            layout,
            clock,
            ledger,
            store,
            log,
            gateway,
            prediction_key,
            access: RwLock::new(Arc::new(AccessTable::default())),
            rights: tokio::sync::Mutex::new(()),
            model_server: std::sync::OnceLock::new(),
            folder_needs: around.folder_needs,
            models: Mutex::new(HashMap::new()),
            promises: Promises::default(),
            witnessing: Mutex::default(),
            health: Mutex::default(),
            readiness: Readiness::default(),
        }));
        engine.reload_access().await?;
        engine.resume_purges().await?;
        Ok(engine)
    }

    /// Declares a model's rules; the model is made if there is none.
    pub async fn set_policy(
        &self,
        caller: &crate::Caller,
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
        caller: &crate::Caller,
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
        caller: &crate::Caller,
        request: RequestId,
        project: &ProjectName,
        policies: BTreeMap<ModelName, ModelPolicy>,
    ) -> Result<BTreeMap<ModelName, PolicyState>, Problem> {
        let wanted = &policies;
        let decide = || async move {
            let mut events = Vec::new();
            for (model, policy) in wanted {
                let known = self.versions_if_any(project, model).await?.is_some();
                if known && self.policy_or_default(project, model).await? == *policy {
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
}

impl Engine {
    /// A policy whose data are named with their numbers: a newer version of a dataset does not change what was declared.
    async fn pinned(&self, project: &ProjectName, mut policy: ModelPolicy) -> Result<ModelPolicy, Problem> {
        if let Some(spec) = &mut policy.evaluation {
            spec.data = self.evaluation_data(project, spec).await?.name;
        }
        for (name, gate) in &mut policy.gates {
            gate.check(policy.evaluation.as_ref()).map_err(|fault| wrong_gate(name, fault))?;
            for data in gate.datasets_mut() {
                let version = self.find_dataset(project, data).await?;
                *data = format!("{}@{}", version.dataset, version.number);
            }
            if let GateSpec::RegressionCases { path, cases } = gate {
                let missing = || {
                    let message = format!("gate `{name}` has no cases: the digest of those in `{path}` is missing");
                    Problem::invalid(message).hint("`stemma policy apply` packs and sends them")
                };
                self.packed_cases(project, cases.ok_or_else(missing)?).await?;
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

/// A ledger without a home's file is one whose making was cut short, unless something happened after it.
async fn refuse_history(layout: &Layout) -> Result<(), Problem> {
    if !layout.ledger().exists() {
        return Ok(());
    }
    let ledger = LedgerAtRest::open(&layout.ledger()).await.map_err(ledger_problem)?;
    match ledger.size().await.map_err(ledger_problem)? {
        0..=CREATION_EVENTS => Ok(()),
        events => {
            let message =
                format!("`{}` is missing, and there is a ledger of {events} events", layout.home_file().display());
            Err(Problem::new(ErrorKind::Corrupt, message)
                .hint("bring the file back from a backup; a new home would hide what was"))
        }
    }
}

async fn open_ledger(layout: &Layout, home: &HomeFile, clock: &Arc<dyn Clock>) -> Result<Ledger, Problem> {
    let options = LedgerOptions {
        url: LedgerUrl::Sqlite(layout.ledger()),
        checkpoints: layout.checkpoints(),
        signing_key: home.signing_key.clone(),
        origin: history::origin(home.home),
        clock: clock.clone(),
    };
    Ledger::open(options).await.map_err(ledger_problem)
}
