//! Operators that make one number of many along some axes, each in the order of the input.

use stemma_tensor::{Tensor, TensorData};

use super::real::Real;
use super::shape::marked;
use super::{AxisSplit, Context, Kernel, KernelError, Outputs, product, refuse, resolve_axis};
use crate::attributes::Attributes;

type Built = Result<Box<dyn Kernel>, KernelError>;

#[derive(Clone, Copy, PartialEq)]
enum Reduction {
    Sum,
    Mean,
    Max,
    Min,
    Product,
    AbsoluteSum,
    Euclidean,
    SquareSum,
    LogSumExp,
}

/// Sums are taken in `f64` and rounded once.
struct Reduce {
    reduction: Reduction,
    /// From the attribute; in later versions from the second input.
    axes: Option<Vec<i64>>,
    keep: bool,
    /// No axes stand for none and not for all.
    empty_is_none: bool,
}

macro_rules! reductions {
    ($($name:ident $reduction:ident;)+) => {$(
        pub(crate) fn $name(attributes: &mut Attributes, _: i64) -> Built {
            reduce(Reduction::$reduction, attributes)
        }
    )+};
}

reductions! {
    reduce_l1 AbsoluteSum;
    reduce_l2 Euclidean;
    reduce_log_sum_exp LogSumExp;
    reduce_max Max;
    reduce_mean Mean;
    reduce_min Min;
    reduce_prod Product;
    reduce_sum Sum;
    reduce_sum_square SquareSum;
}

fn reduce(reduction: Reduction, attributes: &mut Attributes) -> Built {
    Ok(Box::new(Reduce {
        reduction,
        axes: attributes.ints("axes")?,
        keep: attributes.flag("keepdims", true)?,
        empty_is_none: attributes.flag("noop_with_empty_axes", false)?,
    }))
}

impl Kernel for Reduce {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let given = match &self.axes {
            Some(axes) => axes.clone(),
            None => context.optional_integers(1)?.unwrap_or_default().into_owned(),
        };
        if given.is_empty() && self.empty_is_none {
            return Ok(context.take(0)?.into());
        }
        let input = context.tensor(0)?;
        let plan = Plan::new(input.shape(), &given)?;
        let count = context.allocate(&plan.kept)?;
        // the accumulators
        context.allocate(&plan.kept)?;
        if input.is_empty() && count > 0 && matches!(self.reduction, Reduction::Max | Reduction::Min) {
            refuse!("there is nothing to take the greatest or least of");
        }
        let data: TensorData = match input.data() {
            TensorData::Float(elements) => self.reals(elements, &plan).into(),
            TensorData::Double(elements) => self.reals(elements, &plan).into(),
            TensorData::Int64(elements) => self.integers(elements, &plan)?.into(),
            TensorData::Int32(elements) => {
                let wide: Vec<i64> = elements.iter().map(|&element| element.into()).collect();
                let reduced = self.integers(&wide, &plan)?;
                reduced.into_iter().map(|number| number as i32).collect::<Vec<_>>().into()
            }
            other => refuse!("input 0 is {}, not a number of 32 or 64 bits", other.datatype()),
        };
        let shape = if self.keep { plan.kept } else { plan.dropped };
        Ok(Tensor::made(shape, data).into())
    }
}

/// Where each element goes.
struct Plan {
    /// The input's shape cut into stretches that are reduced or kept whole, from the outermost.
    stretches: Vec<Stretch>,
    /// The output's shape with the reduced dimensions as ones.
    kept: Vec<usize>,
    /// The output's shape without them.
    dropped: Vec<usize>,
    /// How many elements go into each result.
    each: usize,
}

struct Stretch {
    length: usize,
    reduced: bool,
}

