//! The home's history for those who remember a part of it, and the acts on it: another key signs, another history is
//! accepted.

use std::{collections::BTreeSet, path::Path};

use stemma_api::types::History;
use stemma_core::{
    ErrorKind, Problem,
    event::{Event, HistoryAccepted},
    history::{KeySuccession, SeenHead, Today},
    id::{HomeId, RequestId},
    record::Auth,
    rights::Action,
};

use super::at_rest::look_at;
use crate::{Caller, Engine, Layout, problem::ledger_problem};

/// Longest reason that is kept.
const REASON_BYTES_MAX: usize = 2000;

/// What the home of a folder shows of its history as it lies there, and which home it is.
pub async fn look_at_history(layout: &Layout, sizes: &BTreeSet<u64>) -> Result<(HomeId, Today), Problem> {
    let view = look_at(layout).await?;
    let home = match layout.read_home()? {
        Some(file) => file.home,
        None => view.home().await.map_err(ledger_problem)?,
    };
    Ok((home, view.history(sizes).await.map_err(ledger_problem)?))
}

impl Engine {
    /// Signs the head as it is now and proves that sizes are beginnings of it.
    pub async fn history(&self, sizes: &BTreeSet<u64>) -> Result<History, Problem> {
        let shown = self.known().ledger().history(sizes).await.map_err(ledger_problem)?;
        let head = SeenHead::new(shown.head, self.known().now());
        let head = head.map_err(|error| Problem::new(ErrorKind::Internal, error.to_string()))?;
        Ok(History { head, proofs: shown.proofs, successions: shown.successions })
    }

    /// Goes on with this history although somebody remembers another; who, what and why become a fact.
    pub async fn accept_history(
        &self,
        caller: &Caller,
        request: RequestId,
        accept: HistoryAccepted,
    ) -> Result<HistoryAccepted, Problem> {
        check_owner(caller, "to accept a history")?;
        let reason = accept.reason.trim();
        if reason.is_empty() || reason.len() > REASON_BYTES_MAX {
            return Err(Problem::invalid(format!("a reason has from 1 to {REASON_BYTES_MAX} bytes")));
        }
        let event = &Event::HistoryAccepted(HistoryAccepted { reason: reason.to_owned(), ..accept });
        let events = self.change(caller, request, || async move { Ok(vec![event.clone()]) }).await?;
        match events.into_iter().next() {
            Some(Event::HistoryAccepted(accepted)) => Ok(accepted),
            _ => Err(Problem::new(ErrorKind::Conflict, "this request id was used for something else")),
        }
    }

    /// Signs with a new key from now on, in the place of the one before or in a file outside of the home.
    pub async fn rotate_key(
        &self,
        caller: &Caller,
        request: RequestId,
        elsewhere: Option<&Path>,
    ) -> Result<KeySuccession, Problem> {
        check_owner(caller, "to change the signing key")?;
        if let Some(Event::SigningKeyRotated(before)) =
            self.known().committed(&caller.actor, request).await?.and_then(|events| events.into_iter().next())
        {
            return Ok(before);
        }
        let rotated = self.known().ledger().rotate_key(caller.actor.clone(), request, elsewhere).await;
        let succession = rotated.map_err(ledger_problem)?;
        if let Some(path) = elsewhere {
            self.known().layout().keep_signing_key_at(path)?;
        }
        self.checkpoint().await?;
        Ok(succession)
    }
}

fn check_owner(caller: &Caller, act: &str) -> Result<(), Problem> {
    if caller.actor.auth != Auth::Authenticated {
        return Err(Problem::new(ErrorKind::Unauthenticated, format!("{act} needs a credential"))
            .hint("set STEMMA_TOKEN to an owner's token"));
    }
    caller.may(Action::ManageRights, None)
}
