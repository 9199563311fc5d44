//! Operators on two tensors, or more, that are stretched to one shape.

use stemma_tensor::{Element, Tensor, TensorData, with_elements};

use super::broadcast::{Operand, common_shape, for_each_pair, stretch};
use super::real::Real;
use super::{Context, Kernel, KernelError, Outputs, refuse, wrong_type};
use crate::attributes::Attributes;

type Built = Result<Box<dyn Kernel>, KernelError>;

/// Numbers that can be computed with; integers wrap around.
trait Number: Element + Copy + PartialOrd {
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    /// Nothing for an integer divided by zero.
    fn div(self, other: Self) -> Option<Self>;
    fn pow(self, exponent: f64) -> Self;
    fn to_f64(self) -> f64;
    /// The greater one; a NaN if there is one.
    fn max(self, other: Self) -> Self {
        if other > self || is_nan(other) { other } else { self }
    }
    fn min(self, other: Self) -> Self {
        if other < self || is_nan(other) { other } else { self }
    }
}

fn is_nan<T: PartialOrd>(number: T) -> bool {
    number.partial_cmp(&number).is_none()
}

macro_rules! real_number {
    ($($type:ty),+) => {$(
        impl Number for $type {
            fn add(self, other: Self) -> Self {
                self + other
            }

            fn sub(self, other: Self) -> Self {
                self - other
            }

            fn mul(self, other: Self) -> Self {
                self * other
            }

            fn div(self, other: Self) -> Option<Self> {
                Some(self / other)
            }

            // Squares and cubes are by far the most frequent and need no logarithm.
            fn pow(self, exponent: f64) -> Self {
                if exponent == 2.0 {
                    self * self
                } else if exponent == 3.0 {
                    self * self * self
                } else {
                    Real::powf(self, exponent as $type)
                }
            }

            fn to_f64(self) -> f64 {
                self.into()
            }
        }
    )+};
}

macro_rules! integer_number {
    ($($type:ty),+) => {$(
        impl Number for $type {
            fn add(self, other: Self) -> Self {
                self.wrapping_add(other)
            }

            fn sub(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }

            fn mul(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }

            fn div(self, other: Self) -> Option<Self> {
                (other != 0).then(|| self.wrapping_div(other))
            }

            fn pow(self, exponent: f64) -> Self {
                libm::pow(self as f64, exponent) as $type
            }

            fn to_f64(self) -> f64 {
                self as f64
            }
        }
    )+};
}

real_number!(f32, f64);
integer_number!(i32, i64);

/// Evaluates one expression with two tensors' elements of the same number type, as operands with names.
macro_rules! with_numbers {
    ($left:expr, $right:expr, ($a:ident, $b:ident) => $body:expr) => {{
        let (left, right) = ($left, $right);
        macro_rules! arm {
            ($x:ident, $y:ident) => {{
                let $a = Operand { shape: left.shape(), elements: $x };
                let $b = Operand { shape: right.shape(), elements: $y };
                $body
            }};
        }
        match (left.data(), right.data()) {
            (TensorData::Float(x), TensorData::Float(y)) => arm!(x, y),
            (TensorData::Double(x), TensorData::Double(y)) => arm!(x, y),
            (TensorData::Int32(x), TensorData::Int32(y)) => arm!(x, y),
            (TensorData::Int64(x), TensorData::Int64(y)) => arm!(x, y),
            _ => return Err(unlike(left, right)),
        }
    }};
}

fn unlike(left: &Tensor, right: &Tensor) -> KernelError {
    KernelError::invalid(format!(
        "inputs are {} and {}, not numbers of one type of 32 or 64 bits",
        left.datatype(),
        right.datatype()
    ))
}

/// Returns the results of a function on pairs, in the order of the common shape.
fn map_pairs<A, B, T>(
    left: Operand<'_, A>,
    right: Operand<'_, B>,
    target: &[usize],
    count: usize,
    function: impl Fn(&A, &B) -> T,
) -> Vec<T> {
    let mut results = Vec::with_capacity(count);
    for_each_pair(left, right, target, |a, b| results.push(function(a, b)));
    results
}

#[derive(Clone, Copy)]
enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
    Max,
    Min,
}

struct Compute(Arithmetic);

pub(crate) fn add(_: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(Compute(Arithmetic::Add)))
}

pub(crate) fn sub(_: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(Compute(Arithmetic::Sub)))
}

pub(crate) fn mul(_: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(Compute(Arithmetic::Mul)))
}

