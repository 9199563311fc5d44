use serde::Deserialize;
use stemma_stats::{StatsError, quantile};

use crate::golden::{cases, close};

#[derive(Deserialize)]
struct Case {
    values: Vec<f64>,
    quantile: f64,
    value: f64,
}

#[test]
fn the_quantiles_are_those_of_numpy() {
    let golden: Vec<Case> = cases(include_str!("../data/quantile.json"), 44);
    for case in golden {
        let found = quantile(&case.values, case.quantile).unwrap();
        close("quantile", found, case.value);
    }
}

#[test]
fn what_has_no_quantile_is_refused() {
    assert_eq!(quantile(&[], 0.5), Err(StatsError::Empty));
    assert_eq!(quantile(&[1.0], 1.1), Err(StatsError::Quantile { quantile: 1.1 }));
    assert!(matches!(quantile(&[1.0], f64::NAN), Err(StatsError::Quantile { .. })));
    assert!(matches!(quantile(&[1.0, f64::NAN], 0.5), Err(StatsError::NotFinite { row: 1, .. })));
}
