//! Linear models: one row of coefficients for each class or target.
//!
//! One row for two classes gives a margin: positive is the second class, as in the models that were trained so. The
//! margin of the first class is its opposite, and the transform comes after that, as in the reference implementation of
//! ONNX. ONNX Runtime gives one less the margin and leaves out a softmax; the labels are the same.

use stemma_tensor::{Tensor, TensorData};

use super::matrix::row_times_rows;
use super::real::Real;
use super::scores::{Labels, OnlyScore, PostTransform};
use super::{Context, Kernel, KernelError, Outputs, features, refuse, rows_and_columns};
use crate::attributes::{Attributes, required};

type Built = Result<Box<dyn Kernel>, KernelError>;

struct Coefficients {
    /// Row after row.
    elements: Vec<f32>,
    intercepts: Vec<f32>,
    /// How many coefficients a row has.
    columns: usize,
}

impl Coefficients {
    fn new(elements: Vec<f32>, intercepts: Vec<f32>) -> Result<Self, KernelError> {
        let rows = intercepts.len();
        if rows == 0 || !elements.len().is_multiple_of(rows) {
            refuse!("{} coefficients do not make {rows} rows", elements.len());
        }
        Ok(Self { columns: elements.len() / rows, elements, intercepts })
    }

    /// Calls `visit` with the scores of each row of the input.
    fn for_each_row(&self, context: &Context<'_>, mut visit: impl FnMut(&mut [f32])) -> Result<(), KernelError> {
        let input = context.tensor(0)?;
        let (rows, columns) = rows_and_columns(input.shape())?;
        if columns != self.columns {
            refuse!("the input has {columns} features, the model {}", self.columns);
        }
        context.spend([rows, columns, self.intercepts.len()])?;
        let elements = features(input)?;
        let mut sums = vec![0f64; self.intercepts.len()];
        let mut scores = vec![0f32; self.intercepts.len()];
        for row in 0..rows {
            row_times_rows(&elements[row * columns..][..columns], &self.elements, &mut sums);
            for ((score, sum), intercept) in scores.iter_mut().zip(&sums).zip(&self.intercepts) {
                *score = (sum + f64::from(*intercept)) as f32;
            }
            visit(&mut scores);
        }
        Ok(())
    }
}

struct LinearClassifier {
    coefficients: Coefficients,
    labels: Labels,
    post_transform: PostTransform,
}

pub(crate) fn classifier(attributes: &mut Attributes, _: i64) -> Built {
    let coefficients = required("coefficients", attributes.floats("coefficients")?)?;
    let intercepts = required("intercepts", attributes.floats("intercepts")?)?;
    let strings = attributes.strings("classlabels_strings")?.unwrap_or_default();
    let integers = attributes.ints("classlabels_ints")?.unwrap_or_default();
    // says how the model was trained, not what it computes
    attributes.ignore("multi_class");
    let built = LinearClassifier {
        coefficients: Coefficients::new(coefficients, intercepts)?,
        labels: Labels::new(strings, integers)?,
        post_transform: PostTransform::read(attributes)?,
    };
    let (rows, labels) = (built.coefficients.intercepts.len(), built.labels.len());
    if rows != labels && (rows, labels) != (1, 2) {
        refuse!("there are {rows} rows of coefficients for {labels} classes");
    }
    if rows == 1 && built.post_transform == PostTransform::Probit {
        refuse!("post_transform `PROBIT` of a single score is not supported");
    }
    Ok(Box::new(built))
}

impl Kernel for LinearClassifier {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let (rows, _) = rows_and_columns(context.tensor(0)?.shape())?;
        let shape = vec![rows, self.labels.len()];
        let mut all = Vec::with_capacity(context.allocate(&shape)?);
        let mut classes = Vec::with_capacity(context.allocate_each(&[rows], self.labels.bytes_max())?);
        self.coefficients.for_each_row(context, |scores| match *scores {
            [score] => {
                classes.push(usize::from(OnlyScore::Margin.is_of_second_class(score.into())));
                all.extend(self.both(score));
            }
            _ => {
                classes.push(first_greatest(scores));
                self.post_transform.apply(scores);
                all.extend_from_slice(scores);
            }
        })?;
        Ok(Outputs::Two(Tensor::made(vec![rows], self.labels.of(&classes)), Tensor::made(shape, all)))
    }
}

impl LinearClassifier {
    /// The scores of both classes if only that of the second is computed.
    fn both(&self, score: f32) -> [f32; 2] {
        match self.post_transform {
            PostTransform::Logistic => {
                let second = score.logistic();
                [1.0 - second, second]
            }
            other => other.of_both(OnlyScore::Margin, score),
        }
    }
}

/// The place of the greatest, of equals the first.
fn first_greatest(scores: &[f32]) -> usize {
    let mut best = 0;
    for (place, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = place;
        }
    }
    best
}

struct LinearRegressor {
    coefficients: Coefficients,
    post_transform: PostTransform,
}

