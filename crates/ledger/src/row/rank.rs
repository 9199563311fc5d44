//! Numbers by their place in the order of all doubles: whole numbers, which both databases compare alike and exactly.

/// The place of a number; of both zeros the same. Nothing of what is no number.
pub fn rank(number: f64) -> Option<i64> {
    if number.is_nan() {
        return None;
    }
    // the sum turns -0 into 0
    let bits = (number + 0.0).to_bits() as i64;
    Some(if bits < 0 { -(bits & i64::MAX) } else { bits })
}

/// The number at a place.
pub fn number_at(rank: i64) -> f64 {
    let magnitude = f64::from_bits(rank.unsigned_abs());
    if rank < 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn places_are_in_the_order_of_numbers(a in any::<f64>(), b in any::<f64>()) {
            match (rank(a), rank(b)) {
                (Some(of_a), Some(of_b)) => {
                    prop_assert_eq!(of_a.cmp(&of_b), a.partial_cmp(&b).unwrap());
                    prop_assert_eq!(number_at(of_a), a);
                }
                _ => prop_assert!(a.is_nan() || b.is_nan()),
            }
        }
    }

    #[test]
    fn the_ends_have_places_too() {
        let ends = [f64::NEG_INFINITY, f64::MIN, -1.0, -f64::MIN_POSITIVE, 0.0, 5e-324, 1.0, f64::MAX, f64::INFINITY];
        let places: Vec<i64> = ends.iter().map(|number| rank(*number).unwrap()).collect();
        assert!(places.is_sorted());
        assert_eq!(rank(-0.0), rank(0.0));
        assert_eq!(places.iter().map(|place| number_at(*place)).collect::<Vec<_>>(), ends);
    }
}