pub(crate) fn div(_: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(Compute(Arithmetic::Div)))
}

pub(crate) fn sum(_: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(Fold(Arithmetic::Add)))
}

pub(crate) fn max(_: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(Fold(Arithmetic::Max)))
}

pub(crate) fn min(_: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(Fold(Arithmetic::Min)))
}

impl Kernel for Compute {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let (left, right) = (context.tensor(0)?, context.tensor(1)?);
        Ok(compute(self.0, context, left, right)?.into())
    }
}

/// The same operation over any number of inputs, from the first to the last.
struct Fold(Arithmetic);

impl Kernel for Fold {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let mut folded = context.take(0)?;
        for input in 1..context.input_count() {
            folded = compute(self.0, context, &folded, context.tensor(input)?)?;
        }
        Ok(folded.into())
    }
}

fn compute(operation: Arithmetic, context: &Context<'_>, left: &Tensor, right: &Tensor) -> Result<Tensor, KernelError> {
    let target = common_shape(left.shape(), right.shape())?;
    let count = context.allocate(&target)?;
    let data = with_numbers!(left, right, (a, b) => arithmetic(operation, a, b, &target, count)?);
    Ok(Tensor::made(target, data))
}

fn arithmetic<T: Number>(
    operation: Arithmetic,
    a: Operand<'_, T>,
    b: Operand<'_, T>,
    target: &[usize],
    count: usize,
) -> Result<TensorData, KernelError> {
    let results = match operation {
        Arithmetic::Add => map_pairs(a, b, target, count, |a, b| a.add(*b)),
        Arithmetic::Sub => map_pairs(a, b, target, count, |a, b| a.sub(*b)),
        Arithmetic::Mul => map_pairs(a, b, target, count, |a, b| a.mul(*b)),
        Arithmetic::Max => map_pairs(a, b, target, count, |a, b| a.max(*b)),
        Arithmetic::Min => map_pairs(a, b, target, count, |a, b| a.min(*b)),
        Arithmetic::Div => {
            let quotients: Option<Vec<T>> = map_pairs(a, b, target, count, |a, b| a.div(*b)).into_iter().collect();
            quotients.ok_or_else(|| KernelError::invalid("an integer is divided by zero"))?
        }
    };
    Ok(T::wrap(results))
}

/// The result has the type of the base; the exponent may have another.
struct Pow;

pub(crate) fn pow(_: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(Pow))
}

impl Kernel for Pow {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let (base, exponent) = (context.tensor(0)?, context.tensor(1)?);
        let target = common_shape(base.shape(), exponent.shape())?;
        let count = context.allocate(&target)?;
        let exponents = wide(exponent)?;
        let exponents = Operand { shape: exponent.shape(), elements: &exponents };
        macro_rules! power {
            ($elements:expr) => {{
                let bases = Operand { shape: base.shape(), elements: $elements };
                map_pairs(bases, exponents, &target, count, |&base, &exponent| Number::pow(base, exponent)).into()
            }};
        }
        let data: TensorData = match base.data() {
            TensorData::Float(elements) => power!(elements),
            TensorData::Double(elements) => power!(elements),
            TensorData::Int32(elements) => power!(elements),
            TensorData::Int64(elements) => power!(elements),
            _ => return Err(wrong_type(0, base, "a number of 32 or 64 bits")),
        };
        Ok(Tensor::made(target, data).into())
    }
}

fn wide(tensor: &Tensor) -> Result<Vec<f64>, KernelError> {
    fn each<T: Number>(elements: &[T]) -> Vec<f64> {
        elements.iter().map(|&element| element.to_f64()).collect()
    }
    Ok(match tensor.data() {
        TensorData::Float(elements) => each(elements),
        TensorData::Double(elements) => each(elements),
        TensorData::Int32(elements) => each(elements),
        TensorData::Int64(elements) => each(elements),
        _ => return Err(wrong_type(1, tensor, "a number of 32 or 64 bits")),
    })
}

#[derive(Clone, Copy)]
enum Order {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

struct Compare(Order);

pub(crate) fn greater(_: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(Compare(Order::Greater)))
}

pub(crate) fn greater_or_equal(_: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(Compare(Order::GreaterOrEqual)))
}

pub(crate) fn less(_: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(Compare(Order::Less)))
}

pub(crate) fn less_or_equal(_: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(Compare(Order::LessOrEqual)))
}

