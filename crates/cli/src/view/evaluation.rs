//! What an evaluation found, worst slices first.

use std::cmp::Ordering;

use stemma_core::{
    metric::MetricKind,
    record::{
        BinarySummary, CalibrationBin, ClassSummary, EvaluationReport, LabelsSummary, Metrics, MulticlassSummary,
        RankingSummary, RegressionSummary, SliceSummary,
    },
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
        .map(|slice| row(&format!("{} {}", slice.column, slice.value), report, &slice.metrics));
    let rows = std::iter::once(row("all", report, &report.overall)).chain(slices);
    let mut text = match report.overall {
        Metrics::Binary(_) => {
            print::table(&["slice", "rows", "positive", "auc", "accuracy", "log loss", "brier"], rows)
        }
        Metrics::Multiclass(_) => {
            print::table(&["slice", "rows", "accuracy", "macro f1", "auc", "log loss", "brier"], rows)
        }
        Metrics::Labels(_) => print::table(&["slice", "rows", "accuracy", "macro f1", "micro f1", "auc ovr"], rows),
        Metrics::Ranking(_) => print::table(&["slice", "rows", "queries", report.primary.as_str(), "map", "mrr"], rows),
        Metrics::Regression(_) => print::table(&["slice", "rows", "rmse", "mae", "r2"], rows),
    };
    text.push_str(&more(report));
    if hidden > 0 {
        text.push_str(&format!("\n… and {} that did better", count(hidden as u64, "slice")));
    }
    for (input, columns) in &report.gathered {
        text.push_str(&format!("\ninput `{input}` was put together from {}", columns_told(columns)));
    }
    if report.is_leaky() {
        let rows = count(report.leaky_rows, "row");
        text.push_str(&format!("\nleft out: {rows} that the model was trained on"));
    }
    match &report.overall {
        Metrics::Multiclass(found) => text.push_str(&format!("\n\n{}", classes("class", &found.classes))),
        Metrics::Labels(found) => text.push_str(&format!("\n\n{}", classes("label", &found.labels))),
        _ => {}
    }
    if !report.calibration.is_empty() {
        text.push_str(&format!("\n\n{}", calibration(&report.calibration)));
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

/// All other metrics of all rows, one line.
fn more(report: &EvaluationReport) -> String {
    let others = report.overall.more().iter().map(|(name, value)| format!("{name} {}", number(*value)));
    let others: Vec<String> = others.collect();
    if others.is_empty() { String::new() } else { format!("\nalso: {}", others.join(", ")) }
}

/// How often it was as probable as said.
fn calibration(bins: &[CalibrationBin]) -> String {
    let row = |bin: &CalibrationBin| {
        vec![format!("{:.1} – {:.1}", bin.low, bin.high), bin.rows.to_string(), number(bin.said), number(bin.was)]
    };
    print::table(&["probability", "rows", "said", "was"], bins.iter().map(row))
}

/// How each class or label fared on all rows.
fn classes(what: &str, classes: &[ClassSummary]) -> String {
    let row = |class: &ClassSummary| {
        let [rows, predicted, right] = [class.rows, class.predicted, class.right].map(|count| count.to_string());
        vec![class.class.clone(), rows, predicted, right]
    };
    print::table(&[what, "rows", "predicted", "right"], classes.iter().map(row))
}

/// On what and for what it was evaluated, in one line.
pub fn headline(report: &EvaluationReport) -> String {
    let value = or_dash(report.primary_value());
    format!(
        "{} {value} on {} ({}, {}{})",
        report.primary,
        report.data,
        count(report.overall.rows(), "row"),
        report.question(),
        report.by()
    )
}

fn row(name: &str, report: &EvaluationReport, metrics: &Metrics) -> Vec<String> {
    match metrics {
        Metrics::Binary(metrics) => binary_row(name, metrics),
        Metrics::Multiclass(metrics) => multiclass_row(name, metrics),
        Metrics::Labels(found) => labels_row(name, found, metrics),
        Metrics::Ranking(found) => ranking_row(name, found, &report.primary),
        Metrics::Regression(metrics) => regression_row(name, metrics),
    }
}

fn labels_row(name: &str, found: &LabelsSummary, metrics: &Metrics) -> Vec<String> {
    let others = ["macro_f1", "micro_f1", "auc_ovr"].map(|metric| or_dash(metrics.value(metric)));
    [name.to_owned(), found.rows.to_string(), number(found.accuracy)].into_iter().chain(others).collect()
}

fn ranking_row(name: &str, found: &RankingSummary, primary: &str) -> Vec<String> {
    let values = [primary, "map", "mrr"].map(|metric| or_dash(found.more.get(metric).copied()));
    [name.to_owned(), found.rows.to_string(), found.queries.to_string()].into_iter().chain(values).collect()
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
    let lower_is_better = MetricKind::of(metric).is_some_and(|kind| !kind.higher_is_better);
    match (a.value(metric), b.value(metric)) {
        (Some(a), Some(b)) if lower_is_better => b.total_cmp(&a),
        (Some(a), Some(b)) => a.total_cmp(&b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

/// Of many columns the first two and the last; `--json` has all.
fn columns_told(columns: &[String]) -> String {
    match columns {
        [first, second, .., last] if columns.len() > 8 => {
            format!("{} columns, {first}, {second}, … {last}", columns.len())
        }
        _ => format!("the columns {}", columns.join(", ")),
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
            more: Default::default(),
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
            asked: None,
            labels: Vec::new(),
            query: None,
            by_command: None,
            gathered: Default::default(),
            judged: None,
            overall: metrics(Some(0.8), 0.2),
            calibration: Vec::new(),
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
