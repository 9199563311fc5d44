//! Reading stored content back in the background, and saying which versions are hit by damage.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    io,
    time::Duration,
};

use stemma_api::types::{
    ContentClaim, ContentHealth, ContentVersions, FoundDamage, VersionInProject, VersionsOfContent,
};
use stemma_core::{Digest, Problem, name::ProjectName};
use stemma_store::{Damage, SampleReport, Store, StoreError, TreeChild};

use crate::{
    Engine, Known,
    problem::{internal, store_problem},
};

/// How often a part is read back.
const ROUND: Duration = Duration::from_secs(30);
const ROUNDS_PER_HOUR: u64 = 3600 / ROUND.as_secs();
/// Most damages that are remembered.
const DAMAGES_MAX: usize = 100;
/// Most digests in one question.
const LIST_MAX: usize = 100_000;

impl Known {
    /// Which versions of a project need contents: are them, or are folders with them in it.
    pub async fn content_versions(
        &self,
        project: &ProjectName,
        list: &[ContentClaim],
    ) -> Result<ContentVersions, Problem> {
        if list.len() > LIST_MAX {
            return Err(Problem::invalid(format!("more than {LIST_MAX} digests in one question")));
        }
        let wanted = list.iter().map(|claim| claim.digest).collect();
        let found = versions_with(self, project, wanted).await?;
        let contents = found.into_iter();
        let contents =
            contents.map(|(digest, versions)| VersionsOfContent { digest, versions: versions.into_iter().collect() });
        Ok(ContentVersions { contents: contents.collect() })
    }
}

impl Engine {
    /// Reads so many stored bytes back in an hour, until it is dropped.
    pub async fn keep_verified(self, bytes_per_hour: u64) {
        self.with_health(|health| health.bytes_per_hour = bytes_per_hour);
        if bytes_per_hour == 0 {
            return;
        }
        let mut rounds = tokio::time::interval_at(tokio::time::Instant::now() + ROUND, ROUND);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let share = (bytes_per_hour / ROUNDS_PER_HOUR).max(1);
        // records are read whole, so a round may read more than its share; the next ones make up for it
        let (mut allowed, mut failed) = (0, false);
        loop {
            rounds.tick().await;
            allowed += share as i64;
            let Some(budget) = u64::try_from(allowed).ok().filter(|budget| *budget > 0) else {
                continue;
            };
            match self.verify_some(budget).await {
                Ok(read) => (allowed, failed) = (allowed.saturating_sub_unsigned(read), false),
                // said once, not twice a minute
                Err(problem) if !failed => {
                    tracing::warn!(%problem, "stored content could not be read back; it is tried again");
                    failed = true;
                }
                Err(_) => {}
            }
        }
    }

    /// Reads about so many stored bytes back, others each time, and remembers what is damaged; returns how many it read.
    pub async fn verify_some(&self, budget_bytes: u64) -> Result<u64, Problem> {
        let now = self.known().now();
        let seed = now.micros() as u64;
        let (store, known) = (self.known().store().clone(), self.content_health().damaged);
        // the one to be looked at again is another one each time
        let again = known.get(seed as usize % known.len().max(1)).cloned();
        let read = tokio::task::spawn_blocking(move || {
            let cured = match &again {
                Some(found) => is_cured(&store, found, budget_bytes)?,
                None => false,
            };
            Ok((again.filter(|_| cured), store.verify_sample(seed, budget_bytes)?))
        });
        let (cured, sample): (_, SampleReport) = read.await.map_err(internal)?.map_err(store_problem)?;
        let new = sample.damaged.into_iter().filter(|damage| !known.iter().any(|one| is_same(one, damage)));
        let mut new: Vec<Damage> = new.collect();
        let is_cut = known.len() + new.len() > DAMAGES_MAX;
        new.truncate(DAMAGES_MAX);
        let mut found = Vec::new();
        for damage in new {
            found.push(self.found(damage).await?);
        }
        self.with_health(|health| {
            health.last_checked = Some(now);
            health.records += sample.records;
            health.bytes += sample.bytes;
            health.damaged.retain(|one| cured.as_ref().is_none_or(|cured| one != cured));
            health.damaged.extend(found);
            health.damaged.truncate(DAMAGES_MAX);
            health.is_cut |= is_cut;
        });
        Ok(sample.bytes)
    }

    /// What was found since this home was opened.
    pub fn content_health(&self) -> ContentHealth {
        self.with_health(|health| health.clone())
    }

