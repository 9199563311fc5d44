//! Which rows of the evaluation data a model may be judged on: those that its training did not read.

use stemma_core::{Problem, leak::LeakSearch, record::RunRecord};

use super::{evaluation::EvaluationData, leak::leaks};
use crate::Known;

/// Rows to judge a model on.
pub struct Fair {
    /// Their places in the data; at least one.
    pub rows: Vec<usize>,
    pub leaky_rows: u64,
    pub search: LeakSearch,
}

/// Finds the rows; `answered` is the run of the command that answered, if one did.
pub(crate) async fn fair_rows(
    known: &Known,
    data: &EvaluationData,
    run: Option<&RunRecord>,
    answered: Option<&RunRecord>,
) -> Result<Fair, Problem> {
    let leaks = leaks(known, data, run, answered).await?;
    let count = data.table.row_count();
    let rows: Vec<usize> = (0..count).filter(|row| !leaks.rows[*row]).collect();
    let leaky_rows = (count - rows.len()) as u64;
    if !rows.is_empty() {
        return Ok(Fair { rows, leaky_rows, search: leaks.search });
    }
    let problem = Problem::invalid(format!("nothing of `{}` is left to evaluate on", data.name));
    Err(match leaky_rows {
        0 => problem.hint("the table is empty"),
        leaky => problem.hint(format!(
            "the run that made this model read all {leaky} rows; evaluate on data that training never reads"
        )),
    })
}
