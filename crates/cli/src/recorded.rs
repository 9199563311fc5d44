//! A run on its way to the home, by whoever ran it.

use stemma_api::types::{ContentClaim, RecordRun, RunDetail};
use stemma_core::{Problem, record::Actor};
use stemma_workspace::CapturedRun;

use crate::{print::Output, session::Session};

/// A run is recorded by who ran it, as the home knows them.
pub async fn who(session: &Session) -> Result<Actor, Problem> {
    let you = session.client.home().await?.you;
    Ok(Actor { principal: you.principal, auth: you.auth })
}

/// Sends the contents that the record names, and the record.
pub async fn record(session: &Session, captured: &CapturedRun, output: &Output) -> Result<RunDetail, Problem> {
    let contents =
        captured.contents.iter().map(|content| ContentClaim { digest: content.digest, size: content.size, like: None });
    session.ensure_content(&contents.collect::<Vec<_>>(), output).await?;
    let run = RecordRun { record: captured.record.clone(), digest: captured.record_digest };
    session.client.record_run(&session.project, &run).await
}
