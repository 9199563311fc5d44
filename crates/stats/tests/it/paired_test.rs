use proptest::prelude::*;
use serde::Deserialize;
use stemma_stats::{Chance, PAIRS_MIN, PairedT, PairedTest, PairedTestKind, SignedRank, StatsError};

use crate::golden::{cases, close, close_in_digits, close_or_absent};

#[derive(Deserialize)]
struct Case {
    name: String,
    old: Vec<f64>,
    new: Vec<f64>,
    kind: String,
    p_value: f64,
    differing: u64,
    difference: f64,
    effect_size: Option<f64>,
    /// t, p-value, and the interval to 95 %.
    t: Option<(f64, f64, f64, f64)>,
}

#[test]
fn the_tests_are_those_that_mlflow_chooses() {
    let golden: Vec<Case> = cases(include_str!("../data/paired_test.json"), 14);
    for kind in ["mcnemar_exact", "mcnemar_chi2", "wilcoxon_exact", "wilcoxon_asymptotic"] {
        assert!(golden.iter().any(|case| case.kind == kind), "{kind}");
    }
    for case in golden {
        let (found, name) = (PairedTest::of(&case.old, &case.new).unwrap(), &case.name);
        assert_eq!(found.kind.to_string(), case.kind, "{name}");
        close_in_digits(name, found.p_value, case.p_value);
        assert_eq!((found.rows, found.differing), (case.old.len() as u64, case.differing), "{name}");
        close(name, found.difference, case.difference);
        close_or_absent(name, found.effect_size, case.effect_size);
        assert_eq!(found.t.is_some(), case.t.is_some(), "{name}");
        if let (Some(found), Some((t, p_value, low, high))) = (found.t, case.t) {
            close(name, found.t, t);
            close_in_digits(name, found.p_value, p_value);
            let interval = found.interval(0.95).unwrap();
            close(name, interval.low, low);
            close(name, interval.high, high);
        }
    }
}

#[test]
fn the_values_that_are_printed_elsewhere() {
    let found = PairedTest::of(&[0.0; 8], &[0.1, -0.05, 0.2, 0.15, 0.3, -0.1, 0.25, 0.05]).unwrap();
    assert_eq!((found.kind, found.p_value), (PairedTestKind::SignedRank(Chance::Exact), 0.078_125));
    let (d, t) = (found.effect_size.unwrap(), found.t.unwrap().p_value);
    assert_eq!(format!("{d:.8} {t:.8}"), "0.79907041 0.05832171");
}

#[test]
fn ranks_are_shared_by_equal_sizes_and_zeros_have_none() {
    let found = SignedRank::of(&[0.0, 1.0, -1.0, 2.0, -0.0]).unwrap();
    assert_eq!((found.differing, found.ranks_above, found.ranks_below), (3, 4.5, 1.5));
    // SciPy 1.17.1: wilcoxon([...], method="exact"), whose sums of ranks are rounded, too
    assert_eq!(found.p_value, 0.75);
    let more = SignedRank::of(&[1.0, -1.0, 2.0, 2.0, -3.0, 4.0, 4.0, 5.0, 1.0]).unwrap();
    assert_eq!(more.p_value, 0.097_656_25);
    let none = SignedRank::of(&[0.0; 9]).unwrap();
    assert_eq!((none.differing, none.p_value), (0, 1.0));
}

#[test]
fn differences_without_variance_have_no_t_test() {
    assert_eq!(PairedT::of(&[0.0; 9]).unwrap(), None);
    assert_eq!(PairedT::of(&[0.25; 2]).unwrap(), None);
    // what is left of 0.3 - 0.2 and 0.2 - 0.1 is noise
    assert_eq!(PairedT::of(&[0.3 - 0.2, 0.2 - 0.1, 0.1]).unwrap(), None);
    assert_eq!(PairedT::of(&[0.0, 1e-16, -1e-16]).unwrap(), None);
    assert!(PairedT::of(&[0.25, 0.250_001]).unwrap().is_some());
}

