//! How well classes are told apart, of which there may be many; the definitions are scikit-learn's.

use crate::average::{average, averaged};
use crate::metric::{Average, Measure};
use crate::rows::{check_length, check_rows};
use crate::{ClassCounts, Metric, StatsError, Weighable};

/// True and predicted classes by their numbers: checked once, here.
#[derive(Debug, Clone, Copy)]
pub struct Classes<'a> {
    truth: &'a [usize],
    predicted: &'a [usize],
    classes: usize,
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
    fn weighted(&self, weight: impl Fn(usize) -> u32) -> Vec<ClassCounts> {
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

/// Predicted classes, and the average that is asked of them.
#[derive(Debug, Clone, Copy)]
pub struct AveragedClasses<'a> {
    classes: Classes<'a>,
    average: Average,
    measure: Measure,
}

impl<'a> AveragedClasses<'a> {
    pub fn new(metric: Metric, classes: Classes<'a>) -> Result<Self, StatsError> {
        let (average, measure) = averaged(metric)?;
        Ok(Self { classes, average, measure })
    }
}

impl Weighable for AveragedClasses<'_> {
    fn value(&self, weights: &[u32]) -> Option<f64> {
        average(self.average, self.measure, &occurring(&self.classes.weighted(|row| weights[row])))
    }
}

/// Returns a macro, micro or weighted metric of the counts of classes, of which each row has one.
///
/// As in scikit-learn, only classes that are true or predicted in some row count, and a share of nothing is zero in a
/// mean over classes. The micro average of one class a row is the accuracy.
pub fn average_of_classes(metric: Metric, counts: &[ClassCounts]) -> Result<f64, StatsError> {
    let (how, measure) = averaged(metric)?;
    average(how, measure, &occurring(counts)).ok_or(StatsError::Empty)
}

fn occurring(counts: &[ClassCounts]) -> Vec<ClassCounts> {
    counts.iter().copied().filter(|class| class.rows + class.predicted > 0).collect()
}

/// Returns what one row adds to the Brier score of many classes: the squared distance of its probabilities from those
/// of an oracle, 0 to 2.
pub fn brier_of_classes(probabilities: &[f64], truth: usize) -> f64 {
    let distance = |(class, probability): (usize, &f64)| probability - f64::from(u8::from(class == truth));
    crate::sum::sum(probabilities.iter().enumerate().map(distance).map(|distance| distance * distance))
}
