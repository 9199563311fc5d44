//! Classes from the leaves of trees.
//!
//! The operator's text calls the label the top class. If all weights of two classes are for one of them there is only
//! one score, and the text does not say what it is. The transform tells: `LOGISTIC` and both softmaxes take margins, so
//! the label is the second class if the score is positive, as in the reference implementation of ONNX (the greatest
//! score *after* the transform) and in the models that LightGBM, XGBoost and scikit-learn export this way. Without a
//! transform the score is a probability, cut at one half, if no weight is negative, else a margin: as in ONNX Runtime.
//!
//! ONNX Runtime cuts transformed scores at one half too if no weight is negative, which gives the first class to rows
//! whose second class it calls likelier, and leaves out a softmax. Its answers are not taken over there.

use stemma_tensor::Tensor;

use super::super::real::Real;
use super::super::scores::{Labels, OnlyScore, PostTransform};
use super::super::{Context, Kernel, KernelError, Outputs, refuse, rows_and_columns};
use super::listed::{Listed, listed};
use super::{Aggregate, Built, Forest, RowVisitor, Score};
use crate::attributes::Attributes;

struct Classifier {
    forest: Forest,
    labels: Labels,
    decision: Decision,
    base_values: Vec<f64>,
    post_transform: PostTransform,
}

/// How scores become a class.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Decision {
    /// The greatest of those that any leaf had a weight for.
    Greatest,
    /// Of two classes the second one, if the only score there is says so.
    Single { weighted: Weighted, score: OnlyScore },
}

/// Which of two classes all weights are for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Weighted {
    /// By convention the score is nevertheless that of the second class, and both follow from it.
    First,
    Second,
}

pub(crate) fn classifier(attributes: &mut Attributes, _: i64) -> Built {
    let strings = attributes.strings("classlabels_strings")?.unwrap_or_default();
    let integers = attributes.ints("classlabels_int64s")?.unwrap_or_default();
    let labels = Labels::new(strings, integers)?;
    let listed = listed(attributes, "class", labels.len())?;
    let post_transform = PostTransform::read(attributes)?;
    let decision = listed.decision(&labels, post_transform);
    let bases_wanted = match decision {
        Decision::Greatest => labels.len(),
        Decision::Single { weighted: Weighted::First, .. } => 1,
        Decision::Single { weighted: Weighted::Second, .. } => 0,
    };
    if !listed.base_values.is_empty() && listed.base_values.len() != bases_wanted {
        refuse!("{} base values where {bases_wanted} would be clear are not supported", listed.base_values.len());
    }
    if post_transform == PostTransform::Probit && decision != Decision::Greatest {
        refuse!("post_transform `PROBIT` of a single score is not supported");
    }
    Ok(Box::new(Classifier {
        forest: Forest { trees: listed.trees, aggregate: Aggregate::Sum, targets: labels.len() },
        labels,
        decision,
        base_values: listed.base_values,
        post_transform,
    }))
}

impl Listed {
    fn decision(&self, labels: &Labels, post_transform: PostTransform) -> Decision {
        match (labels.len(), self.weighted_targets.as_slice()) {
            (2, &[only]) => Decision::Single {
                weighted: if only == 0 { Weighted::First } else { Weighted::Second },
                score: match post_transform {
                    PostTransform::None if !self.any_weight_is_negative => OnlyScore::Probability,
                    _ => OnlyScore::Margin,
                },
            },
            _ => Decision::Greatest,
        }
    }
}

impl Kernel for Classifier {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let (rows, _) = rows_and_columns(context.tensor(0)?.shape())?;
        let shape = vec![rows, self.labels.len()];
        let mut results = Classified {
            classifier: self,
            classes: Vec::with_capacity(context.allocate_each(&[rows], self.labels.bytes_max())?),
            scores: Vec::with_capacity(context.allocate(&shape)?),
        };
        self.forest.for_each_row(context, &mut results)?;
        Ok(Outputs::Two(
            Tensor::made(vec![rows], self.labels.of(&results.classes)),
            Tensor::made(shape, results.scores),
        ))
    }
}

struct Classified<'a> {
    classifier: &'a Classifier,
    classes: Vec<usize>,
    scores: Vec<f32>,
}

impl RowVisitor for &mut Classified<'_> {
    fn visit<X: Real>(&mut self, scores: &mut [Score<X>]) {
        for (score, &base) in scores.iter_mut().zip(&self.classifier.base_values) {
            score.total = score.total + X::from_f64(base);
            score.seen = true;
        }
        let begin = self.scores.len();
        self.scores.extend(scores.iter().map(|score| score.total.to_f64() as f32));
        match self.classifier.decision {
            Decision::Greatest => {
                self.classes.push(greatest_seen(scores));
                self.classifier.post_transform.apply(&mut self.scores[begin..]);
            }
            Decision::Single { weighted, score: kind } => {
                let score = &scores[weighted as usize];
                self.classes.push(usize::from(kind.is_of_second_class(score.total.to_f64())));
                if (weighted, kind) == (Weighted::Second, OnlyScore::Margin) {
                    self.classifier.post_transform.apply(&mut self.scores[begin..]);
                } else {
                    let both = self.classifier.post_transform.of_both(kind, score.total.to_f64() as f32);
                    self.scores[begin..].copy_from_slice(&both);
                }
            }
        }
    }
}

/// The first of the greatest scores that any leaf had a weight for.
fn greatest_seen<X: Real>(scores: &[Score<X>]) -> usize {
    let mut best: Option<(usize, X)> = None;
    for (class, score) in scores.iter().enumerate().filter(|(_, score)| score.seen) {
        if best.is_none_or(|(_, greatest)| score.total > greatest) {
            best = Some((class, score.total));
        }
    }
    best.map_or(0, |(class, _)| class)
}
