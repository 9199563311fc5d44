//! Ensembles of decision trees, laid out for speed.
//!
//! All trees lie in one array of small nodes. A leaf points at itself, so several trees can be walked side by side
//! without asking at each step which of them has arrived; their leaves are then added up in the order of the trees,
//! which keeps the bits the same whatever is walked together.
//!
//! With `f32` input everything is compared and added in `f32`, with `f64` input in `f64`.
//!
//! Where ONNX Runtime is known to be wrong this does otherwise. A classifier of two classes with scores for both takes
//! the class of the greater one and gives its own label (ONNX Runtime gives the number 1 whenever the second score is
//! positive). What a single score of two classes means is told in `classifier`. Combinations of base values and classes that ONNX Runtime adds to the wrong class are refused.

mod branches;
mod classifier;
mod ensemble;
mod listed;
mod regressor;

use stemma_tensor::{Tensor, TensorData};

use self::ensemble::{Ensemble, Test};
use super::real::Real;
use super::{Context, KernelError, features, refuse, rows_and_columns};
use crate::attributes::Attributes;

pub(crate) use branches::ensemble;
pub(crate) use classifier::classifier;
pub(crate) use regressor::regressor;

type Built = Result<Box<dyn super::Kernel>, KernelError>;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Aggregate {
    Average,
    Sum,
    Min,
    Max,
}

/// The score of one target as the trees' leaves come in.
#[derive(Debug, Clone, Copy)]
struct Score<X> {
    total: X,
    /// Whether any leaf had a weight for the target.
    seen: bool,
}

impl<X: Real> Score<X> {
    const NONE: Self = Self { total: X::ZERO, seen: false };

    fn add(&mut self, weight: X, aggregate: Aggregate) {
        let replaced = match aggregate {
            Aggregate::Sum | Aggregate::Average => {
                self.total = self.total + weight;
                false
            }
            Aggregate::Min => !self.seen || weight < self.total,
            Aggregate::Max => !self.seen || weight > self.total,
        };
        if replaced {
            self.total = weight;
        }
        self.seen = true;
    }
}

/// Trees in the size that the model gives their numbers in.
enum Trees {
    Single(Ensemble<f32>),
    Double(Ensemble<f64>),
}

/// Trees and how the leaves of one row become its scores.
struct Forest {
    trees: Trees,
    aggregate: Aggregate,
    targets: usize,
}

impl Forest {
    /// Calls `visit` with the scores of each row.
    fn for_each_row(&self, context: &Context<'_>, visit: impl RowVisitor) -> Result<(), KernelError> {
        let input = context.tensor(0)?;
        match (&self.trees, input.data()) {
            (Trees::Single(ensemble), TensorData::Double(elements)) => self.scores(ensemble, elements, context, visit),
            (Trees::Double(ensemble), TensorData::Double(elements)) => self.scores(ensemble, elements, context, visit),
            (Trees::Single(ensemble), _) => self.scores(ensemble, &features(input)?, context, visit),
            (Trees::Double(ensemble), _) => {
                let wide: Vec<f64> = features(input)?.iter().map(|&x| x.into()).collect();
                self.scores(ensemble, &wide, context, visit)
            }
        }
    }

    fn scores<W: Real + Into<X>, X: Real>(
        &self,
        ensemble: &Ensemble<W>,
        elements: &[X],
        context: &Context<'_>,
        mut visit: impl RowVisitor,
    ) -> Result<(), KernelError> {
        let (rows, columns) = rows_and_columns(context.tensor(0)?.shape())?;
        context.spend([rows, ensemble.steps(), 1])?;
        if columns < ensemble.features() {
            refuse!("the input has {columns} features, the trees ask for {}", ensemble.features());
        }
        let mut scores = vec![Score::NONE; self.targets];
        for row in 0..rows {
            let row = if ensemble.features() == 0 {
                // leaves look at a feature too, though for nothing
                &[X::ZERO][..]
            } else {
                &elements[row * columns..][..columns]
            };
            scores.fill(Score::NONE);
            self.add_up(ensemble, row, &mut scores);
            visit.visit(&mut scores);
        }
        Ok(())
    }

