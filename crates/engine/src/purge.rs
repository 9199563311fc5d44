//! Purge: content that must go, with the reason for it; the tombstone stays.

use std::{io, time::SystemTime};

use stemma_api::types::{Purge, Purged};
use stemma_core::{Digest, ErrorKind, Problem, event::Event, id::RequestId, name::ProjectName, policy::Action};
use stemma_ledger::{Recorded, RevisionRow, Tombstone};
use tokio::runtime::Handle;

use crate::{
    Caller, Engine, Reference, collect::collect_problem, content::no_content, facts::ledger_problem, problem::internal,
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
        let digest = self.purgeable(project, &ask.content).await?;
        let named_by = self.version_names(project).await?.remove(&digest).unwrap_or_default();
        if !ask.force {
            self.check_not_live(digest).await?;
        }
        self.layout().begin_purge(digest)?;
        if self.tombstone(digest).await?.is_none() {
            let event = || async move {
                Ok(vec![Event::ContentPurged { project: project.clone(), digest, reason: reason.to_owned() }])
            };
            self.change(caller, request, event).await?;
        }
        let tombstone = self.tombstone(digest).await?;
        let tombstone = tombstone.ok_or_else(|| Problem::invalid("this request id was used for something else"))?;
        let report = self.finish_purge(digest).await?;
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

    /// Finishes the purges that a killed process, a writer or damage has cut short. One that never became a fact has not
    /// happened. What can't be finished now is tried again at the next opening; nobody reads it meanwhile.
    pub(crate) async fn resume_purges(&self) -> Result<(), Problem> {
        for digest in self.layout().begun_purges()? {
            if self.tombstone(digest).await?.is_none() {
                self.layout().end_purge(digest)?;
            } else if let Err(problem) = self.finish_purge(digest).await {
                tracing::warn!(%digest, %problem, "purged content could not be removed yet; nobody reads it");
            }
        }
        Ok(())
    }

    /// Removes content that a tombstone names, and the note that it is to be removed once nothing of it is left.
    async fn finish_purge(&self, digest: Digest) -> Result<stemma_store::PurgeReport, Problem> {
        let report = self.remove_content(digest).await?;
        self.withdraw_grants_of_absent().await?;
        if report.is_complete() {
            self.layout().end_purge(digest)?;
        }
        Ok(report)
    }

    async fn purgeable(&self, project: &ProjectName, content: &str) -> Result<Digest, Problem> {
        if let Ok(digest) = content.parse::<Digest>()
            && self.tombstone(digest).await?.is_some()
        {
            return Ok(digest);
        }
        // that a run happened is not taken back; what it read and wrote is content
        if let Ok(Reference::Run(run)) = content.parse() {
            return Err(Problem::invalid(format!("`{run}` is a run, not content"))
                .hint(format!("`stemma show {run}` lists what it read and wrote")));
        }
        Ok(self.resolve(project, content).await?.digest)
    }

    /// What answers requests must not vanish under them.
    async fn check_not_live(&self, digest: Digest) -> Result<(), Problem> {
        let live = self.ledger().now().current_revisions().await.map_err(ledger_problem)?;
        let serves = |row: &RevisionRow| {
            row.digest == digest || row.revision.route.targets().iter().any(|target| target.digest == digest)
        };
        let serving = live.iter().find(|row| serves(&row.value));
        let Some(row) = serving else { return Ok(()) };
        let what = format!("`{digest}` is served by `{}#{}`", row.value.revision.endpoint, row.value.revision.number);
        Err(Problem::new(ErrorKind::Refused, what).hint("deploy another version first, or say `--force`"))
    }

    async fn remove_content(&self, digest: Digest) -> Result<stemma_store::PurgeReport, Problem> {
        let (engine, handle) = (self.clone(), Handle::current());
        let removed = tokio::task::spawn_blocking(move || {
            engine.promises().forget_old(std::time::Instant::now());
            let mut roots = || engine.content_roots(&handle, &[]).map_err(io::Error::other);
            engine.store().purge(&[digest], &mut roots, SystemTime::now(), &mut |_| {})
        });
        removed.await.map_err(internal)?.map_err(collect_problem)
    }

    pub(crate) async fn tombstone(&self, digest: Digest) -> Result<Option<Recorded<Tombstone>>, Problem> {
        self.ledger().now().tombstone(digest).await.map_err(ledger_problem)
    }

    /// Refuses to hand out or take in what was removed for good. Who, when and why is for the project where it was.
    pub(crate) async fn check_not_purged(&self, project: &ProjectName, digest: Digest) -> Result<(), Problem> {
        self.check_none_purged(project, &[digest]).await
    }

    pub(crate) async fn check_none_purged(&self, project: &ProjectName, digests: &[Digest]) -> Result<(), Problem> {
        let found = self.ledger().now().any_tombstone(digests).await.map_err(ledger_problem)?;
        let Some(Recorded { value, fact }) = found else { return Ok(()) };
        let digest = value.digest;
        if value.project != *project {
            return Err(no_content(project, digest));
        }
        let (by, at, reason) = (fact.actor.principal, fact.time, value.reason);
        Err(Problem::new(ErrorKind::Gone, format!("content `{digest}` was purged on {at} by {by}: {reason}")))
    }
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
