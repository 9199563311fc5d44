//! Two tensors, of which a third has some elements each.

use crate::{Element, Tensor, TensorData, with_elements};

impl Tensor {
    /// The places of elements, in row-major order, that are not the same; what is no number is the same as itself. `None`
    /// if the tensors are of different shapes or types.
    pub fn differing(&self, other: &Self) -> Option<Vec<usize>> {
        match self.shape() == other.shape() {
            true => with_elements!(self.data(), elements => differing(elements, other.data())),
            false => None,
        }
    }

    /// The same with the other's elements at some places. `None` if the tensors are of different shapes or types, or a
    /// place is beyond them.
    pub fn with_elements_of(&self, other: &Self, places: &[usize]) -> Option<Self> {
        let data = with_elements!(self.data(), elements => mixed(elements, other.data(), places))?;
        (self.shape() == other.shape()).then(|| Self::made(self.shape().to_vec(), data))
    }
}

fn differing<T: Element>(mine: &[T], other: &TensorData) -> Option<Vec<usize>> {
    let theirs = T::view(other)?;
    let differing = mine.iter().zip(theirs).enumerate().filter(|(_, (one, other))| !is_same(*one, *other));
    Some(differing.map(|(place, _)| place).collect())
}

#[expect(clippy::eq_op, reason = "only what is no number is unequal to itself")]
fn is_same<T: PartialEq>(one: &T, other: &T) -> bool {
    one == other || (one != one && other != other)
}

fn mixed<T: Element>(mine: &[T], other: &TensorData, places: &[usize]) -> Option<TensorData> {
    let theirs = T::view(other)?;
    let mut mixed = mine.to_vec();
    for place in places {
        *mixed.get_mut(*place)? = theirs.get(*place)?.clone();
    }
    Some(T::wrap(mixed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_told_and_mixed() {
        let tensor = |values: [f32; 3]| Tensor::new(vec![1, 3], values.to_vec()).unwrap();
        let (a, b) = (tensor([1.0, f32::NAN, 3.0]), tensor([1.5, f32::NAN, 4.0]));
        assert_eq!(a.differing(&b), Some(vec![0, 2]));
        assert_eq!(a.with_elements_of(&b, &[2]).unwrap().differing(&b), Some(vec![0]));
        assert_eq!(a.with_elements_of(&b, &[0, 2]).unwrap().differing(&b), Some(vec![]));
        assert_eq!(a.with_elements_of(&b, &[3]), None);
        let texts = Tensor::new(vec![1, 3], vec![String::new(); 3]).unwrap();
        assert_eq!((a.differing(&texts), a.with_elements_of(&texts, &[])), (None, None));
        let reshaped = tensor([1.0, 2.0, 3.0]).reshaped(vec![3]);
        assert_eq!((a.differing(&reshaped), a.with_elements_of(&reshaped, &[0])), (None, None));
    }
}