impl Plan {
    fn new(shape: &[usize], axes: &[i64]) -> Result<Self, KernelError> {
        let mut reduced = marked(axes, shape.len())?;
        if axes.is_empty() {
            reduced.fill(true);
        }
        let mut stretches: Vec<Stretch> = Vec::new();
        for (&length, &reduced) in shape.iter().zip(&reduced) {
            match stretches.last_mut() {
                Some(last) if last.reduced == reduced => last.length *= length,
                _ => stretches.push(Stretch { length, reduced }),
            }
        }
        let sizes = || shape.iter().zip(&reduced);
        Ok(Self {
            stretches,
            kept: sizes().map(|(&size, &reduced)| if reduced { 1 } else { size }).collect(),
            dropped: sizes().filter(|(_, reduced)| !**reduced).map(|(&size, _)| size).collect(),
            each: sizes().filter(|(_, reduced)| **reduced).map(|(&size, _)| size).product(),
        })
    }

    fn count(&self) -> usize {
        product(&self.kept)
    }

    /// Calls `visit` with the result's place and the element, in the order of the elements.
    fn for_each<T: Copy>(&self, elements: &[T], mut visit: impl FnMut(usize, T)) {
        let (inner, outer) = match self.stretches.as_slice() {
            [outer @ .., last] => (last, outer),
            [] => (&Stretch { length: 1, reduced: true }, &[][..]),
        };
        let steps = self.steps(outer, inner);
        let lengths: Vec<usize> = outer.iter().map(|stretch| stretch.length).collect();
        let mut odometer = vec![0; outer.len()];
        for block in elements.chunks_exact(inner.length.max(1)) {
            let start: usize = odometer.iter().zip(&steps).map(|(at, step)| at * step).sum();
            for (at, &element) in block.iter().enumerate() {
                visit(if inner.reduced { start } else { start + at }, element);
            }
            super::broadcast::advance(&mut odometer, &lengths);
        }
    }

    fn steps(&self, outer: &[Stretch], inner: &Stretch) -> Vec<usize> {
        let mut step = if inner.reduced { 1 } else { inner.length };
        let mut steps = vec![0; outer.len()];
        for (place, stretch) in steps.iter_mut().zip(outer).rev() {
            if !stretch.reduced {
                *place = step;
                step *= stretch.length;
            }
        }
        steps
    }
}

impl Reduce {
    fn reals<T: Real>(&self, elements: &[T], plan: &Plan) -> Vec<T> {
        if matches!(self.reduction, Reduction::Max | Reduction::Min) {
            return extremes(elements, plan, self.reduction, T::is_nan);
        }
        if self.reduction == Reduction::LogSumExp {
            return log_sum_exp(elements, plan);
        }
        let start = if self.reduction == Reduction::Product { 1.0 } else { 0.0 };
        let mut totals = vec![start; plan.count()];
        plan.for_each(elements, |place, element| {
            let number = element.to_f64();
            let total: &mut f64 = &mut totals[place];
            match self.reduction {
                Reduction::Product => *total *= number,
                Reduction::AbsoluteSum => *total += number.abs(),
                Reduction::Euclidean | Reduction::SquareSum => *total += number * number,
                _ => *total += number,
            }
        });
        let finish = |total: f64| match self.reduction {
            Reduction::Mean => total / plan.each as f64,
            Reduction::Euclidean => total.sqrt(),
            _ => total,
        };
        totals.into_iter().map(|total| T::from_f64(finish(total))).collect()
    }

    fn integers(&self, elements: &[i64], plan: &Plan) -> Result<Vec<i64>, KernelError> {
        if matches!(self.reduction, Reduction::Max | Reduction::Min) {
            return Ok(extremes(elements, plan, self.reduction, |_| false));
        }
        let start = i64::from(self.reduction == Reduction::Product);
        let mut totals = vec![start; plan.count()];
        plan.for_each(elements, |place, number| {
            let total: &mut i64 = &mut totals[place];
            *total = match self.reduction {
                Reduction::Product => total.wrapping_mul(number),
                Reduction::AbsoluteSum => total.wrapping_add(number.wrapping_abs()),
                Reduction::SquareSum => total.wrapping_add(number.wrapping_mul(number)),
                _ => total.wrapping_add(number),
            };
        });
        match self.reduction {
            Reduction::Euclidean | Reduction::LogSumExp => {
                refuse!("integers have no such reduction")
            }
            Reduction::Mean if plan.each == 0 => refuse!("the mean of no integers is taken"),
            Reduction::Mean => Ok(totals.into_iter().map(|total| total / plan.each as i64).collect()),
            _ => Ok(totals),
        }
    }
}

