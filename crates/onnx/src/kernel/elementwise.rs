//! Operators that turn each element into one other.

use stemma_tensor::{Tensor, TensorData};

use super::real::Real;
use super::{Context, Kernel, KernelError, Outputs, refuse, wrong_type};
use crate::attributes::Attributes;

type Built = Result<Box<dyn Kernel>, KernelError>;

/// A function of one real number, in both sizes; on integers too where there is a function for them.
struct Unary {
    single: fn(f32) -> f32,
    double: fn(f64) -> f64,
    integer: Option<fn(i64) -> i64>,
}

impl Kernel for Unary {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let input = context.take(0)?;
        let shape = input.shape().to_vec();
        let data = match (input.into_data(), self.integer) {
            (TensorData::Float(elements), _) => apply(elements, self.single),
            (TensorData::Double(elements), _) => apply(elements, self.double),
            (TensorData::Int64(elements), Some(function)) => apply(elements, function),
            (TensorData::Int32(elements), Some(function)) => apply(elements, |element| function(element.into()) as i32),
            (other, _) => refuse!("input 0 is {}, not a number it takes", other.datatype()),
        };
        Ok(Tensor::made(shape, data).into())
    }
}

fn apply<T: Copy>(mut elements: Vec<T>, function: impl Fn(T) -> T) -> TensorData
where
    TensorData: From<Vec<T>>,
{
    for element in &mut elements {
        *element = function(*element);
    }
    elements.into()
}

/// A builder of an operator on real numbers.
macro_rules! real_operator {
    ($($name:ident $function:expr;)+) => {$(
        pub(crate) fn $name(_: &mut Attributes, _: i64) -> Built {
            Ok(Box::new(Unary { single: $function, double: $function, integer: None }))
        }
    )+};
}

real_operator! {
    ceil Real::ceil;
    erf Real::erf;
    exp Real::exp;
    floor Real::floor;
    log Real::ln;
    reciprocal |x| 1.0 / x;
    round Real::round_even;
    sigmoid Real::logistic;
    softplus softplus_of;
    sqrt Real::sqrt;
    tanh Real::tanh;
}

/// A builder of an operator on integers as well.
macro_rules! number_operator {
    ($($name:ident $real:expr, $integer:expr;)+) => {$(
        pub(crate) fn $name(_: &mut Attributes, _: i64) -> Built {
            Ok(Box::new(Unary { single: $real, double: $real, integer: Some($integer) }))
        }
    )+};
}

number_operator! {
    abs Real::abs, i64::wrapping_abs;
    neg |x| -x, i64::wrapping_neg;
    relu relu_of, |x| x.max(0);
    sign sign_of, i64::signum;
}

fn relu_of<T: Real>(x: T) -> T {
    if x < T::ZERO { T::ZERO } else { x }
}

/// One, minus one or, for zeros and NaN, the number itself.
fn sign_of<T: Real>(x: T) -> T {
    if x > T::ZERO {
        T::ONE
    } else if x < T::ZERO {
        -T::ONE
    } else {
        x
    }
}

fn softplus_of<T: Real>(x: T) -> T {
    let tail = (-x.abs()).exp().ln_1p();
    if x > T::ZERO { x + tail } else { tail }
}

struct Not;

pub(crate) fn not(_: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(Not))
}

impl Kernel for Not {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let shape = context.tensor(0)?.shape().to_vec();
        context.allocate(&shape)?;
        let elements: Vec<bool> = context.elements::<bool>(0)?.iter().map(|x| !x).collect();
        Ok(Tensor::made(shape, elements).into())
    }
}

struct IsNan;

pub(crate) fn is_nan(_: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(IsNan))
}

impl Kernel for IsNan {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let input = context.tensor(0)?;
        context.allocate(input.shape())?;
        let elements: Vec<bool> = match input.data() {
            TensorData::Float(elements) => elements.iter().map(|x| x.is_nan()).collect(),
            TensorData::Double(elements) => elements.iter().map(|x| x.is_nan()).collect(),
            _ => return Err(wrong_type(0, input, "FP32 or FP64")),
        };
        Ok(Tensor::made(input.shape().to_vec(), elements).into())
    }
}

/// Bounds from inputs or, up to version 6 of the operator, from attributes.
struct Clip {
    min: Option<f32>,
    max: Option<f32>,
}

pub(crate) fn clip(attributes: &mut Attributes, opset: i64) -> Built {
    if opset >= 11 {
        return Ok(Box::new(Clip { min: None, max: None }));
    }
    Ok(Box::new(Clip { min: attributes.float("min")?, max: attributes.float("max")? }))
}

