//! The engine: what all acts share. Bytes first, facts second; decided outside of the transaction.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Instant,
};

use stemma_api::types::{Checkpoint, ContentHealth};
use stemma_core::{Digest, ErrorKind, Problem, event::Event, id::RequestId, name::ProjectName, record::Actor};
use stemma_ledger::{Commit, LedgerError, Outcome, Premise, Premises, Secret};

use crate::{
    access::{AccessTable, Caller},
    changes::check_changes,
    known::{Content, Known},
    problem::{internal, ledger_problem, store_problem},
    promises::Promises,
};

/// How often an act decides anew because somebody else changed something meanwhile.
const ATTEMPTS: usize = 20;

/// Says what the folder around a home needs of its content, beside the facts: states of `stemma.lock` that can be gone
/// back to, and all that they name. Asked anew for each collection; whatever it can't read is an error.
pub type FolderNeeds = dyn Fn() -> Result<BTreeSet<Digest>, Problem> + Send + Sync;

/// Hears of tokens and roles whenever they were read anew.
type AccessListener = Box<dyn Fn(&AccessTable) + Send + Sync>;

/// An open home. Cheap to clone; all clones are the same home.
#[derive(Clone)]
pub struct Engine {
    known: Known,
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    /// Held while roles and tokens are read and swapped, so that an older reading never replaces a newer one.
    rights: tokio::sync::Mutex<()>,
    access_listeners: Mutex<Vec<AccessListener>>,
    /// Program and arguments that serve one model to their input and output, for the sandbox.
    pub(crate) model_server: OnceLock<Vec<std::ffi::OsString>>,
    folder_needs: Option<Arc<FolderNeeds>>,
    promises: Promises,
    /// Held while the heads of other homes are read and written.
    witnessing: Mutex<()>,
    /// What reading content back has found.
    pub(crate) health: Mutex<ContentHealth>,
}

/// Nobody waits for ever for others who change the same.
fn contended() -> Problem {
    Problem::new(ErrorKind::Conflict, "others keep changing the same things at the same time").hint("try again")
}

impl Engine {
    pub(crate) fn new(known: Known, folder_needs: Option<Arc<FolderNeeds>>) -> Self {
        let inner = Inner {
            rights: tokio::sync::Mutex::default(),
            access_listeners: Mutex::default(),
            model_server: OnceLock::new(),
            folder_needs,
            promises: Promises::default(),
            witnessing: Mutex::default(),
            health: Mutex::default(),
        };
        Self { known, inner: Arc::new(inner) }
    }

    /// What the home knows.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// Tells somebody of tokens and roles, now and whenever they change: before the act that changed them is answered.
    pub fn on_access(&self, listener: impl Fn(&AccessTable) + Send + Sync + 'static) {
        let mut listeners = self.access_listeners();
        listener(&self.known().access_table());
        listeners.push(Box::new(listener));
    }

    fn tell_access(&self) {
        // one telling at a time, each of what holds then: nobody is left with what was withdrawn
        let listeners = self.access_listeners();
        let table = self.known().access_table();
        listeners.iter().for_each(|tell| tell(&table));
    }

    fn access_listeners(&self) -> MutexGuard<'_, Vec<AccessListener>> {
        self.inner.access_listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// The signed head of the ledger as it is now.
    pub async fn checkpoint(&self) -> Result<Checkpoint, Problem> {
        let checkpoint = self.known().ledger().checkpoint().await.map_err(ledger_problem)?;
        Ok(Checkpoint { note: checkpoint.note(), key: checkpoint.key().to_string() })
    }

    /// Called before content is put or said to be here, for somebody who will record a reference to it.
    pub(crate) async fn promise_content(&self) -> Result<(), Problem> {
        let engine = self.clone();
        let given = tokio::task::spawn_blocking(move || engine.promises().give(engine.known().store(), Instant::now()));
        given.await.map_err(internal)?.map_err(store_problem)
    }

    /// Stores bytes that we made ourselves and grants them to the project.
    pub async fn put_content(&self, project: &ProjectName, bytes: Vec<u8>) -> Result<Digest, Problem> {
        self.promise_content().await?;
        let store = self.known().store().clone();
        let stored = tokio::task::spawn_blocking(move || store.put_bytes(&bytes));
        let info = stored.await.map_err(internal)?.map_err(store_problem)?;
        let content = Content::of_blob(info);
        self.grant(project, &content).await?;
        Ok(info.digest)
    }

    /// Commits events if what they were decided on is as it was.
    async fn commit_decided(
        &self,
        actor: &Actor,
        request: RequestId,
        premises: Premises,
        events: Vec<Event>,
    ) -> Result<Result<Vec<Event>, Premise>, Problem> {
        if events.is_empty() {
            return Ok(Ok(events));
        }
        let commit = Commit { actor: actor.clone(), request, premises: Some(premises), events, secret: None };
        match self.known().ledger().commit(commit).await.map_err(ledger_problem)? {
            Outcome::Committed { events, .. } => Ok(Ok(events)),
            Outcome::Moved(premise) => Ok(Err(premise)),
        }
    }