impl Kernel for Compare {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let (left, right) = (context.tensor(0)?, context.tensor(1)?);
        let target = common_shape(left.shape(), right.shape())?;
        let count = context.allocate(&target)?;
        let order = self.0;
        let results: Vec<bool> = with_numbers!(left, right, (a, b) => {
            map_pairs(a, b, &target, count, |a, b| match order {
                Order::Greater => a > b,
                Order::GreaterOrEqual => a >= b,
                Order::Less => a < b,
                Order::LessOrEqual => a <= b,
            })
        });
        Ok(Tensor::made(target, results).into())
    }
}

struct Equal;

pub(crate) fn equal(_: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(Equal))
}

impl Kernel for Equal {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let (left, right) = (context.tensor(0)?, context.tensor(1)?);
        let target = common_shape(left.shape(), right.shape())?;
        let count = context.allocate(&target)?;
        let results = with_elements!(left.data(), elements => equal_to(elements, left, right, &target, count)?);
        Ok(Tensor::made(target, results).into())
    }
}

fn equal_to<T: Element>(
    elements: &[T],
    left: &Tensor,
    right: &Tensor,
    target: &[usize],
    count: usize,
) -> Result<Vec<bool>, KernelError> {
    let Some(others) = right.view::<T>() else {
        return Err(wrong_type(1, right, left.datatype().as_str()));
    };
    let a = Operand { shape: left.shape(), elements };
    let b = Operand { shape: right.shape(), elements: others };
    Ok(map_pairs(a, b, target, count, |a, b| a == b))
}

struct Logic(fn(&bool, &bool) -> bool);

pub(crate) fn and(_: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(Logic(|a, b| a & b)))
}

pub(crate) fn or(_: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(Logic(|a, b| a | b)))
}

pub(crate) fn xor(_: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(Logic(|a, b| a ^ b)))
}

impl Kernel for Logic {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let operand = |input: usize| -> Result<Operand<'_, bool>, KernelError> {
            Ok(Operand { shape: context.tensor(input)?.shape(), elements: context.elements(input)? })
        };
        let (a, b) = (operand(0)?, operand(1)?);
        let target = common_shape(a.shape, b.shape)?;
        let count = context.allocate(&target)?;
        let results = map_pairs(a, b, &target, count, self.0);
        Ok(Tensor::made(target, results).into())
    }
}

/// `Where`: of two tensors the one that a third says.
struct Select;

pub(crate) fn select(_: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(Select))
}

impl Kernel for Select {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let (condition, yes, no) = (context.tensor(0)?, context.tensor(1)?, context.tensor(2)?);
        let values = common_shape(yes.shape(), no.shape())?;
        let target = common_shape(condition.shape(), &values)?;
        // the condition and both tensors may have to be stretched
        for _ in 0..4 {
            context.allocate_each(&target, yes.data().element_bytes_max().max(no.data().element_bytes_max()))?;
        }
        let conditions = stretch(Operand { shape: condition.shape(), elements: context.elements::<bool>(0)? }, &target);
        let data = with_elements!(yes.data(), elements => choose(&conditions, elements, yes, no, &target)?);
        Ok(Tensor::made(target, data).into())
    }
}

fn choose<T: Element>(
    conditions: &[bool],
    elements: &[T],
    yes: &Tensor,
    no: &Tensor,
    target: &[usize],
) -> Result<TensorData, KernelError> {
    let Some(others) = no.view::<T>() else {
        refuse!("inputs 1 and 2 are {} and {}", yes.datatype(), no.datatype());
    };
    let stretched = |shape, elements| stretch(Operand { shape, elements }, target);
    let (chosen, rejected) = (stretched(yes.shape(), elements), stretched(no.shape(), others));
    let results = conditions
        .iter()
        .zip(chosen.iter().zip(rejected.iter()))
        .map(|(&condition, (yes, no))| if condition { yes } else { no }.clone())
        .collect();
    Ok(T::wrap(results))
}

#[cfg(test)]
mod tests {
    use stemma_tensor::Tensor;

    use super::super::testing::*;

    fn check(operator: &str, left: Tensor, right: Tensor, expected: Tensor) {
        assert_eq!(first(operator, vec![], vec![left, right]), expected, "{operator}");
    }

