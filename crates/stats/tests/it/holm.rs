use proptest::prelude::*;
use serde::Deserialize;
use stemma_stats::{StatsError, holm};

use crate::golden::cases;

#[derive(Deserialize)]
struct Case {
    p_values: Vec<f64>,
    adjusted: Vec<f64>,
}

#[test]
fn the_adjustment_is_that_of_statsmodels() {
    for case in cases::<Case>(include_str!("../data/holm.json"), 7) {
        assert_eq!(holm(&case.p_values).unwrap(), case.adjusted);
    }
}

#[test]
fn a_family_of_none_has_no_values_and_what_is_no_p_value_is_refused() {
    assert_eq!(holm(&[]).unwrap(), [0.0; 0]);
    assert_eq!(holm(&[0.5, 1.5]), Err(StatsError::PValue { at: 1, value: 1.5 }));
    assert_eq!(holm(&[-0.1]), Err(StatsError::PValue { at: 0, value: -0.1 }));
    assert!(matches!(holm(&[0.1, 0.2, f64::NAN]), Err(StatsError::PValue { at: 2, .. })));
}

fn family() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec((0_u16..=1000).prop_map(|p_value| f64::from(p_value) / 1000.0), 1..40)
}

/// The procedure as the paper tells it: reject from the smallest up, each against α by how many are left, and stop at
/// the first that is not rejected.
fn rejected(p_values: &[f64], alpha: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|one, other| p_values[*one].total_cmp(&p_values[*other]));
    let mut rejected = vec![false; p_values.len()];
    for (rank, at) in order.into_iter().enumerate() {
        if p_values[at] * (p_values.len() - rank) as f64 > alpha {
            break;
        }
        rejected[at] = true;
    }
    rejected
}

proptest! {
    #[test]
    fn adjusted_values_keep_their_order_and_stay_between_the_value_and_one(p_values in family()) {
        let adjusted = holm(&p_values).unwrap();
        for (one, p_value) in adjusted.iter().zip(&p_values) {
            prop_assert!(p_value <= one && *one <= 1.0);
            for (other, of_other) in adjusted.iter().zip(&p_values) {
                prop_assert!(p_value > of_other || one <= other);
                prop_assert!(p_value != of_other || one == other);
            }
        }
    }

    #[test]
    fn what_is_at_most_alpha_is_what_the_procedure_rejects(p_values in family(), alpha in 0.0..1.0) {
        let adjusted = holm(&p_values).unwrap();
        prop_assert_eq!(adjusted.iter().map(|one| *one <= alpha).collect::<Vec<_>>(), rejected(&p_values, alpha));
    }

    #[test]
    fn the_order_of_the_family_does_not_matter(
        (p_values, order) in family().prop_flat_map(|family| {
            let order: Vec<usize> = (0..family.len()).collect();
            (Just(family), Just(order).prop_shuffle())
        })
    ) {
        let shuffled: Vec<f64> = order.iter().map(|at| p_values[*at]).collect();
        let (adjusted, of_shuffled) = (holm(&p_values).unwrap(), holm(&shuffled).unwrap());
        for (at, place) in order.into_iter().enumerate() {
            prop_assert_eq!(of_shuffled[at], adjusted[place]);
        }
    }
}
