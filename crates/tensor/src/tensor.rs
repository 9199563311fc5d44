//! Values in row-major order with their shape, the only thing that goes into and comes out of a model.

use stemma_core::signature::Datatype;

/// The most elements of one tensor.
pub const TENSOR_ELEMENTS_MAX: usize = 1 << 26;
/// The memory that a number is taken to have, which is that of the largest.
pub const ELEMENT_BYTES: usize = 8;

/// The elements of a tensor, one variant for each element type.
#[derive(Debug, Clone, PartialEq)]
pub enum TensorData {
    Float(Vec<f32>),
    Double(Vec<f64>),
    Int8(Vec<i8>),
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Uint8(Vec<u8>),
    Uint16(Vec<u16>),
    Uint32(Vec<u32>),
    Uint64(Vec<u64>),
    Bool(Vec<bool>),
    String(Vec<String>),
}

/// Evaluates one expression with the elements of whichever type, bound to a name.
#[macro_export]
macro_rules! with_elements {
    ($data:expr, $elements:ident => $body:expr) => {
        match $data {
            $crate::TensorData::Float($elements) => $body,
            $crate::TensorData::Double($elements) => $body,
            $crate::TensorData::Int8($elements) => $body,
            $crate::TensorData::Int16($elements) => $body,
            $crate::TensorData::Int32($elements) => $body,
            $crate::TensorData::Int64($elements) => $body,
            $crate::TensorData::Uint8($elements) => $body,
            $crate::TensorData::Uint16($elements) => $body,
            $crate::TensorData::Uint32($elements) => $body,
            $crate::TensorData::Uint64($elements) => $body,
            $crate::TensorData::Bool($elements) => $body,
            $crate::TensorData::String($elements) => $body,
        }
    };
}

/// A type of which tensors can be made.
pub trait Element: Clone + PartialEq + Default {
    fn wrap(elements: Vec<Self>) -> TensorData;
    fn view(data: &TensorData) -> Option<&[Self]>;

    /// What an element has on the heap.
    fn heap_bytes(&self) -> usize {
        0
    }

    /// The memory that a copy of any one of these takes at most.
    fn bytes_max<'a>(elements: impl Iterator<Item = &'a Self>) -> usize
    where
        Self: 'a,
    {
        // numbers of all types are counted with the size of the largest
        let on_heap = elements.map(Self::heap_bytes).max().unwrap_or_default();
        size_of::<Self>().max(ELEMENT_BYTES) + on_heap
    }
}

macro_rules! element {
    ($($variant:ident $type:ty $(, $heap_bytes:item)?);+ $(;)?) => {$(
        impl Element for $type {
            fn wrap(elements: Vec<Self>) -> TensorData {
                TensorData::$variant(elements)
            }

            fn view(data: &TensorData) -> Option<&[Self]> {
                match data {
                    TensorData::$variant(elements) => Some(elements),
                    _ => None,
                }
            }

            $($heap_bytes)?
        }

        impl From<Vec<$type>> for TensorData {
            fn from(elements: Vec<$type>) -> Self {
                TensorData::$variant(elements)
            }
        }
    )+};
}

element!(
    Float f32;
    Double f64;
    Int8 i8;
    Int16 i16;
    Int32 i32;
    Int64 i64;
    Uint8 u8;
    Uint16 u16;
    Uint32 u32;
    Uint64 u64;
    Bool bool;
    String String, fn heap_bytes(&self) -> usize { self.len() };
);

impl TensorData {
    pub fn len(&self) -> usize {
        with_elements!(self, elements => elements.len())
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The memory that a copy of any one element takes at most.
    pub fn element_bytes_max(&self) -> usize {
        with_elements!(self, elements => Element::bytes_max(elements.iter()))
    }

    pub fn datatype(&self) -> Datatype {
        match self {
            Self::Float(_) => Datatype::Fp32,
            Self::Double(_) => Datatype::Fp64,
            Self::Int8(_) => Datatype::Int8,
            Self::Int16(_) => Datatype::Int16,
            Self::Int32(_) => Datatype::Int32,
            Self::Int64(_) => Datatype::Int64,
            Self::Uint8(_) => Datatype::Uint8,
            Self::Uint16(_) => Datatype::Uint16,
            Self::Uint32(_) => Datatype::Uint32,
            Self::Uint64(_) => Datatype::Uint64,
            Self::Bool(_) => Datatype::Bool,
            Self::String(_) => Datatype::Bytes,
        }
    }
}

/// Elements that do not make a tensor of the shape asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TensorError {
    #[error("shape {shape:?} needs {needed} elements, there are {got}")]
    Count { shape: Vec<usize>, needed: usize, got: usize },
    #[error("shape {shape:?} is larger than {TENSOR_ELEMENTS_MAX} elements")]
    TooLarge { shape: Vec<usize> },
}

/// Elements and a shape whose product is their number.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    data: TensorData,
}