    fn add_up<W: Real + Into<X>, X: Real>(&self, ensemble: &Ensemble<W>, row: &[X], scores: &mut [Score<X>]) {
        if let (Aggregate::Sum, Some(target)) = (self.aggregate, ensemble.only_target()) {
            let mut total = X::ZERO;
            ensemble.for_each_leaf(row, |leaf| total = total + ensemble.value_of(leaf).into());
            scores[target] = Score { total, seen: true };
            return;
        }
        ensemble.for_each_leaf(row, |leaf| {
            for weight in ensemble.weights_of(leaf) {
                scores[weight.target as usize].add(weight.weight.into(), self.aggregate);
            }
        });
        if self.aggregate == Aggregate::Average {
            let trees = X::from_f64(ensemble.tree_count() as f64);
            for score in scores {
                score.total = score.total / trees;
            }
        }
    }
}

/// Something to do with the scores of each row, in either size.
trait RowVisitor {
    fn visit<X: Real>(&mut self, scores: &mut [Score<X>]);
}

/// Reads numbers that may be given as floats or, to have doubles, as a tensor.
enum Numbers {
    Single(Vec<f32>),
    Double(Vec<f64>),
}

impl Numbers {
    fn read(attributes: &mut Attributes, name: &str) -> Result<Option<Self>, KernelError> {
        if let Some(tensor) = attributes.tensor(&format!("{name}_as_tensor"))? {
            return Self::of(name, tensor).map(Some);
        }
        Ok(attributes.floats(name)?.map(Self::Single))
    }

    fn of(name: &str, tensor: Tensor) -> Result<Self, KernelError> {
        match tensor.into_data() {
            TensorData::Float(elements) => Ok(Self::Single(elements)),
            TensorData::Double(elements) => Ok(Self::Double(elements)),
            other => refuse!("attribute `{name}` is {}, not FP32 or FP64", other.datatype()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Single(elements) => elements.len(),
            Self::Double(elements) => elements.len(),
        }
    }

    fn is_double(&self) -> bool {
        matches!(self, Self::Double(_))
    }

    fn to_reals<W: Real>(&self) -> Vec<W> {
        match self {
            Self::Single(elements) => elements.iter().map(|&x| W::from_f64(x.into())).collect(),
            Self::Double(elements) => elements.iter().map(|&x| W::from_f64(x)).collect(),
        }
    }
}

fn targets_below(targets: &[i64], count: usize) -> Result<Vec<u32>, KernelError> {
    let place = |&target: &i64| match u32::try_from(target) {
        Ok(place) if (place as usize) < count => Ok(place),
        _ => refuse!("weights are for target {target}, there are {count}"),
    };
    targets.iter().map(place).collect()
}

fn feature_number(feature: i64) -> Result<usize, KernelError> {
    match usize::try_from(feature) {
        Ok(feature) if feature < 1 << Test::FEATURE_BITS => Ok(feature),
        _ => refuse!("there is no feature {feature}"),
    }
}

fn count_of(name: &str, count: i64) -> Result<usize, KernelError> {
    const TARGETS_MAX: usize = 1 << 20;
    match usize::try_from(count) {
        Ok(count) if (1..=TARGETS_MAX).contains(&count) => Ok(count),
        _ => refuse!("attribute `{name}` is {count}"),
    }
}

#[cfg(test)]
mod tests {
    use stemma_tensor::Tensor;

    use super::super::testing::*;
    use crate::proto::AttributeProto;

