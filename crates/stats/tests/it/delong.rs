use proptest::prelude::*;
use serde::Deserialize;
use stemma_stats::{DeLong, Metric, StatsError, auc};

use crate::golden::{booleans, cases, close, close_in_digits};

#[derive(Deserialize)]
struct Case {
    name: String,
    labels: Vec<u8>,
    scores_old: Vec<f64>,
    scores_new: Vec<f64>,
    confidence: f64,
    /// Old and new.
    aucs: (f64, f64),
    /// Variance of the old and the new, and their covariance.
    covariances: (f64, f64, f64),
    /// z, p-value, and the interval.
    test: Option<(f64, f64, f64, f64)>,
}

#[test]
fn the_test_is_that_of_the_kernel_over_all_pairs() {
    let golden: Vec<Case> = cases(include_str!("../data/delong.json"), 9);
    assert_eq!(golden.iter().filter(|case| case.test.is_none()).count(), 3);
    for case in golden {
        let name = &case.name;
        let found = DeLong::of(&booleans(&case.labels), &case.scores_old, &case.scores_new, case.confidence).unwrap();
        close(name, found.auc_old, case.aucs.0);
        close(name, found.auc_new, case.aucs.1);
        close(name, found.difference, case.aucs.1 - case.aucs.0);
        close(name, found.variance_old, case.covariances.0);
        close(name, found.variance_new, case.covariances.1);
        close(name, found.covariance, case.covariances.2);
        assert_eq!(found.test.is_some(), case.test.is_some(), "{name}");
        if let (Some(found), Some((z, p_value, low, high))) = (found.test, case.test) {
            close(name, found.z, z);
            close_in_digits(name, found.p_value, p_value);
            close(name, found.interval.low, low);
            close(name, found.interval.high, high);
            assert_eq!(found.confidence, case.confidence);
        }
    }
}

#[test]
fn the_same_ranks_leave_nothing_to_test() {
    let labels = [true, false, true, false, true];
    let scores = [0.9, 0.1, 0.4, 0.4, 0.7];
    let cubed = scores.map(|score: f64| score * score * score);
    let found = DeLong::of(&labels, &scores, &cubed, 0.95).unwrap();
    assert_eq!((found.difference, found.variance, found.test), (0.0, 0.0, None));
    assert!(found.variance_old > 0.0);
}

#[test]
fn two_perfect_orders_leave_nothing_to_test_even_if_one_is_upside_down() {
    let labels = [false, false, true, true];
    let (up, down) = ([1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0]);
    let found = DeLong::of(&labels, &down, &up, 0.95).unwrap();
    assert_eq!((found.auc_old, found.auc_new, found.difference), (0.0, 1.0, 1.0));
    assert_eq!((found.variance, found.test), (0.0, None));
}

#[test]
fn what_can_not_be_tested_is_refused() {
    let refused = |labels: &[bool], old: &[f64], new: &[f64]| DeLong::of(labels, old, new, 0.95).unwrap_err();
    assert_eq!(refused(&[true; 3], &[0.1; 3], &[0.2; 3]), StatsError::OneClass { metric: Metric::Auc });
    assert_eq!(refused(&[false; 3], &[0.1; 3], &[0.2; 3]), StatsError::OneClass { metric: Metric::Auc });
    assert_eq!(refused(&[true, false, false], &[0.1; 3], &[0.2; 3]), StatsError::TooFewOfClass { rows: 1, min: 2 });
    assert_eq!(refused(&[], &[], &[]), StatsError::Empty);
    assert!(matches!(refused(&[true; 2], &[0.1; 2], &[0.1; 3]), StatsError::LengthMismatch { what: "new scores", .. }));
    assert!(matches!(refused(&[true; 2], &[f64::NAN; 2], &[0.1; 2]), StatsError::NotFinite { row: 0, .. }));
    let labels = [true, true, false, false];
    assert_eq!(DeLong::of(&labels, &[0.0; 4], &[0.0; 4], 0.0), Err(StatsError::Confidence { confidence: 0.0 }));
}

/// Scores on a grid, so that there are ties; two rows of each class.
fn rows() -> impl Strategy<Value = Vec<(bool, f64, f64)>> {
    let score = || (0_u8..=16).prop_map(f64::from);
    prop::collection::vec((any::<bool>(), score(), score()), 0..60).prop_flat_map(move |rows| {
        prop::collection::vec((score(), score()), 4).prop_map(move |more| {
            let more = more.into_iter().enumerate().map(|(at, (old, new))| (at % 2 == 0, old, new));
            rows.iter().copied().chain(more).collect()
        })
    })
}

fn split(rows: &[(bool, f64, f64)]) -> (Vec<bool>, Vec<f64>, Vec<f64>) {
    (
        rows.iter().map(|row| row.0).collect(),
        rows.iter().map(|row| row.1).collect(),
        rows.iter().map(|row| row.2).collect(),
    )
}

proptest! {
    #[test]
    fn the_parts_fit_together(rows in rows()) {
        let (labels, old, new) = split(&rows);
        let found = DeLong::of(&labels, &old, &new, 0.95).unwrap();
        prop_assert_eq!(Some(found.auc_old), auc(&labels, &old).unwrap());
        prop_assert_eq!(Some(found.auc_new), auc(&labels, &new).unwrap());
        let variance = found.variance_old + found.variance_new - 2.0 * found.covariance;
        prop_assert!((found.variance - variance).abs() < 1e-14);
        prop_assert_eq!(found.test.is_some(), found.variance > 0.0);
        if let Some(test) = found.test {
            prop_assert!(test.z.is_finite() && (0.0..=1.0).contains(&test.p_value));
            prop_assert!(test.interval.low <= found.difference && found.difference <= test.interval.high);
        }
    }

    #[test]
    fn turning_the_sides_round_turns_the_sign(rows in rows()) {
        let (labels, old, new) = split(&rows);
        let found = DeLong::of(&labels, &old, &new, 0.95).unwrap();
        let turned = DeLong::of(&labels, &new, &old, 0.95).unwrap();
        prop_assert_eq!(found.difference, -turned.difference);
        prop_assert_eq!((found.variance_old, found.covariance), (turned.variance_new, turned.covariance));
        let p_value = |of: DeLong| of.test.map(|test| test.p_value);
        prop_assert_eq!(p_value(found), p_value(turned));
    }

    #[test]
    fn only_the_order_of_scores_matters(rows in rows()) {
        let (labels, old, new) = split(&rows);
        let curved: Vec<f64> = new.iter().map(|score| score * score * score - 50.0).collect();
        prop_assert_eq!(DeLong::of(&labels, &old, &new, 0.9), DeLong::of(&labels, &old, &curved, 0.9));
    }
}