impl Tensor {
    /// Returns the tensor, provided that the shape has exactly as many elements as are given.
    pub fn new(shape: Vec<usize>, data: impl Into<TensorData>) -> Result<Self, TensorError> {
        let data = data.into();
        let Some(needed) = element_count(&shape) else {
            return Err(TensorError::TooLarge { shape });
        };
        if needed != data.len() {
            return Err(TensorError::Count { shape, needed, got: data.len() });
        }
        Ok(Self { shape, data })
    }

    /// A tensor whose elements a kernel has counted already.
    pub fn made(shape: Vec<usize>, data: impl Into<TensorData>) -> Self {
        let data = data.into();
        debug_assert_eq!(element_count(&shape), Some(data.len()));
        Self { shape, data }
    }

    /// The same elements under another shape, which must have as many.
    pub fn with_shape(self, shape: Vec<usize>) -> Result<Self, TensorError> {
        Self::new(shape, self.data)
    }

    /// One column, keeping its dimension with size 1; `None` if there is no last of two or more dimensions with it.
    pub fn column(&self, index: usize) -> Option<Self> {
        let (&columns, rows) = self.shape.split_last()?;
        if rows.is_empty() || index >= columns {
            return None;
        }
        let shape = rows.iter().copied().chain([1]).collect();
        let data = with_elements!(&self.data, elements => {
            Element::wrap(elements.iter().skip(index).step_by(columns).cloned().collect())
        });
        Some(Self::made(shape, data))
    }

    /// The same numbers in double precision; anything but single precision stays as it is.
    pub fn widened(self) -> Self {
        match self.data {
            TensorData::Float(elements) => {
                let wide: Vec<f64> = elements.into_iter().map(f64::from).collect();
                Self { shape: self.shape, data: wide.into() }
            }
            data => Self { shape: self.shape, data },
        }
    }

    /// The same elements under another shape with as many elements.
    pub fn reshaped(self, shape: Vec<usize>) -> Self {
        Self::made(shape, self.data)
    }

    /// Makes all NaN the same one: which one an operation gives is left to the processor and the compiler.
    pub fn unify_nan(&mut self) {
        match &mut self.data {
            TensorData::Float(elements) => {
                elements.iter_mut().filter(|element| element.is_nan()).for_each(|element| *element = f32::NAN)
            }
            TensorData::Double(elements) => {
                elements.iter_mut().filter(|element| element.is_nan()).for_each(|element| *element = f64::NAN)
            }
            _ => {}
        }
    }

    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub fn data(&self) -> &TensorData {
        &self.data
    }

    pub fn into_data(self) -> TensorData {
        self.data
    }

    pub fn datatype(&self) -> Datatype {
        self.data.datatype()
    }

    pub fn len(&self) -> usize {
        self.data.len()
    }

    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The elements, if they are of this type.
    pub fn view<T: Element>(&self) -> Option<&[T]> {
        T::view(&self.data)
    }
}

/// Returns how many elements a shape has, or nothing if it is beyond the bound.
pub fn element_count(shape: &[usize]) -> Option<usize> {
    extent(shape)?;
    Some(shape.iter().product())
}

/// Returns how many elements a shape would have if its sizes of zero were ones, or nothing if it is beyond the bound.
///
/// Work along the other dimensions is done, and must be bounded, even where there are no elements in the end.
pub fn extent(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |product, &size| {
        let product = product.checked_mul(size.max(1))?;
        (product <= TENSOR_ELEMENTS_MAX).then_some(product)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_must_hold_exactly_its_elements() {
        assert!(Tensor::new(vec![2, 2], vec![1.0f32; 4]).is_ok());
        assert!(Tensor::new(vec![], vec![7i64]).is_ok());
        assert!(Tensor::new(vec![0, 3], Vec::<String>::new()).is_ok());
        assert_eq!(
            Tensor::new(vec![2, 2], vec![1.0f32; 3]),
            Err(TensorError::Count { shape: vec![2, 2], needed: 4, got: 3 })
        );
    }

    #[test]
    fn a_shape_beyond_the_bound_is_refused_even_when_empty() {
        for shape in [vec![usize::MAX, 2], vec![0, usize::MAX], vec![1 << 20, 1 << 20]] {
            assert_eq!(Tensor::new(shape.clone(), Vec::<bool>::new()), Err(TensorError::TooLarge { shape }));
        }
    }

    #[test]
    fn a_column_is_taken_of_the_last_dimension() {
        let two = Tensor::new(vec![3, 2], vec![1i64, 2, 3, 4, 5, 6]).unwrap();
        assert_eq!(two.column(1), Some(Tensor::new(vec![3, 1], vec![2i64, 4, 6]).unwrap()));
        assert_eq!(two.column(2), None);
        assert_eq!(Tensor::new(vec![3], vec![1i64, 2, 3]).unwrap().column(0), None);
        assert_eq!(Tensor::new(vec![0, 2], Vec::<f32>::new()).unwrap().column(0).unwrap().shape(), [0, 1]);
    }

    #[test]
    fn datatypes_are_the_protocols() {
        let tensor = Tensor::new(vec![1], vec!["a".to_owned()]).unwrap();
        assert_eq!(tensor.datatype(), Datatype::Bytes);
        assert_eq!(Tensor::new(vec![1], vec![1u8]).unwrap().datatype().as_str(), "UINT8");
    }
}
