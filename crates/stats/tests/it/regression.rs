use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;
use stemma_stats::{Metric, RegressionMetrics, StatsError};

use crate::golden::{cases, close, close_or_absent};

#[derive(Deserialize)]
struct Case {
    name: String,
    targets: Vec<f64>,
    predictions: Vec<f64>,
    rmse: f64,
    mae: f64,
    r2: Option<f64>,
    mape: Option<f64>,
    pinball: BTreeMap<String, f64>,
}

#[test]
fn the_metrics_are_those_of_scikit_learn() {
    let golden: Vec<Case> = cases(include_str!("../data/regression.json"), 8);
    for case in golden {
        let found = RegressionMetrics::of(&case.targets, &case.predictions).unwrap();
        assert_eq!(found.rows, case.targets.len() as u64);
        close(&case.name, found.rmse, case.rmse);
        close(&case.name, found.mae, case.mae);
        close_or_absent(&case.name, found.r2, case.r2);
        let value = |metric: Metric| {
            let value = metric.regression_value(&case.targets, &case.predictions);
            value.unwrap()
        };
        assert_eq!(value(Metric::Rmse), Some(found.rmse));
        assert_eq!(value(Metric::Mae), Some(found.mae));
        assert_eq!(value(Metric::R2), found.r2);
        close_or_absent(&case.name, value(Metric::Mape), case.mape);
        assert_eq!(case.pinball.len(), 3);
        for (name, expected) in &case.pinball {
            close_or_absent(name, value(Metric::parse(name).unwrap()), Some(*expected));
        }
    }
}

#[test]
fn what_is_not_a_number_is_refused_with_its_row() {
    assert_eq!(RegressionMetrics::of(&[], &[]), Err(StatsError::Empty));
    assert!(matches!(RegressionMetrics::of(&[1.0], &[1.0, 2.0]), Err(StatsError::LengthMismatch { .. })));
    for value in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
        for (targets, predictions) in [([0.0, value], [0.0; 2]), ([0.0; 2], [0.0, value])] {
            assert!(matches!(RegressionMetrics::of(&targets, &predictions), Err(StatsError::NotFinite { row: 1, .. })));
        }
    }
}

#[test]
fn squares_that_do_not_fit_are_refused() {
    for (target, prediction) in [(1e200, 0.0), (f64::MAX, -f64::MAX), (1e-200, 0.0)] {
        assert_eq!(
            RegressionMetrics::of(&[target, 0.0], &[prediction, 0.0]),
            Err(StatsError::SquaresOutOfRange),
            "{target}"
        );
    }
}

proptest! {
    #[test]
    fn any_finite_numbers_give_finite_metrics_or_a_clear_refusal(
        rows in prop::collection::vec((-f64::MAX..=f64::MAX, -f64::MAX..=f64::MAX), 1..10),
        scale in prop::sample::select(vec![1.0, 1e-150, 1e-200, 1e-300, 1e-308]),
    ) {
        let scaled = rows.into_iter().map(|(t, p)| (t * scale, p * scale));
        let (targets, predictions): (Vec<f64>, Vec<f64>) = scaled.unzip();
        match RegressionMetrics::of(&targets, &predictions) {
            Ok(metrics) => {
                prop_assert!(metrics.rmse.is_finite() && metrics.mae.is_finite());
                prop_assert!(metrics.r2.is_none_or(f64::is_finite) && metrics.mape.is_none_or(f64::is_finite));
                prop_assert!(metrics.mae <= metrics.rmse * (1.0 + 1e-12));
            }
            Err(error) => prop_assert_eq!(error, StatsError::SquaresOutOfRange),
        }
    }
}