#[test]
fn what_can_not_be_tested_is_refused() {
    let few = PAIRS_MIN - 1;
    assert_eq!(PairedTest::of(&vec![0.0; few], &vec![1.0; few]), Err(StatsError::TooFewRows { rows: 5, min: 6 }));
    assert_eq!(PairedTest::of(&[], &[]), Err(StatsError::Empty));
    assert!(matches!(PairedTest::of(&[0.0; 7], &[0.0; 6]), Err(StatsError::LengthMismatch { .. })));
    assert!(matches!(PairedTest::of(&[0.0; 6], &[f64::NAN; 6]), Err(StatsError::NotFinite { row: 0, .. })));
    assert!(matches!(PairedTest::of(&[f64::MAX; 6], &[f64::MIN; 6]), Err(StatsError::NotFinite { .. })));
    assert_eq!(PairedT::of(&[1.0]), Err(StatsError::TooFewRows { rows: 1, min: 2 }));
    assert_eq!(PairedT::of(&[1e200, -1e200]), Err(StatsError::SquaresOutOfRange));
    assert_eq!(SignedRank::of(&[]), Err(StatsError::Empty));
    let t = PairedT::of(&[1.0, 2.0]).unwrap().unwrap();
    assert_eq!(t.interval(1.0), Err(StatsError::Confidence { confidence: 1.0 }));
}

/// Differences on a coarse grid, so that there are ties and zeros.
fn differences() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec((-8_i8..=8).prop_map(|difference| f64::from(difference) / 4.0), 6..90)
}

/// The sizes from 1 up, each once, with any signs and in any order.
fn few_differences() -> impl Strategy<Value = Vec<f64>> {
    let signed = prop::collection::vec(any::<bool>(), 1..11).prop_map(|signs| {
        let sizes = (1_u32..).map(f64::from);
        signs.into_iter().zip(sizes).map(|(above, size)| if above { size } else { -size }).collect::<Vec<_>>()
    });
    signed.prop_shuffle()
}

/// How many of all ways to give signs to the sizes are as far from the middle, by looking at each.
fn share_at_least_so_far(sizes: &[f64]) -> f64 {
    let all = 1_u32 << sizes.len();
    let middle = sizes.len() * (sizes.len() + 1) / 2;
    let rank = |at: usize| 1 + sizes.iter().filter(|other| other.abs() < sizes[at].abs()).count();
    let seen: usize = (0..sizes.len()).filter(|at| sizes[*at] > 0.0).map(rank).sum();
    let far = |above: usize| above.abs_diff(middle - above);
    let above = |ways: u32| (0..sizes.len()).filter(|at| ways >> at & 1 == 1).map(rank).sum();
    let as_far = (0..all).filter(|ways| far(above(*ways)) >= far(seen)).count();
    as_far as f64 / f64::from(all)
}

proptest! {
    #[test]
    fn every_test_is_the_same_from_both_sides(differences in differences()) {
        let turned: Vec<f64> = differences.iter().map(|difference| -difference).collect();
        let (one, other) = (SignedRank::of(&differences).unwrap(), SignedRank::of(&turned).unwrap());
        prop_assert_eq!(one.ranks_above, other.ranks_below);
        prop_assert!((one.p_value - other.p_value).abs() < 1e-14);
        prop_assert!(one.p_value > 0.0 && one.p_value <= 1.0);
        let n = one.differing as f64;
        prop_assert_eq!(one.ranks_above + one.ranks_below, n * (n + 1.0) / 2.0);
        if let (Some(one), Some(other)) = (PairedT::of(&differences).unwrap(), PairedT::of(&turned).unwrap()) {
            prop_assert_eq!(one.p_value, other.p_value);
        }
    }

    #[test]
    fn a_few_ranks_are_counted_out(differences in few_differences()) {
        let found = SignedRank::of(&differences).unwrap();
        prop_assert_eq!(found.p_value, share_at_least_so_far(&differences));
    }

    #[test]
    fn the_interval_excludes_zero_where_the_test_rejects(differences in differences()) {
        if let Some(found) = PairedT::of(&differences).unwrap() {
            let interval = found.interval(0.95).unwrap();
            let excludes = interval.low > 0.0 || interval.high < 0.0;
            // at the limit itself rounding decides
            prop_assume!((found.p_value - 0.05).abs() > 1e-9);
            prop_assert_eq!(excludes, found.p_value < 0.05);
        }
    }
}
