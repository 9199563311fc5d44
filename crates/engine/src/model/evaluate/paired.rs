//! Two evaluations beside each other, row by row, on the metric that the second one is about.

use std::collections::{HashMap, HashSet};

use stemma_core::{
    canonical,
    record::EvaluationReport,
    version::{Comparison, Side},
};
use stemma_stats::{Bootstrap, Metric};

use super::{
    evaluation::Evaluation,
    metrics::{Judgements, side},
    predictions::RowPrediction,
};

/// Compares two evaluations row by row on the primary metric; `Err` says why that is not possible.
///
/// The seed comes from both models and the data, so the interval can be computed again and is always the same.
pub fn compare(reference: &Evaluation, candidate: &Evaluation) -> Result<Comparison, String> {
    compare_rows(reference, candidate, &|_| true)
}

/// The same on some of the rows, by their places in the data.
pub fn compare_rows(
    reference: &Evaluation,
    candidate: &Evaluation,
    counts: &dyn Fn(u64) -> bool,
) -> Result<Comparison, String> {
    let pair = Pair::of(reference, candidate, counts)?;
    let (old, new) = (&reference.report, &candidate.report);
    let metric = pair.primary;
    let bootstrap = Bootstrap::new(metric, pair.seed);
    let interval = pair.old.side(metric).and_then(|old| side::compare(&old, &pair.new.side(metric)?, &bootstrap));
    let interval = interval.map_err(|error| error.to_string())?;
    Ok(Comparison {
        metric: new.primary.clone(),
        data: new.data.clone(),
        rows: pair.rows,
        reference: interval.old,
        candidate: interval.new,
        difference: interval.difference,
        low: interval.low,
        high: interval.high,
        confidence: interval.confidence,
        resamples: interval.resamples,
        by_command: by_command(old, new),
    })
}

/// Two evaluations, judged on rows that both have.
pub struct Pair<'e> {
    pub old: Judgements<'e>,
    pub new: Judgements<'e>,
    /// The metric that the second one is about.
    pub primary: Metric,
    pub rows: u64,
    /// From both models and the data.
    pub seed: u64,
}

impl<'e> Pair<'e> {
    /// `counts` tells of a row's place in the data whether it is looked at; `Err` says why they can't be compared.
    pub fn of(
        reference: &'e Evaluation,
        candidate: &'e Evaluation,
        counts: &dyn Fn(u64) -> bool,
    ) -> Result<Self, String> {
        let (old, new) = (&reference.report, &candidate.report);
        if about(old) != about(new) {
            return Err("the reference was evaluated on other data".to_owned());
        }
        if old.task() != new.task() {
            return Err("they answer questions of different kinds".to_owned());
        }
        let primary = Metric::parse(&new.primary).map_err(|error| error.to_string())?;
        for report in [old, new] {
            if let Some(why) = report.judged.as_ref().and_then(|judged| judged.why_undefined(&new.primary)) {
                return Err(format!("{primary} is not defined: {why}"));
            }
        }
        let (old_rows, new_rows) = common_rows(reference, candidate, counts);
        Ok(Self {
            old: judged(old, &old_rows)?,
            new: judged(new, &new_rows)?,
            primary,
            rows: new_rows.len() as u64,
            seed: seed(old, new)?,
        })
    }
}

/// Whether both evaluations are of the same rows; `Err` says how they differ. A test of rows that one of them left out
/// would be one of other rows.
pub fn check_same_rows(reference: &Evaluation, candidate: &Evaluation) -> Result<(), String> {
    let places = |of: &Evaluation| -> HashSet<u64> { of.predictions.iter().map(|row| row.row).collect() };
    let (old, new) = (places(reference), places(candidate));
    if old == new {
        return Ok(());
    }
    let (both, only_old, only_new) = (old.intersection(&new).count(), old.len(), new.len());
    Err(format!("the rows differ: {only_old} and {only_new} were judged, {both} of them are in both"))
}

/// On what rows a report is, and what was asked of them.
fn about(report: &EvaluationReport) -> impl PartialEq {
    let EvaluationReport { data_digest, target, positive, labels, query, .. } = report;
    (*data_digest, target, positive, labels, query)
}

const fn by_command(old: &EvaluationReport, new: &EvaluationReport) -> Option<Side> {
    match (&old.by_command, &new.by_command) {
        (None, None) => None,
        (Some(_), None) => Some(Side::Reference),
        (None, Some(_)) => Some(Side::Candidate),
        (Some(_), Some(_)) => Some(Side::Both),
    }
}

fn judged<'r>(report: &'r EvaluationReport, rows: &[&RowPrediction]) -> Result<Judgements<'r>, String> {
    let judged = Judgements::of(report.task(), report.judged.as_ref(), rows.iter().copied());
    judged.map_err(|problem| problem.message)
}

fn seed(old: &EvaluationReport, new: &EvaluationReport) -> Result<u64, String> {
    let seed_of = (old.model_digest, new.model_digest, new.data_digest);
    let digest = canonical::digest(&seed_of).map_err(|error| error.to_string())?.0;
    let mut seed = [0u8; 8];
    seed.copy_from_slice(&digest.as_bytes()[..8]);
    Ok(u64::from_le_bytes(seed))
}

/// The rows that both evaluated, in the candidate's order.
fn common_rows<'e>(
    reference: &'e Evaluation,
    candidate: &'e Evaluation,
    counts: &dyn Fn(u64) -> bool,
) -> (Vec<&'e RowPrediction>, Vec<&'e RowPrediction>) {
    let earlier: HashMap<u64, &RowPrediction> = reference.predictions.iter().map(|row| (row.row, row)).collect();
    let rows = candidate.predictions.iter().filter(|row| counts(row.row));
    rows.filter_map(|row| Some((*earlier.get(&row.row)?, row))).unzip()
}
