//! What an evaluation found, worst slices first.

use std::cmp::Ordering;

use stemma_core::record::{
    BinarySummary, ClassSummary, EvaluationReport, Metrics, MulticlassSummary, RegressionSummary, SliceSummary,
};

use super::count;
use crate::print;

/// Slices shown below the overall numbers.
const WORST_SLICES: usize = 5;

/// A table of the overall metrics and the worst slices by the primary one.
pub fn table(report: &EvaluationReport) -> String {
    let mut worst: Vec<&SliceSummary> = report.slices.iter().collect();
    worst.sort_by(|a, b| from_worst(&report.primary, &a.metrics, &b.metrics));
    let hidden = worst.len().saturating_sub(WORST_SLICES);
    let slices = worst
        .into_iter()
        .take(WORST_SLICES)
        .map(|slice| row(&format!("{} {}", slice.column, slice.value), &slice.metrics));
    let rows = std::iter::once(row("all", &report.overall)).chain(slices);
    let mut text = match report.overall {
        Metrics::Binary(_) => {
            print::table(&["slice", "rows", "positive", "auc", "accuracy", "log loss", "brier"], rows)
        }
        Metrics::Multiclass(_) => {
            print::table(&["slice", "rows", "accuracy", "macro f1", "auc", "log loss", "brier"], rows)
        }
        Metrics::Regression(_) => print::table(&["slice", "rows", "rmse", "mae", "r2"], rows),
    };
    if hidden > 0 {
        text.push_str(&format!("\n… and {} that did better", count(hidden as u64, "slice")));
    }
    for (input, columns) in &report.gathered {
        text.push_str(&format!("\ninput `{input}` was put together from the columns {}", columns.join(", ")));
    }
    if report.is_leaky() {
        let rows = count(report.leaky_rows, "row");
        text.push_str(&format!("\nleft out: {rows} that the model was trained on"));
    }
    if let Metrics::Multiclass(found) = &report.overall {
        text.push_str(&format!("\n\n{}", classes(found)));
    }
    for note in report.notes() {
        text.push_str(&format!("\nnote: {note}"));
    }
    if let Some(doubt) = report.leak_doubt() {
        text.push_str(&format!("\nnot sure: {doubt}"));
    }
    if let Some(told) = report.search.as_ref().and_then(|search| search.without_target(&report.data)) {
        text.push_str(&format!("\nread in training, and left in: {told}"));
    }
    text
}

/// How each class fared on all rows.
fn classes(found: &MulticlassSummary) -> String {
    let row = |class: &ClassSummary| {
        let [rows, predicted, right] = [class.rows, class.predicted, class.right].map(|count| count.to_string());
        vec![class.class.clone(), rows, predicted, right]
    };
    print::table(&["class", "rows", "predicted", "right"], found.classes.iter().map(row))
}

/// On what and for what it was evaluated, in one line.
pub fn headline(report: &EvaluationReport) -> String {
    let value = or_dash(report.primary_value());
    format!(
        "{} {value} on {} ({}, {})",
        report.primary,
        report.data,
        count(report.overall.rows(), "row"),
        report.question()
    )
}

fn row(name: &str, metrics: &Metrics) -> Vec<String> {
    match metrics {
        Metrics::Binary(metrics) => binary_row(name, metrics),
        Metrics::Multiclass(metrics) => multiclass_row(name, metrics),
        Metrics::Regression(metrics) => regression_row(name, metrics),
    }
}

fn regression_row(name: &str, metrics: &RegressionSummary) -> Vec<String> {
    vec![name.to_owned(), metrics.rows.to_string(), number(metrics.rmse), number(metrics.mae), or_dash(metrics.r2)]
}

fn multiclass_row(name: &str, metrics: &MulticlassSummary) -> Vec<String> {
    vec![
        name.to_owned(),
        metrics.rows.to_string(),
        number(metrics.accuracy),
        number(metrics.macro_f1),
        or_dash(metrics.positive.as_ref().and_then(|positive| positive.auc)),
        or_dash(metrics.log_loss),
        or_dash(metrics.brier),
    ]
}

fn binary_row(name: &str, metrics: &BinarySummary) -> Vec<String> {
    vec![
        name.to_owned(),
        metrics.rows.to_string(),
        metrics.positives.to_string(),
        or_dash(metrics.auc),
        number(metrics.accuracy),
        or_dash(metrics.log_loss),
        or_dash(metrics.brier),
    ]
}

fn or_dash(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), number)
}

pub fn number(value: f64) -> String {
    format!("{value:.3}")
}

/// Slices for which the metric does not exist come last.
fn from_worst(metric: &str, a: &Metrics, b: &Metrics) -> Ordering {
    let lower_is_better = matches!(metric, "log_loss" | "brier" | "rmse" | "mae");
    match (a.value(metric), b.value(metric)) {
        (Some(a), Some(b)) if lower_is_better => b.total_cmp(&a),
        (Some(a), Some(b)) => a.total_cmp(&b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use stemma_core::Digest;

    use super::*;

    fn metrics(auc: Option<f64>, brier: f64) -> Metrics {
        Metrics::Binary(BinarySummary {
            rows: 10,
            positives: 3,
            accuracy: 0.5,
            auc,
            log_loss: Some(0.6),
            brier: Some(brier),
            confusion: [5, 2, 2, 1],
        })
    }

    fn slice(value: &str, auc: Option<f64>, brier: f64) -> SliceSummary {
        SliceSummary { column: "age".into(), value: value.into(), metrics: metrics(auc, brier) }
    }

    fn order(primary: &str) -> Vec<String> {
        let report = EvaluationReport {
            v: EvaluationReport::VERSION,
            model_digest: Digest::of(b"m"),
            data: "test@1".into(),
            data_digest: Digest::of(b"d"),
            target: "risk".into(),
            positive: Some("bad".into()),
            primary: primary.into(),
            gathered: Default::default(),
            judged: None,
            overall: metrics(Some(0.8), 0.2),
            slices: vec![slice("good", Some(0.9), 0.1), slice("one-class", None, 0.3), slice("poor", Some(0.5), 0.2)],
            leaky_rows: 0,
            search: None,
            predictions: Digest::of(b"p"),
        };
        let table = table(&report);
        let names = table.lines().filter_map(|line| line.trim().strip_prefix("age "));
        names.map(|rest| rest.split(' ').next().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_worst_slice_comes_first_whatever_the_direction_of_the_metric() {
        assert_eq!(order("auc"), ["poor", "good", "one-class"]);
        assert_eq!(order("brier"), ["one-class", "poor", "good"]);
    }
}