    /// Commits what `decide` says, as a change does, with the hash of what lets somebody in by it.
    pub(crate) async fn change_with_secret<D>(
        &self,
        caller: &Caller,
        request: RequestId,
        secret: Secret,
        decide: impl Fn() -> D + Send + Sync,
    ) -> Result<(), Problem>
    where
        D: Future<Output = Result<Vec<Event>, Problem>> + Send,
    {
        let mut turn = None;
        for _ in 0..ATTEMPTS {
            let (premises, events) = self.known().ledger().deciding(Box::pin(decide())).await;
            let (actor, premises, secret) = (caller.actor.clone(), Some(premises), Some(secret.clone()));
            let commit = Commit { actor, request, premises, events: events?, secret };
            match self.known().ledger().commit(commit).await.map_err(ledger_problem)? {
                Outcome::Committed { repeated: false, .. } => return Ok(()),
                // the secret of the first time is gone; nobody can be shown it again
                Outcome::Committed { .. } => {
                    let problem = Problem::new(ErrorKind::Conflict, "this request was done before");
                    return Err(problem.hint("ask again, as a new request"));
                }
                Outcome::Moved(premise) => turn = Some(self.known().ledger().turn(turn, premise).await),
            }
        }
        Err(contended())
    }

    pub async fn seal_runs(&self) -> Result<u64, Problem> {
        self.known().ledger().seal_runs(&Actor::system()).await.map_err(ledger_problem)
    }

    pub(crate) async fn grant(&self, project: &ProjectName, content: &Content) -> Result<(), Problem> {
        self.known().ledger().grant_content(project, content.digest, content.size).await.map_err(ledger_problem)
    }

    pub(crate) async fn grant_all(&self, project: &ProjectName, contents: &[(Digest, u64)]) -> Result<(), Problem> {
        self.known().ledger().grant_contents(project, contents).await.map_err(ledger_problem)
    }

    pub(crate) fn witnessing(&self) -> std::sync::MutexGuard<'_, ()> {
        self.inner.witnessing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn folder_needs(&self) -> Option<&FolderNeeds> {
        self.inner.folder_needs.as_deref()
    }

    pub(crate) fn promises(&self) -> &Promises {
        &self.inner.promises
    }

    /// Commits what `decide` says, decided on the newest facts; returns the events as they stand in the ledger.
    ///
    /// `decide` may read and store content as it likes: nothing is locked meanwhile. If anything that it read of what
    /// events made was changed before the commit, it decides again; it must not read in tasks that it spawns. A request id
    /// that was used before changes and decides nothing: its events are returned, so that a retried request gets the answer
    /// of the first.
    pub async fn change<D>(
        &self,
        caller: &Caller,
        request: RequestId,
        decide: impl Fn() -> D + Send + Sync,
    ) -> Result<Vec<Event>, Problem>
    where
        D: Future<Output = Result<Vec<Event>, Problem>> + Send,
    {
        let decide = || async {
            let events = decide().await?;
            check_changes(self.known(), caller, &events).await?;
            Ok(events)
        };
        self.change_as(&caller.actor, request, decide).await
    }

    /// The same for what the home does by itself: it is asked for no right, and goes on in closed projects.
    pub async fn change_as<D>(
        &self,
        actor: &Actor,
        request: RequestId,
        decide: impl Fn() -> D + Send + Sync,
    ) -> Result<Vec<Event>, Problem>
    where
        D: Future<Output = Result<Vec<Event>, Problem>> + Send,
    {
        if let Some(events) = self.known().committed(actor, request).await? {
            return Ok(events);
        }
        let mut turn = None;
        for _ in 0..ATTEMPTS {
            let (premises, events) = self.known().ledger().deciding(Box::pin(decide())).await;
            match self.commit_decided(actor, request, premises, events?).await? {
                Ok(events) => return Ok(events),
                Err(premise) => turn = Some(self.known().ledger().turn(turn, premise).await),
            }
        }
        Err(contended())
    }

    /// Reads tokens and roles from the ledger anew; every request that comes after it is met by them. If they can't be
    /// read, nobody is let in by a token: one of those that were known may have been withdrawn.
    pub(crate) async fn reload_access(&self) -> Result<(), Problem> {
        let _alone = self.inner.rights.lock().await;
        let read = self.known().access_from_ledger().await;
        let (table, failed) = match read {
            Ok(table) => (table, None),
            Err(problem) => (AccessTable::default(), Some(problem)),
        };
        self.known().keep_access_table(table);
        self.tell_access();
        failed.map_or(Ok(()), Err)
    }

    /// Says what keeps the ledger from taking changes.
    pub async fn try_to_write(&self) -> Result<(), LedgerError> {
        self.known().ledger().try_to_write().await
    }

    /// Lets go of the database. What was done is safe already.
    pub async fn release(&self) {
        self.known().ledger().close().await;
    }

    pub async fn seal_rows(&self) -> Result<u64, Problem> {
        self.known().ledger().seal_rows(&Actor::system()).await.map_err(ledger_problem)
    }
}
