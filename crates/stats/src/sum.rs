//! Sums whose rounding error doesn't grow with the number of rows.

/// Returns the sum with Neumaier's compensation: the error is that of one rounding, not of one a row.
pub(crate) fn sum(values: impl Iterator<Item = f64>) -> f64 {
    let (mut total, mut lost) = (0.0_f64, 0.0_f64);
    for value in values {
        let next = total + value;
        lost += if total.abs() >= value.abs() { (total - next) + value } else { (value - next) + total };
        total = next;
    }
    // after an overflow `lost` is inf - inf
    if total.is_finite() { total + lost } else { total }
}

#[cfg(test)]
mod tests {
    use super::sum;

    #[test]
    fn small_values_survive_large_ones() {
        assert_eq!(sum([1.0, 1e100, 1.0, -1e100].into_iter()), 2.0);
        assert_eq!(sum(std::iter::repeat_n(0.1, 10)), 1.0);
    }

    #[test]
    fn an_overflow_is_infinite_and_not_a_nan() {
        assert_eq!(sum([f64::MAX, f64::MAX, 1.0].into_iter()), f64::INFINITY);
    }
}
