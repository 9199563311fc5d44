//! Which rows of the evaluation data the producing run read: a model must not be judged on what it learned from.
//!
//! Each input is searched ([`search`]), or can't hold rows by what it is ([`clear`]), or is named as not searched.

mod beside;
mod clear;
mod columns;
mod labels;
mod mixed;
mod named;
mod search;
mod source;
mod wanted;

use std::collections::{HashMap, HashSet};

use stemma_core::{
    Digest, Problem,
    leak::{LeakSearch, SearchOutcome, SearchedInput},
    record::{FileRef, RunRecord},
};
use stemma_store::Store;
use stemma_table::Source;

pub use self::beside::look_beside;
use self::{named::NamedFiles, search::Found, source::open, wanted::Wanted};
use super::evaluation::EvaluationData;
use crate::{Known, problem::internal};

/// Most bytes of a run's inputs that are searched for one evaluation.
const SEARCHED_BYTES_MAX: u64 = 64 << 30;

/// Which rows leak, and how they were looked for.
pub struct Leaks {
    pub rows: Vec<bool>,
    pub search: LeakSearch,
}

/// Searches all that the run read for rows of the data, and for the files that rows name; of what the names stood for,
/// the run that `answered` about them tells.
pub(crate) async fn leaks(
    known: &Known,
    data: &EvaluationData,
    run: Option<&RunRecord>,
    answered: Option<&RunRecord>,
) -> Result<Leaks, Problem> {
    search_all(known, data, run, Some(NamedFiles::of(answered))).await
}

/// Searches all that the run read for rows of the data; it may have read the files that rows name.
pub(crate) async fn leaked_rows(known: &Known, data: &EvaluationData, run: &RunRecord) -> Result<Leaks, Problem> {
    search_all(known, data, Some(run), None).await
}

async fn search_all(
    known: &Known,
    data: &EvaluationData,
    run: Option<&RunRecord>,
    named: Option<NamedFiles>,
) -> Result<Leaks, Problem> {
    let inputs = run.map(|run| run.inputs.clone()).unwrap_or_default();
    let search = LeakSearch::of(run);
    let target = data.target_column()?;
    let (store, table, digest) = (known.store().clone(), data.table.clone(), data.digest);
    let search = move || {
        let wanted = Wanted::of(table, target);
        let mut searching = Searching { store: &store, wanted: &wanted, data: digest, left: SEARCHED_BYTES_MAX };
        let mut leaks = searching.all(&inputs, search);
        if let Some(named) = named {
            named.mark(&inputs, &wanted.table, &mut leaks.rows, &mut leaks.search);
        }
        leaks
    };
    tokio::task::spawn_blocking(search).await.map_err(internal)
}

struct Searching<'a> {
    store: &'a Store,
    wanted: &'a Wanted,
    data: Digest,
    left: u64,
}

impl Searching<'_> {
    fn all(&mut self, inputs: &[FileRef], mut search: LeakSearch) -> Leaks {
        let mut leaky = vec![false; self.wanted.row_count()];
        let mut seen = HashSet::new();
        let mut tables: HashMap<Digest, Found> = HashMap::new();
        for input in inputs.iter().filter(|input| seen.insert(input.digest)) {
            let outcome = match self.one(input) {
                Ok(Looked::Table(found)) => {
                    found.mark(&mut leaky);
                    let outcome = outcome(&found, input);
                    tables.insert(input.digest, *found);
                    outcome
                }
                Ok(Looked::Same) => {
                    leaky.fill(true);
                    let rows = leaky.len() as u64;
                    SearchOutcome::Searched {
                        format: "the same bytes".to_owned(),
                        rows,
                        found: rows,
                        without_target: 0,
                    }
                }
                Ok(Looked::NoTable(why)) => SearchOutcome::NoTable { why },
                Err(why) => SearchOutcome::NotSearched { why },
            };
            search.inputs.push(SearchedInput { path: input.path.clone(), digest: input.digest, outcome });
        }
        self.join_labels(&tables, &mut search, &mut leaky);
        Leaks { rows: leaky, search }
    }

    /// Looks at one input; `Err` says why that was not possible.
    fn one(&mut self, input: &FileRef) -> Result<Looked, String> {
        if input.digest == self.data {
            return Ok(Looked::Same);
        }
        self.left = self.left.checked_sub(input.size).ok_or_else(|| {
            self.left = 0;
            format!("the run read more than {} GiB, which are not all searched", SEARCHED_BYTES_MAX >> 30)
        })?;
        look(&open(self.store, input.digest)?, self.wanted)
    }

    /// Values and what is to be predicted may lie in two files, row by row: then rows without the one leak by the other.
    fn join_labels(&self, tables: &HashMap<Digest, Found>, search: &mut LeakSearch, leaky: &mut [bool]) {
        for at in 0..search.inputs.len() {
            let digest = search.inputs[at].digest;
            let Some(features) = tables.get(&digest).filter(|found| !found.unlabelled.is_empty()) else { continue };
            let beside = tables.iter().filter(|(other, found)| **other != digest && found.rows == features.rows);
            let mut joined = beside.map(|(other, _)| {
                open(self.store, *other).and_then(|source| {
                    labels::carried_at(&source, self.wanted, &features.unlabelled).map_err(|error| error.to_string())
                })
            });
            let carried = joined.try_fold(false, |any, one| one.map(|one| any || one));
            match (carried, &mut search.inputs[at].outcome) {
                (Ok(true), SearchOutcome::Searched { found, without_target, .. }) => {
                    features.unlabelled.iter().for_each(|(_, row)| leaky[*row] = true);
                    *found += std::mem::take(without_target);
                }
                (Err(why), outcome) => *outcome = SearchOutcome::NotSearched { why },
                _ => {}
            }
        }
    }
}

/// What came of an input that could be looked at.
enum Looked {
    /// It is the evaluation data.
    Same,
    Table(Box<Found>),
    NoTable(String),
}

fn look(source: &Source, wanted: &Wanted) -> Result<Looked, String> {
    if let Some(why) = clear::holds_no_table(source.as_ref(), wanted).map_err(|error| error.to_string())? {
        return Ok(Looked::NoTable(why));
    }
    match search::search(source, wanted) {
        Ok(found) if found.is_certain() => Ok(Looked::Table(Box::new(found))),
        Ok(found) => match clear::text_without_rows(source, wanted)? {
            Some(_) => Ok(Looked::Table(Box::new(found))),
            None => Err(found.doubt()),
        },
        Err(error) => match clear::text_without_rows(source, wanted)? {
            Some(why) => Ok(Looked::NoTable(why)),
            None => Err(error.to_string()),
        },
    }
}

fn outcome(found: &Found, input: &FileRef) -> SearchOutcome {
    if input.mutated && found.leaky_count() == 0 {
        return SearchOutcome::NotSearched { why: "it changed while the run read it".to_owned() };
    }
    SearchOutcome::Searched {
        format: found.format.to_string(),
        rows: found.rows,
        found: found.leaky_count(),
        without_target: found.unlabelled_count(),
    }
}

#[cfg(test)]
mod tests;
