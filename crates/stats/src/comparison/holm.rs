//! p-values of many tests at once.

use crate::StatsError;

/// Returns each p-value adjusted for how many there are, in the order given: a test whose adjusted value is at most α is
/// rejected, and the probability that any true hypothesis of the family is rejected is at most α.
///
/// Holm's step-down method (*A Simple Sequentially Rejective Multiple Test Procedure*, Scandinavian Journal of
/// Statistics 6, 1979): of m values the k-th smallest is multiplied by m − k + 1, is no smaller than the one before it
/// and at most 1. The tests may depend on each other in any way. Values are those of statsmodels' `multipletests` with
/// `method="holm"`. The family must hold all tests that were made, those too that showed nothing.
pub fn holm(p_values: &[f64]) -> Result<Vec<f64>, StatsError> {
    if let Some(at) = p_values.iter().position(|p_value| !(0.0..=1.0).contains(p_value)) {
        return Err(StatsError::PValue { at, value: p_values[at] });
    }
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|one, other| p_values[*one].total_cmp(&p_values[*other]));
    let (mut adjusted, mut before) = (vec![0.0; p_values.len()], 0.0_f64);
    for (rank, at) in order.into_iter().enumerate() {
        before = before.max(p_values[at] * (p_values.len() - rank) as f64).min(1.0);
        adjusted[at] = before;
    }
    Ok(adjusted)
}
