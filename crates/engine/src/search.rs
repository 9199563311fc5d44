//! Searching all that is registered, in every project that the caller may read.

mod accepted;
mod blind;
mod cursor;
mod descendants;
mod found;
mod question;

use stemma_api::types::{FoundThings, SearchRegistry};
use stemma_core::Problem;
use stemma_ledger::Search;

use self::question::Question;
use crate::{Caller, Known, problem::ledger_problem};

/// Finds versions and runs. Only projects that the caller may read are looked into at all.
pub async fn search(known: &Known, caller: &Caller, ask: &SearchRegistry) -> Result<FoundThings, Problem> {
    let question = Question::read(known, caller, ask).await?;
    let mut reasons = blind::reasons(known, &question).await?;
    let contracts = match &question.row {
        Some(row) => Some(accepted::contracts(known, &question.projects, row).await?),
        None => None,
    };
    let (descendants, cuts) = descendants::of(known, &question).await?;
    reasons.extend(cuts);
    let looked_for = Search {
        realm: question.realm,
        projects: &question.projects,
        query: question.query.as_ref(),
        contracts: contracts.as_deref(),
        descendants: &descendants,
        order: &question.order,
    };
    let limit = ask.limit.get() as usize;
    let facts = known.facts();
    let (found, next) = facts.search(&looked_for, question.after.as_ref(), limit).await.map_err(ledger_problem)?;
    let counts = match ask.counts {
        true => Some(facts.search_counts(&looked_for).await.map_err(ledger_problem)?),
        false => None,
    };
    Ok(FoundThings {
        realm: question.realm,
        query: question.query.as_ref().map(ToString::to_string),
        order: question.order.to_string(),
        items: found.into_iter().map(found::thing).collect::<Result<_, _>>()?,
        next: next.map(|mark| cursor::write(&mark, &question.fingerprint)),
        projects: question.projects.len() as u64,
        counts: counts.map(found::counts),
        reasons,
    })
}
