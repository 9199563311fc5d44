//! What says the truth without the rows: labels in a file of their own, which is as good to a command that is asked for
//! them as the data itself.

use std::collections::HashSet;

use stemma_core::{
    Digest, Problem,
    leak::{LeakSearch, SearchOutcome, SearchedInput},
};
use stemma_store::Store;

use super::{clear, labels, source::open, wanted::Wanted};
use crate::{Known, model::evaluate::evaluation::EvaluationData, problem::internal};

/// What a command read beside the rows that it was asked.
#[derive(Default)]
pub struct Beside {
    /// A table with a row for each of the data's, in their order, that says what is true of them.
    pub tells: Option<String>,
    /// Files that may say it.
    pub doubts: Vec<String>,
}

/// Looks at all that was searched for rows; files of the model that is asked (`own`) may be arrays of any kind.
pub async fn look_beside(
    known: &Known,
    data: &EvaluationData,
    search: &LeakSearch,
    own: HashSet<Digest>,
) -> Result<Beside, Problem> {
    let target = data.target_column()?;
    let (store, table) = (known.store().clone(), data.table.clone());
    let inputs = search.inputs.clone();
    let looking = move || {
        let wanted = Wanted::of(table, target);
        let looking = Looking { store: &store, wanted: &wanted };
        let mut found = Beside::default();
        for input in &inputs {
            found.look(&looking, input, own.contains(&input.digest));
        }
        found
    };
    tokio::task::spawn_blocking(looking).await.map_err(internal)
}

impl Beside {
    fn look(&mut self, looking: &Looking<'_>, input: &SearchedInput, is_own: bool) {
        let path = &input.path;
        match &input.outcome {
            SearchOutcome::Searched { rows, .. } if *rows == looking.wanted.row_count() as u64 => {
                match looking.says_in_order(input.digest) {
                    Ok(true) => self.tells = Some(path.clone()),
                    Ok(false) => {}
                    Err(why) => {
                        self.doubts.push(format!("the command read `{path}`, which could not be searched: {why}"))
                    }
                }
            }
            SearchOutcome::NoTable { why } if !is_own && clear::is_of_a_model(why) => {
                self.doubts.push(format!("the command read `{path}`, whose arrays were not searched: {why}"));
            }
            SearchOutcome::NoTable { .. } if !is_own => match looking.may_say_target(input.digest) {
                Ok(true) => self.doubts.push(format!(
                    "the command read `{path}`, a text with as many values of what is to be predicted as there are rows"
                )),
                Ok(false) => {}
                Err(why) => self.doubts.push(format!("the command read `{path}`, which could not be searched: {why}")),
            },
            _ => {}
        }
    }
}

/// What is looked for, and where content is.
struct Looking<'a> {
    store: &'a Store,
    wanted: &'a Wanted,
}

impl Looking<'_> {
    fn says_in_order(&self, digest: Digest) -> Result<bool, String> {
        let places: Vec<(u64, usize)> = (0..self.wanted.row_count()).map(|row| (row as u64, row)).collect();
        labels::carried_at(&open(self.store, digest)?, self.wanted, &places).map_err(|error| error.to_string())
    }

    fn may_say_target(&self, digest: Digest) -> Result<bool, String> {
        clear::may_say_target(&open(self.store, digest)?, self.wanted).map_err(|error| error.to_string())
    }
}