    fn with_health<T>(&self, act: impl FnOnce(&mut ContentHealth) -> T) -> T {
        act(&mut self.inner.health.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Names what is hit by a damage, and tells the log.
    async fn found(&self, damage: Damage) -> Result<FoundDamage, Problem> {
        let mut versions = Vec::new();
        if let Some(digest) = damage.digest {
            for project in self.known().projects() {
                let named = versions_with(self.known(), &project, HashSet::from([digest])).await?;
                let named = named.into_values().flatten();
                versions.extend(named.map(|version| VersionInProject { project: project.clone(), version }));
            }
        }
        let names: Vec<String> = versions.iter().map(|one| format!("{} in {}", one.version, one.project)).collect();
        tracing::error!(
            digest = damage.digest.map(|digest| digest.to_string()),
            pack = damage.pack,
            offset = damage.offset,
            what = damage.what,
            versions = names.join(", "),
            "stored content is damaged; `stemma verify --repair` puts back what can be had elsewhere"
        );
        let Damage { digest, pack, offset, what } = damage;
        Ok(FoundDamage { found: self.known().now(), digest, pack, offset, what, versions })
    }
}

async fn versions_with(
    known: &Known,
    project: &ProjectName,
    wanted: HashSet<Digest>,
) -> Result<BTreeMap<Digest, BTreeSet<String>>, Problem> {
    let versions = version_contents(known, project).await?;
    let store = known.store().clone();
    let found = tokio::task::spawn_blocking(move || {
        let mut found: BTreeMap<Digest, BTreeSet<String>> = BTreeMap::new();
        for (content, names) in versions {
            for digest in parts_wanted(&store, content, &wanted)? {
                found.entry(digest).or_default().extend(names.iter().cloned());
            }
        }
        Ok(found)
    });
    found.await.map_err(internal)?.map_err(store_problem)
}

/// The names of all dataset and model versions of a project, by what they are.
async fn version_contents(known: &Known, project: &ProjectName) -> Result<BTreeMap<Digest, Vec<String>>, Problem> {
    let mut versions: BTreeMap<Digest, Vec<String>> = BTreeMap::new();
    for one in known.all_dataset_versions(project).await? {
        versions.entry(one.digest).or_default().push(format!("{}@{}", one.dataset, one.number));
    }
    for model in known.models(project).await? {
        for one in known.versions_if_any(project, &model.model).await?.unwrap_or_default() {
            versions.entry(one.digest).or_default().push(one.name());
        }
    }
    Ok(versions)
}

fn is_same(found: &FoundDamage, damage: &Damage) -> bool {
    (&found.digest, &found.pack, found.offset) == (&damage.digest, &damage.pack, damage.offset)
}

/// Whether what was damaged is whole again or gone; what is too long to be looked at again counts as damaged.
fn is_cured(store: &Store, found: &FoundDamage, budget_bytes: u64) -> Result<bool, StoreError> {
    if let Some(pack) = &found.pack {
        // a pack is never mended, only replaced
        return Ok(!store.root().join("packs").join(pack).exists());
    }
    let Some(digest) = found.digest else {
        return Ok(false);
    };
    match store.info(&digest) {
        Ok(Some(blob)) if blob.size > budget_bytes => return Ok(false),
        Ok(_) => {}
        Err(StoreError::Corrupt { .. }) => return Ok(false),
        Err(error) => return Err(error),
    }
    let whole = store.open_blob(&digest).and_then(|mut reader| {
        io::copy(&mut reader, &mut io::sink()).map_err(StoreError::Source)?;
        Ok(())
    });
    match whole {
        Ok(()) => Ok(true),
        Err(StoreError::NotFound(_)) => Ok(!store.contains(&digest) || store.tree_children(&digest).is_ok()),
        Err(StoreError::Corrupt { .. } | StoreError::Source(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Which of the wanted contents one is or has in it. What can't be read has nothing in it.
fn parts_wanted(store: &Store, content: Digest, wanted: &HashSet<Digest>) -> Result<Vec<Digest>, StoreError> {
    let mut parts = BTreeSet::new();
    let (mut nodes, mut seen) = (vec![content], HashSet::new());
    while let Some(node) = nodes.pop() {
        if !seen.insert(node) {
            continue;
        }
        parts.extend(wanted.get(&node));
        let children = match store.tree_children(&node) {
            Err(StoreError::NotFound(_) | StoreError::Corrupt { .. }) => continue,
            children => children?,
        };
        for child in children {
            match child {
                TreeChild::Node(node) => nodes.push(node),
                TreeChild::File { digest, .. } => parts.extend(wanted.get(&digest)),
            }
        }
    }
    Ok(parts.into_iter().collect())
}
