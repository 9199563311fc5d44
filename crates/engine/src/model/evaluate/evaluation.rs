//! A finished evaluation, and what it is made on.

use std::sync::Arc;

use stemma_core::{
    Digest, Problem,
    policy::{EvaluationSpec, SliceSpec},
    record::EvaluationReport,
};

use super::{metrics::part_of, predictions::RowPrediction};
use crate::table::Table;

/// A finished evaluation: the report, where it is stored, and what was scored.
pub struct Evaluation {
    pub report: EvaluationReport,
    pub report_digest: Digest,
    pub predictions: Vec<RowPrediction>,
}

/// What an evaluation is made on, resolved: the declaration and its table.
pub struct EvaluationData {
    pub spec: EvaluationSpec,
    /// As in `german-credit-test@1`.
    pub name: String,
    pub digest: Digest,
    pub(super) table: Arc<Table>,
}

impl EvaluationData {
    /// The column that says what is true; of labels that have a column each, the first of these.
    pub(super) fn target_column(&self) -> Result<usize, Problem> {
        let EvaluationSpec { target, labels, .. } = &self.spec;
        let has_target = self.table.columns.contains(target);
        self.table.column(labels.first().filter(|_| !has_target).unwrap_or(target))
    }

    /// The slices that a row of the data falls into, as column and part.
    pub(crate) fn slices_of(&self, row: u64) -> Vec<(String, String)> {
        let row = usize::try_from(row).ok().filter(|row| *row < self.table.row_count());
        let part = |slice: &SliceSpec| {
            let cell = self.table.cell(row?, self.table.column(slice.column()).ok()?);
            Some((slice.column().to_owned(), part_of(slice, cell).1))
        };
        self.spec.slices.iter().filter_map(part).collect()
    }

    /// Whether a report is of this data, judged for the same target and class, with the same columns for the model.
    pub fn is_of(&self, report: &EvaluationReport) -> bool {
        let EvaluationSpec { target, positive, labels, query, columns, .. } = &self.spec;
        let gathered = report.gathered.values().next().filter(|_| !columns.is_empty());
        (self.digest, target, positive, labels, query)
            == (report.data_digest, &report.target, &report.positive, &report.labels, &report.query)
            && self.spec.task() == report.task()
            && gathered.is_none_or(|gathered| gathered == columns)
    }

    /// The declaration with its data pinned; evidence counts only under the same one.
    pub fn spec_digest(&self) -> Digest {
        self.spec.digest(self.digest)
    }
}
