//! Which rows of the evaluation data the producing run read: a model must not be judged on what it learned from.

use stemma_core::{Problem, record::RunRecord};

use super::EvaluationData;
use crate::{Engine, table::Table};

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
            if input.size > SEARCHED_BYTES_MAX || !input.path.to_ascii_lowercase().ends_with(".csv") {
                continue;
            }
            let bytes = self.read_content(input.digest, SEARCHED_BYTES_MAX).await?;
            // what the run could read but is no table teaches no rows
            let Ok(read) = Table::parse(&input.path, &bytes) else {
                continue;
            };
            for (row, also) in data.table.rows_also_in(&read, &data.spec.target).into_iter().enumerate() {
                leaky[row] |= also;
            }
        }
        Ok(leaky)
    }
}
