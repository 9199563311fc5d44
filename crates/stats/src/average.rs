//! Precision, recall and F1 of many classes as one number; the definitions are scikit-learn's.

use crate::Metric;
use crate::metric::{Average, Measure};

/// How often a class was true, was predicted, and was both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClassCounts {
    pub rows: u64,
    pub predicted: u64,
    pub right: u64,
}

impl ClassCounts {
    /// Returns the measure of this class, or nothing where it is a share of nothing.
    pub fn measure(&self, measure: Measure) -> Option<f64> {
        let (part, whole) = match measure {
            Measure::Precision => (self.right, self.predicted),
            Measure::Recall => (self.right, self.rows),
            Measure::F1 => (2 * self.right, self.rows + self.predicted),
        };
        (whole > 0).then(|| part as f64 / whole as f64)
    }
}

/// Averages over all that is given, or nothing where no class gives a share, or none is true in any row.
///
/// In a mean over classes a share of nothing is zero, as with scikit-learn's `zero_division=0`.
pub(crate) fn average(average: Average, measure: Measure, counts: &[ClassCounts]) -> Option<f64> {
    let of_class = |class: &ClassCounts| class.measure(measure).unwrap_or(0.0);
    match average {
        Average::Macro => crate::mean(&counts.iter().map(of_class).collect::<Vec<_>>()).ok(),
        Average::Micro => {
            let all = counts.iter().fold(ClassCounts::default(), |all, class| ClassCounts {
                rows: all.rows + class.rows,
                predicted: all.predicted + class.predicted,
                right: all.right + class.right,
            });
            all.measure(measure)
        }
        Average::Weighted => {
            let rows: u64 = counts.iter().map(|class| class.rows).sum();
            let weighted = crate::sum::sum(counts.iter().map(|class| class.rows as f64 * of_class(class)));
            (rows > 0).then(|| weighted / rows as f64)
        }
    }
}

/// What a metric averages, and how.
pub(crate) fn averaged(metric: Metric) -> Result<(Average, Measure), crate::StatsError> {
    match metric {
        Metric::Averaged(average, measure) => Ok((average, measure)),
        other => Err(other.needs_other()),
    }
}
