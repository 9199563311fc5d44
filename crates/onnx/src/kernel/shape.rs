//! Operators on shapes: the elements stay, or are repeated, and their places change.

use stemma_tensor::{Tensor, TensorData, element_count, with_elements};

use super::broadcast::{Operand, advance, common_shape, stretch};
use super::{Context, Kernel, KernelError, Outputs, product, refuse, resolve_axis};
use crate::attributes::Attributes;

type Built = Result<Box<dyn Kernel>, KernelError>;

struct Identity;

pub(crate) fn identity(_: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(Identity))
}

impl Kernel for Identity {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        Ok(context.take(0)?.into())
    }
}

struct Constant(Tensor);

pub(crate) fn constant(attributes: &mut Attributes, _: i64) -> Built {
    let Some(value) = constant_value(attributes)? else {
        refuse!("no attribute gives the value");
    };
    Ok(Box::new(Constant(value)))
}

fn constant_value(attributes: &mut Attributes) -> Result<Option<Tensor>, KernelError> {
    fn list<T>(elements: Vec<T>) -> Option<Tensor>
    where
        TensorData: From<Vec<T>>,
    {
        Some(Tensor::made(vec![elements.len()], elements))
    }
    fn single<T>(element: T) -> Option<Tensor>
    where
        TensorData: From<Vec<T>>,
    {
        Some(Tensor::made(Vec::new(), vec![element]))
    }
    if let Some(value) = attributes.tensor("value")? {
        return Ok(Some(value));
    }
    if let Some(value) = attributes.float("value_float")? {
        return Ok(single(value));
    }
    if let Some(value) = attributes.int("value_int")? {
        return Ok(single(value));
    }
    if let Some(value) = attributes.string("value_string")? {
        return Ok(single(value));
    }
    if let Some(values) = attributes.floats("value_floats")? {
        return Ok(list(values));
    }
    if let Some(values) = attributes.ints("value_ints")? {
        return Ok(list(values));
    }
    Ok(attributes.strings("value_strings")?.and_then(list))
}

impl Kernel for Constant {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        context.allocate_copies(self.0.shape(), self.0.data())?;
        Ok(self.0.clone().into())
    }
}

/// One value for all elements of a shape that is an input.
struct ConstantOfShape(TensorData);

pub(crate) fn constant_of_shape(attributes: &mut Attributes, _: i64) -> Built {
    let value = match attributes.tensor("value")? {
        None => vec![0f32].into(),
        Some(value) if value.len() == 1 => value.into_data(),
        Some(value) => refuse!("attribute `value` has {} elements, not one", value.len()),
    };
    Ok(Box::new(ConstantOfShape(value)))
}

impl Kernel for ConstantOfShape {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let shape = sizes(&context.integers(0)?)?;
        context.allocate_copies(&shape, &self.0)?;
        let data: TensorData = with_elements!(&self.0, value => {
            let single = Operand { shape: &[], elements: value.as_slice() };
            stretch(single, &shape).into_owned().into()
        });
        Ok(Tensor::made(shape, data).into())
    }
}

fn sizes(integers: &[i64]) -> Result<Vec<usize>, KernelError> {
    integers
        .iter()
        .map(|&size| usize::try_from(size).map_err(|_| KernelError::invalid(format!("size {size} is negative"))))
        .collect()
}

struct Reshape {
    /// A zero stands for zero and not for the size that is there.
    allow_zero: bool,
}

pub(crate) fn reshape(attributes: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(Reshape { allow_zero: attributes.flag("allowzero", false)? }))
}

impl Kernel for Reshape {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let shape = self.target(context.tensor(0)?, &context.integers(1)?)?;
        Ok(context.take(0)?.reshaped(shape).into())
    }
}

