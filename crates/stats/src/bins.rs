//! Parts of the number line, cut so that a sample fills them equally.

use crate::{StatsError, quantile};

/// Bins by a reference sample.
///
/// A value that more of the sample has than fit into one bin is a bin of its own: quantiles that fall on it would
/// otherwise put all the rest beside it. What is left is cut at its quantiles. Values below and above all of the sample
/// have a bin each.
#[derive(Debug, Clone, PartialEq)]
pub struct Bins {
    /// In order.
    points: Vec<f64>,
    /// Bounds between bins, each part of the upper one.
    edges: Vec<f64>,
    least: f64,
    greatest: f64,
}

/// What a bin holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bin {
    Below(f64),
    Above(f64),
    /// From the first to below the second; what is a point is not in it.
    Range(f64, f64),
    Point(f64),
}

impl Bins {
    /// Cuts about `count` bins. The sample holds finite numbers.
    pub fn of(sample: &[f64], count: u32) -> Result<Self, StatsError> {
        let mut sorted = sample.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let (Some(least), Some(greatest)) = (sorted.first().copied(), sorted.last().copied()) else {
            return Err(StatsError::Empty);
        };
        if let Some(row) = sample.iter().position(|value| !value.is_finite()) {
            return Err(StatsError::NotFinite { row, value: sample[row] });
        }
        let (mut points, mut rest) = (Vec::new(), Vec::new());
        for equal in sorted.chunk_by(|one, other| one == other) {
            match equal.len() as u64 * u64::from(count) > sorted.len() as u64 {
                true => points.push(equal[0]),
                false => rest.extend_from_slice(equal),
            }
        }
        let left = (f64::from(count) * rest.len() as f64 / sorted.len() as f64).round().max(1.0);
        let mut edges = Vec::new();
        for share in (1..count).map(|bin| f64::from(bin) / left).take_while(|share| *share < 1.0) {
            if !rest.is_empty() {
                edges.push(quantile(&rest, share)?);
            }
        }
        edges.dedup();
        Ok(Self { points, edges, least, greatest })
    }

    pub fn count(&self) -> usize {
        self.edges.len() + 3 + self.points.len()
    }

    /// The bin of a number, which may be infinite.
    pub fn place(&self, value: f64) -> usize {
        if let Ok(point) = self.points.binary_search_by(|point| point.total_cmp(&(value + 0.0))) {
            return self.edges.len() + 3 + point;
        }
        match value {
            value if value < self.least => 0,
            value if value > self.greatest => self.edges.len() + 2,
            value => 1 + self.edges.partition_point(|edge| *edge <= value),
        }
    }

    /// What the bin at a place holds.
    pub fn bin(&self, place: usize) -> Bin {
        let ranges = self.edges.len() + 1;
        match place.checked_sub(1) {
            None => Bin::Below(self.least),
            Some(at) if at < ranges => {
                let low = at.checked_sub(1).map_or(self.least, |below| self.edges[below]);
                Bin::Range(low, self.edges.get(at).copied().unwrap_or(self.greatest))
            }
            Some(at) if at == ranges => Bin::Above(self.greatest),
            Some(at) => Bin::Point(self.points[at - ranges - 1]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sample: &[f64], count: u32, values: &[f64], expected: &[Bin]) {
        let bins = Bins::of(sample, count).unwrap();
        let found: Vec<Bin> = values.iter().map(|value| bins.bin(bins.place(*value))).collect();
        assert_eq!(found, expected);
        assert!(values.iter().all(|value| bins.place(*value) < bins.count()));
    }

    #[test]
    fn untied_samples_are_cut_at_their_quantiles() {
        let sample: Vec<f64> = (0..=8).map(f64::from).collect();
        let expected =
            [Bin::Range(0.0, 2.0), Bin::Range(2.0, 4.0), Bin::Range(6.0, 8.0), Bin::Below(0.0), Bin::Above(8.0)];
        check(&sample, 4, &[0.0, 2.0, 8.0, -0.5, 8.5], &expected);
    }

    #[test]
    fn frequent_values_are_bins_of_their_own() {
        let mut flag = vec![0.0; 92];
        flag.extend([1.0; 8]);
        check(
            &flag,
            10,
            &[0.0, -0.0, 1.0, 2.0],
            &[Bin::Point(0.0), Bin::Point(0.0), Bin::Range(0.0, 1.0), Bin::Above(1.0)],
        );
        check(&[5.0; 7], 10, &[5.0, 4.0, 6.0], &[Bin::Point(5.0), Bin::Below(5.0), Bin::Above(5.0)]);
        let mut amounts = vec![0.0; 50];
        amounts.extend((1..=50).map(f64::from));
        let expected = [Bin::Point(0.0), Bin::Range(0.0, 10.8), Bin::Range(40.2, 50.0)];
        check(&amounts, 10, &[0.0, 1.0, 50.0], &expected);
    }

    #[test]
    fn infinite_numbers_are_outside() {
        check(&[1.0, 2.0, 3.0], 2, &[f64::INFINITY, f64::NEG_INFINITY], &[Bin::Above(3.0), Bin::Below(1.0)]);
        assert!(Bins::of(&[1.0, f64::NAN], 2).is_err());
        assert!(Bins::of(&[], 2).is_err());
    }
}