    /// Two stumps, `x0 <= 0` and `x1 <= 1`, whose four leaves have these weights for these targets.
    fn stumps(prefix: &str, targets: &[i64], weights: &[f32]) -> Vec<AttributeProto> {
        let each = targets.len() / 4;
        let repeat = |values: [i64; 4]| -> Vec<i64> { values.iter().flat_map(|&value| vec![value; each]).collect() };
        let branch = ["BRANCH_LEQ", "LEAF", "LEAF"];
        vec![
            ints("nodes_treeids", &[0, 0, 0, 1, 1, 1]),
            ints("nodes_nodeids", &[0, 1, 2, 0, 1, 2]),
            ints("nodes_featureids", &[0, 0, 0, 1, 0, 0]),
            strings("nodes_modes", &[branch, branch].concat()),
            floats("nodes_values", &[0.0, 0.0, 0.0, 1.0, 0.0, 0.0]),
            ints("nodes_truenodeids", &[1, 0, 0, 1, 0, 0]),
            ints("nodes_falsenodeids", &[2, 0, 0, 2, 0, 0]),
            ints(&format!("{prefix}_treeids"), &repeat([0, 0, 1, 1])),
            ints(&format!("{prefix}_nodeids"), &repeat([1, 2, 1, 2])),
            ints(&format!("{prefix}_ids"), targets),
            floats(&format!("{prefix}_weights"), weights),
        ]
    }

    fn replace(attributes: &mut [AttributeProto], changed: AttributeProto) {
        let place = attributes.iter_mut().find(|attribute| attribute.name == changed.name);
        *place.unwrap() = changed;
    }

    fn x() -> Tensor {
        tensor(&[3, 2], vec![1f32, 2.0, -3.0, 0.5, 0.0, 1.0])
    }

    fn regress(more: Vec<AttributeProto>) -> Vec<f32> {
        let mut attributes = stumps("target", &[0; 4], &[1.0, 2.0, 4.0, 8.0]);
        attributes.push(int("n_targets", 1));
        attributes.extend(more);
        let output = first("TreeEnsembleRegressor", attributes, vec![x()]);
        assert_eq!(output.shape(), [3, 1]);
        output.view::<f32>().unwrap().to_vec()
    }

    #[test]
    fn leaves_are_put_together() {
        assert_eq!(regress(vec![]), [10.0, 5.0, 5.0]);
        let together = |how: &str| regress(vec![string("aggregate_function", how), floats("base_values", &[100.0])]);
        assert_eq!(together("SUM"), [110.0, 105.0, 105.0]);
        assert_eq!(together("AVERAGE"), [105.0, 102.5, 102.5]);
        assert_eq!(together("MIN"), [102.0, 101.0, 101.0]);
        assert_eq!(together("MAX"), [108.0, 104.0, 104.0]);
    }

    /// Where one stump takes the numbers minus one, zero, one and NaN, with a mode.
    fn check_mode(mode: &str, missing_is_true: bool, expected: [bool; 4]) {
        let attributes = vec![
            ints("nodes_treeids", &[0, 0, 0]),
            ints("nodes_nodeids", &[0, 1, 2]),
            ints("nodes_featureids", &[0, 0, 0]),
            strings("nodes_modes", &[mode, "LEAF", "LEAF"]),
            floats("nodes_values", &[0.0, 0.0, 0.0]),
            ints("nodes_truenodeids", &[1, 0, 0]),
            ints("nodes_falsenodeids", &[2, 0, 0]),
            ints("nodes_missing_value_tracks_true", &[missing_is_true.into(), 0, 0]),
            ints("target_treeids", &[0, 0]),
            ints("target_nodeids", &[1, 2]),
            ints("target_ids", &[0, 0]),
            floats("target_weights", &[1.0, 0.0]),
            int("n_targets", 1),
        ];
        let x = tensor(&[4, 1], vec![-1f32, 0.0, 1.0, f32::NAN]);
        let output = first("TreeEnsembleRegressor", attributes, vec![x]);
        let found: Vec<bool> = output.view::<f32>().unwrap().iter().map(|&y| y == 1.0).collect();
        assert_eq!(found, expected, "{mode}");
    }

