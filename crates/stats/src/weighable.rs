//! What has a value however often each row counts; resamples are nothing else.

/// Answers to some rows, and the metric that is asked of them.
pub trait Weighable: Sync {
    /// Returns the metric if row `i` counts `weights[i]` times, or nothing where it isn't defined.
    ///
    /// There is a weight for each row; together they are less than 2^32.
    fn value(&self, weights: &[u32]) -> Option<f64>;
}
