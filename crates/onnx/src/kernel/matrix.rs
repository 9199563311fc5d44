//! Products of matrices, each sum taken in `f64` from the first index to the last and rounded once.

use stemma_tensor::{Tensor, TensorData};

use super::broadcast::{Operand, common_shape, stretch};
use super::real::Real;
use super::{Context, Kernel, KernelError, Outputs, product, refuse, wrong_type};
use crate::attributes::Attributes;

type Built = Result<Box<dyn Kernel>, KernelError>;

/// How many rows are taken at once: enough for a processor to overlap their sums, whose order stays as it is.
const LANES: usize = 4;

/// Writes the products of a row with each of some rows, which lie one after the other.
pub(crate) fn row_times_rows<T: Real>(row: &[T], rows: &[T], sums: &mut [f64]) {
    let length = row.len();
    if length == 0 {
        sums.fill(0.0);
        return;
    }
    let mut blocks = rows.chunks_exact(length * LANES);
    let mut sums_of_blocks = sums.chunks_exact_mut(LANES);
    for (block, sums) in blocks.by_ref().zip(sums_of_blocks.by_ref()) {
        let mut lanes = [0f64; LANES];
        for (at, &factor) in row.iter().enumerate() {
            for (lane, sum) in lanes.iter_mut().enumerate() {
                *sum += factor.to_f64() * block[lane * length + at].to_f64();
            }
        }
        sums.copy_from_slice(&lanes);
    }
    let rest = blocks.remainder().chunks_exact(length);
    for (other, sum) in rest.zip(sums_of_blocks.into_remainder()) {
        *sum = row.iter().zip(other).fold(0.0, |sum, (&a, &b)| sum + a.to_f64() * b.to_f64());
    }
}

/// Writes the product of a row with a matrix of as many rows as it has elements.
fn row_times_matrix<T: Real>(row: &[T], matrix: &[T], sums: &mut [f64]) {
    sums.fill(0.0);
    if sums.is_empty() {
        return;
    }
    for (&factor, matrix_row) in row.iter().zip(matrix.chunks_exact(sums.len())) {
        for (sum, &element) in sums.iter_mut().zip(matrix_row) {
            *sum += factor.to_f64() * element.to_f64();
        }
    }
}

struct MatMul;

pub(crate) fn mat_mul(_: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(MatMul))
}

/// The dimensions of a stack of matrix products.
struct Product<'a> {
    left_stack: &'a [usize],
    right_stack: &'a [usize],
    rows: usize,
    inner: usize,
    columns: usize,
    shape: Vec<usize>,
    stack: Vec<usize>,
}

impl<'a> Product<'a> {
    /// A vector on the left counts as a row, on the right as a column, and leaves no dimension behind.
    fn new(left: &'a [usize], right: &'a [usize]) -> Result<Self, KernelError> {
        let (left_stack, rows, inner) = match *left {
            [] => refuse!("input 0 is a single number"),
            [inner] => (&[][..], None, inner),
            [ref stack @ .., rows, inner] => (stack, Some(rows), inner),
        };
        let (right_stack, right_inner, columns) = match *right {
            [] => refuse!("input 1 is a single number"),
            [inner] => (&[][..], inner, None),
            [ref stack @ .., inner, columns] => (stack, inner, Some(columns)),
        };
        if inner != right_inner {
            refuse!("shapes {left:?} and {right:?} cannot be multiplied");
        }
        let stack = common_shape(left_stack, right_stack)?;
        let mut shape = stack.clone();
        shape.extend(rows);
        shape.extend(columns);
        Ok(Self {
            left_stack,
            right_stack,
            rows: rows.unwrap_or(1),
            inner,
            columns: columns.unwrap_or(1),
            shape,
            stack,
        })
    }
}

impl Kernel for MatMul {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let (left, right) = (context.tensor(0)?, context.tensor(1)?);
        let product_of = Product::new(left.shape(), right.shape())?;
        let count = context.allocate(&product_of.shape)?;
        context.spend([count, product_of.inner, 1])?;
        let data = match (left.data(), right.data()) {
            (TensorData::Float(a), TensorData::Float(b)) => stacked(a, b, &product_of, count).into(),
            (TensorData::Double(a), TensorData::Double(b)) => stacked(a, b, &product_of, count).into(),
            _ => refuse!("inputs are {} and {}, not both FP32 or FP64", left.datatype(), right.datatype()),
        };
        let data: TensorData = data;
        Ok(Tensor::made(product_of.shape, data).into())
    }
}

