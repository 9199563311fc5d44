use proptest::prelude::*;
use serde::Deserialize;
use stemma_stats::{Chance, ChiSquared, MCNEMAR_EXACT_BELOW, McNemar, StatsError};

use crate::golden::{cases, close, close_in_digits};

#[derive(Deserialize)]
struct Case {
    only_old: u64,
    only_new: u64,
    exact: f64,
    /// Statistic and p-value, without and with correction; nothing without discordant rows.
    chi_squared: Vec<(f64, f64)>,
}

#[test]
fn the_test_is_that_of_statsmodels() {
    let golden: Vec<Case> = cases(include_str!("../data/mcnemar.json"), 21);
    assert!(golden.iter().filter(|case| case.only_old + case.only_new < MCNEMAR_EXACT_BELOW).count() >= 10);
    for Case { only_old, only_new, exact, chi_squared } in golden {
        let (test, what) = (McNemar { only_old, only_new }, format!("{only_old} and {only_new}"));
        let found: Vec<_> = [test.chi_squared(), test.corrected_chi_squared()].into_iter().flatten().collect();
        assert_eq!(found.len(), chi_squared.len(), "{what}");
        for (found, expected) in found.iter().zip(&chi_squared) {
            close(&what, found.statistic, expected.0);
            close_in_digits(&what, found.p_value, expected.1);
        }
        if only_old + only_new < MCNEMAR_EXACT_BELOW {
            assert_eq!(test.chance(), Chance::Exact);
            close_in_digits(&what, test.p_value(), exact);
        } else {
            assert_eq!(test.chance(), Chance::Approximate);
            assert_eq!(test.p_value(), found[1].p_value);
        }
    }
}

#[test]
fn the_values_that_are_printed_elsewhere() {
    assert_eq!(McNemar { only_old: 8, only_new: 2 }.p_value(), 0.109_375);
    let ChiSquared { statistic, p_value } = McNemar { only_old: 30, only_new: 12 }.corrected_chi_squared().unwrap();
    assert_eq!(format!("{statistic:.6} {p_value:.8}"), "6.880952 0.00871191");
}

#[test]
fn rows_are_counted_by_who_has_them_right() {
    let old = [true, true, true, false, false, true];
    let new = [true, false, false, true, false, false];
    assert_eq!(McNemar::of(&old, &new).unwrap(), McNemar { only_old: 3, only_new: 1 });
    assert_eq!(McNemar::of(&[], &[]), Err(StatsError::Empty));
    assert!(matches!(McNemar::of(&old, &new[1..]), Err(StatsError::LengthMismatch { .. })));
}

#[test]
fn without_discordant_rows_there_is_no_statistic_and_no_evidence() {
    let none = McNemar::of(&[true; 40], &[true; 40]).unwrap();
    assert_eq!((none.chi_squared(), none.corrected_chi_squared(), none.p_value()), (None, None, 1.0));
}

#[test]
fn counts_of_any_size_have_a_p_value() {
    for (only_old, only_new) in [(u64::MAX, u64::MAX), (u64::MAX, 0), (0, 1 << 40)] {
        let p_value = McNemar { only_old, only_new }.p_value();
        assert!((0.0..=1.0).contains(&p_value), "{only_old}, {only_new}: {p_value}");
    }
}

proptest! {
    #[test]
    fn turning_the_sides_round_changes_nothing(one in 0_u64..200, other in 0_u64..200) {
        let (test, turned) = (McNemar { only_old: one, only_new: other }, McNemar { only_old: other, only_new: one });
        prop_assert_eq!(test.p_value(), turned.p_value());
        prop_assert!(test.p_value() > 0.0 && test.p_value() <= 1.0);
    }

    #[test]
    fn the_further_from_even_the_less_likely(discordant in 2_u64..120, less in 0_u64..60) {
        let less = less.min((discordant - 1) / 2);
        let p_value = |less| McNemar { only_old: less, only_new: discordant - less }.p_value();
        if less > 0 {
            prop_assert!(p_value(less - 1) < p_value(less));
        }
    }
}
