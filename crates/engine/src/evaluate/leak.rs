//! Which rows of the evaluation data the producing run read: a model must not be judged on what it learned from.

use stemma_core::{Problem, record::RunRecord};

use super::EvaluationData;
use crate::{Engine, problem::internal, table::Table};

/// Inputs larger than this are not searched for rows.
const SEARCHED_BYTES_MAX: u64 = 1 << 30;

impl Engine {
    /// Returns, for each row of the data, whether a table that the run read holds it.
    pub(super) async fn leaky_rows(
        &self,
        data: &EvaluationData,
        run: Option<&RunRecord>,
    ) -> Result<Vec<bool>, Problem> {
        let mut leaky = vec![false; data.table.rows.len()];
        for input in run.iter().flat_map(|run| &run.inputs) {
            if input.digest == data.digest {
                return Ok(vec![true; data.table.rows.len()]);
            }
            if input.size > SEARCHED_BYTES_MAX {
                tracing::warn!(path = %input.path, "an input is too large to be searched for rows of the evaluation data");
                continue;
            }
            let bytes = self.read_content(input.digest, SEARCHED_BYTES_MAX).await?;
            let (table, path, target) = (data.table.clone(), input.path.clone(), data.spec.target.clone());
            let search = move || {
                // what the run could read but is no table of text teaches no rows that we could find
                Table::parse(&path, &bytes).ok().map(|read| table.rows_also_in(&read, &target))
            };
            let found = tokio::task::spawn_blocking(search).await.map_err(internal)?;
            for (row, also) in found.into_iter().flatten().enumerate() {
                leaky[row] |= also;
            }
        }
        Ok(leaky)
    }
}
