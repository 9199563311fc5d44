//! How numbers spread: their standard deviation, and a histogram.

use crate::{StatsError, mean::mean, sum::sum};

/// The standard deviation of a sample (with n − 1); nothing for one value.
pub fn standard_deviation(values: &[f64]) -> Result<Option<f64>, StatsError> {
    let mean = mean(values)?;
    if values.len() < 2 {
        return Ok(None);
    }
    let squares = sum(values.iter().map(|value| (value - mean) * (value - mean)));
    if !squares.is_finite() {
        return Err(StatsError::SquaresOutOfRange);
    }
    Ok(Some((squares / (values.len() - 1) as f64).sqrt()))
}

/// How many values lie in each of some ranges of equal width.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// One more than there are ranges; each range but the last is without its upper end.
    pub edges: Vec<f64>,
    pub counts: Vec<u64>,
}

impl Histogram {
    /// From the least value to the greatest; equal values are one range without width.
    pub fn of(values: &[f64], ranges: usize) -> Result<Self, StatsError> {
        mean(values)?;
        let (low, high) = values.iter().fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(*v), high.max(*v)));
        if low == high || ranges == 0 {
            return Ok(Self { edges: vec![low, high], counts: vec![values.len() as u64] });
        }
        // halves, as the width of all may be beyond the largest number
        let edge = |at: usize| {
            let share = at as f64 / ranges as f64;
            if at == ranges { high } else { low * (1.0 - share) + high * share }
        };
        let edges: Vec<f64> = (0..=ranges).map(edge).collect();
        let mut counts = vec![0; ranges];
        for value in values {
            let place = edges.partition_point(|edge| edge <= value);
            counts[place.clamp(1, ranges) - 1] += 1;
        }
        Ok(Self { edges, counts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deviation_is_that_of_numpy() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.5, 9.0, 1.0];
        let found = standard_deviation(&values).unwrap().unwrap();
        assert!((found - 2.9443920330765136).abs() < 1e-12, "{found}");
        assert_eq!((standard_deviation(&[3.0]), standard_deviation(&[3.0, 3.0])), (Ok(None), Ok(Some(0.0))));
        assert!(standard_deviation(&[]).is_err() && standard_deviation(&[f64::MAX, -f64::MAX]).is_err());
    }

    #[test]
    fn every_value_lies_in_one_range() {
        let found = Histogram::of(&[1.0, 2.0, 2.0, 3.0, 10.0], 4).unwrap();
        assert_eq!(found.edges, [1.0, 3.25, 5.5, 7.75, 10.0]);
        assert_eq!(found.counts, [4, 0, 0, 1]);
        assert_eq!(Histogram::of(&[2.0, 2.0], 4).unwrap().counts, [2]);
        let wide = Histogram::of(&[f64::MIN, 0.0, f64::MAX], 3).unwrap();
        assert_eq!(wide.counts.iter().sum::<u64>(), 3);
        assert!(wide.edges.iter().all(|edge| edge.is_finite()), "{wide:?}");
        assert!(Histogram::of(&[f64::NAN], 2).is_err());
    }
}
