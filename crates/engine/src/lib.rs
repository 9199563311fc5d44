//! Each user-visible act, once: what a command or a route asks for happens here, and nowhere else.
//!
//! Acts put bytes into the store first, then commit facts to the ledger in one short transaction. They print nothing,
//! parse no HTTP and hold no SQL.

mod access;
mod approve;
mod audit;
mod blame;
mod bundle;
mod cases;
mod collect;
mod compare;
mod content;
mod data_test;
mod dataset;
mod deploy;
mod evaluate;
mod explain;
mod facts;
mod feedback;
mod folder;
mod gate;
mod history;
mod home;
mod impact;
mod keep;
mod layout;
mod lineage;
mod link;
mod makers;
mod problem;
mod promote;
mod publish;
mod purge;
mod ready;
mod reference;
mod register;
mod replay;
mod reproduce;
mod resolve;
mod revoke;
mod rights;
mod rollback;
mod rollout;
mod rows;
mod scan;
mod seal;
mod table;
mod track;
mod undeploy;
pub mod validate;
mod verify;
mod witness;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, RwLock, Weak},
};

use stemma_core::{
    Clock, Digest, Problem, Timestamp,
    event::Event,
    id::{HomeId, RequestId},
    prediction::PredictionKey,
    record::Actor,
};
use stemma_gateway::{Gateway, PredictionLog};
use stemma_ledger::Ledger;
use stemma_onnx::Model;
use stemma_store::Store;

use crate::{
    access::AccessTable,
    collect::Promises,
    facts::{Moved, ledger_problem},
};
pub use crate::{
    access::{Caller, RoleGrant, TOKEN_PREFIX},
    audit::{HomeNeeds, audit_home, home_needs},
    blame::key_cell,
    collect::FolderNeeds,
    folder::NODE_BYTES_MAX,
    history::look_at_history,
    home::Surroundings,
    layout::{HOME_FORMAT, Layout},
    lineage::AskLineage,
    reference::{Reference, Selector},
    rows::RowSlice,
};

/// How often an act decides anew because somebody else changed something meanwhile.
const ATTEMPTS: usize = 20;

/// An open home. Cheap to clone; all clones are the same home.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    home: HomeId,
    layout: Layout,
    clock: Arc<dyn Clock>,
    ledger: Ledger,
    store: Store,
    log: PredictionLog,
    gateway: Gateway,
    prediction_key: PredictionKey,
    access: RwLock<Arc<AccessTable>>,
    /// Held while roles and tokens are read and swapped, so that an older reading never replaces a newer one.
    rights: tokio::sync::Mutex<()>,
    /// Program and arguments that serve one model to their input and output, for the sandbox.
    model_server: std::sync::OnceLock<Vec<std::ffi::OsString>>,
    folder_needs: Option<Arc<FolderNeeds>>,
    /// Models in use by digest; forgotten when nobody holds them any more.
    models: Mutex<HashMap<Digest, Weak<Model>>>,
    promises: Promises,
    /// Held while the heads of other homes are read and written.
    witnessing: Mutex<()>,
    /// What reading content back has found.
    health: Mutex<stemma_api::types::ContentHealth>,
    readiness: ready::Readiness,
}

impl Engine {
    pub fn home_id(&self) -> HomeId {
        self.0.home
    }

    /// A problem as it may be told to somebody on another machine, or to whoever can't see our files.
    pub fn for_others(&self, problem: Problem) -> Problem {
        let hidden = |text: &String| self.layout().hide_root(text);
        Problem {
            message: hidden(&problem.message),
            hint: problem.hint.as_ref().map(hidden),
            missing: problem.missing.iter().map(hidden).collect(),
            ..problem
        }
    }

    pub fn store(&self) -> &Store {
        &self.0.store
    }

    pub fn gateway(&self) -> &Gateway {
        &self.0.gateway
    }

    /// Who a token belongs to.
    pub fn authenticate(&self, token: &str) -> Result<Caller, Problem> {
        self.access_table().authenticate(token, self.now())
    }

    pub(crate) fn access_table(&self) -> Arc<AccessTable> {
        self.0.access.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    pub(crate) fn witnessing(&self) -> std::sync::MutexGuard<'_, ()> {
        self.0.witnessing.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.0.layout
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.0.ledger
    }

