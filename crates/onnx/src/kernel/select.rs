//! Operators that pick elements by their places.

use std::cmp::Ordering;

use stemma_tensor::{Tensor, TensorData, with_elements};

use super::broadcast::advance;
use super::{AxisSplit, Context, Kernel, KernelError, Outputs, product, refuse, resolve_axis};
use crate::attributes::Attributes;

type Built = Result<Box<dyn Kernel>, KernelError>;

/// Returns the parts of a tensor at some places along one axis.
fn pick<T: Clone>(elements: &[T], split: AxisSplit, places: &[usize], count: usize) -> Vec<T> {
    let mut picked = Vec::with_capacity(count);
    if count == 0 {
        return picked;
    }
    for block in elements.chunks_exact(split.length * split.inner) {
        for &place in places {
            picked.extend_from_slice(&block[place * split.inner..][..split.inner]);
        }
    }
    picked
}

fn pick_along(
    context: &Context<'_>,
    input: &Tensor,
    axis: usize,
    places: &[usize],
    shape: Vec<usize>,
) -> Result<Tensor, KernelError> {
    let count = context.allocate_copies(&shape, input.data())?;
    let split = AxisSplit::new(input.shape(), axis);
    let data: TensorData = with_elements!(input.data(), elements => pick(elements, split, places, count).into());
    Ok(Tensor::made(shape, data))
}

/// Returns where indices point that may be counted from the end.
fn places(indices: &[i64], length: usize) -> Result<Vec<usize>, KernelError> {
    indices
        .iter()
        .map(|&index| {
            let counted = if index < 0 { index + length as i64 } else { index };
            match usize::try_from(counted) {
                Ok(place) if place < length => Ok(place),
                _ => refuse!("index {index} is not within {length} elements"),
            }
        })
        .collect()
}

/// Columns of a matrix; of a vector its elements, as a matrix of one row.
struct ArrayFeatureExtractor;

pub(crate) fn array_feature_extractor(_: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(ArrayFeatureExtractor))
}

impl Kernel for ArrayFeatureExtractor {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let (input, indices) = (context.tensor(0)?, context.integers(1)?);
        let Some((&length, outer)) = input.shape().split_last() else {
            refuse!("input 0 is a single number");
        };
        if indices.iter().any(|&index| index < 0) {
            refuse!("an index is negative");
        }
        let places = places(&indices, length)?;
        let mut shape = outer.to_vec();
        if shape.is_empty() {
            shape.push(1);
        }
        shape.push(places.len());
        Ok(pick_along(context, input, outer.len(), &places, shape)?.into())
    }
}

struct Gather {
    axis: i64,
}

pub(crate) fn gather(attributes: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(Gather { axis: attributes.int_or("axis", 0)? }))
}

impl Kernel for Gather {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let input = context.tensor(0)?;
        let axis = resolve_axis(self.axis, input.shape().len())?;
        let places = places(&context.integers(1)?, input.shape()[axis])?;
        let mut shape = input.shape()[..axis].to_vec();
        shape.extend(context.tensor(1)?.shape());
        shape.extend(&input.shape()[axis + 1..]);
        Ok(pick_along(context, input, axis, &places, shape)?.into())
    }
}

struct GatherElements {
    axis: i64,
}

pub(crate) fn gather_elements(attributes: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(GatherElements { axis: attributes.int_or("axis", 0)? }))
}

impl Kernel for GatherElements {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let (input, indices) = (context.tensor(0)?, context.tensor(1)?);
        let axis = resolve_axis(self.axis, input.shape().len())?;
        let shape = indices.shape().to_vec();
        let fits = |(place, (&wanted, &there)): (usize, (&usize, &usize))| place == axis || wanted <= there;
        if shape.len() != input.shape().len() || !shape.iter().zip(input.shape()).enumerate().all(fits) {
            refuse!("indices of shape {shape:?} do not fit shape {:?}", input.shape());
        }
        context.allocate_copies(&shape, input.data())?;
        let along = places(&context.integers(1)?, input.shape()[axis])?;
        let data: TensorData = with_elements!(input.data(), elements => {
            pick_each(elements, input.shape(), axis, &shape, &along).into()
        });
        Ok(Tensor::made(shape, data).into())
    }
}

