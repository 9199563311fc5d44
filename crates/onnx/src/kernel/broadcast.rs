//! Two shapes made one, as numpy does: aligned at the end, a dimension of one repeated.

use std::borrow::Cow;

use super::{KernelError, product, refuse};

/// Returns the shape that both can be stretched to.
pub(crate) fn common_shape(left: &[usize], right: &[usize]) -> Result<Vec<usize>, KernelError> {
    let rank = left.len().max(right.len());
    let dim_of =
        |shape: &[usize], place: usize| (place + shape.len()).checked_sub(rank).map_or(1, |place| shape[place]);
    (0..rank)
        .map(|place| match (dim_of(left, place), dim_of(right, place)) {
            (same, other) if same == other => Ok(same),
            (1, dim) | (dim, 1) => Ok(dim),
            _ => refuse!("shapes {left:?} and {right:?} do not go together"),
        })
        .collect()
}

/// How far apart the elements of a tensor lie along each dimension of the shape it is stretched to.
fn strides(shape: &[usize], target: &[usize]) -> Vec<usize> {
    let mut strides = vec![0; target.len()];
    let mut step = 1;
    for (stride, &dim) in strides.iter_mut().rev().zip(shape.iter().rev()) {
        if dim != 1 {
            *stride = step;
        }
        step *= dim;
    }
    strides
}

/// One operand of a pairwise operation.
#[derive(Clone, Copy)]
pub(crate) struct Operand<'a, T> {
    pub(crate) shape: &'a [usize],
    pub(crate) elements: &'a [T],
}

/// Calls `visit` with each pair of elements, in the order of the common shape.
pub(crate) fn for_each_pair<A, B>(
    left: Operand<'_, A>,
    right: Operand<'_, B>,
    target: &[usize],
    mut visit: impl FnMut(&A, &B),
) {
    if left.shape == right.shape {
        for (a, b) in left.elements.iter().zip(right.elements) {
            visit(a, b);
        }
        return;
    }
    let (left_strides, right_strides) = (strides(left.shape, target), strides(right.shape, target));
    let Some((&last, outer)) = target.split_last() else {
        return;
    };
    if last == 0 {
        return;
    }
    let (left_step, right_step) = (left_strides[outer.len()], right_strides[outer.len()]);
    let mut odometer = vec![0; outer.len()];
    for _ in 0..product(outer) {
        let start = |strides: &[usize]| -> usize { odometer.iter().zip(strides).map(|(at, stride)| at * stride).sum() };
        let (mut a, mut b) = (start(&left_strides), start(&right_strides));
        for _ in 0..last {
            visit(&left.elements[a], &right.elements[b]);
            a += left_step;
            b += right_step;
        }
        advance(&mut odometer, outer);
    }
}

/// Counts up a place in a shape, the last dimension fastest.
pub(crate) fn advance(odometer: &mut [usize], shape: &[usize]) {
    for (at, &dim) in odometer.iter_mut().zip(shape).rev() {
        *at += 1;
        if *at < dim {
            return;
        }
        *at = 0;
    }
}

/// Returns the elements repeated to fill a shape that [`common_shape`] allows.
pub(crate) fn stretch<'a, T: Clone>(operand: Operand<'a, T>, target: &[usize]) -> Cow<'a, [T]> {
    if operand.shape == target {
        return Cow::Borrowed(operand.elements);
    }
    let unit = Operand { shape: target, elements: &vec![(); product(target)] };
    let mut stretched = Vec::with_capacity(unit.elements.len());
    for_each_pair(operand, unit, target, |element, ()| {
        stretched.push(element.clone());
    });
    Cow::Owned(stretched)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(left: &[usize], right: &[usize], expected: Option<&[usize]>) {
        assert_eq!(common_shape(left, right).ok().as_deref(), expected);
        assert_eq!(common_shape(right, left).ok().as_deref(), expected);
    }

    #[test]
    fn shapes_align_at_the_end() {
        check(&[2, 3], &[3], Some(&[2, 3]));
        check(&[2, 1], &[1, 3], Some(&[2, 3]));
        check(&[], &[4], Some(&[4]));
        check(&[0, 3], &[1, 3], Some(&[0, 3]));
        check(&[0], &[1], Some(&[0]));
        check(&[2], &[3], None);
        check(&[0], &[2], None);
    }

    #[test]
    fn elements_repeat_along_dimensions_of_one() {
        let column = Operand { shape: &[2, 1], elements: &[1, 2] };
        assert_eq!(*stretch(column, &[2, 3]), [1, 1, 1, 2, 2, 2]);
        let row = Operand { shape: &[3], elements: &[1, 2, 3] };
        assert_eq!(*stretch(row, &[2, 3]), [1, 2, 3, 1, 2, 3]);
        let scalar = Operand { shape: &[], elements: &[9] };
        assert_eq!(*stretch(scalar, &[2]), [9, 9]);
        assert!(stretch(row, &[0, 3]).is_empty());
    }
}
