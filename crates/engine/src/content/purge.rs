//! Purge: content that must go, with the reason for it; the tombstone stays.

use std::{io, time::SystemTime};

use stemma_api::types::{Purge, Purged};
use stemma_core::{Digest, ErrorKind, Problem, event::Event, id::RequestId, name::ProjectName, rights::Action};
use stemma_ledger::RevisionRow;
use tokio::runtime::Handle;

use crate::{
    Caller, Engine, Known, Reference,
    content::collect::{collect_problem, roots::content_roots, version_names, withdraw_grants_of_absent},
    problem::{internal, ledger_problem},
    resolve::resolve,
};

const REASON_CHARS_MAX: usize = 2_000;

impl Engine {
    /// Removes content for good. The fact comes first: from then on nobody reads it, whatever becomes of the rest. What was
    /// cut short is finished when the home is opened next.
    pub async fn purge(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        ask: Purge,
    ) -> Result<Purged, Problem> {
        let reason = reason(&ask.reason)?;
        caller.must_be_proved("purge content")?;
        caller.may(Action::ManageRights, None)?;
        let digest = purgeable(self.known(), project, &ask.content).await?;
        let named_by = version_names(self.known(), project).await?.remove(&digest).unwrap_or_default();
        if !ask.force {
            check_not_live(self.known(), digest).await?;
        }
        self.known().layout().begin_purge(digest)?;
        if self.known().tombstone(digest).await?.is_none() {
            let event = || async move {
                Ok(vec![Event::ContentPurged { project: project.clone(), digest, reason: reason.to_owned() }])
            };
            self.change(caller, request, event).await?;
        }
        let tombstone = self.known().tombstone(digest).await?;
        let tombstone = tombstone.ok_or_else(|| Problem::invalid("this request id was used for something else"))?;
        let report = finish_purge(self, digest).await?;
        Ok(Purged {
            digest,
            reason: tombstone.value.reason,
            by: tombstone.fact.actor.principal,
            at: tombstone.fact.time,
            named_by,
            freed: report.freed.bytes,
            shared: report.shared.bytes,
            complete: report.is_complete(),
        })
    }
}

/// Finishes the purges that a killed process, a writer or damage has cut short. One that never became a fact has not
/// happened. What can't be finished now is tried again at the next opening; nobody reads it meanwhile.
pub(crate) async fn resume_purges(engine: &Engine) -> Result<(), Problem> {
    for digest in engine.known().layout().begun_purges()? {
        if engine.known().tombstone(digest).await?.is_none() {
            engine.known().layout().end_purge(digest)?;
        } else if let Err(problem) = finish_purge(engine, digest).await {
            tracing::warn!(%digest, %problem, "purged content could not be removed yet; nobody reads it");
        }
    }
    Ok(())
}

/// Removes content that a tombstone names, and the note that it is to be removed once nothing of it is left.
async fn finish_purge(engine: &Engine, digest: Digest) -> Result<stemma_store::PurgeReport, Problem> {
    let report = remove_content(engine, digest).await?;
    withdraw_grants_of_absent(engine).await?;
    if report.is_complete() {
        engine.known().layout().end_purge(digest)?;
    }
    Ok(report)
}

async fn purgeable(known: &Known, project: &ProjectName, content: &str) -> Result<Digest, Problem> {
    if let Ok(digest) = content.parse::<Digest>()
        && known.tombstone(digest).await?.is_some()
    {
        return Ok(digest);
    }
    // that a run happened is not taken back; what it read and wrote is content
    if let Ok(Reference::Run(run)) = content.parse() {
        return Err(Problem::invalid(format!("`{run}` is a run, not content"))
            .hint(format!("`stemma show {run}` lists what it read and wrote")));
    }
    Ok(resolve(known, project, content).await?.digest)
}

/// What answers requests must not vanish under them.
async fn check_not_live(known: &Known, digest: Digest) -> Result<(), Problem> {
    let live = known.facts().current_revisions().await.map_err(ledger_problem)?;
    let serves =
        |row: &RevisionRow| row.digest == digest || row.revision.targets().iter().any(|target| target.digest == digest);
    let serving = live.iter().find(|row| serves(&row.value));
    let Some(row) = serving else { return Ok(()) };
    let what = format!("`{digest}` is served by `{}#{}`", row.value.revision.endpoint, row.value.revision.number);
    Err(Problem::new(ErrorKind::Refused, what).hint("deploy another version first, or say `--force`"))
}

async fn remove_content(engine: &Engine, digest: Digest) -> Result<stemma_store::PurgeReport, Problem> {
    let (engine, handle) = (engine.clone(), Handle::current());
    let removed = tokio::task::spawn_blocking(move || {
        engine.promises().forget_old(std::time::Instant::now());
        let mut roots = || content_roots(&engine, &handle, &[]).map_err(io::Error::other);
        engine.known().store().purge(&[digest], &mut roots, SystemTime::now(), &mut |_| {})
    });
    removed.await.map_err(internal)?.map_err(collect_problem)
}

fn reason(given: &str) -> Result<&str, Problem> {
    let reason = given.trim();
    if reason.is_empty() {
        return Err(Problem::invalid("purging needs a reason").hint("say it with `--reason`"));
    }
    if reason.chars().count() > REASON_CHARS_MAX {
        return Err(Problem::invalid(format!("the reason is longer than {REASON_CHARS_MAX} characters")));
    }
    Ok(reason)
}