impl Kernel for Clip {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        macro_rules! clip {
            ($elements:expr, $type:ty, $convert:expr) => {{
                let min = bound::<$type>(context, 1)?.or(self.min.map($convert));
                let max = bound::<$type>(context, 2)?.or(self.max.map($convert));
                $elements.iter().map(|&x| limit(x, min, max)).collect::<Vec<_>>().into()
            }};
        }
        let input = context.tensor(0)?;
        context.allocate(input.shape())?;
        let data: TensorData = match input.data() {
            TensorData::Float(elements) => clip!(elements, f32, |x| x),
            TensorData::Double(elements) => clip!(elements, f64, f64::from),
            TensorData::Int64(elements) => clip!(elements, i64, |x| x as i64),
            TensorData::Int32(elements) => clip!(elements, i32, |x| x as i32),
            _ => return Err(wrong_type(0, input, "a number of 32 or 64 bits")),
        };
        Ok(Tensor::made(input.shape().to_vec(), data).into())
    }
}

fn bound<T: stemma_tensor::Element + Copy>(context: &Context<'_>, input: usize) -> Result<Option<T>, KernelError> {
    if context.optional(input).is_none() {
        return Ok(None);
    }
    match *context.elements::<T>(input)? {
        [bound] => Ok(Some(bound)),
        _ => refuse!("input {input} is not a single number"),
    }
}

/// A NaN stays one; where the bounds cross, the upper one wins.
fn limit<T: PartialOrd + Copy>(x: T, min: Option<T>, max: Option<T>) -> T {
    let raised = match min {
        Some(min) if x < min => min,
        _ => x,
    };
    match max {
        Some(max) if raised > max => max,
        _ => raised,
    }
}

#[cfg(test)]
mod tests {
    use stemma_tensor::Tensor;

    use super::super::testing::*;

    fn check(operator: &str, input: &[f32], expected: &[f32]) {
        let shape = [input.len()];
        let output = first(operator, vec![], vec![tensor(&shape, input.to_vec())]);
        for (found, wanted) in output.view::<f32>().unwrap().iter().zip(expected) {
            assert!((found - wanted).abs() <= 1e-7 * wanted.abs(), "{operator}: {found}");
        }
    }

    #[test]
    fn real_functions() {
        check("Abs", &[-1.5, 0.0, 2.0], &[1.5, 0.0, 2.0]);
        check("Neg", &[-1.5, 2.0], &[1.5, -2.0]);
        check("Relu", &[-1.5, 2.0], &[0.0, 2.0]);
        check("Sign", &[-1.5, 0.0, 2.0], &[-1.0, 0.0, 1.0]);
        check("Sqrt", &[4.0, 2.25], &[2.0, 1.5]);
        check("Exp", &[0.0, 1.0], &[1.0, std::f32::consts::E]);
        check("Log", &[1.0, std::f32::consts::E], &[0.0, 1.0]);
        check("Round", &[0.5, 1.5, 2.4, -0.5], &[0.0, 2.0, 2.0, -0.0]);
        check("Floor", &[1.7, -1.2], &[1.0, -2.0]);
        check("Ceil", &[1.2, -1.7], &[2.0, -1.0]);
        check("Reciprocal", &[4.0], &[0.25]);
        check("Sigmoid", &[0.0], &[0.5]);
        check("Tanh", &[0.0, 0.5], &[0.0, 0.462_117_16]);
        check("Erf", &[0.0, 1.0], &[0.0, 0.842_700_8]);
        check("Softplus", &[0.0, 100.0], &[std::f32::consts::LN_2, 100.0]);
    }

    #[test]
    fn integers_where_they_make_sense() {
        let output = first("Abs", vec![], vec![tensor(&[2], vec![-3i64, 4])]);
        assert_eq!(output, tensor(&[2], vec![3i64, 4]));
        let refused = refusal("Exp", vec![], vec![tensor(&[1], vec![1i64])]);
        assert_eq!(refused, "input 0 is INT64, not a number it takes");
    }

    #[test]
    fn logic() {
        let output = first("Not", vec![], vec![tensor(&[2], vec![true, false])]);
        assert_eq!(output, tensor(&[2], vec![false, true]));
        let output = first("IsNaN", vec![], vec![tensor(&[2], vec![f64::NAN, 1.0])]);
        assert_eq!(output, tensor(&[2], vec![true, false]));
    }

    #[test]
    fn clip_takes_either_bound() {
        let x = tensor(&[3], vec![-5f32, f32::NAN, 9.0]);
        let one = |bound: f32| Some(tensor(&[], vec![bound]));
        let clip = |min: Option<Tensor>, max: Option<Tensor>| {
            let outputs = run("Clip", vec![], vec![Some(x.clone()), min, max]).unwrap();
            let clipped = outputs[0].view::<f32>().unwrap().to_vec();
            assert!(clipped[1].is_nan());
            (clipped[0], clipped[2])
        };
        assert_eq!(clip(one(0.0), None), (0.0, 9.0));
        assert_eq!(clip(None, one(1.0)), (-5.0, 1.0));
        assert_eq!(clip(one(0.0), one(1.0)), (0.0, 1.0));
        assert_eq!(clip(None, None), (-5.0, 9.0));
    }
}
