//! Targets from the leaves of trees.

use stemma_tensor::{Tensor, TensorData};

use super::super::real::Real;
use super::super::scores::PostTransform;
use super::super::{Context, Kernel, KernelError, Outputs, refuse, rows_and_columns};
use super::listed::listed;
use super::{Aggregate, Built, Forest, RowVisitor, Score, count_of};
use crate::attributes::{Attributes, required};

pub(super) struct Regressor {
    pub(super) forest: Forest,
    /// None, or one for each target.
    pub(super) base_values: Vec<f64>,
    pub(super) post_transform: PostTransform,
    /// The result has the input's size; else it is `f32`.
    pub(super) keeps_size: bool,
}

pub(crate) fn regressor(attributes: &mut Attributes, _: i64) -> Built {
    let targets = count_of("n_targets", required("n_targets", attributes.int("n_targets")?)?)?;
    let listed = listed(attributes, "target", targets)?;
    let aggregate = match attributes.string("aggregate_function")?.as_deref() {
        None | Some("SUM") => Aggregate::Sum,
        Some("AVERAGE") => Aggregate::Average,
        Some("MIN") => Aggregate::Min,
        Some("MAX") => Aggregate::Max,
        Some(other) => refuse!("there is no aggregate_function `{other}`"),
    };
    if !listed.base_values.is_empty() && listed.base_values.len() != targets {
        refuse!("there are {} base values for {targets} targets", listed.base_values.len());
    }
    Ok(Box::new(Regressor {
        forest: Forest { trees: listed.trees, aggregate, targets },
        base_values: listed.base_values,
        post_transform: PostTransform::read(attributes)?.for_targets(targets)?,
        keeps_size: false,
    }))
}

impl Kernel for Regressor {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let input = context.tensor(0)?;
        let (rows, _) = rows_and_columns(input.shape())?;
        let shape = vec![rows, self.forest.targets];
        let count = context.allocate(&shape)?;
        let data: TensorData = if self.keeps_size && matches!(input.data(), TensorData::Double(_)) {
            let mut results = Results::<f64>::new(self, count);
            self.forest.for_each_row(context, &mut results)?;
            results.all.into()
        } else {
            let mut results = Results::<f32>::new(self, count);
            self.forest.for_each_row(context, &mut results)?;
            results.all.into()
        };
        Ok(Tensor::made(shape, data).into())
    }
}

struct Results<'a, Out> {
    regressor: &'a Regressor,
    all: Vec<Out>,
    row: Vec<f32>,
}

impl<'a, Out> Results<'a, Out> {
    fn new(regressor: &'a Regressor, count: usize) -> Self {
        Self { regressor, all: Vec::with_capacity(count), row: Vec::new() }
    }
}

impl<Out: Real> RowVisitor for &mut Results<'_, Out> {
    fn visit<X: Real>(&mut self, scores: &mut [Score<X>]) {
        for (score, &base) in scores.iter_mut().zip(&self.regressor.base_values) {
            score.total = score.total + X::from_f64(base);
        }
        if self.regressor.post_transform == PostTransform::None {
            self.all.extend(scores.iter().map(|score| Out::from_f64(score.total.to_f64())));
            return;
        }
        self.row.clear();
        self.row.extend(scores.iter().map(|score| score.total.to_f64() as f32));
        match self.row.as_mut_slice() {
            [score] => *score = self.regressor.post_transform.apply_single(*score),
            scores => self.regressor.post_transform.apply(scores),
        }
        self.all.extend(self.row.iter().map(|&score| Out::from_f64(score.into())));
    }
}
