//! What there is to know from.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, RwLock, Weak},
};

use stemma_api::types::Fact;
use stemma_core::{Clock, Digest, id::HomeId};
use stemma_ledger::{Ledger, View};
use stemma_onnx::Model;
use stemma_store::Store;

use super::past::Past;
use crate::{access::AccessTable, layout::Layout};

/// What a home knows, now or as of a moment that stays. Cheap to clone; all clones are of the same home.
#[derive(Clone)]
pub struct Known(pub(super) Arc<Sources>, Option<Arc<Past>>);

pub(super) struct Sources {
    pub home: HomeId,
    pub layout: Layout,
    pub clock: Arc<dyn Clock>,
    pub ledger: Ledger,
    pub store: Store,
    pub access: RwLock<Arc<AccessTable>>,
    /// Models in use by digest; forgotten when nobody holds them any more.
    pub models: Mutex<HashMap<Digest, Weak<Model>>>,
}

impl Known {
    pub(crate) fn new(home: HomeId, layout: Layout, clock: Arc<dyn Clock>, ledger: Ledger, store: Store) -> Self {
        let (access, models) = (RwLock::default(), Mutex::default());
        Self(Arc::new(Sources { home, layout, clock, ledger, store, access, models }), None)
    }

    pub(super) fn in_past(&self, past: Arc<Past>) -> Self {
        Self(self.0.clone(), Some(past))
    }

    pub(super) fn past(&self) -> Option<&Past> {
        self.1.as_deref()
    }

    /// The facts of the ledger, as they are now, or were at the moment that is asked about.
    pub(crate) fn facts(&self) -> View {
        self.past().map_or_else(|| self.facts_of_now(), |past| past.facts.clone())
    }

    /// The facts as they are now, whatever is asked about: what may be seen, and what is gone for good.
    pub(crate) fn facts_of_now(&self) -> View {
        self.0.ledger.now()
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.0.ledger
    }

    pub fn store(&self) -> &Store {
        &self.0.store
    }
}

/// A fact in the words of the API.
pub(crate) fn fact(fact: stemma_ledger::Fact) -> Fact {
    Fact { seq: fact.seq, time: fact.time, actor: fact.actor.principal, auth: fact.actor.auth }
}