    #[test]
    fn every_comparison_and_where_missing_values_go() {
        check_mode("BRANCH_LEQ", false, [true, true, false, false]);
        check_mode("BRANCH_LEQ", true, [true, true, false, true]);
        check_mode("BRANCH_LT", false, [true, false, false, false]);
        check_mode("BRANCH_LT", true, [true, false, false, true]);
        check_mode("BRANCH_GTE", false, [false, true, true, false]);
        check_mode("BRANCH_GT", true, [false, false, true, true]);
        check_mode("BRANCH_EQ", false, [false, true, false, false]);
        check_mode("BRANCH_NEQ", false, [true, false, true, true]);
    }

    fn classify(attributes: Vec<AttributeProto>) -> (Tensor, Vec<f32>) {
        let mut outputs = run("TreeEnsembleClassifier", attributes, vec![Some(x())]).unwrap();
        let scores = outputs.pop().unwrap().view::<f32>().unwrap().to_vec();
        (outputs.pop().unwrap(), scores)
    }

    fn two_classes(targets: &[i64], weights: &[f32]) -> Vec<AttributeProto> {
        let mut attributes = stumps("class", targets, weights);
        attributes.push(ints("classlabels_int64s", &[3, 7]));
        attributes
    }

    #[test]
    fn one_column_of_probabilities_is_that_of_the_second_class() {
        let (labels, scores) = classify(two_classes(&[0; 4], &[0.125, 0.25, 0.25, 0.5]));
        assert_eq!(labels, tensor(&[3], vec![7i64, 3, 3]));
        assert_eq!(scores, [0.25, 0.75, 0.625, 0.375, 0.625, 0.375]);
    }

    #[test]
    fn one_column_of_margins_is_cut_at_zero() {
        let mut attributes = two_classes(&[0; 4], &[-2.0, 2.0, -1.0, 1.0]);
        attributes.push(floats("base_values", &[-1.0]));
        let (labels, scores) = classify(attributes);
        assert_eq!(labels, tensor(&[3], vec![7i64, 3, 3]));
        assert_eq!(scores, [-2.0, 2.0, 4.0, -4.0, 4.0, -4.0]);
    }

    #[test]
    fn one_column_before_a_transform_is_cut_at_zero_whatever_the_signs_of_the_weights() {
        let sigma = |x: f32| 1.0 / (1.0 + libm::expf(-x));
        for (transform, likelihood) in
            [("LOGISTIC", sigma as fn(f32) -> f32), ("SOFTMAX", |x| 1.0 / (1.0 + libm::expf(-2.0 * x)))]
        {
            for weights in [[0.2, 0.4, 0.1, 0.3], [0.2, -0.4, 0.1, -0.3], [-0.2, -0.4, -0.1, -0.3]] {
                let mut attributes = two_classes(&[0; 4], &weights);
                attributes.push(string("post_transform", transform));
                let (labels, scores) = classify(attributes);
                // the first row goes right twice, the others left twice
                let sums = [weights[1] + weights[3], weights[0] + weights[2], weights[0] + weights[2]];
                let wanted: Vec<i64> = sums.iter().map(|&sum| if sum > 0.0 { 7 } else { 3 }).collect();
                assert_eq!(labels, tensor(&[3], wanted), "{transform} {weights:?}");
                for (pair, sum) in scores.chunks(2).zip(sums) {
                    assert!((pair[1] - likelihood(sum)).abs() < 1e-6 && (pair[0] + pair[1] - 1.0).abs() < 1e-6);
                }
            }
        }
        // a score of the second class is what it says, and the first class has none
        let mut attributes = two_classes(&[1; 4], &[0.2, 0.4, 0.1, 0.3]);
        attributes.push(string("post_transform", "LOGISTIC"));
        let (labels, scores) = classify(attributes);
        assert_eq!((labels, scores[0]), (tensor(&[3], vec![7i64; 3]), 0.5));
        let (labels, scores) = classify(two_classes(&[1; 4], &[0.125, 0.25, 0.25, 0.5]));
        assert_eq!(labels, tensor(&[3], vec![7i64, 3, 3]));
        assert_eq!(scores, [0.25, 0.75, 0.625, 0.375, 0.625, 0.375]);
    }

