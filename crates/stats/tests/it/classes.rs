use serde::Deserialize;
use stemma_stats::{
    Bootstrap, Classes, Metric, StatsError, auc, brier_of_classes, log_loss_of_row, macro_average, mean,
    paired_bootstrap_of_rankings, paired_bootstrap_of_rows,
};

use crate::golden::{cases, close};

#[derive(Deserialize)]
struct Case {
    name: String,
    classes: usize,
    truth: Vec<usize>,
    predicted: Vec<usize>,
    probabilities: Vec<Vec<f64>>,
    accuracy: f64,
    macro_recall: f64,
    macro_precision: f64,
    macro_f1: f64,
    log_loss: f64,
    brier: f64,
}

#[test]
fn the_metrics_are_those_of_scikit_learn() {
    let golden: Vec<Case> = cases(include_str!("../data/classes.json"), 7);
    for case in golden {
        let counts = Classes::new(&case.truth, &case.predicted, case.classes).unwrap().counts();
        let right: u64 = counts.iter().map(|class| class.right).sum();
        close(&case.name, right as f64 / case.truth.len() as f64, case.accuracy);
        close(&case.name, macro_average(Metric::MacroRecall, &counts).unwrap(), case.macro_recall);
        close(&case.name, macro_average(Metric::MacroPrecision, &counts).unwrap(), case.macro_precision);
        close(&case.name, macro_average(Metric::MacroF1, &counts).unwrap(), case.macro_f1);
        let of_rows = |of_row: fn(&[f64], usize) -> f64| {
            let rows = case.probabilities.iter().zip(&case.truth);
            mean(&rows.map(|(row, &truth)| of_row(row, truth)).collect::<Vec<_>>()).unwrap()
        };
        close(&case.name, of_rows(|row, truth| log_loss_of_row(true, row[truth])), case.log_loss);
        close(&case.name, of_rows(brier_of_classes), case.brier);
    }
}

#[test]
fn what_is_no_class_and_no_macro_metric_is_refused() {
    let refused = Classes::new(&[0, 1], &[0, 3], 3).unwrap_err();
    assert_eq!(refused, StatsError::NoClass { row: 1, class: 3, classes: 3 });
    assert_eq!(Classes::new(&[], &[], 3).unwrap_err(), StatsError::Empty);
    assert!(Classes::new(&[0], &[0, 1], 3).is_err());
    let counts = Classes::new(&[0, 1], &[0, 0], 2).unwrap().counts();
    assert!(macro_average(Metric::Accuracy, &counts).is_err());
}

#[test]
fn a_ranking_may_have_any_scale() {
    let (labels, scores) = ([true, false, true, false], [1.0, -1.0, 3.0, -2.0]);
    assert_eq!(auc(&labels, &scores), Ok(Some(1.0)));
    assert_eq!(auc(&[true, true], &[1.0, 2.0]), Ok(None));
    assert!(matches!(auc(&labels, &[1.0, f64::NAN, 0.0, 0.0]), Err(StatsError::NotFinite { row: 1, .. })));
    let opposite = scores.map(|score: f64| -score);
    let found = paired_bootstrap_of_rankings(&labels, &opposite, &scores, &Bootstrap::new(Metric::Auc, 1)).unwrap();
    assert_eq!((found.old, found.new, found.difference, found.low), (0.0, 1.0, 1.0, 1.0));
    assert!(paired_bootstrap_of_rankings(&labels, &scores, &scores, &Bootstrap::new(Metric::Brier, 1)).is_err());
}

#[test]
fn a_mean_of_rows_is_compared_in_its_own_direction() {
    let (old, new) = (vec![0.5; 40], [0.25; 40]);
    let found = paired_bootstrap_of_rows(&old, &new, &Bootstrap::new(Metric::LogLoss, 1)).unwrap();
    assert_eq!((found.old, found.new, found.difference, found.low), (0.5, 0.25, 0.25, 0.25));
    let hits = paired_bootstrap_of_rows(&old, &new, &Bootstrap::new(Metric::Accuracy, 1)).unwrap();
    assert_eq!(hits.difference, -0.25);
    assert!(paired_bootstrap_of_rows(&old, &new, &Bootstrap::new(Metric::Auc, 1)).is_err());
    assert!(paired_bootstrap_of_rows(&old, &new[1..], &Bootstrap::new(Metric::Brier, 1)).is_err());
}