pub(crate) fn regressor(attributes: &mut Attributes, _: i64) -> Built {
    let targets = attributes.int_or("targets", 1)?;
    let targets = match usize::try_from(targets) {
        Ok(targets) if targets > 0 => targets,
        _ => refuse!("attribute `targets` is {targets}"),
    };
    let coefficients = required("coefficients", attributes.floats("coefficients")?)?;
    let intercepts = attributes.floats("intercepts")?.unwrap_or_default();
    let intercepts = match intercepts.len() {
        // bounded by the coefficients, of which each target has one at least
        0 if targets <= coefficients.len() => vec![0.0; targets],
        count if count == targets => intercepts,
        count => refuse!("there are {count} intercepts for {targets} targets"),
    };
    Ok(Box::new(LinearRegressor {
        coefficients: Coefficients::new(coefficients, intercepts)?,
        post_transform: PostTransform::read(attributes)?.for_targets(targets)?,
    }))
}

impl Kernel for LinearRegressor {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let (rows, _) = rows_and_columns(context.tensor(0)?.shape())?;
        let shape = vec![rows, self.coefficients.intercepts.len()];
        let mut all = Vec::with_capacity(context.allocate(&shape)?);
        self.coefficients.for_each_row(context, |scores| {
            match scores {
                [score] => *score = self.post_transform.apply_single(*score),
                _ => self.post_transform.apply(scores),
            }
            all.extend_from_slice(scores);
        })?;
        let data: TensorData = all.into();
        Ok(Tensor::made(shape, data).into())
    }
}

#[cfg(test)]
mod tests {
    use stemma_tensor::Tensor;

    use super::super::testing::*;
    use crate::proto::AttributeProto;

    fn x() -> Tensor {
        tensor(&[3, 2], vec![1f32, 2.0, -3.0, 0.5, 0.1, 0.1])
    }

    fn classify(attributes: Vec<AttributeProto>) -> (Tensor, Vec<f32>) {
        let outputs = run("LinearClassifier", attributes, vec![Some(x())]).unwrap();
        let scores = outputs[1].view::<f32>().unwrap();
        (outputs[0].clone(), scores.to_vec())
    }

    fn close(found: &[f32], expected: &[f32]) {
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-6, "{found:?} is not {expected:?}");
        }
    }

    #[test]
    fn the_greatest_score_gives_the_label() {
        let (labels, scores) = classify(vec![
            floats("coefficients", &[0.3, -0.2, 0.1, 0.1, 0.0, 0.0]),
            floats("intercepts", &[0.4, 0.2, 0.0]),
            strings("classlabels_strings", &["a", "b", "c"]),
        ]);
        assert_eq!(labels, texts(&[3], &["b", "c", "a"]));
        close(&scores, &[0.3, 0.5, 0.0, -0.6, -0.05, 0.0, 0.41, 0.22, 0.0]);
    }

    fn one_row(transform: &str) -> Vec<AttributeProto> {
        vec![
            floats("coefficients", &[0.3, -0.2]),
            floats("intercepts", &[0.4]),
            ints("classlabels_ints", &[3, 7]),
            string("post_transform", transform),
        ]
    }

    #[test]
    fn one_row_of_coefficients_decides_between_two_classes() {
        let (labels, scores) = classify(one_row("LOGISTIC"));
        assert_eq!(labels, tensor(&[3], vec![7i64, 3, 7]));
        close(&scores, &[0.425_557_5, 0.574_442_5, 0.645_656_3, 0.354_343_7, 0.398_912_1, 0.601_087_9]);
        close(&classify(one_row("NONE")).1, &[-0.3, 0.3, 0.6, -0.6, -0.41, 0.41]);
        close(
            &classify(one_row("SOFTMAX")).1,
            &[0.354_343_7, 0.645_656_3, 0.768_524_8, 0.231_475_2, 0.305_763_7, 0.694_236_4],
        );
        let refused = refusal("LinearClassifier", one_row("PROBIT"), vec![x()]);
        assert_eq!(refused, "post_transform `PROBIT` of a single score is not supported");
    }

    #[test]
    fn a_regressor_has_a_column_for_each_target() {
        let regress = |targets: i64, coefficients: &[f32], intercepts: &[f32]| {
            let attributes =
                vec![int("targets", targets), floats("coefficients", coefficients), floats("intercepts", intercepts)];
            first("LinearRegressor", attributes, vec![x()])
        };
        let one = regress(1, &[2.0, 1.0], &[]);
        assert_eq!(one.shape(), [3, 1]);
        close(one.view().unwrap(), &[4.0, -5.5, 0.3]);
        let two = regress(2, &[2.0, 1.0, 0.0, 1.0], &[1.0, 0.0]);
        close(two.view().unwrap(), &[5.0, 2.0, -4.5, 0.5, 1.3, 0.1]);
    }

    #[test]
    fn features_must_be_as_many_as_coefficients() {
        let wide = tensor(&[1, 3], vec![0f32; 3]);
        assert_eq!(refusal("LinearClassifier", one_row("NONE"), vec![wide]), "the input has 3 features, the model 2");
    }
}