/// Returns for each place of a shape the element at that place, but for one axis, which is listed.
fn pick_each<T: Clone>(elements: &[T], from: &[usize], axis: usize, shape: &[usize], along: &[usize]) -> Vec<T> {
    let mut steps: Vec<usize> = (0..from.len()).map(|place| product(&from[place + 1..])).collect();
    let step = std::mem::take(&mut steps[axis]);
    let mut odometer = vec![0; shape.len()];
    let mut picked = Vec::with_capacity(along.len());
    for &place in along {
        let others: usize = odometer.iter().zip(&steps).map(|(at, step)| at * step).sum();
        picked.push(elements[others + place * step].clone());
        advance(&mut odometer, shape);
    }
    picked
}

/// Ranges along some axes: from attributes, in later versions from inputs.
struct Slice {
    fixed: Option<Ranges>,
}

#[derive(Clone)]
struct Ranges {
    starts: Vec<i64>,
    ends: Vec<i64>,
    axes: Option<Vec<i64>>,
    steps: Option<Vec<i64>>,
}

pub(crate) fn slice(attributes: &mut Attributes, opset: i64) -> Built {
    if opset >= 10 {
        return Ok(Box::new(Slice { fixed: None }));
    }
    let fixed = Ranges {
        starts: crate::attributes::required("starts", attributes.ints("starts")?)?,
        ends: crate::attributes::required("ends", attributes.ints("ends")?)?,
        axes: attributes.ints("axes")?,
        steps: None,
    };
    Ok(Box::new(Slice { fixed: Some(fixed) }))
}

impl Kernel for Slice {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let ranges = match &self.fixed {
            Some(ranges) => ranges.clone(),
            None => ranges_of(context)?,
        };
        let rank = context.tensor(0)?.shape().len();
        let axes = ranges.axes.unwrap_or_else(|| (0..ranges.starts.len() as i64).collect());
        let steps = ranges.steps.unwrap_or_else(|| vec![1; ranges.starts.len()]);
        let count = ranges.starts.len();
        if ranges.ends.len() != count || axes.len() != count || steps.len() != count {
            refuse!("starts, ends, axes and steps are not equally many");
        }
        let mut sliced = context.take(0)?;
        for (at, &axis) in axes.iter().enumerate() {
            let axis = resolve_axis(axis, rank)?;
            let range = [ranges.starts[at], ranges.ends[at], steps[at]];
            context.allocate(&sliced.shape()[axis..=axis])?;
            let places = range_places(range, sliced.shape()[axis])?;
            let mut shape = sliced.shape().to_vec();
            shape[axis] = places.len();
            sliced = pick_along(context, &sliced, axis, &places, shape)?;
        }
        Ok(sliced.into())
    }
}

fn ranges_of(context: &Context<'_>) -> Result<Ranges, KernelError> {
    let owned = |input| -> Result<Option<Vec<i64>>, KernelError> {
        Ok(context.optional_integers(input)?.map(|integers| integers.into_owned()))
    };
    Ok(Ranges {
        starts: context.integers(1)?.into_owned(),
        ends: context.integers(2)?.into_owned(),
        axes: owned(3)?,
        steps: owned(4)?,
    })
}

/// Returns the places from start to end; what is beyond a dimension is cut off.
fn range_places([start, end, step]: [i64; 3], length: usize) -> Result<Vec<usize>, KernelError> {
    if step == 0 {
        refuse!("the step is zero");
    }
    let length = length as i64;
    let counted = |place: i64| {
        if place < 0 { place.saturating_add(length) } else { place }
    };
    let (start, end) = if step > 0 {
        (counted(start).clamp(0, length), counted(end).clamp(0, length))
    } else {
        (counted(start).clamp(-1, length - 1), counted(end).clamp(-1, length - 1))
    };
    let mut places = Vec::new();
    let mut at = start;
    while (step > 0 && at < end) || (step < 0 && at > end) {
        places.push(at as usize);
        at = at.saturating_add(step);
    }
    Ok(places)
}