    #[test]
    fn arithmetic_stretches_shapes() {
        let matrix = || tensor(&[2, 2], vec![1f32, 2.0, 3.0, 4.0]);
        let row = || tensor(&[2], vec![10f32, 20.0]);
        let column = || tensor(&[2, 1], vec![10f32, 20.0]);
        check("Add", matrix(), row(), tensor(&[2, 2], vec![11f32, 22.0, 13.0, 24.0]));
        check("Sub", row(), matrix(), tensor(&[2, 2], vec![9f32, 18.0, 7.0, 16.0]));
        check("Mul", matrix(), column(), tensor(&[2, 2], vec![10f32, 20.0, 60.0, 80.0]));
        check("Div", matrix(), matrix(), tensor(&[2, 2], vec![1f32; 4]));
        check("Add", column(), row(), tensor(&[2, 2], vec![20f32, 30.0, 30.0, 40.0]));
    }

    #[test]
    fn integers_wrap_and_do_not_divide_by_zero() {
        let max = || tensor(&[1], vec![i64::MAX]);
        check("Add", max(), tensor(&[1], vec![1i64]), tensor(&[1], vec![i64::MIN]));
        check("Div", tensor(&[1], vec![i64::MIN]), tensor(&[1], vec![-1i64]), tensor(&[1], vec![i64::MIN]));
        let refused = refusal("Div", vec![], vec![max(), tensor(&[1], vec![0i64])]);
        assert_eq!(refused, "an integer is divided by zero");
    }

    #[test]
    fn types_are_not_mixed() {
        let refused = refusal("Add", vec![], vec![tensor(&[1], vec![1f32]), tensor(&[1], vec![1f64])]);
        assert_eq!(refused, "inputs are FP32 and FP64, not numbers of one type of 32 or 64 bits");
    }

    #[test]
    fn powers_keep_the_type_of_the_base() {
        check("Pow", tensor(&[3], vec![2f32, 3.0, 4.0]), tensor(&[], vec![2i64]), tensor(&[3], vec![4f32, 9.0, 16.0]));
        check("Pow", tensor(&[2], vec![9i64, 16]), tensor(&[], vec![0.5f32]), tensor(&[2], vec![3i64, 4]));
    }

    #[test]
    fn comparisons() {
        let a = || tensor(&[3], vec![1f32, 2.0, f32::NAN]);
        let b = || tensor(&[3], vec![2f32, 2.0, 2.0]);
        check("Less", a(), b(), tensor(&[3], vec![true, false, false]));
        check("LessOrEqual", a(), b(), tensor(&[3], vec![true, true, false]));
        check("Greater", b(), a(), tensor(&[3], vec![true, false, false]));
        check("GreaterOrEqual", b(), a(), tensor(&[3], vec![true, true, false]));
        check("Equal", a(), b(), tensor(&[3], vec![false, true, false]));
        check("Equal", texts(&[2], &["a", "b"]), texts(&[1], &["b"]), tensor(&[2], vec![false, true]));
    }

    #[test]
    fn logic() {
        let a = || tensor(&[4], vec![true, true, false, false]);
        let b = || tensor(&[4], vec![true, false, true, false]);
        check("And", a(), b(), tensor(&[4], vec![true, false, false, false]));
        check("Or", a(), b(), tensor(&[4], vec![true, true, true, false]));
        check("Xor", a(), b(), tensor(&[4], vec![false, true, true, false]));
    }

    #[test]
    fn folds_run_over_all_inputs_and_keep_nan() {
        let inputs =
            || vec![tensor(&[2], vec![1f32, 5.0]), tensor(&[1], vec![2f32]), tensor(&[2], vec![f32::NAN, 3.0])];
        for (operator, expected) in [("Sum", 10f32), ("Max", 5.0), ("Min", 2.0)] {
            let output = first(operator, vec![], inputs());
            let results = output.view::<f32>().unwrap();
            assert!(results[0].is_nan(), "{operator}");
            assert_eq!(results[1], expected, "{operator}");
        }
        assert_eq!(first("Sum", vec![], vec![tensor(&[1], vec![7i64])]), tensor(&[1], vec![7i64]));
    }

    #[test]
    fn where_chooses() {
        let output = first(
            "Where",
            vec![],
            vec![tensor(&[2, 1], vec![true, false]), texts(&[2], &["a", "b"]), texts(&[], &["-"])],
        );
        assert_eq!(output, texts(&[2, 2], &["a", "b", "-", "-"]));
    }

    #[test]
    fn an_outer_product_beyond_the_bound_is_refused() {
        let column = tensor(&[1 << 14, 1], vec![0f32; 1 << 14]);
        let row = tensor(&[1, 1 << 14], vec![0f32; 1 << 14]);
        assert_eq!(refusal("Add", vec![], vec![column, row]), "too large");
    }
}