fn stacked<T: Real>(left: &[T], right: &[T], of: &Product<'_>, count: usize) -> Vec<T> {
    let numbers = |stack: &[usize]| -> Vec<usize> { (0..product(stack)).collect() };
    let (left_numbers, right_numbers) = (numbers(of.left_stack), numbers(of.right_stack));
    let places = |shape, elements| stretch(Operand { shape, elements }, &of.stack);
    let left_places = places(of.left_stack, &left_numbers);
    let right_places = places(of.right_stack, &right_numbers);
    let (left_size, right_size) = (of.rows * of.inner, of.inner * of.columns);
    let mut results = Vec::with_capacity(count);
    let mut sums = vec![0.0; of.columns];
    for (&left_place, &right_place) in left_places.iter().zip(right_places.iter()) {
        let matrix = &right[right_place * right_size..][..right_size];
        let rows = &left[left_place * left_size..][..left_size];
        for row in 0..of.rows {
            row_times_matrix(&rows[row * of.inner..][..of.inner], matrix, &mut sums);
            results.extend(sums.iter().map(|&sum| T::from_f64(sum)));
        }
    }
    results
}

/// `alpha * A * B + beta * C`, with either matrix transposed.
struct Gemm {
    alpha: f64,
    beta: f64,
    transpose_left: bool,
    transpose_right: bool,
}

pub(crate) fn gemm(attributes: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(Gemm {
        alpha: attributes.float_or("alpha", 1.0)?.into(),
        beta: attributes.float_or("beta", 1.0)?.into(),
        transpose_left: attributes.flag("transA", false)?,
        transpose_right: attributes.flag("transB", false)?,
    }))
}

impl Kernel for Gemm {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let (left, right) = (context.tensor(0)?, context.tensor(1)?);
        let (rows, inner) = matrix_shape(left, self.transpose_left)?;
        let (right_inner, columns) = matrix_shape(right, self.transpose_right)?;
        if inner != right_inner {
            refuse!("{inner} columns cannot be multiplied with {right_inner} rows");
        }
        let shape = [rows, columns];
        context.allocate(&shape)?;
        context.spend([rows, columns, inner])?;
        if self.transpose_left {
            context.allocate(left.shape())?;
        }
        let offset = context.optional(2);
        if let Some(offset) = offset {
            if common_shape(offset.shape(), &shape)? != shape {
                refuse!("input 2 has shape {:?}, which does not fill {shape:?}", offset.shape());
            }
            context.allocate(&shape)?;
        }
        let data: TensorData = match (left.data(), right.data()) {
            (TensorData::Float(a), TensorData::Float(b)) => self.compute(a, b, inner, shape, offset)?.into(),
            (TensorData::Double(a), TensorData::Double(b)) => self.compute(a, b, inner, shape, offset)?.into(),
            _ => refuse!("inputs are {} and {}, not both FP32 or FP64", left.datatype(), right.datatype()),
        };
        Ok(Tensor::made(shape.to_vec(), data).into())
    }
}

impl Gemm {
    fn compute<T: Real>(
        &self,
        left: &[T],
        right: &[T],
        inner: usize,
        [rows, columns]: [usize; 2],
        offset: Option<&Tensor>,
    ) -> Result<Vec<T>, KernelError> {
        let turned;
        let left = if self.transpose_left {
            turned = transposed(left, inner, rows);
            &turned
        } else {
            left
        };
        let offsets = match offset {
            None => None,
            Some(tensor) => {
                let Some(elements) = tensor.view::<T>() else {
                    return Err(wrong_type(2, tensor, "of the type of the others"));
                };
                let operand = Operand { shape: tensor.shape(), elements };
                Some(stretch(operand, &[rows, columns]))
            }
        };
        let mut results = Vec::with_capacity(rows * columns);
        let mut sums = vec![0.0; columns];
        for row in 0..rows {
            let elements = &left[row * inner..][..inner];
            if self.transpose_right {
                row_times_rows(elements, right, &mut sums);
            } else {
                row_times_matrix(elements, right, &mut sums);
            }
            for (column, &sum) in sums.iter().enumerate() {
                let added = match &offsets {
                    None => 0.0,
                    Some(offsets) => self.beta * offsets[row * columns + column].to_f64(),
                };
                results.push(T::from_f64(self.alpha * sum + added));
            }
        }
        Ok(results)
    }
}

/// Returns rows and columns of a matrix as it enters the product.
fn matrix_shape(tensor: &Tensor, transposed: bool) -> Result<(usize, usize), KernelError> {
    match *tensor.shape() {
        [rows, columns] if transposed => Ok((columns, rows)),
        [rows, columns] => Ok((rows, columns)),
        ref other => refuse!("a matrix is needed, not shape {other:?}"),
    }
}

