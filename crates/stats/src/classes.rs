//! How well classes are told apart, of which there may be many; the definitions are scikit-learn's.

use crate::rows::{check_length, check_rows};
use crate::{Metric, StatsError};

/// True and predicted classes by their numbers: checked once, here.
#[derive(Debug, Clone, Copy)]
pub struct Classes<'a> {
    truth: &'a [usize],
    predicted: &'a [usize],
    classes: usize,
}

/// How often a class was true, was predicted, and was both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClassCounts {
    pub rows: u64,
    pub predicted: u64,
    pub right: u64,
}

impl<'a> Classes<'a> {
    /// Takes numbers below `classes`.
    pub fn new(truth: &'a [usize], predicted: &'a [usize], classes: usize) -> Result<Self, StatsError> {
        check_rows(truth.len())?;
        check_length("predictions", truth.len(), predicted.len())?;
        match truth.iter().zip(predicted).position(|(truth, predicted)| truth.max(predicted) >= &classes) {
            None => Ok(Self { truth, predicted, classes }),
            Some(row) => Err(StatsError::NoClass { row, class: truth[row].max(predicted[row]), classes }),
        }
    }

    /// Returns the counts of each class.
    pub fn counts(&self) -> Vec<ClassCounts> {
        self.weighted(|_| 1)
    }

    /// The counts in which row `i` counts `weight(i)` times.
    pub(crate) fn weighted(&self, weight: impl Fn(usize) -> u32) -> Vec<ClassCounts> {
        let mut counts = vec![ClassCounts::default(); self.classes];
        for (row, (&truth, &predicted)) in self.truth.iter().zip(self.predicted).enumerate() {
            let weight = u64::from(weight(row));
            counts[truth].rows += weight;
            counts[predicted].predicted += weight;
            counts[truth].right += if truth == predicted { weight } else { 0 };
        }
        counts
    }
}

/// Returns a macro metric of some counts.
///
/// As scikit-learn does with `average="macro"`, only classes that are true or predicted in some row count, and a share
/// of nothing is zero.
pub fn macro_average(metric: Metric, counts: &[ClassCounts]) -> Result<f64, StatsError> {
    let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    let of_class = |class: &ClassCounts| match metric {
        Metric::MacroRecall => Ok(share(class.right, class.rows)),
        Metric::MacroPrecision => Ok(share(class.right, class.predicted)),
        Metric::MacroF1 => Ok(share(2 * class.right, class.rows + class.predicted)),
        other => Err(StatsError::WrongTarget { metric: other, needs: "one value for all classes" }),
    };
    let occurring = counts.iter().filter(|class| class.rows + class.predicted > 0);
    let values = occurring.map(of_class).collect::<Result<Vec<f64>, _>>()?;
    crate::mean(&values)
}

/// Returns what one row adds to the Brier score of many classes: the squared distance of its probabilities from those
/// of an oracle, 0 to 2.
pub fn brier_of_classes(probabilities: &[f64], truth: usize) -> f64 {
    let distance = |(class, probability): (usize, &f64)| probability - f64::from(u8::from(class == truth));
    crate::sum::sum(probabilities.iter().enumerate().map(distance).map(|distance| distance * distance))
}