    #[test]
    fn of_two_columns_the_greater_gives_the_label() {
        let (labels, scores) =
            classify(two_classes(&[0, 1, 0, 1, 0, 1, 0, 1], &[0.5, 0.0, 0.25, 0.25, 0.5, 0.0, 0.0, 0.5]));
        assert_eq!(labels, tensor(&[3], vec![7i64, 3, 3]));
        assert_eq!(scores, [0.25, 0.75, 1.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn base_values_that_could_mean_two_things_are_refused() {
        let mut attributes = two_classes(&[1; 4], &[0.1, 0.2, 0.3, 0.4]);
        attributes.push(floats("base_values", &[0.5]));
        assert_eq!(
            refusal("TreeEnsembleClassifier", attributes, vec![x()]),
            "1 base values where 0 would be clear are not supported"
        );
    }

    #[test]
    fn trees_that_are_none_are_refused() {
        let refused = |changed: AttributeProto| {
            let mut attributes = stumps("target", &[0; 4], &[1.0, 2.0, 4.0, 8.0]);
            attributes.push(int("n_targets", 1));
            replace(&mut attributes, changed);
            refusal("TreeEnsembleRegressor", attributes, vec![x()])
        };
        assert_eq!(refused(ints("nodes_truenodeids", &[0, 0, 0, 1, 0, 0])), "a tree leads back to a node above");
        assert_eq!(
            refused(ints("nodes_truenodeids", &[9, 0, 0, 1, 0, 0])),
            "tree 0 leads to node 9, which is not there"
        );
        assert_eq!(refused(ints("nodes_nodeids", &[0, 1, 1, 0, 1, 2])), "tree 0 has node 1 twice");
        assert_eq!(
            refused(ints("nodes_featureids", &[0, 0, 0, 5, 0, 0])),
            "the input has 2 features, the trees ask for 6"
        );
        assert_eq!(refused(ints("target_ids", &[0, 0, 0, 1])), "weights are for target 1, there are 1");
        assert_eq!(
            refused(floats("nodes_values", &[0.0])),
            "the attributes of 6 nodes have lengths [6, 6, 6, 6, 6, 1]"
        );
    }

    #[test]
    fn a_tree_may_be_a_single_leaf_and_need_no_feature() {
        let attributes = vec![
            ints("nodes_treeids", &[0]),
            ints("nodes_nodeids", &[0]),
            ints("nodes_featureids", &[0]),
            strings("nodes_modes", &["LEAF"]),
            floats("nodes_values", &[0.0]),
            ints("nodes_truenodeids", &[0]),
            ints("nodes_falsenodeids", &[0]),
            ints("target_treeids", &[0]),
            ints("target_nodeids", &[0]),
            ints("target_ids", &[0]),
            floats("target_weights", &[2.5]),
            int("n_targets", 1),
        ];
        let none = tensor(&[2, 0], Vec::<f32>::new());
        assert_eq!(first("TreeEnsembleRegressor", attributes, vec![none]), tensor(&[2, 1], vec![2.5f32, 2.5]));
    }

    #[test]
    fn doubles_are_compared_as_doubles() {
        // lies between zero and the least positive single
        let x = tensor(&[1, 2], vec![1e-60f64, 0.0]);
        let mut attributes = stumps("target", &[0; 4], &[1.0, 2.0, 4.0, 8.0]);
        attributes.push(int("n_targets", 1));
        assert_eq!(first("TreeEnsembleRegressor", attributes, vec![x]), tensor(&[1, 1], vec![6f32]));
    }
}
