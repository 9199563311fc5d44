//! Classes from the leaves of trees.

use super::super::real::Real;
use super::super::scores::{Labels, PostTransform};
use super::super::{Context, Fault, Kernel, Outputs, refuse, rows_and_columns};
use super::listed::{Listed, listed};
use super::{Aggregate, Built, Forest, RowVisitor, Score};
use crate::attributes::Attributes;
use crate::tensor::Tensor;

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
    /// Of two classes the second one, if the only score there is lies above the threshold.
    ///
    /// Both classes' scores follow from it if the weights are for the first class.
    Threshold { threshold: f32, both_follow: bool },
}

pub(crate) fn classifier(attributes: &mut Attributes, _: i64) -> Built {
    let strings = attributes.strings("classlabels_strings")?.unwrap_or_default();
    let integers = attributes.ints("classlabels_int64s")?.unwrap_or_default();
    let labels = Labels::new(strings, integers)?;
    let listed = listed(attributes, "class", labels.len())?;
    let post_transform = PostTransform::read(attributes)?;
    let decision = listed.decision(&labels);
    let bases_wanted = match decision {
        Decision::Greatest => labels.len(),
        Decision::Threshold { both_follow: true, .. } => 1,
        Decision::Threshold { both_follow: false, .. } => 0,
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
    fn decision(&self, labels: &Labels) -> Decision {
        match (labels.len(), self.weighted_targets.as_slice()) {
            (2, &[only]) => Decision::Threshold {
                // scores that are never negative are taken for probabilities
                threshold: if self.any_weight_is_negative { 0.0 } else { 0.5 },
                both_follow: only == 0,
            },
            _ => Decision::Greatest,
        }
    }
}

impl Kernel for Classifier {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, Fault> {
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
            Decision::Threshold { threshold, both_follow: false } => {
                self.classes.push(usize::from(is_above(&scores[1], threshold)));
                self.classifier.post_transform.apply(&mut self.scores[begin..]);
            }
            Decision::Threshold { threshold, both_follow: true } => {
                let score = self.scores[begin];
                self.classes.push(usize::from(is_above(&scores[0], threshold)));
                self.scores.truncate(begin);
                self.scores.extend(self.classifier.both(score, threshold));
            }
        }
    }
}

impl Classifier {
    /// The scores of both classes from the only one there is, which is that of the second class.
    fn both(&self, score: f32, threshold: f32) -> [f32; 2] {
        match self.post_transform {
            PostTransform::Logistic => [(-score).logistic(), score.logistic()],
            // scores that are never negative are taken for probabilities
            _ if threshold > 0.0 => [1.0 - score, score],
            _ => [-score, score],
        }
    }
}

fn is_above<X: Real>(score: &Score<X>, threshold: f32) -> bool {
    score.total.to_f64() > f64::from(threshold)
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
