//! Two evaluations beside each other, row by row, on the metric that the second one is about.

use std::collections::HashMap;

use stemma_core::{canonical, record::EvaluationReport, version::Comparison};
use stemma_stats::{
    Bootstrap, Metric, PairedInterval, StatsError, paired_bootstrap_of_classes, paired_bootstrap_of_numbers,
    paired_bootstrap_of_rankings, paired_bootstrap_of_rows,
};

use super::{
    evaluation::Evaluation,
    metrics::{JudgedClasses, JudgedRow, Judgements},
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
    let (old, new) = (&reference.report, &candidate.report);
    if (old.data_digest, &old.target, &old.positive) != (new.data_digest, &new.target, &new.positive) {
        return Err("the reference was evaluated on other data".to_owned());
    }
    let metric = Metric::parse(&new.primary).map_err(|error| error.to_string())?;
    for report in [old, new] {
        if let Some(why) = report.judged.as_ref().and_then(|judged| judged.why_undefined(&new.primary)) {
            return Err(format!("{metric} is not defined: {why}"));
        }
    }
    let bootstrap = Bootstrap::new(metric, seed(old, new)?);
    let (old_rows, new_rows) = common_rows(reference, candidate, counts);
    let interval = match (judged(old, &old_rows)?, judged(new, &new_rows)?) {
        (Judgements::Classes(old), Judgements::Classes(new)) => compare_classes(&old, &new, &bootstrap),
        (Judgements::Numbers(old), Judgements::Numbers(new)) => compare_numbers(&old, &new, &bootstrap),
        _ => return Err("one evaluation is about classes and the other about numbers".to_owned()),
    };
    let interval = interval.map_err(|error| error.to_string())?;
    Ok(Comparison {
        metric: new.primary.clone(),
        data: new.data.clone(),
        rows: new_rows.len() as u64,
        reference: interval.old,
        candidate: interval.new,
        difference: interval.difference,
        low: interval.low,
        high: interval.high,
        confidence: interval.confidence,
        resamples: interval.resamples,
    })
}

fn judged<'r>(report: &'r EvaluationReport, rows: &[&RowPrediction]) -> Result<Judgements<'r>, String> {
    Judgements::of(report.judged.as_ref(), rows.iter().copied()).map_err(|problem| problem.message)
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

fn compare_numbers(
    old: &[(f64, f64)],
    new: &[(f64, f64)],
    bootstrap: &Bootstrap,
) -> Result<PairedInterval, StatsError> {
    let (targets, predictions): (Vec<f64>, Vec<f64>) = new.iter().copied().unzip();
    let earlier: Vec<f64> = old.iter().map(|(_, prediction)| *prediction).collect();
    paired_bootstrap_of_numbers(&targets, &earlier, &predictions, bootstrap)
}

fn compare_classes(
    old: &JudgedClasses<'_>,
    new: &JudgedClasses<'_>,
    bootstrap: &Bootstrap,
) -> Result<PairedInterval, StatsError> {
    let metric = bootstrap.metric;
    // a row without a value is none that can be compared
    let values = |of: &JudgedClasses<'_>, value: fn(&JudgedRow) -> Option<f64>| -> Vec<f64> {
        of.rows.iter().map(|row| value(row).unwrap_or(f64::NAN)).collect()
    };
    let of_rows = |value| paired_bootstrap_of_rows(&values(old, value), &values(new, value), bootstrap);
    match metric {
        Metric::Accuracy => of_rows(|row| Some(f64::from(u8::from(row.truth == row.predicted)))),
        Metric::LogLoss => of_rows(|row| row.log_loss),
        Metric::Brier => of_rows(|row| row.brier),
        Metric::Auc => {
            let labels = new.are_positive().unwrap_or_default();
            let score = |row: &JudgedRow| row.score;
            paired_bootstrap_of_rankings(&labels, &values(old, score), &values(new, score), bootstrap)
        }
        Metric::MacroRecall | Metric::MacroPrecision | Metric::MacroF1 => {
            let all = all_classes(old, new);
            let place = |of: &JudgedClasses<'_>, class: usize| {
                all.iter().position(|known| *known == of.judged.classes[class]).expect("it is one of all classes")
            };
            let truth: Vec<usize> = new.rows.iter().map(|row| place(new, row.truth)).collect();
            let predicted =
                |of: &JudgedClasses<'_>| -> Vec<usize> { of.rows.iter().map(|row| place(of, row.predicted)).collect() };
            paired_bootstrap_of_classes(&truth, [&predicted(old), &predicted(new)], all.len(), bootstrap)
        }
        Metric::Rmse | Metric::Mae | Metric::R2 => {
            Err(StatsError::WrongTarget { metric, needs: "a target that is a number" })
        }
    }
}

/// The classes of two models, of which one may know more than the other.
fn all_classes<'j>(old: &JudgedClasses<'j>, new: &JudgedClasses<'j>) -> Vec<&'j str> {
    let mut all: Vec<&str> = new.judged.classes.iter().map(String::as_str).collect();
    for class in &old.judged.classes {
        if !all.contains(&class.as_str()) {
            all.push(class);
        }
    }
    all
}