/// The greatest or least of each; a NaN if there is one.
fn extremes<T: Copy + PartialOrd + Default>(
    elements: &[T],
    plan: &Plan,
    reduction: Reduction,
    is_nan: impl Fn(T) -> bool,
) -> Vec<T> {
    let mut seen = vec![false; plan.count()];
    let mut results = vec![T::default(); plan.count()];
    plan.for_each(elements, |place, element| {
        let best: &mut T = &mut results[place];
        let better = match reduction {
            Reduction::Max => element > *best,
            _ => element < *best,
        };
        if !seen[place] || better || is_nan(element) {
            *best = element;
            seen[place] = true;
        }
    });
    results
}

/// With the greatest taken out first, so that nothing overflows.
fn log_sum_exp<T: Real>(elements: &[T], plan: &Plan) -> Vec<T> {
    let greatest = extremes(elements, plan, Reduction::Max, T::is_nan);
    let base = |place: usize| {
        let base = greatest[place].to_f64();
        if base.is_finite() { base } else { 0.0 }
    };
    let mut totals = vec![0f64; plan.count()];
    plan.for_each(elements, |place, element| {
        totals[place] += libm::exp(element.to_f64() - base(place));
    });
    let finish = |(place, total): (usize, f64)| T::from_f64(libm::log(total) + base(place));
    totals.into_iter().enumerate().map(finish).collect()
}

/// The place of the greatest or least element along one axis, the first of equals.
struct ArgExtreme {
    axis: i64,
    keep: bool,
    last: bool,
    greatest: bool,
}

pub(crate) fn arg_max(attributes: &mut Attributes, _: i64) -> Built {
    arg_extreme(attributes, true)
}

pub(crate) fn arg_min(attributes: &mut Attributes, _: i64) -> Built {
    arg_extreme(attributes, false)
}

fn arg_extreme(attributes: &mut Attributes, greatest: bool) -> Built {
    Ok(Box::new(ArgExtreme {
        axis: attributes.int_or("axis", 0)?,
        keep: attributes.flag("keepdims", true)?,
        last: attributes.flag("select_last_index", false)?,
        greatest,
    }))
}

impl Kernel for ArgExtreme {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let input = context.tensor(0)?;
        let axis = resolve_axis(self.axis, input.shape().len())?;
        let split = AxisSplit::new(input.shape(), axis);
        let mut shape = input.shape().to_vec();
        shape[axis] = 1;
        let count = context.allocate(&shape)?;
        if split.length == 0 && count > 0 {
            refuse!("there is nothing to take the greatest or least of");
        }
        if !self.keep {
            shape.remove(axis);
        }
        let places = match input.data() {
            TensorData::Float(elements) => self.places(elements, split, count),
            TensorData::Double(elements) => self.places(elements, split, count),
            TensorData::Int64(elements) => self.places(elements, split, count),
            TensorData::Int32(elements) => self.places(elements, split, count),
            other => refuse!("input 0 is {}, not a number of 32 or 64 bits", other.datatype()),
        };
        Ok(Tensor::made(shape, places).into())
    }
}

