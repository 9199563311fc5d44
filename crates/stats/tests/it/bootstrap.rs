use proptest::prelude::*;
use stemma_stats::{Bootstrap, Metric, PairedInterval, StatsError, paired_bootstrap};

use crate::golden::{BootstrapCase, booleans, cases, close};

const BINARY_METRICS: [Metric; 4] = [Metric::Accuracy, Metric::Auc, Metric::LogLoss, Metric::Brier];

#[test]
fn the_interval_is_that_of_the_second_implementation() {
    let golden: Vec<BootstrapCase> = cases(include_str!("../data/bootstrap.json"), 5);
    assert!(golden.iter().any(|case| case.redrawn > 0));
    for case in golden {
        let bootstrap = Bootstrap {
            resamples: case.resamples,
            confidence: case.confidence,
            ..Bootstrap::new(Metric::parse(&case.metric).unwrap(), case.seed)
        };
        let labels = booleans(&case.labels);
        let found = paired_bootstrap(&labels, &case.scores_old, &case.scores_new, &bootstrap);
        let found = found.unwrap();
        close(&case.metric, found.old, case.old);
        close(&case.metric, found.new, case.new);
        close(&case.metric, found.difference, case.difference);
        close(&case.metric, found.low, case.low);
        close(&case.metric, found.high, case.high);
    }
}

/// Rows by a small generator of its own: 30 % positives, the new scores a bit better.
fn credit_like(rows: usize) -> (Vec<bool>, Vec<f64>, Vec<f64>) {
    let mut state = 1_u64;
    let mut uniform = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 40) as f64 / (1_u64 << 24) as f64
    };
    let (mut labels, mut old, mut new) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rows {
        let label = uniform() < 0.3;
        let (noise, shift) = (uniform(), f64::from(u8::from(label)));
        labels.push(label);
        old.push(0.75 * noise + 0.15 * shift);
        new.push(0.65 * noise + 0.05 * uniform() + 0.2 * shift);
    }
    (labels, old, new)
}

#[test]
fn the_result_of_a_seed_is_the_same_for_ever() {
    let (labels, old, new) = credit_like(300);
    let found = paired_bootstrap(&labels, &old, &new, &Bootstrap::new(Metric::Auc, 7)).unwrap();
    assert_eq!(
        found,
        PairedInterval {
            old: 0.7114249037227215,
            new: 0.7822336328626445,
            difference: 0.07080872913992298,
            low: 0.05812452988288157,
            high: 0.08420207528644602,
            resamples: 2_000,
            confidence: 0.95,
        }
    );
}

#[test]
fn the_interval_of_a_mean_over_many_rows_is_the_normal_one() {
    let (labels, old, new) = credit_like(3_000);
    let bootstrap = Bootstrap::new(Metric::Brier, 1);
    let found = paired_bootstrap(&labels, &old, &new, &bootstrap).unwrap();
    let per_row: Vec<f64> = (0..labels.len())
        .map(|row| {
            let truth = f64::from(u8::from(labels[row]));
            (old[row] - truth).powi(2) - (new[row] - truth).powi(2)
        })
        .collect();
    let rows = per_row.len() as f64;
    let variance = per_row.iter().map(|d| (d - found.difference).powi(2)).sum::<f64>() / rows;
    let half = 1.959_964 * (variance / rows).sqrt();
    // but for the noise of 2,000 resamples
    assert!((found.low - (found.difference - half)).abs() < 0.1 * half);
    assert!((found.high - (found.difference + half)).abs() < 0.1 * half);
}