impl Reshape {
    fn target(&self, input: &Tensor, wanted: &[i64]) -> Result<Vec<usize>, KernelError> {
        let mismatch = || KernelError::invalid(format!("shape {:?} cannot be made {wanted:?}", input.shape()));
        let mut inferred = None;
        let mut shape = Vec::with_capacity(wanted.len());
        for (place, &size) in wanted.iter().enumerate() {
            shape.push(match size {
                -1 if inferred.replace(place).is_some() => {
                    refuse!("shape {wanted:?} leaves more than one size open")
                }
                -1 => 1,
                0 if !self.allow_zero => *input.shape().get(place).ok_or_else(mismatch)?,
                size => usize::try_from(size).map_err(|_| mismatch())?,
            });
        }
        if let Some(place) = inferred {
            let others = element_count(&shape).ok_or_else(mismatch)?;
            shape[place] = input.len().checked_div(others).ok_or_else(mismatch)?;
        }
        if element_count(&shape) != Some(input.len()) {
            return Err(mismatch());
        }
        Ok(shape)
    }
}

struct Flatten {
    axis: i64,
}

pub(crate) fn flatten(attributes: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(Flatten { axis: attributes.int_or("axis", 1)? }))
}

impl Kernel for Flatten {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let shape = context.tensor(0)?.shape();
        // the axis may also stand behind the last dimension
        let axis = if self.axis < 0 {
            resolve_axis(self.axis, shape.len())?
        } else {
            resolve_axis(self.axis, shape.len() + 1)?
        };
        let flat = vec![product(&shape[..axis]), product(&shape[axis..])];
        Ok(context.take(0)?.reshaped(flat).into())
    }
}

/// Axes from an attribute, in later versions from the second input.
struct Axes(Option<Vec<i64>>);

impl Axes {
    fn of(&self, context: &Context<'_>) -> Result<Option<Vec<i64>>, KernelError> {
        match &self.0 {
            Some(axes) => Ok(Some(axes.clone())),
            None => Ok(context.optional_integers(1)?.map(|axes| axes.into_owned())),
        }
    }
}

struct Squeeze(Axes);

pub(crate) fn squeeze(attributes: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(Squeeze(Axes(attributes.ints("axes")?))))
}

impl Kernel for Squeeze {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let shape = context.tensor(0)?.shape();
        let dropped = match self.0.of(context)? {
            None => shape.iter().map(|&size| size == 1).collect(),
            Some(axes) => marked(&axes, shape.len())?,
        };
        let mut kept = Vec::with_capacity(shape.len());
        for (&size, &drop) in shape.iter().zip(&dropped) {
            match (drop, size) {
                (false, size) => kept.push(size),
                (true, 1) => {}
                (true, size) => refuse!("a dimension of size {size} cannot be dropped"),
            }
        }
        Ok(context.take(0)?.reshaped(kept).into())
    }
}

/// Says for each dimension whether it is among the axes.
pub(crate) fn marked(axes: &[i64], rank: usize) -> Result<Vec<bool>, KernelError> {
    let mut marks = vec![false; rank];
    for &axis in axes {
        marks[resolve_axis(axis, rank)?] = true;
    }
    Ok(marks)
}

struct Unsqueeze(Axes);

pub(crate) fn unsqueeze(attributes: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(Unsqueeze(Axes(attributes.ints("axes")?))))
}

impl Kernel for Unsqueeze {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        const RANK_MAX: usize = 32;
        let Some(axes) = self.0.of(context)? else {
            refuse!("the axes are missing");
        };
        let shape = context.tensor(0)?.shape();
        let rank = shape.len() + axes.len();
        if rank > RANK_MAX {
            refuse!("{rank} dimensions, at most {RANK_MAX} are supported");
        }
        let added = marked(&axes, rank)?;
        if added.iter().filter(|&&added| added).count() != axes.len() {
            refuse!("axes {axes:?} repeat themselves");
        }
        let mut sizes = shape.iter();
        let widened = added.iter().map(|&added| if added { 1 } else { sizes.next().copied().unwrap_or(1) }).collect();
        Ok(context.take(0)?.reshaped(widened).into())
    }
}

struct Transpose {
    permutation: Option<Vec<i64>>,
}

pub(crate) fn transpose(attributes: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(Transpose { permutation: attributes.ints("perm")? }))
}