    pub(crate) fn folder_needs(&self) -> Option<&FolderNeeds> {
        self.0.folder_needs.as_deref()
    }

    pub(crate) fn promises(&self) -> &Promises {
        &self.0.promises
    }

    pub(crate) fn log(&self) -> &PredictionLog {
        &self.0.log
    }

    pub(crate) fn prediction_key(&self) -> &PredictionKey {
        &self.0.prediction_key
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Commits what `decide` says, decided on the newest facts; returns the events as they stand in the ledger.
    ///
    /// `decide` may read and store content as it likes: nothing is locked meanwhile. If anything that it read of what
    /// events made was changed before the commit, it decides again; it must not read in tasks that it spawns. A request id that was used before changes and decides nothing:
    /// its events are returned, so that a retried request gets the answer of the first.
    pub(crate) async fn change<D>(
        &self,
        caller: &Caller,
        request: RequestId,
        decide: impl Fn() -> D + Send + Sync,
    ) -> Result<Vec<Event>, Problem>
    where
        D: Future<Output = Result<Vec<Event>, Problem>> + Send,
    {
        self.change_as(&caller.actor, request, decide).await
    }

    pub(crate) async fn change_as<D>(
        &self,
        actor: &Actor,
        request: RequestId,
        decide: impl Fn() -> D + Send + Sync,
    ) -> Result<Vec<Event>, Problem>
    where
        D: Future<Output = Result<Vec<Event>, Problem>> + Send,
    {
        if let Some(events) = self.committed(actor, request).await? {
            return Ok(events);
        }
        for _ in 0..ATTEMPTS {
            let (premises, events) = self.ledger().deciding(decide()).await;
            match self.commit_decided(actor, request, premises, events?).await? {
                Ok(events) => return Ok(events),
                Err(Moved) => continue,
            }
        }
        Err(facts::contended())
    }

    pub(crate) fn loaded_model(&self, digest: Digest) -> Option<Arc<Model>> {
        let models = self.0.models.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        models.get(&digest)?.upgrade()
    }

    pub(crate) fn keep_model(&self, digest: Digest, model: Model) -> Arc<Model> {
        let model = Arc::new(model);
        let mut models = self.0.models.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        models.retain(|_, held| held.strong_count() > 0);
        models.insert(digest, Arc::downgrade(&model));
        model
    }

    /// Reads tokens and roles from the ledger anew; every request that comes after it is met by them. If they can't be
    /// read, nobody is let in by a token: one of those that were known may have been withdrawn.
    pub(crate) async fn reload_access(&self) -> Result<(), Problem> {
        let _alone = self.0.rights.lock().await;
        let read = self.access_from_ledger().await;
        let (table, failed) = match read {
            Ok(table) => (table, None),
            Err(problem) => (AccessTable::default(), Some(problem)),
        };
        *self.0.access.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(table);
        // with the routes as they are: to load models for new ones takes its time
        self.gateway().live().let_in(self.gateway_access());
        failed.map_or(Ok(()), Err)
    }

    /// Finishes and lets go of the database.
    pub async fn close(&self) {
        self.finish().await;
        self.release().await;
    }

    /// Lets go of the database. What was done is safe already.
    pub async fn release(&self) {
        self.ledger().close().await;
    }

    /// Seals what waits and signs the ledger's head.
    pub async fn finish(&self) {
        if self.log().unsealed().len() >= seal::WAITING_SEGMENTS_MAX
            && let Err(problem) = self.seal_predictions().await
        {
            tracing::warn!(%problem, "the prediction log could not be sealed; it will be at the next start");
        }
        if let Err(problem) = self.seal_runs().await {
            tracing::warn!(%problem, "runs could not be sealed; they will be at the next start");
        }
        if let Err(problem) = self.seal_rows().await {
            tracing::warn!(%problem, "feedback and rights could not be sealed; they will be at the next start");
        }
        if let Err(problem) = self.note_predictions().await {
            tracing::warn!(%problem, "what the prediction log holds could not be noted; it will be at the next start");
        }
        if let Err(error) = self.ledger().checkpoint().await.map_err(ledger_problem) {
            tracing::warn!(%error, "the ledger's head could not be signed");
        }
    }
}
