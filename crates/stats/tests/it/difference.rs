use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use serde::Deserialize;
use stemma_stats::{
    Bootstrap, Difference, Interval, Metric, MoreRows, PairedT, StatsError, USUAL_POWER, paired_bootstrap,
};

use crate::golden::cases;

#[derive(Deserialize)]
struct Case {
    difference: f64,
    low: f64,
    high: f64,
    confidence: f64,
    rows: u64,
    power: f64,
    /// How many rows are needed, those seen among them.
    total: f64,
}

fn seen(value: f64, low: f64, high: f64) -> Difference {
    Difference { value, interval: Interval { low, high }, confidence: 0.95, rows: 100 }
}

#[test]
fn the_number_of_rows_is_the_sample_size_of_statsmodels() {
    for case in cases::<Case>(include_str!("../data/more_rows.json"), 6) {
        let Case { difference, low, high, confidence, rows, power, total } = case;
        let seen = Difference { value: difference, interval: Interval { low, high }, confidence, rows };
        let MoreRows::About(more) = seen.more_rows(power).unwrap() else { panic!("{difference} on {rows} rows") };
        // the next whole number, or that after it where rounding says so
        let expected = total - rows as f64;
        assert!((more as f64 - expected - 0.5).abs() <= 0.5 + 1e-6, "{more}, expected {expected}");
    }
}

#[test]
fn an_interval_that_excludes_zero_is_decided() {
    assert_eq!(seen(0.2, 0.1, 0.3).more_rows(0.8), Ok(MoreRows::Decided));
    assert_eq!(seen(-0.2, -0.3, -0.1).more_rows(0.8), Ok(MoreRows::Decided));
    assert!(matches!(seen(0.2, 0.0, 0.4).more_rows(0.8), Ok(MoreRows::About(_))));
    // half of a lopsided interval is less than the difference: one row more is needed at least
    assert_eq!(seen(0.3, -0.001, 0.35).more_rows(0.5), Ok(MoreRows::About(1)));
}

#[test]
fn no_number_of_rows_decides_a_difference_of_zero() {
    assert_eq!(seen(0.0, -0.1, 0.1).more_rows(0.8), Ok(MoreRows::None));
    assert_eq!(seen(0.0, 0.0, 0.0).more_rows(0.8), Ok(MoreRows::None));
    assert_eq!(seen(1e-300, -0.1, 0.1).more_rows(0.8), Ok(MoreRows::None));
    assert_eq!(seen(1e-9, -0.1, 0.1).more_rows(0.8), Ok(MoreRows::None));
}

#[test]
fn a_surer_answer_needs_more_rows() {
    let mut before = 0;
    for power in [0.5, 0.6, USUAL_POWER, 0.9, 0.99] {
        let MoreRows::About(more) = seen(0.01, -0.09, 0.11).more_rows(power).unwrap() else { panic!("{power}") };
        assert!(more > before, "{power}: {more}");
        before = more;
    }
}

#[test]
fn what_says_nothing_is_refused() {
    for power in [0.49, 1.0, f64::NAN] {
        assert!(matches!(seen(0.1, -0.1, 0.3).more_rows(power), Err(StatsError::Power { .. })), "{power}");
    }
    assert_eq!(seen(0.1, 0.3, -0.1).more_rows(0.8), Err(StatsError::NoInterval { low: 0.3, high: -0.1 }));
    assert!(matches!(seen(0.1, f64::NAN, 0.3).more_rows(0.8), Err(StatsError::NoInterval { .. })));
    assert!(matches!(seen(f64::NAN, -0.1, 0.3).more_rows(0.8), Err(StatsError::NotANumber { .. })));
    let of_none = Difference { rows: 0, ..seen(0.1, -0.1, 0.3) };
    assert_eq!(of_none.more_rows(0.8), Err(StatsError::Empty));
    let sure = Difference { confidence: 1.0, ..seen(0.1, -0.1, 0.3) };
    assert_eq!(sure.more_rows(0.8), Err(StatsError::Confidence { confidence: 1.0 }));
}

#[test]
fn an_interval_of_the_bootstrap_is_asked_with_its_rows() {
    let labels: Vec<bool> = (0..80).map(|row| row % 2 == 0).collect();
    let old: Vec<f64> = (0..80).map(|row| f64::from(row * 37 % 83) / 83.0).collect();
    let new: Vec<f64> = (0..80).map(|row| f64::from(row * 53 % 83) / 83.0).collect();
    let paired = paired_bootstrap(&labels, &old, &new, &Bootstrap::new(Metric::Auc, 1)).unwrap();
    let seen = paired.on_rows(80);
    assert_eq!((seen.value, seen.confidence, seen.rows), (paired.difference, 0.95, 80));
    assert_eq!((seen.interval.low, seen.interval.high), (paired.low, paired.high));
    assert!(matches!(seen.more_rows(USUAL_POWER).unwrap(), MoreRows::About(_)));
}

/// Wins and losses, 55 wins in 100.
fn outcomes(words: &mut ChaCha8Rng, rows: u64) -> Vec<f64> {
    (0..rows).map(|_| if words.next_u32() % 100 < 55 { 1.0 } else { -1.0 }).collect()
}

#[test]
fn so_many_rows_decide_as_often_as_the_power_says() {
    // 200 rows on which the difference is what it is in truth: 0.1, with a standard deviation of 0.995
    let half = 1.959_964 * (0.99_f64 / 200.0).sqrt();
    let seen = Difference { rows: 200, ..seen(0.1, 0.1 - half, 0.1 + half) };
    let MoreRows::About(more) = seen.more_rows(USUAL_POWER).unwrap() else { panic!("not decided") };
    let mut words = ChaCha8Rng::seed_from_u64(5);
    let (studies, mut decided) = (4_000, 0);
    for _ in 0..studies {
        let interval = PairedT::of(&outcomes(&mut words, 200 + more)).unwrap().unwrap().interval(0.95).unwrap();
        decided += u32::from(interval.low > 0.0 || interval.high < 0.0);
    }
    let share = f64::from(decided) / f64::from(studies);
    assert!((share - USUAL_POWER).abs() < 0.03, "{share} of studies of {} rows", 200 + more);
}
