use std::collections::BTreeMap;

use serde::Deserialize;
use stemma_stats::{
    AucOfLabels, AveragedLabels, Bootstrap, Labels, Metric, StatsError, Weighable as _, average_of_labels, mean,
    paired_bootstrap_of,
};

use crate::golden::{booleans, cases, close, close_or_absent};

#[derive(Deserialize)]
struct Case {
    name: String,
    labels: usize,
    truth: Vec<u8>,
    predicted: Vec<u8>,
    scores: Vec<f64>,
    accuracy: f64,
    averages: BTreeMap<String, Option<f64>>,
    aucs: BTreeMap<String, Option<f64>>,
}

#[test]
fn the_metrics_are_those_of_scikit_learn() {
    let golden: Vec<Case> = cases(include_str!("../data/labels.json"), 7);
    for case in golden {
        let (truth, predicted) = (booleans(&case.truth), booleans(&case.predicted));
        let labels = Labels::new(&truth, &predicted, case.labels).unwrap();
        let once = vec![1; truth.len() / case.labels];
        close(&case.name, mean(&labels.hits()).unwrap(), case.accuracy);
        assert_eq!(case.averages.len(), 9);
        for (name, expected) in &case.averages {
            let (what, metric) = (format!("{name}: {}", case.name), Metric::parse(name).unwrap());
            close_or_absent(&what, average_of_labels(metric, &labels.counts()).unwrap(), *expected);
            close_or_absent(&what, AveragedLabels::new(metric, labels).unwrap().value(&once), *expected);
        }
        for (name, expected) in &case.aucs {
            let metric = Metric::parse(name).unwrap();
            let found = AucOfLabels::new(metric, &truth, &case.scores, case.labels).unwrap().value(&once);
            close_or_absent(&format!("{name}: {}", case.name), found, *expected);
        }
    }
}

#[test]
fn better_labels_are_an_improvement_by_every_average() {
    let truth: Vec<bool> = (0..600).map(|at| at * 7 % 5 < 2).collect();
    let wrong_every =
        |n: usize| -> Vec<bool> { truth.iter().enumerate().map(|(at, label)| (at % n == 0) != *label).collect() };
    let (bad, good) = (wrong_every(3), wrong_every(11));
    for name in ["macro_f1", "micro_f1", "weighted_recall", "micro_precision"] {
        let metric = Metric::parse(name).unwrap();
        let of = |predicted| AveragedLabels::new(metric, Labels::new(&truth, predicted, 3).unwrap()).unwrap();
        let found = paired_bootstrap_of(&of(&bad), &of(&good), 200, &Bootstrap::new(metric, 3)).unwrap();
        assert!(found.low > 0.0 && found.low < found.difference && found.difference < found.high, "{name}");
    }
}

#[test]
fn what_is_no_matrix_of_labels_is_refused() {
    assert_eq!(
        Labels::new(&[true; 3], &[true; 3], 2).unwrap_err().to_string(),
        "2 rows have a label, but there are 3 cells of labels"
    );
    assert!(matches!(Labels::new(&[true; 4], &[true; 3], 2), Err(StatsError::LengthMismatch { .. })));
    assert_eq!(Labels::new(&[], &[], 2).unwrap_err(), StatsError::Empty);
    assert_eq!(Labels::new(&[], &[], 0).unwrap_err(), StatsError::Empty);
    let pairs = Metric::parse("auc_ovo").unwrap();
    assert!(AucOfLabels::new(pairs, &[true, false], &[0.1, 0.2], 1).is_err());
}