fn transposed<T: Copy>(elements: &[T], rows: usize, columns: usize) -> Vec<T> {
    let mut turned = Vec::with_capacity(elements.len());
    for column in 0..columns {
        turned.extend((0..rows).map(|row| elements[row * columns + column]));
    }
    turned
}

#[cfg(test)]
mod tests {
    use stemma_tensor::Tensor;

    use super::super::testing::*;

    fn a() -> Tensor {
        tensor(&[2, 3], vec![1f32, 2.0, 3.0, 4.0, 5.0, 6.0])
    }

    fn b() -> Tensor {
        tensor(&[3, 2], vec![1f32, 0.0, 0.0, 1.0, 1.0, 1.0])
    }

    #[test]
    fn matrices_multiply() {
        let expected = tensor(&[2, 2], vec![4f32, 5.0, 10.0, 11.0]);
        assert_eq!(first("MatMul", vec![], vec![a(), b()]), expected);
        assert_eq!(first("Gemm", vec![], vec![a(), b()]), expected);
    }

    #[test]
    fn vectors_are_rows_on_the_left_and_columns_on_the_right() {
        let vector = || tensor(&[3], vec![1f32, 1.0, 2.0]);
        assert_eq!(first("MatMul", vec![], vec![a(), vector()]), tensor(&[2], vec![9f32, 21.0]));
        assert_eq!(first("MatMul", vec![], vec![vector(), b()]), tensor(&[2], vec![3f32, 3.0]));
        assert_eq!(first("MatMul", vec![], vec![vector(), vector()]), tensor(&[], vec![6f32]));
    }

    #[test]
    fn stacks_multiply_matrix_by_matrix() {
        let stack = tensor(&[2, 1, 2], vec![1f64, 2.0, 3.0, 4.0]);
        let matrix = tensor(&[2, 1], vec![10f64, 1.0]);
        assert_eq!(first("MatMul", vec![], vec![stack, matrix]), tensor(&[2, 1, 1], vec![12f64, 34.0]));
    }

    #[test]
    fn gemm_transposes_scales_and_adds() {
        let weights = tensor(&[2, 3], vec![1f32, 0.0, 1.0, 0.0, 1.0, 1.0]);
        let bias = tensor(&[2], vec![100f32, 200.0]);
        let attributes = vec![int("transB", 1), float("alpha", 2.0), float("beta", 0.5)];
        assert_eq!(
            first("Gemm", attributes, vec![a(), weights, bias]),
            tensor(&[2, 2], vec![58f32, 110.0, 70.0, 122.0])
        );
        assert_eq!(
            first("Gemm", vec![int("transA", 1)], vec![a(), tensor(&[2, 1], vec![1f32, 1.0])]),
            tensor(&[3, 1], vec![5f32, 7.0, 9.0])
        );
    }

    #[test]
    fn rows_by_rows_agrees_with_rows_by_matrix_to_the_bit() {
        let row: Vec<f32> = (0..37).map(|i| (i as f32 * 0.37).sin()).collect();
        let rows: Vec<f32> = (0..37 * 7).map(|i| (i as f32 * 0.11).cos()).collect();
        let matrix = super::transposed(&rows, 7, 37);
        let (mut by_rows, mut by_matrix) = ([0.0; 7], [0.0; 7]);
        super::row_times_rows(&row, &rows, &mut by_rows);
        super::row_times_matrix(&row, &matrix, &mut by_matrix);
        assert_eq!(by_rows, by_matrix);
    }

    #[test]
    fn nothing_times_nothing_is_zero() {
        let empty = |shape: &[usize]| tensor(shape, Vec::<f32>::new());
        assert_eq!(first("MatMul", vec![], vec![empty(&[2, 0]), empty(&[0, 1])]), tensor(&[2, 1], vec![0f32, 0.0]));
        assert_eq!(first("Gemm", vec![int("transB", 1)], vec![empty(&[0, 3]), a()]), empty(&[0, 2]));
    }

    #[test]
    fn shapes_must_match() {
        assert_eq!(refusal("MatMul", vec![], vec![a(), a()]), "shapes [2, 3] and [2, 3] cannot be multiplied");
        assert_eq!(
            refusal("Gemm", vec![], vec![a(), b(), tensor(&[3], vec![1f32; 3])]),
            "shapes [3] and [2, 2] do not go together"
        );
    }
}
