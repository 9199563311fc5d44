//! Content that is held elsewhere: in a folder or an object store, in packs of the very format of the local store.
//!
//! ```text
//! packs/<32 hex>.pack            records in one committed group
//! packs/<32 hex>.idx             what the pack holds; without it, a pack is garbage that harms nobody
//! refs/<name>/<20 digits>        one object for each move of a reference       (`refs`)
//! id/<32 hex>                    which remote it is                            (`identity`)
//! backups/<name>                 short objects that say what a copy consists of (`keepsake`)
//! ```
//!
//! What a remote lacks is one round trip: a listing, then the indexes that are new since the last one, then a local
//! comparison (`catalog`). [`push`](Remote::push) writes what is missing as new packs, what is needed before what needs
//! it, so a record that is there proves that the rest is there too. [`pull`](Remote::pull) reads the ranges it needs
//! and takes records in after a check, each decoded once; both go on where an earlier attempt ended.
//!
//! All requests go through one policy of attempts, pauses, patience and memory (`wire`, `policy`).

mod buffers;
mod catalog;
mod error;
mod http;
mod identity;
mod keepsake;
mod location;
mod policy;
mod pull;
mod push;
mod refs;
mod wire;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use object_store::{ObjectStore, multipart::MultipartStore, path::Path as ObjectPath};
use stemma_core::{Digest, Timestamp};

use crate::{error::Result, wire::Wire};

pub use catalog::Catalog;
pub use error::RemoteError;
pub use identity::{Absence, Standing, remember, remembered, was_met};
pub use keepsake::Keepsake;
pub use location::{Environment, Location, Target};
pub use policy::Policy;
pub use pull::{PullOptions, Pulled};
pub use push::{PushPlan, Pushed};
pub use refs::ReferenceMove;

/// Bytes that were moved, and how many there are to move as far as that is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    pub done: u64,
    pub total: u64,
}

/// A remote in a folder or an object store. Clones share its budget of memory.
#[derive(Debug, Clone)]
pub struct Remote {
    wire: Wire,
    root: ObjectPath,
    /// Where copies of the remote's indexes are kept.
    cache: PathBuf,
}

impl Remote {
    /// Makes a client for the place that a target names; nothing is sent yet.
    ///
    /// `environment` is where credentials are looked up, `here` where relative folders begin. A folder is made if `make`
    /// is set.
    pub fn connect(
        target: &Target,
        environment: &Environment,
        here: &Path,
        cache: &Path,
        policy: Policy,
        make: bool,
    ) -> Result<Self> {
        let connected = Location::parse(&target.url)?.connect(target, environment, here, make)?;
        Ok(Self::over(connected.store, connected.multipart, &connected.prefix, cache, policy))
    }

    /// A remote in any object store.
    pub fn over(
        store: Arc<dyn ObjectStore>,
        multipart: Option<Arc<dyn MultipartStore>>,
        prefix: &str,
        cache: &Path,
        policy: Policy,
    ) -> Self {
        let wire = Wire::new(store, multipart, policy);
        Self { wire, root: ObjectPath::from(prefix), cache: cache.to_owned() }
    }

    /// Looks at what the remote holds now.
    pub async fn catalog(&self) -> Result<Arc<Catalog>> {
        Catalog::load(&self.wire, &self.root, &self.cache).await.map(Arc::new)
    }

    /// Where a reference points; `None` if nobody made it yet.
    pub async fn reference(&self, name: &str) -> Result<Option<ReferenceMove>> {
        refs::read(&self.wire, &self.root, name).await
    }

    /// Points a reference at content, if it still is where `from` says.
    pub async fn advance(
        &self,
        name: &str,
        from: Option<&ReferenceMove>,
        digest: Digest,
        by: &str,
        at: Timestamp,
    ) -> Result<ReferenceMove> {
        refs::advance(&self.wire, &self.root, name, from, digest, by, at).await
    }
}
