//! Collect: what no fact names and nobody is about to name goes; what content takes up is said by version.

pub(crate) mod roots;

use std::{
    collections::BTreeMap,
    io,
    time::{Duration, Instant, SystemTime},
};

use stemma_api::types::{CollectGarbage, ContentUsage, GarbageCollected, GarbageContent, VersionUsage};
use stemma_core::{Digest, ErrorKind, Problem, name::ProjectName};
use stemma_store::{GcOptions, GcReport, StoreError};
use tokio::runtime::Handle;

use crate::{
    Engine, Known,
    content::collect::roots::content_roots,
    problem::{internal, ledger_problem, store_problem},
};

impl Known {
    /// What the versions of a project take up, and how much of that each has to itself.
    pub async fn content_usage(&self, project: &ProjectName) -> Result<ContentUsage, Problem> {
        let names = version_names(self, project).await?;
        let contents: Vec<Digest> = names.keys().copied().collect();
        let store = self.store().clone();
        let measured = tokio::task::spawn_blocking(move || Ok((store.stored_sizes(&contents)?, store.usage()?)));
        let (sizes, total) = measured.await.map_err(internal)?.map_err(store_problem)?;
        let row = |size: stemma_store::ContentSize| VersionUsage {
            names: names.get(&size.digest).cloned().unwrap_or_default(),
            digest: size.digest,
            size: size.plain,
            stored: size.stored,
            own: size.own,
            absent: size.is_absent,
        };
        let mut versions: Vec<VersionUsage> = sizes.into_iter().map(row).collect();
        versions.sort_by(|a, b| b.own.cmp(&a.own).then_with(|| a.names.cmp(&b.names)));
        Ok(ContentUsage { versions, size: total.plain_bytes, stored: total.bytes_on_disk })
    }
}

impl Engine {
    /// Removes content that is named by no fact of the home, by nothing that facts name, and that neither the folder
    /// around the home nor the caller needs. Removes nothing if it can't be told what is needed.
    pub async fn collect_garbage(&self, ask: CollectGarbage) -> Result<GarbageCollected, Problem> {
        let CollectGarbage { dry_run, grace_seconds, keep } = ask;
        let options = GcOptions { grace: Duration::from_secs(grace_seconds), now: SystemTime::now() };
        let (engine, handle) = (self.clone(), Handle::current());
        let collected = tokio::task::spawn_blocking(move || {
            engine.promises().forget_old(Instant::now());
            let mut roots = || content_roots(&engine, &handle, &keep).map_err(io::Error::other);
            match dry_run {
                true => engine.known().store().gc_plan(&roots().map_err(StoreError::Roots)?, &options),
                false => engine.known().store().gc(&mut roots, &options, &mut |_| {}),
            }
        });
        let report = collected.await.map_err(internal)?.map_err(collect_problem)?;
        if !dry_run {
            withdraw_grants_of_absent(self).await?;
        }
        Ok(answer(dry_run, report))
    }
}

/// A grant of what is gone must not make a caller believe that it need not be sent.
pub(crate) async fn withdraw_grants_of_absent(engine: &Engine) -> Result<(), Problem> {
    let mut after = None;
    loop {
        let granted = engine.known().ledger().granted_content(after).await.map_err(ledger_problem)?;
        let Some(last) = granted.last().copied() else { return Ok(()) };
        after = Some(last);
        let store = engine.known().store().clone();
        let absent = tokio::task::spawn_blocking(move || store.missing(&granted)).await.map_err(internal)?;
        if !absent.is_empty() {
            engine.known().ledger().withdraw_grants(&absent).await.map_err(ledger_problem)?;
        }
    }
}

/// The versions of datasets and models by their content.
pub(crate) async fn version_names(
    known: &Known,
    project: &ProjectName,
) -> Result<BTreeMap<Digest, Vec<String>>, Problem> {
    let mut names: BTreeMap<Digest, Vec<String>> = BTreeMap::new();
    for version in known.facts().dataset_versions(project, None).await.map_err(ledger_problem)? {
        let version = version.value;
        names.entry(version.digest).or_default().push(format!("{}@{}", version.dataset, version.number));
    }
    for model in known.facts().models(project).await.map_err(ledger_problem)? {
        let versions = known.facts().versions(project, &model.value).await.map_err(ledger_problem)?;
        for version in versions.unwrap_or_default() {
            let version = version.value.version;
            names.entry(version.digest).or_default().push(format!("{}@{}", version.model, version.number));
        }
    }
    Ok(names)
}

fn answer(dry_run: bool, report: GcReport) -> GarbageCollected {
    let content = |content: stemma_store::ContentSize| GarbageContent {
        digest: content.digest,
        is_tree: content.is_tree,
        size: content.plain,
        own: content.own,
    };
    GarbageCollected {
        dry_run,
        needed: report.live.bytes,
        garbage: report.garbage.bytes,
        freed: report.freed.bytes,
        marked: report.marked.bytes,
        waiting: report.waiting.bytes,
        kept: report.kept.bytes,
        writers: report.leases,
        contents: report.contents.into_iter().take(CONTENTS_SHOWN).map(content).collect(),
        contents_total: report.contents_total,
        damaged: report.damaged.into_iter().map(|damage| damage.what).collect(),
    }
}

const CONTENTS_SHOWN: usize = 1000;

pub(crate) fn collect_problem(error: StoreError) -> Problem {
    match error {
        StoreError::Needed { .. } => Problem::new(ErrorKind::Corrupt, error.to_string())
            .hint("nothing was removed; `stemma verify --repair` brings back what it can, then collect again"),
        StoreError::InUse(_) | StoreError::Collecting(_) => Problem::new(ErrorKind::Unavailable, error.to_string())
            .hint("wait until others have finished, then try again"),
        StoreError::Roots(source) => match source.downcast::<Problem>() {
            Ok(problem) => problem,
            Err(source) => store_problem(StoreError::Roots(source)),
        },
        other => store_problem(other),
    }
}