#[test]
fn a_better_model_is_an_improvement_by_every_metric() {
    let labels: Vec<bool> = (0..200).map(|row| row % 3 == 0).collect();
    let toward = |step: f64| -> Vec<f64> {
        let score = |(row, label): (usize, &bool)| {
            let noise = (row * 37 % 100) as f64 / 100.0;
            (1.0 - step) * noise + step * f64::from(u8::from(*label))
        };
        labels.iter().enumerate().map(score).collect()
    };
    for metric in BINARY_METRICS {
        let bootstrap = Bootstrap::new(metric, 9);
        let better = paired_bootstrap(&labels, &toward(0.1), &toward(0.4), &bootstrap).unwrap();
        assert!(better.low > 0.0, "{metric}: {better:?}");
        assert!(better.low <= better.difference && better.difference <= better.high);
        let worse = paired_bootstrap(&labels, &toward(0.4), &toward(0.1), &bootstrap).unwrap();
        assert_eq!((worse.old, worse.new), (better.new, better.old));
        close(&metric.to_string(), worse.low, -better.high);
        close(&metric.to_string(), worse.high, -better.low);
    }
}

#[test]
fn the_threshold_decides_what_accuracy_means() {
    let labels = [false, false, true, true];
    let (old, new) = ([0.1, 0.1, 0.3, 0.3], [0.1, 0.1, 0.6, 0.6]);
    let at = |threshold| {
        let bootstrap = Bootstrap { threshold, ..Bootstrap::new(Metric::Accuracy, 0) };
        paired_bootstrap(&labels, &old, &new, &bootstrap).unwrap().difference
    };
    assert_eq!(at(0.5), 0.5);
    assert_eq!(at(0.2), 0.0);
}

#[test]
fn a_wider_confidence_gives_a_wider_interval() {
    let (labels, old, new) = credit_like(120);
    let width = |confidence| {
        let bootstrap = Bootstrap { confidence, ..Bootstrap::new(Metric::Auc, 5) };
        let found = paired_bootstrap(&labels, &old, &new, &bootstrap).unwrap();
        found.high - found.low
    };
    assert!(width(0.8) < width(0.95));
    assert!(width(0.95) < width(0.99));
}

#[test]
fn what_can_not_be_compared_is_refused() {
    let (labels, scores) = ([true, false], [0.2, 0.3]);
    let refused = |labels: &[bool], old: &[f64], new: &[f64], bootstrap: Bootstrap| {
        paired_bootstrap(labels, old, new, &bootstrap).unwrap_err()
    };
    let auc = Bootstrap::new(Metric::Auc, 1);
    assert_eq!(refused(&[], &[], &[], auc), StatsError::Empty);
    assert_eq!(
        refused(&labels, &scores, &scores[..1], auc),
        StatsError::LengthMismatch { what: "new scores", expected: 2, found: 1 }
    );
    assert_eq!(
        refused(&labels, &[], &scores, auc),
        StatsError::LengthMismatch { what: "old scores", expected: 2, found: 0 }
    );
    assert_eq!(refused(&[true, true], &scores, &scores, auc), StatsError::OneClass { metric: Metric::Auc });
    assert_eq!(
        refused(&labels, &scores, &scores, Bootstrap::new(Metric::Rmse, 1)).to_string(),
        "metric `rmse` needs a target that is a number"
    );
    for resamples in [0, 99, 1_000_001] {
        assert_eq!(
            refused(&labels, &scores, &scores, Bootstrap { resamples, ..auc }),
            StatsError::Resamples { resamples, min: 100, max: 1_000_000 }
        );
    }
    for confidence in [0.0, 1.0, -0.5, f64::NAN] {
        let bootstrap = Bootstrap { confidence, ..auc };
        assert!(matches!(refused(&labels, &scores, &scores, bootstrap), StatsError::Confidence { .. }));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_same_scores_differ_by_nothing(
        rows in prop::collection::vec((any::<bool>(), 0.0..=1.0), 2..60),
        seed: u64,
    ) {
        let (mut labels, scores): (Vec<bool>, Vec<f64>) = rows.into_iter().unzip();
        (labels[0], labels[1]) = (true, false);
        for metric in BINARY_METRICS {
            let bootstrap = Bootstrap { resamples: 100, ..Bootstrap::new(metric, seed) };
            let found = paired_bootstrap(&labels, &scores, &scores, &bootstrap).unwrap();
            prop_assert_eq!((found.difference, found.low, found.high), (0.0, 0.0, 0.0));
        }
    }
}