impl Kernel for Transpose {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let input = context.tensor(0)?;
        let order = self.order(input.shape().len())?;
        let shape: Vec<usize> = order.iter().map(|&axis| input.shape()[axis]).collect();
        let count = context.allocate_copies(&shape, input.data())?;
        let steps: Vec<usize> = order.iter().map(|&axis| product(&input.shape()[axis + 1..])).collect();
        let data = with_elements!(input.data(), elements => {
            permuted(elements, &shape, &steps, count).into()
        });
        let data: TensorData = data;
        Ok(Tensor::made(shape, data).into())
    }
}

impl Transpose {
    fn order(&self, rank: usize) -> Result<Vec<usize>, KernelError> {
        let Some(permutation) = &self.permutation else {
            return Ok((0..rank).rev().collect());
        };
        if permutation.len() != rank || marked(permutation, rank)?.contains(&false) {
            refuse!("{permutation:?} is not an order of {rank} dimensions");
        }
        permutation.iter().map(|&axis| resolve_axis(axis, rank)).collect()
    }
}

fn permuted<T: Clone>(elements: &[T], shape: &[usize], steps: &[usize], count: usize) -> Vec<T> {
    let mut odometer = vec![0; shape.len()];
    let mut permuted = Vec::with_capacity(count);
    for _ in 0..count {
        let place: usize = odometer.iter().zip(steps).map(|(at, step)| at * step).sum();
        permuted.push(elements[place].clone());
        advance(&mut odometer, shape);
    }
    permuted
}

/// The shape itself, or a part of it, as integers.
struct ShapeOf {
    start: i64,
    end: Option<i64>,
}

pub(crate) fn shape_of(attributes: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(ShapeOf { start: attributes.int_or("start", 0)?, end: attributes.int("end")? }))
}

impl Kernel for ShapeOf {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let shape = context.tensor(0)?.shape();
        let rank = shape.len() as i64;
        let place = |axis: i64| {
            let counted = if axis < 0 { axis.saturating_add(rank) } else { axis };
            counted.clamp(0, rank) as usize
        };
        let (start, end) = (place(self.start), self.end.map_or(shape.len(), place));
        let part = shape.get(start..end).unwrap_or_default();
        let sizes: Vec<i64> = part.iter().map(|&size| size as i64).collect();
        Ok(Tensor::made(vec![sizes.len()], sizes).into())
    }
}

struct Expand;

pub(crate) fn expand(_: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(Expand))
}

impl Kernel for Expand {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let input = context.tensor(0)?;
        let target = common_shape(input.shape(), &sizes(&context.integers(1)?)?)?;
        context.allocate_copies(&target, input.data())?;
        let data: TensorData = with_elements!(input.data(), elements => {
            let operand = Operand { shape: input.shape(), elements };
            stretch(operand, &target).into_owned().into()
        });
        Ok(Tensor::made(target, data).into())
    }
}

#[cfg(test)]
mod tests {
    use stemma_tensor::Tensor;

    use super::super::testing::*;

    fn numbers(shape: &[usize]) -> Tensor {
        let count = shape.iter().product::<usize>() as i64;
        tensor(shape, (0..count).collect::<Vec<i64>>())
    }

    fn reshaped(shape: &[usize], to: &[i64]) -> Vec<usize> {
        let to = tensor(&[to.len()], to.to_vec());
        first("Reshape", vec![], vec![numbers(shape), to]).shape().to_vec()
    }

    #[test]
    fn reshape_infers_and_keeps_sizes() {
        assert_eq!(reshaped(&[2, 3], &[3, 2]), [3, 2]);
        assert_eq!(reshaped(&[2, 3], &[-1]), [6]);
        assert_eq!(reshaped(&[2, 3, 4], &[0, -1]), [2, 12]);
        assert_eq!(reshaped(&[0, 3], &[-1, 3]), [0, 3]);
        assert_eq!(reshaped(&[1], &[]), [0usize; 0]);
        let refused = refusal("Reshape", vec![], vec![numbers(&[2, 3]), tensor(&[2], vec![4i64, -1])]);
        assert_eq!(refused, "shape [2, 3] cannot be made [4, -1]");
        let refused = refusal("Reshape", vec![], vec![numbers(&[0]), tensor(&[2], vec![i64::MAX, 0])]);
        assert_eq!(refused, "shape [0] cannot be made [9223372036854775807, 0]");
    }

