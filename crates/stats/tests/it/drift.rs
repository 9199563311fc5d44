use serde::Deserialize;
use stemma_stats::{StatsError, difference_interval, kolmogorov_smirnov, population_stability_index};

use crate::golden::{cases, close};

#[derive(Deserialize)]
struct Stability {
    reference: Vec<u64>,
    sample: Vec<u64>,
    index: f64,
}

#[derive(Deserialize)]
struct Distance {
    reference: Vec<f64>,
    sample: Vec<f64>,
    statistic: f64,
    p_value: f64,
}

#[derive(Deserialize)]
struct Difference {
    one: (u64, u64),
    other: (u64, u64),
    confidence: f64,
    low: f64,
    high: f64,
}

#[test]
fn the_stability_index_is_the_relative_entropy_both_ways() {
    for case in cases::<Stability>(include_str!("../data/stability.json"), 9) {
        let found = population_stability_index(&case.reference, &case.sample).unwrap();
        close(&format!("{:?} to {:?}", case.reference, case.sample), found, case.index);
    }
}

#[test]
fn the_distance_of_two_samples_is_that_of_scipy() {
    for case in cases::<Distance>(include_str!("../data/distance.json"), 10) {
        let what = format!("{} and {} values", case.reference.len(), case.sample.len());
        let found = kolmogorov_smirnov(&case.reference, &case.sample).unwrap();
        close(&what, found.statistic, case.statistic);
        close(&what, found.p_value, case.p_value);
        let turned = kolmogorov_smirnov(&case.sample, &case.reference).unwrap();
        close(&what, turned.statistic, case.statistic);
    }
}

#[test]
fn the_interval_of_a_difference_is_put_together_from_wilsons() {
    for case in cases::<Difference>(include_str!("../data/difference.json"), 18) {
        let what = format!("{:?} and {:?}", case.one, case.other);
        let found = difference_interval(case.one, case.other, case.confidence).unwrap();
        close(&what, found.low, case.low);
        close(&what, found.high, case.high);
    }
    // as printed in Newcombe's paper
    let found = difference_interval((56, 70), (48, 80), 0.95).unwrap();
    assert_eq!(format!("{:.4} {:.4}", found.low, found.high), "0.0524 0.3339");
}

#[test]
fn what_can_not_be_compared_is_refused() {
    assert_eq!(population_stability_index(&[0, 0], &[1, 0]), Err(StatsError::Empty));
    assert!(population_stability_index(&[1], &[1, 2]).is_err());
    assert_eq!(kolmogorov_smirnov(&[], &[1.0]), Err(StatsError::Empty));
    assert!(kolmogorov_smirnov(&[1.0], &[f64::NAN]).is_err());
    assert!(difference_interval((1, 0), (1, 2), 0.95).is_err());
}
