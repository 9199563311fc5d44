//! Bringing content from a remote into a store.
//!
//! Recipes come first, since they tell which chunks are needed. Those come in stretches of a few MiB in the order in which
//! the contents are read by them (`deliver`), so that each chunk is decoded once: it is checked, committed, and read for
//! the content that it belongs to. A recipe is believed only when its whole content has been read by it.

mod arrivals;
mod deliver;
mod fetch;
mod options;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use stemma_core::Digest;
use stemma_store::{Incoming, Record, RecordId, RecordKind, Store};

pub use self::options::PullOptions;
use self::{
    arrivals::Arrivals,
    deliver::{deliver, plan},
    fetch::{Fetched, Source},
};
use crate::{Progress, Remote, catalog::Catalog, error::Result};

/// Recipes that are brought together.
const WINDOW: usize = 1024;

/// What was brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pulled {
    /// Blobs and trees that were not here before.
    pub contents: u64,
    /// Bytes that were read from packs.
    pub bytes: u64,
    /// What the remote does not have either; everything else was brought all the same.
    pub absent: Vec<Digest>,
}

impl Remote {
    /// Brings content, for trees with all that they name. What has arrived stays, so that after an interruption only
    /// the rest is brought.
    pub async fn pull(
        &self,
        store: &Store,
        catalog: &Arc<Catalog>,
        contents: &[Digest],
        options: PullOptions,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Pulled> {
        // nothing that is found or brought may be collected before the caller is told
        let lease = store.lease()?;
        let mut pull = Pull {
            source: Source::new(self, catalog, store, options),
            options,
            pulled: Pulled::default(),
            arrivals: Arrivals::new(progress),
        };
        pull.all(contents).await?;
        drop(lease);
        Ok(Pulled { bytes: pull.arrivals.bytes, ..pull.pulled })
    }
}

struct Pull<'a> {
    source: Source,
    options: PullOptions,
    pulled: Pulled,
    arrivals: Arrivals<'a>,
}

impl Pull<'_> {
    async fn all(&mut self, contents: &[Digest]) -> Result<()> {
        let mut seen = HashSet::new();
        let mut level = Vec::new();
        for digest in contents {
            let recipes = self.recipes(digest);
            if recipes.is_empty() {
                self.pulled.absent.push(*digest);
            }
            level.extend(recipes.into_iter().filter(|id| seen.insert(*id)));
        }
        // a tree counts as here only when all that it names is
        let mut trees = Vec::new();
        while !level.is_empty() {
            let mut below = Vec::new();
            for window in level.chunks(WINDOW) {
                let members = self.window(window, &mut trees).await?;
                below.extend(members.into_iter().filter(|id| seen.insert(*id)));
            }
            level = below;
        }
        trees.reverse();
        let trees = self.complete(trees)?;
        self.pulled.contents += trees.len() as u64;
        self.source.settle().await?;
        self.import(trees).await
    }

    /// Leaves out trees that name what is nowhere; of two trees the one that the other names comes first.
    fn complete(&mut self, trees: Vec<Record>) -> Result<Vec<Record>> {
        if self.pulled.absent.is_empty() || self.options.as_they_are {
            return Ok(trees);
        }
        let mut absent: HashSet<Digest> = self.pulled.absent.iter().copied().collect();
        let mut complete = Vec::with_capacity(trees.len());
        for tree in trees {
            if self.source.store.members_by(&tree)?.iter().any(|member| absent.contains(&member.digest)) {
                absent.insert(tree.id().digest);
                self.pulled.absent.push(tree.id().digest);
            } else {
                complete.push(tree);
            }
        }
        Ok(complete)
    }

    /// The recipes of this name, here or at the remote.
    fn recipes(&self, digest: &Digest) -> Vec<RecordId> {
        let Source { store, catalog, .. } = &self.source;
        let ids = [RecordKind::Blob, RecordKind::Tree].map(|kind| RecordId::new(kind, *digest));
        ids.into_iter().filter(|id| store.has_record(id) || catalog.has(id)).collect()
    }

    /// Brings blobs of these names, and the parts of trees; returns what the trees name, and adds those that are new to
    /// `trees`.
    async fn window(&mut self, ids: &[RecordId], trees: &mut Vec<Record>) -> Result<Vec<RecordId>> {
        let wanted = match self.options.repair {
            true => ids.to_vec(),
            false => self.source.lacking(ids.to_vec()).await?,
        };
        let Source { store, catalog, .. } = self.source.clone();
        let (there, not_there): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|id| catalog.has(id));
        let lost = not_there.iter().filter(|id| !store.has_record(id));
        self.pulled.absent.extend(lost.map(|id| id.digest));
        let recipes = self.records(there).await?;
        let (new_trees, blobs): (Vec<_>, Vec<_>) =
            recipes.into_iter().partition(|record| record.id().kind == RecordKind::Tree);
        self.pulled.contents += blobs.len() as u64;
        self.contents(blobs, &new_trees).await?;
        let mut members = Vec::new();
        for tree in &new_trees {
            members.extend(store.members_by(tree)?);
        }
        let brought: HashSet<RecordId> = new_trees.iter().map(Record::id).collect();
        let held = |id: &&RecordId| id.kind == RecordKind::Tree && !brought.contains(id) && store.has_record(id);
        for tree in ids.iter().filter(held) {
            members.extend(store.members(&tree.digest)?);
        }
        trees.extend(new_trees);
        Ok(members)
    }

    /// Brings blobs with all that they need, and what trees are put together from.
    async fn contents(&mut self, blobs: Vec<Record>, trees: &[Record]) -> Result<()> {
        let is_page = |id: &&RecordId| id.kind == RecordKind::Page;
        let pages: HashSet<RecordId> =
            blobs.iter().chain(trees).flat_map(Record::needs).filter(is_page).copied().collect();
        let pages = self.records(pages.into_iter().collect()).await?;
        let pages: HashMap<RecordId, Record> = pages.into_iter().map(|page| (page.id(), page)).collect();
        let incoming = |recipe| Ok(Arc::new(Incoming::new(recipe, &pages)?));
        let blobs = blobs.into_iter().map(incoming).collect::<Result<Vec<_>>>()?;
        let parts = trees.iter().flat_map(Record::needs);
        let mut tree_chunks: Vec<RecordId> = parts.clone().filter(|id| !is_page(id)).copied().collect();
        let of_pages = parts.filter_map(|id| pages.get(id)).flat_map(Record::needs);
        tree_chunks.extend(of_pages);
        let planned = plan(&blobs, &tree_chunks);
        deliver(&self.source, &mut self.arrivals, pages.into_values().collect(), planned).await
    }

    /// Fetches records and holds them; only for recipes and their pages.
    async fn records(&mut self, ids: Vec<RecordId>) -> Result<Vec<Record>> {
        let len = self.source.bytes_of(&ids);
        let room = self.source.remote.wire.budget.take(len).await;
        self.arrivals.expect(len);
        let mut fetched = Fetched::default();
        self.source.fetch(ids, &mut fetched).await?;
        self.arrivals.add(&fetched);
        drop(room);
        Ok(fetched.records)
    }

    /// Takes records in and commits them.
    async fn import(&self, records: Vec<Record>) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let mut batch = self.source.batch();
        let imported = tokio::task::spawn_blocking(move || {
            records.iter().try_for_each(|record| batch.import(record))?;
            batch.commit()
        });
        Ok(imported.await??)
    }
}
