use std::collections::BTreeSet;

use clap::Args;
use data_encoding::BASE64;
use stemma_core::{ErrorKind, Problem, event::HistoryAccepted, history::SeenHead, id::HomeId};

use crate::{
    global::Global,
    history::{Remembered, Source},
    print::Output,
    session::{self, Session},
};

/// Go on with a home that is not the one that was remembered here, as after a backup was brought back
///
/// What was remembered and the reason become a fact of the home. This machine and `stemma.heads` then know this history
/// only; others who remember the earlier one say so until they accept it too. It takes an owner's token.
#[derive(Debug, Args)]
pub struct AcceptHeadArgs {
    /// Why the home is another, for those who ask later
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub async fn run(args: AcceptHeadArgs, global: &Global, output: &Output) -> Result<(), Problem> {
    let accepted = session::with(global, async |session| accept(session, &args.reason).await).await?;
    output.result(&accepted, || {
        let (size, seen) = (accepted.remembered_size, accepted.remembered_at);
        format!(
            "the history of {size} events that was seen on {seen} is forgotten here; this is a fact of the home now"
        )
    });
    Ok(())
}

async fn accept(session: &Session, reason: &str) -> Result<HistoryAccepted, Problem> {
    let (watch, source) = (session.watch(), session.source());
    let home = head(source).await?.home;
    let remembered = Remembered::read(watch.memory(), session.workspace.as_ref(), home)?;
    let other = watch.other_home(home)?;
    let departed = remembered.compare(source).await?.1.is_err();
    let of_other = match (other, watch.memory()) {
        (Some(other), Some(memory)) => memory.newest(other)?,
        _ => None,
    };
    let newest = remembered.all().pop().filter(|_| departed).or(of_other);
    let newest = newest.ok_or_else(|| {
        Problem::new(ErrorKind::Conflict, "nothing that is remembered here contradicts the home's history")
            .hint("`stemma audit verify` says what was compared")
    })?;
    let accept = HistoryAccepted {
        remembered_size: newest.signed.size(),
        remembered_root: BASE64.encode(newest.signed.root()),
        remembered_at: newest.seen,
        reason: reason.to_owned(),
    };
    let accepted = session.client.accept_history(&accept).await?;
    forget(session, &head(source).await?, other)?;
    Ok(accepted)
}

async fn head(source: Source<'_>) -> Result<SeenHead, Problem> {
    Ok(source.history(&BTreeSet::new()).await?.head)
}

/// From now on only this head is remembered.
fn forget(session: &Session, head: &SeenHead, other: Option<HomeId>) -> Result<(), Problem> {
    if let Some(memory) = session.watch().memory() {
        memory.remember_only(session.watch().place(), head)?;
    }
    if let Some(workspace) = &session.workspace {
        workspace.remember_only_head(head, other.as_slice())?;
    }
    Ok(())
}
