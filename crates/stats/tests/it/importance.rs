use proptest::prelude::*;
use stemma_stats::{ImportanceWeights, StatsError};

#[test]
fn an_improvement_is_weighed_against_seconds() {
    let usual = ImportanceWeights::default();
    assert!((usual.importance(0.1, 50.0).unwrap() - 0.055).abs() < 1e-15);
    assert!((usual.importance(0.0, 1000.0).unwrap() + 0.3).abs() < 1e-15);
    assert!((usual.importance(-0.02, -100.0).unwrap() - 0.016).abs() < 1e-15);
    assert_eq!(usual.importance(0.0, 0.0).unwrap(), 0.0);
    let other = ImportanceWeights::new(1.0, 0.0).unwrap();
    assert_eq!(other.importance(0.25, 1e6).unwrap(), 0.25);
}

#[test]
fn what_has_no_weight_is_refused() {
    assert_eq!(ImportanceWeights::new(-0.1, 0.3), Err(StatsError::Weight { what: "improvement", value: -0.1 }));
    assert!(matches!(ImportanceWeights::new(0.7, f64::NAN), Err(StatsError::Weight { what: "latency", .. })));
    assert_eq!(ImportanceWeights::new(0.0, 0.0), Err(StatsError::NoWeight));
    let usual = ImportanceWeights::default();
    assert!(matches!(usual.importance(f64::NAN, 0.0), Err(StatsError::NotANumber { what: "improvement", .. })));
    assert!(matches!(usual.importance(0.0, f64::INFINITY), Err(StatsError::NotANumber { what: "added latency", .. })));
    let heavy = ImportanceWeights::new(f64::MAX, f64::MAX).unwrap();
    assert!(matches!(heavy.importance(10.0, 1e6), Err(StatsError::NotANumber { what: "importance", .. })));
}

proptest! {
    #[test]
    fn better_is_worth_more_and_slower_less(
        improvement in -1.0..1.0, better in 0.001..1.0, added in -500.0..500.0, slower in 1.0..500.0
    ) {
        let importance = |improvement, added| ImportanceWeights::default().importance(improvement, added).unwrap();
        let here: f64 = importance(improvement, added);
        prop_assert!(importance(improvement + better, added) > here);
        prop_assert!(importance(improvement, added + slower) < here);
    }
}
