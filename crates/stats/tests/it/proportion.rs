use serde::Deserialize;
use stemma_stats::{Interval, StatsError, wilson_interval};

use crate::golden::{cases, close};

#[derive(Deserialize)]
struct Case {
    successes: u64,
    trials: u64,
    confidence: f64,
    low: f64,
    high: f64,
}

#[test]
fn the_interval_is_that_of_scipy() {
    let golden: Vec<Case> = cases(include_str!("../data/proportion.json"), 40);
    for case in golden {
        let found = wilson_interval(case.successes, case.trials, case.confidence).unwrap();
        let what = format!("{} of {}", case.successes, case.trials);
        close(&what, found.low, case.low);
        close(&what, found.high, case.high);
    }
}

#[test]
fn ten_failures_in_a_thousand() {
    let Interval { low, high } = wilson_interval(990, 1000, 0.95).unwrap();
    assert_eq!(format!("{low:.8} {high:.8}"), "0.98169053 0.99455925");
}

#[test]
fn the_interval_ends_exactly_at_the_bounds() {
    for trials in 1..500 {
        assert_eq!(wilson_interval(0, trials, 0.95).unwrap().low, 0.0);
        assert_eq!(wilson_interval(trials, trials, 0.95).unwrap().high, 1.0);
    }
}

#[test]
fn what_is_not_a_proportion_is_refused() {
    for (successes, trials) in [(0, 0), (3, 2)] {
        assert_eq!(wilson_interval(successes, trials, 0.95), Err(StatsError::Proportion { successes, trials }));
    }
    assert_eq!(wilson_interval(1, 2, 1.0), Err(StatsError::Confidence { confidence: 1.0 }));
}