/// The greatest or least elements along an axis and where they were, the first of equals first.
struct TopK {
    axis: i64,
    largest: bool,
    /// Whether they come in order of size; else they come in the order of the input.
    sorted: bool,
}

pub(crate) fn top_k(attributes: &mut Attributes, opset: i64) -> Built {
    if opset < 10 {
        refuse!("version {opset} of the operator set is not supported, use 10 or newer");
    }
    Ok(Box::new(TopK {
        axis: attributes.int_or("axis", -1)?,
        largest: attributes.flag("largest", true)?,
        sorted: attributes.flag("sorted", true)?,
    }))
}

impl Kernel for TopK {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let input = context.tensor(0)?;
        let axis = resolve_axis(self.axis, input.shape().len())?;
        let split = AxisSplit::new(input.shape(), axis);
        let wanted = match *context.integers(1)? {
            [wanted] => usize::try_from(wanted).ok().filter(|&wanted| wanted <= split.length),
            _ => None,
        };
        let Some(wanted) = wanted else {
            refuse!("input 1 is not a number up to {}", split.length);
        };
        let mut shape = input.shape().to_vec();
        shape[axis] = wanted;
        context.allocate(&shape)?;
        let count = context.allocate(&shape)?;
        let split = (split, wanted, count);
        let (values, indices) = match input.data() {
            TensorData::Float(elements) => self.ranked(elements, split),
            TensorData::Double(elements) => self.ranked(elements, split),
            TensorData::Int64(elements) => self.ranked(elements, split),
            TensorData::Int32(elements) => self.ranked(elements, split),
            other => refuse!("input 0 is {}, not a number of 32 or 64 bits", other.datatype()),
        };
        Ok(Outputs::Two(Tensor::made(shape.clone(), values), Tensor::made(shape, indices)))
    }
}

impl TopK {
    fn ranked<T: Copy + Default + PartialOrd>(
        &self,
        elements: &[T],
        (split, wanted, count): (AxisSplit, usize, usize),
    ) -> (TensorData, TensorData)
    where
        TensorData: From<Vec<T>>,
    {
        let mut values = vec![T::default(); count];
        let mut indices = vec![0i64; count];
        if count > 0 {
            let at = |outer: usize, place: usize, inner: usize| {
                elements[(outer * split.length + place) * split.inner + inner]
            };
            for outer in 0..split.outer {
                for inner in 0..split.inner {
                    let order = self.order(split.length, wanted, |place| at(outer, place, inner));
                    for (rank, place) in order.into_iter().enumerate() {
                        let to = (outer * wanted + rank) * split.inner + inner;
                        values[to] = at(outer, place, inner);
                        indices[to] = place as i64;
                    }
                }
            }
        }
        (values.into(), indices.into())
    }

    fn order<T: PartialOrd>(&self, length: usize, wanted: usize, element: impl Fn(usize) -> T) -> Vec<usize> {
        let mut order: Vec<usize> = (0..length).collect();
        order.sort_by(|&a, &b| {
            let ascending = ascending(&element(a), &element(b));
            if self.largest { ascending.reverse() } else { ascending }
        });
        order.truncate(wanted);
        if !self.sorted {
            order.sort_unstable();
        }
        order
    }
}

/// Numbers by size, then NaN.
fn ascending<T: PartialOrd>(a: &T, b: &T) -> Ordering {
    let is_nan = |x: &T| x.partial_cmp(x).is_none();
    a.partial_cmp(b).unwrap_or_else(|| is_nan(a).cmp(&is_nan(b)))
}

#[cfg(test)]
mod tests {
    use stemma_tensor::Tensor;

    use super::super::registry::{Domain, find};
    use super::super::testing::*;