impl ArgExtreme {
    fn places<T: Copy + PartialOrd>(&self, elements: &[T], split: AxisSplit, count: usize) -> Vec<i64> {
        let mut places = Vec::with_capacity(count);
        if count == 0 {
            return places;
        }
        for block in elements.chunks_exact(split.length * split.inner) {
            for inner in 0..split.inner {
                let mut best = 0;
                for place in 1..split.length {
                    let (now, then) = (block[place * split.inner + inner], block[best * split.inner + inner]);
                    let better = if self.greatest { now > then } else { now < then };
                    if better || (self.last && now == then) {
                        best = place;
                    }
                }
                places.push(best as i64);
            }
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use stemma_tensor::Tensor;

    use super::super::testing::*;

    fn cube() -> Tensor {
        tensor(&[2, 2, 2], vec![1f32, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])
    }

    fn reduced(operator: &str, axes: &[i64], keep: i64) -> Tensor {
        let axes = tensor(&[axes.len()], axes.to_vec());
        first(operator, vec![int("keepdims", keep)], vec![cube(), axes])
    }

    #[test]
    fn sums_along_any_axes() {
        assert_eq!(reduced("ReduceSum", &[2], 0), tensor(&[2, 2], vec![3f32, 7.0, 11.0, 15.0]));
        assert_eq!(reduced("ReduceSum", &[0], 1), tensor(&[1, 2, 2], vec![6f32, 8.0, 10.0, 12.0]));
        assert_eq!(reduced("ReduceSum", &[1], 0), tensor(&[2, 2], vec![4f32, 6.0, 12.0, 14.0]));
        assert_eq!(reduced("ReduceSum", &[0, -1], 0), tensor(&[2], vec![14f32, 22.0]));
        assert_eq!(reduced("ReduceSum", &[], 0), tensor(&[], vec![36f32]));
        assert_eq!(reduced("ReduceSum", &[0, 1, 2], 1), tensor(&[1, 1, 1], vec![36f32]));
    }

    #[test]
    fn other_reductions() {
        let rows = |operator| reduced(operator, &[1, 2], 0).view::<f32>().unwrap().to_vec();
        assert_eq!(rows("ReduceMean"), [2.5, 6.5]);
        assert_eq!(rows("ReduceMax"), [4.0, 8.0]);
        assert_eq!(rows("ReduceMin"), [1.0, 5.0]);
        assert_eq!(rows("ReduceProd"), [24.0, 1680.0]);
        assert_eq!(rows("ReduceL1"), [10.0, 26.0]);
        assert_eq!(rows("ReduceSumSquare"), [30.0, 174.0]);
        assert_eq!(rows("ReduceL2"), [30f32.sqrt(), 174f32.sqrt()]);
        let logs = rows("ReduceLogSumExp");
        assert!((logs[0] - 4.440_19).abs() < 1e-5, "{logs:?}");
    }

    #[test]
    fn integers_and_nothing() {
        let integers = tensor(&[3], vec![1i64, 2, 4]);
        assert_eq!(first("ReduceMean", vec![int("keepdims", 0)], vec![integers]), tensor(&[], vec![2i64]));
        let none = || tensor(&[2, 0], Vec::<f32>::new());
        let along = || tensor(&[1], vec![1i64]);
        assert_eq!(first("ReduceSum", vec![], vec![none(), along()]), tensor(&[2, 1], vec![0f32, 0.0]));
        assert_eq!(
            refusal("ReduceMax", vec![], vec![none(), along()]),
            "there is nothing to take the greatest or least of"
        );
    }

    #[test]
    fn the_first_of_equals_is_the_greatest_unless_the_last_is_wanted() {
        let x = || tensor(&[2, 3], vec![1f32, 5.0, 5.0, 9.0, 0.0, 9.0]);
        let found = |operator, more: Vec<_>| {
            let mut attributes = vec![int("axis", 1), int("keepdims", 0)];
            attributes.extend(more);
            first(operator, attributes, vec![x()])
        };
        assert_eq!(found("ArgMax", vec![]), tensor(&[2], vec![1i64, 0]));
        assert_eq!(found("ArgMin", vec![]), tensor(&[2], vec![0i64, 1]));
        assert_eq!(found("ArgMax", vec![int("select_last_index", 1)]), tensor(&[2], vec![2i64, 2]));
        assert_eq!(first("ArgMax", vec![], vec![x()]), tensor(&[1, 3], vec![1i64, 0, 1]));
    }
}
