//! Where a function that falls has a value.

/// Returns where `falling` comes down to `value` between `low` and `high`, by halving until two neighbouring numbers are
/// left.
pub(crate) fn where_it_falls_to(value: f64, (low, high): (f64, f64), falling: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (low, high);
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return middle;
        }
        if falling(middle) > value {
            low = middle;
        } else {
            high = middle;
        }
    }
}