    fn matrix() -> Tensor {
        tensor(&[2, 3], vec![1i64, 2, 3, 4, 5, 6])
    }

    #[test]
    fn features_are_columns() {
        let indices = tensor(&[1, 2], vec![2i64, 0]);
        assert_eq!(
            first("ArrayFeatureExtractor", vec![], vec![matrix(), indices.clone()]),
            tensor(&[2, 2], vec![3i64, 1, 6, 4])
        );
        assert_eq!(
            first("ArrayFeatureExtractor", vec![], vec![texts(&[3], &["a", "b", "c"]), indices]),
            texts(&[1, 2], &["c", "a"])
        );
        for index in [3i64, -1] {
            refusal("ArrayFeatureExtractor", vec![], vec![matrix(), tensor(&[1], vec![index])]);
        }
    }

    #[test]
    fn gather_puts_the_indices_shape_in_the_axis_place() {
        let indices = tensor(&[1, 2], vec![-1i64, 0]);
        assert_eq!(
            first("Gather", vec![int("axis", 1)], vec![matrix(), indices]),
            tensor(&[2, 1, 2], vec![3i64, 1, 6, 4])
        );
        assert_eq!(first("Gather", vec![], vec![matrix(), tensor(&[], vec![1i32])]), tensor(&[3], vec![4i64, 5, 6]));
        assert_eq!(
            refusal("Gather", vec![], vec![matrix(), tensor(&[1], vec![2i64])]),
            "index 2 is not within 2 elements"
        );
    }

    #[test]
    fn gather_elements_follows_each_index() {
        let indices = tensor(&[2, 2], vec![2i64, 0, 1, -1]);
        assert_eq!(
            first("GatherElements", vec![int("axis", 1)], vec![matrix(), indices]),
            tensor(&[2, 2], vec![3i64, 1, 5, 6])
        );
    }

    fn sliced(ranges: [&[i64]; 4]) -> Tensor {
        let mut inputs = vec![matrix()];
        inputs.extend(ranges.map(|range| tensor(&[range.len()], range.to_vec())));
        first("Slice", vec![], inputs)
    }

    #[test]
    fn slices_cut_and_step() {
        assert_eq!(sliced([&[1], &[i64::MAX], &[1], &[1]]), tensor(&[2, 2], vec![2i64, 3, 5, 6]));
        assert_eq!(sliced([&[-1], &[i64::MIN], &[-1], &[-2]]), tensor(&[2, 2], vec![3i64, 1, 6, 4]));
        assert_eq!(sliced([&[0, 1], &[1, 2], &[0, 1], &[1, 1]]), tensor(&[1, 1], vec![2i64]));
        assert_eq!(sliced([&[5], &[9], &[0], &[1]]), tensor(&[0, 3], Vec::<i64>::new()));
    }

    #[test]
    fn slices_of_old_versions_have_attributes() {
        let outputs = run_version(
            find(Domain::Onnx, "Slice").unwrap(),
            9,
            vec![ints("starts", &[0]), ints("ends", &[1])],
            vec![Some(matrix())],
        );
        assert_eq!(outputs.unwrap(), [tensor(&[1, 3], vec![1i64, 2, 3])]);
    }

    #[test]
    fn top_k_prefers_the_first_of_equals() {
        let x = tensor(&[1, 4], vec![3f32, 9.0, 3.0, 9.0]);
        let top = |attributes| {
            let inputs = vec![Some(x.clone()), Some(tensor(&[1], vec![3i64]))];
            run("TopK", attributes, inputs).unwrap()
        };
        assert_eq!(top(vec![]), [tensor(&[1, 3], vec![9f32, 9.0, 3.0]), tensor(&[1, 3], vec![1i64, 3, 0])]);
        assert_eq!(
            top(vec![int("largest", 0)]),
            [tensor(&[1, 3], vec![3f32, 3.0, 9.0]), tensor(&[1, 3], vec![0i64, 2, 1])]
        );
    }
}
