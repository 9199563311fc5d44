use proptest::prelude::*;
use stemma_stats::{BinaryMetrics, Calibration, Confusion, DEFAULT_THRESHOLD, Metric, StatsError, accuracy};

use crate::golden::{BinaryCase, booleans, cases, close, close_or_absent};

#[test]
fn the_metrics_are_those_of_scikit_learn() {
    let golden: Vec<BinaryCase> = cases(include_str!("../data/binary.json"), 15);
    for case in golden {
        let labels = booleans(&case.labels);
        let metrics = BinaryMetrics::of(&labels, &case.scores, case.threshold).unwrap();
        let name = &case.name;
        assert_eq!(metrics.rows, labels.len() as u64, "{name}");
        assert_eq!(metrics.positives, case.positives, "{name}");
        let Confusion { tn, fp, fn_, tp } = metrics.confusion;
        assert_eq!([tn, fp, fn_, tp], case.confusion, "{name}");
        close(name, metrics.accuracy, case.accuracy);
        close_or_absent(name, metrics.auc, case.auc);
        close(name, metrics.log_loss, case.log_loss);
        close(name, metrics.brier, case.brier);

        for (metric, expected) in [
            (Metric::Accuracy, Some(case.accuracy)),
            (Metric::Auc, case.auc),
            (Metric::LogLoss, Some(case.log_loss)),
            (Metric::Brier, Some(case.brier)),
        ] {
            let value = metric.binary_value(&labels, &case.scores, case.threshold);
            close_or_absent(name, value.unwrap(), expected);
        }
        assert_eq!(case.one_class.len(), 4);
        for (metric, expected) in &case.one_class {
            let value = Metric::parse(metric).unwrap().binary_value(&labels, &case.scores, case.threshold);
            close_or_absent(&format!("{metric}: {name}"), value.unwrap(), *expected);
        }
        case.calibration.check(name, &Calibration::new(labels.clone(), case.scores.clone()).unwrap());
        let predicted: Vec<bool> = case.scores.iter().map(|s| *s > case.threshold).collect();
        close(name, accuracy(&labels, &predicted).unwrap(), case.accuracy);
    }
}

#[test]
fn a_score_at_the_threshold_is_negative() {
    let metrics = BinaryMetrics::of(&[true], &[0.5], DEFAULT_THRESHOLD).unwrap();
    assert_eq!(metrics.confusion.fn_, 1);
    assert_eq!(metrics.accuracy, 0.0);
}

#[test]
fn what_is_not_a_score_is_refused_with_its_row() {
    let refused =
        |labels: &[bool], scores: &[f64], threshold| BinaryMetrics::of(labels, scores, threshold).unwrap_err();
    assert_eq!(refused(&[], &[], 0.5), StatsError::Empty);
    assert_eq!(
        refused(&[true, false], &[0.1], 0.5),
        StatsError::LengthMismatch { what: "scores", expected: 2, found: 1 }
    );
    assert!(matches!(
        refused(&[true, false], &[0.1, f64::NAN], 0.5),
        StatsError::NotFinite { row: 1, value } if value.is_nan()
    ));
    assert_eq!(refused(&[true], &[f64::INFINITY], 0.5), StatsError::NotFinite { row: 0, value: f64::INFINITY });
    for value in [-1e-9, 1.0 + 1e-9] {
        assert_eq!(refused(&[true], &[value], 0.5), StatsError::ScoreOutOfRange { row: 0, value });
    }
    assert_eq!(refused(&[true], &[0.5], 1.5), StatsError::Threshold { threshold: 1.5 });
    assert!(matches!(refused(&[true], &[0.5], f64::NAN), StatsError::Threshold { .. }));
    assert_eq!(accuracy(&[], &[]), Err(StatsError::Empty));
    assert!(matches!(accuracy(&[true], &[true, false]), Err(StatsError::LengthMismatch { .. })));
}

/// Scores on a grid of 1/64, so that there are ties and `1 - score` is exact.
fn rows() -> impl Strategy<Value = Vec<(bool, f64)>> {
    let score = (0_u8..=64).prop_map(|score| f64::from(score) / 64.0);
    prop::collection::vec((any::<bool>(), score), 1..80)
}

fn metrics_of(rows: &[(bool, f64)]) -> BinaryMetrics {
    let (labels, scores): (Vec<bool>, Vec<f64>) = rows.iter().copied().unzip();
    BinaryMetrics::of(&labels, &scores, DEFAULT_THRESHOLD).unwrap()
}

proptest! {
    #[test]
    fn a_monotone_transform_of_the_scores_keeps_the_auc(rows in rows()) {
        let transform = |score: f64| (score * score + 1.0) / 2.0;
        let transformed: Vec<_> = rows.iter().map(|(l, s)| (*l, transform(*s))).collect();
        prop_assert_eq!(metrics_of(&rows).auc, metrics_of(&transformed).auc);
    }

    #[test]
    fn turning_the_scores_round_turns_the_auc_round(rows in rows()) {
        let turned: Vec<_> = rows.iter().map(|(label, score)| (*label, 1.0 - score)).collect();
        let (auc, of_turned) = (metrics_of(&rows).auc, metrics_of(&turned).auc);
        prop_assert_eq!(auc.is_some(), of_turned.is_some());
        if let (Some(auc), Some(of_turned)) = (auc, of_turned) {
            prop_assert!((auc + of_turned - 1.0).abs() < 1e-15);
        }
    }

    #[test]
    fn the_order_of_the_rows_does_not_matter(
        (rows, shuffled) in rows().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle()))
    ) {
        let (metrics, of_shuffled) = (metrics_of(&rows), metrics_of(&shuffled));
        prop_assert_eq!(metrics.confusion, of_shuffled.confusion);
        prop_assert_eq!(metrics.accuracy, of_shuffled.accuracy);
        prop_assert_eq!(metrics.auc, of_shuffled.auc);
        prop_assert!((metrics.log_loss - of_shuffled.log_loss).abs() <= 1e-14 * metrics.log_loss);
        prop_assert!((metrics.brier - of_shuffled.brier).abs() <= 1e-15);
    }
}
