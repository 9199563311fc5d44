use proptest::prelude::*;
use stemma_stats::{
    Interval, PairedInterval, Recommendation, SIMILAR_WITHIN, Side, Standing, StatsError, recommend, relative_interval,
};

fn check(low: f64, high: f64, expected: &str) {
    let found = recommend(Interval { low, high }, SIMILAR_WITHIN, Standing::Clear, Standing::Clear).unwrap();
    assert_eq!(found.to_string(), expected, "{low} to {high}");
}

#[test]
fn where_the_interval_lies_decides() {
    check(-0.01, 0.02, "SIMILAR_PERFORMANCE");
    check(-0.05, 0.05, "SIMILAR_PERFORMANCE");
    check(0.0, 0.0, "SIMILAR_PERFORMANCE");
    check(0.06, 0.2, "RECOMMEND_B");
    check(-0.2, -0.06, "RECOMMEND_A");
    // shown to be better, and not shown to be better by more than the margin
    check(0.02, 0.2, "NOT_ENOUGH_EVIDENCE");
    check(0.05, 0.2, "NOT_ENOUGH_EVIDENCE");
    check(-0.2, -0.05, "NOT_ENOUGH_EVIDENCE");
    check(-0.3, 0.4, "NOT_ENOUGH_EVIDENCE");
}

#[test]
fn whoever_is_barred_or_was_not_looked_at_is_not_recommended() {
    let (better_b, better_a) = (Interval { low: 0.1, high: 0.2 }, Interval { low: -0.2, high: -0.1 });
    for standing in [Standing::Barred, Standing::Unknown] {
        let of_b = recommend(better_b, 0.05, Standing::Clear, standing).unwrap();
        assert_eq!(of_b, Recommendation::Withheld(Side::B, standing));
        assert_eq!(of_b.to_string(), "WITHHELD_B");
        let of_a = recommend(better_a, 0.05, standing, Standing::Clear).unwrap();
        assert_eq!(of_a, Recommendation::Withheld(Side::A, standing));
        assert_eq!(of_a.to_string(), "WITHHELD_A");
        // the worse one's standing changes nothing
        assert_eq!(recommend(better_b, 0.05, standing, Standing::Clear), Ok(Recommendation::Take(Side::B)));
    }
}

#[test]
fn the_score_of_the_old_one_is_the_measure() {
    let paired = |old| PairedInterval {
        old,
        new: 0.6,
        difference: 0.1,
        low: 0.05,
        high: 0.2,
        resamples: 2000,
        confidence: 0.95,
    };
    assert_eq!(relative_interval(&paired(0.5)), Some(Interval { low: 0.1, high: 0.4 }));
    // an R² may be below 0: better is still above
    assert_eq!(relative_interval(&paired(-0.5)), Some(Interval { low: 0.1, high: 0.4 }));
    assert_eq!(relative_interval(&paired(0.0)), None);
    assert_eq!(relative_interval(&paired(f64::MIN_POSITIVE / 1e9)), None);
}

#[test]
fn what_is_no_interval_or_margin_is_refused() {
    let of = |low, high, margin| recommend(Interval { low, high }, margin, Standing::Clear, Standing::Clear);
    assert_eq!(of(0.2, 0.1, 0.05), Err(StatsError::NoInterval { low: 0.2, high: 0.1 }));
    assert!(matches!(of(f64::NAN, 0.1, 0.05), Err(StatsError::NoInterval { .. })));
    for margin in [0.0, -0.1, f64::INFINITY] {
        assert_eq!(of(0.1, 0.2, margin), Err(StatsError::Margin { margin }));
    }
}

fn standing() -> impl Strategy<Value = Standing> {
    prop_oneof![Just(Standing::Clear), Just(Standing::Barred), Just(Standing::Unknown)]
}

proptest! {
    #[test]
    fn turning_the_sides_round_turns_the_answer(
        low in -0.3..0.3, width in 0.0..0.3, a in standing(), b in standing()
    ) {
        let high: f64 = low + width;
        let found = recommend(Interval { low, high }, 0.05, a, b).unwrap();
        let turned = recommend(Interval { low: -high, high: -low }, 0.05, b, a).unwrap();
        let other = |side| if side == Side::A { Side::B } else { Side::A };
        let expected = match found {
            Recommendation::Take(side) => Recommendation::Take(other(side)),
            Recommendation::Withheld(side, standing) => Recommendation::Withheld(other(side), standing),
            same => same,
        };
        prop_assert_eq!(turned, expected);
        if let Recommendation::Take(side) = found {
            prop_assert_eq!(if side == Side::A { a } else { b }, Standing::Clear);
        }
    }
}