    #[test]
    fn flatten_makes_matrices() {
        let flat = |axis| {
            let input = numbers(&[2, 3, 4]);
            first("Flatten", vec![int("axis", axis)], vec![input]).shape().to_vec()
        };
        assert_eq!(flat(1), [2, 12]);
        assert_eq!(flat(0), [1, 24]);
        assert_eq!(flat(3), [24, 1]);
        assert_eq!(flat(-1), [6, 4]);
    }

    #[test]
    fn dimensions_of_one_come_and_go() {
        let axes = |axes: &[i64]| tensor(&[axes.len()], axes.to_vec());
        let squeeze = |inputs| first("Squeeze", vec![], inputs).shape().to_vec();
        assert_eq!(squeeze(vec![numbers(&[1, 3, 1])]), [3]);
        assert_eq!(squeeze(vec![numbers(&[1, 3, 1]), axes(&[-1])]), [1, 3]);
        let unsqueeze = |inputs| first("Unsqueeze", vec![], inputs).shape().to_vec();
        assert_eq!(unsqueeze(vec![numbers(&[3]), axes(&[0, -1])]), [1, 3, 1]);
        assert_eq!(
            refusal("Squeeze", vec![], vec![numbers(&[3]), axes(&[0])]),
            "a dimension of size 3 cannot be dropped"
        );
        assert_eq!(refusal("Unsqueeze", vec![], vec![numbers(&[3]), axes(&[1, 1])]), "axes [1, 1] repeat themselves");
    }

    #[test]
    fn transpose_permutes() {
        assert_eq!(first("Transpose", vec![], vec![numbers(&[2, 3])]), tensor(&[3, 2], vec![0i64, 3, 1, 4, 2, 5]));
        let turned = first("Transpose", vec![ints("perm", &[1, 0, 2])], vec![numbers(&[2, 2, 2])]);
        assert_eq!(turned, tensor(&[2, 2, 2], vec![0i64, 1, 4, 5, 2, 3, 6, 7]));
        assert_eq!(
            refusal("Transpose", vec![ints("perm", &[0, 0])], vec![numbers(&[2, 2])]),
            "[0, 0] is not an order of 2 dimensions"
        );
    }

    #[test]
    fn shapes_as_values() {
        let shape = |attributes| first("Shape", attributes, vec![numbers(&[2, 3, 4])]);
        assert_eq!(shape(vec![]), tensor(&[3], vec![2i64, 3, 4]));
        assert_eq!(shape(vec![int("start", 1)]), tensor(&[2], vec![3i64, 4]));
        assert_eq!(shape(vec![int("start", -3), int("end", -1)]), tensor(&[2], vec![2i64, 3]));
    }

    #[test]
    fn constants() {
        assert_eq!(first("Constant", vec![ints("value_ints", &[1, 2])], vec![]), tensor(&[2], vec![1i64, 2]));
        assert_eq!(first("Constant", vec![float("value_float", 1.5)], vec![]), tensor(&[], vec![1.5f32]));
        assert_eq!(
            first("ConstantOfShape", vec![float_tensor("value", &[7.0])], vec![tensor(&[2], vec![1i64, 2])]),
            tensor(&[1, 2], vec![7f32, 7.0])
        );
        assert_eq!(refusal("ConstantOfShape", vec![], vec![tensor(&[2], vec![1i64 << 40, 2])]), "too large");
    }

    #[test]
    fn long_texts_are_not_repeated_beyond_the_bound() {
        let long = "x".repeat(1 << 20);
        let inputs = vec![texts(&[1], &[&long]), tensor(&[1], vec![1i64 << 20])];
        assert_eq!(refusal("Expand", vec![], inputs), "too large");
    }

    #[test]
    fn expand_repeats() {
        assert_eq!(
            first("Expand", vec![], vec![tensor(&[2, 1], vec![1i64, 2]), tensor(&[1], vec![2i64])]),
            tensor(&[2, 2], vec![1i64, 1, 2, 2])
        );
    }
}
