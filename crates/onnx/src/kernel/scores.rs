//! What becomes of the raw scores of a linear model or a tree ensemble, and of the labels of its classes.

use stemma_tensor::{Element, TensorData};

use super::real::Real;
use super::{KernelError, refuse};
use crate::attributes::Attributes;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PostTransform {
    None,
    Softmax,
    Logistic,
    /// Softmax of the scores that are not zero; those stay zero.
    SoftmaxZero,
    Probit,
}

/// What the only score of two classes is: that of the second class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnlyScore {
    Probability,
    /// Positive for the second class, and for the first one its opposite.
    Margin,
}

impl OnlyScore {
    pub(crate) fn is_of_second_class(self, score: f64) -> bool {
        match self {
            Self::Probability => score > 0.5,
            Self::Margin => score > 0.0,
        }
    }

    fn of_both(self, score: f32) -> [f32; 2] {
        match self {
            Self::Probability => [1.0 - score, score],
            Self::Margin => [-score, score],
        }
    }
}

impl PostTransform {
    pub(crate) fn read(attributes: &mut Attributes) -> Result<Self, KernelError> {
        Ok(match attributes.string("post_transform")?.as_deref() {
            None | Some("NONE") => Self::None,
            Some("SOFTMAX") => Self::Softmax,
            Some("LOGISTIC") => Self::Logistic,
            Some("SOFTMAX_ZERO") => Self::SoftmaxZero,
            Some("PROBIT") => Self::Probit,
            Some(other) => refuse!("there is no post_transform `{other}`"),
        })
    }

    /// The numbers that `TreeEnsemble` has for them.
    pub(crate) fn numbered(number: i64) -> Result<Self, KernelError> {
        Ok(match number {
            0 => Self::None,
            1 => Self::Softmax,
            2 => Self::Logistic,
            3 => Self::SoftmaxZero,
            4 => Self::Probit,
            _ => refuse!("there is no post_transform {number}"),
        })
    }

    /// Changes a row of scores, two at least, in place.
    pub(crate) fn apply(self, scores: &mut [f32]) {
        match self {
            Self::None => {}
            Self::Softmax => softmax(scores),
            Self::SoftmaxZero => softmax_zero(scores),
            Self::Logistic => scores.iter_mut().for_each(|score| *score = score.logistic()),
            Self::Probit => scores.iter_mut().for_each(|score| *score = probit(*score)),
        }
    }

    /// The scores of both classes from the only one there is, changed as the reference implementation of ONNX does.
    pub(crate) fn of_both(self, kind: OnlyScore, score: f32) -> [f32; 2] {
        let mut both = kind.of_both(score);
        self.apply(&mut both);
        both
    }

    /// Changes the score of a single target.
    ///
    /// ONNX Runtime does nothing here but for `PROBIT`, the format says otherwise: nothing that could be meant either
    /// way is let in, see [`Self::for_targets`].
    pub(crate) fn apply_single(self, score: f32) -> f32 {
        match self {
            Self::Probit => probit(score),
            _ => score,
        }
    }

    /// Refuses what is computed differently by different runtimes.
    pub(crate) fn for_targets(self, targets: usize) -> Result<Self, KernelError> {
        match self {
            Self::None | Self::Probit => Ok(self),
            _ if targets > 1 => Ok(self),
            _ => refuse!("post_transform of a single target is not well defined and not supported"),
        }
    }
}

fn softmax(scores: &mut [f32]) {
    let greatest = greatest(scores);
    let mut total = 0.0;
    for score in scores.iter_mut() {
        *score = libm::expf(*score - greatest);
        total += *score;
    }
    scores.iter_mut().for_each(|score| *score /= total);
}

fn softmax_zero(scores: &mut [f32]) {
    const NEAR_ZERO: f32 = 0.000_000_1;
    let greatest = greatest(scores);
    let factor = libm::expf(-greatest);
    let mut total = 0.0;
    for score in scores.iter_mut() {
        if *score > NEAR_ZERO || *score < -NEAR_ZERO {
            *score = libm::expf(*score - greatest);
            total += *score;
        } else {
            *score *= factor;
        }
    }
    scores.iter_mut().for_each(|score| *score /= total);
}

fn greatest(scores: &[f32]) -> f32 {
    scores.iter().fold(f32::MIN, |greatest, &score| if score > greatest { score } else { greatest })
}

/// The quantile of the normal distribution, by Winitzki's approximation of the inverse error function.
fn probit(score: f32) -> f32 {
    const A: f32 = 0.147;
    let x = 2.0 * score - 1.0;
    let sign = if x < 0.0 { -1.0 } else { 1.0 };
    let logarithm = libm::logf((1.0 - x) * (1.0 + x));
    let v = 2.0 / (std::f32::consts::PI * A) + 0.5 * logarithm;
    let v2 = 1.0 / A * logarithm;
    let v3 = -v + (v * v - v2).sqrt();
    std::f32::consts::SQRT_2 * (sign * v3.sqrt())
}

/// The names of a classifier's classes, in the order of its scores.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Labels {
    Strings(Vec<String>),
    Integers(Vec<i64>),
}

impl Labels {
    pub(crate) fn new(strings: Vec<String>, integers: Vec<i64>) -> Result<Self, KernelError> {
        if strings.is_empty() == integers.is_empty() {
            refuse!("the classes must be given once, as texts or as integers");
        }
        let labels = if integers.is_empty() { Self::Strings(strings) } else { Self::Integers(integers) };
        if labels.len() < 2 {
            refuse!("a classifier needs two classes at least");
        }
        Ok(labels)
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Strings(labels) => labels.len(),
            Self::Integers(labels) => labels.len(),
        }
    }

    /// The memory that a label takes at most.
    pub(crate) fn bytes_max(&self) -> usize {
        match self {
            Self::Strings(labels) => String::bytes_max(labels.iter()),
            Self::Integers(labels) => i64::bytes_max(labels.iter()),
        }
    }

    /// Returns the labels of some classes.
    pub(crate) fn of(&self, classes: &[usize]) -> TensorData {
        match self {
            Self::Strings(labels) => classes.iter().map(|&class| labels[class].clone()).collect::<Vec<_>>().into(),
            Self::Integers(labels) => classes.iter().map(|&class| labels[class]).collect::<Vec<_>>().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(transform: PostTransform, scores: &[f32], expected: &[f32]) {
        let mut changed = scores.to_vec();
        transform.apply(&mut changed);
        for (found, wanted) in changed.iter().zip(expected) {
            assert!((found - wanted).abs() < 1e-5, "{transform:?}: {changed:?}");
        }
    }

    #[test]
    fn transforms() {
        check(PostTransform::None, &[1.0, 2.0], &[1.0, 2.0]);
        check(PostTransform::Softmax, &[0.3, 0.5, 0.0], &[0.337_584, 0.412_326, 0.250_088]);
        check(PostTransform::SoftmaxZero, &[0.3, 0.5, 0.0], &[0.450_166, 0.549_833, 0.0]);
        check(PostTransform::Logistic, &[0.3, -0.6], &[0.574_442, 0.354_343]);
        check(PostTransform::Probit, &[0.3, 0.5], &[-0.524_445, 0.0]);
    }
}
