//! Operators of `ai.onnx.ml` that change each feature by itself, or a row by its length.

use stemma_tensor::{Tensor, TensorData};

use super::{Context, Kernel, KernelError, Outputs, features, refuse, rows_and_columns, wrong_type};
use crate::attributes::{Attributes, required};

type Built = Result<Box<dyn Kernel>, KernelError>;

/// The size that parameters by feature must have: the second dimension, or that of a vector.
fn stride(shape: &[usize]) -> Result<usize, KernelError> {
    match *shape {
        [] => refuse!("the input is a single number"),
        [size] | [_, size, ..] => Ok(size),
    }
}

/// Repeats parameters along the features: as many as there are, or one for all.
fn by_feature<'a, T>(
    what: &str,
    parameters: &'a [T],
    shape: &[usize],
) -> Result<impl Iterator<Item = &'a T>, KernelError> {
    let stride = stride(shape)?;
    if parameters.len() != stride && parameters.len() != 1 {
        refuse!("there are {} {what} for {stride} features", parameters.len());
    }
    Ok(parameters.iter().cycle())
}

/// `(x - offset) * scale`.
struct Scaler {
    parameters: Vec<(f32, f32)>,
}

pub(crate) fn scaler(attributes: &mut Attributes, _: i64) -> Built {
    let offsets = required("offset", attributes.floats("offset")?)?;
    let scales = required("scale", attributes.floats("scale")?)?;
    if offsets.len() != scales.len() || offsets.is_empty() {
        refuse!("there are {} offsets and {} scales", offsets.len(), scales.len());
    }
    Ok(Box::new(Scaler { parameters: offsets.into_iter().zip(scales).collect() }))
}

impl Kernel for Scaler {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let input = context.tensor(0)?;
        let parameters = by_feature("scales", &self.parameters, input.shape())?;
        context.allocate(input.shape())?;
        let scaled: Vec<f32> = match input.data() {
            // large numbers keep their digits until the offset is taken off
            TensorData::Double(elements) => elements
                .iter()
                .zip(parameters)
                .map(|(&x, &(offset, scale))| ((x - f64::from(offset)) * f64::from(scale)) as f32)
                .collect(),
            _ => features(input)?.iter().zip(parameters).map(|(&x, &(offset, scale))| (x - offset) * scale).collect(),
        };
        Ok(Tensor::made(input.shape().to_vec(), scaled).into())
    }
}

enum Norm {
    Max,
    L1,
    L2,
}

/// Rows divided by their norm; a row of norm zero stays as it is.
struct Normalizer {
    norm: Norm,
}

pub(crate) fn normalizer(attributes: &mut Attributes, _: i64) -> Built {
    let norm = match attributes.string("norm")?.as_deref() {
        None | Some("MAX") => Norm::Max,
        Some("L1") => Norm::L1,
        Some("L2") => Norm::L2,
        Some(other) => refuse!("there is no norm `{other}`"),
    };
    Ok(Box::new(Normalizer { norm }))
}

impl Kernel for Normalizer {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let input = context.tensor(0)?;
        let (_, columns) = rows_and_columns(input.shape())?;
        context.allocate(input.shape())?;
        let mut rows = features(input)?.into_owned();
        if columns > 0 {
            rows.chunks_exact_mut(columns).for_each(|row| self.normalize(row));
        }
        Ok(Tensor::made(input.shape().to_vec(), rows).into())
    }
}

impl Normalizer {
    fn normalize(&self, row: &mut [f32]) {
        let norm = match self.norm {
            Norm::Max => row.iter().fold(f32::MIN, |max, &x| if x > max { x } else { max }),
            Norm::L1 => row.iter().fold(0.0, |sum, &x| sum + x.abs()),
            Norm::L2 => row.iter().fold(0.0, |sum, &x| sum + x * x),
        };
        if norm == 0.0 {
            return;
        }
        for x in row {
            *x = match self.norm {
                Norm::L2 => (*x * *x / norm).sqrt().copysign(*x),
                Norm::Max | Norm::L1 => *x / norm,
            };
        }
    }
}

/// One value, which may be NaN, replaced by one of each feature's own.
enum Imputer {
    Floats { replaced: f32, imputed: Vec<f32> },
    Integers { replaced: i64, imputed: Vec<i64> },
}

pub(crate) fn imputer(attributes: &mut Attributes, _: i64) -> Built {
    let floats = attributes.floats("imputed_value_floats")?.unwrap_or_default();
    let integers = attributes.ints("imputed_value_int64s")?.unwrap_or_default();
    let replaced_float = attributes.float_or("replaced_value_float", 0.0)?;
    let replaced_integer = attributes.int_or("replaced_value_int64", 0)?;
    Ok(Box::new(match (floats.is_empty(), integers.is_empty()) {
        (false, true) => Imputer::Floats { replaced: replaced_float, imputed: floats },
        (true, false) => Imputer::Integers { replaced: replaced_integer, imputed: integers },
        _ => refuse!("imputed values must be given once, as floats or as integers"),
    }))
}

impl Kernel for Imputer {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let input = context.tensor(0)?;
        context.allocate(input.shape())?;
        let shape = input.shape();
        let data: TensorData = match (self, input.data()) {
            (Self::Floats { replaced, imputed }, TensorData::Float(elements)) => {
                let is_missing = |x: &f32| x == replaced || (x.is_nan() && replaced.is_nan());
                impute(elements, by_feature("imputed values", imputed, shape)?, is_missing).into()
            }
            (Self::Floats { replaced, imputed }, TensorData::Double(elements)) => {
                let imputed: Vec<f64> = imputed.iter().map(|&value| value.into()).collect();
                let replaced = f64::from(*replaced);
                let is_missing = |x: &f64| *x == replaced || (x.is_nan() && replaced.is_nan());
                impute(elements, by_feature("imputed values", &imputed, shape)?, is_missing).into()
            }
            (Self::Integers { replaced, imputed }, TensorData::Int64(elements)) => {
                impute(elements, by_feature("imputed values", imputed, shape)?, |x| x == replaced).into()
            }
            (Self::Floats { .. }, _) => return Err(wrong_type(0, input, "FP32 or FP64")),
            (Self::Integers { .. }, _) => return Err(wrong_type(0, input, "INT64")),
        };
        Ok(Tensor::made(shape.to_vec(), data).into())
    }
}

fn impute<'a, T: Copy + 'a>(
    elements: &[T],
    imputed: impl Iterator<Item = &'a T>,
    is_missing: impl Fn(&T) -> bool,
) -> Vec<T> {
    elements.iter().zip(imputed).map(|(x, value)| if is_missing(x) { *value } else { *x }).collect()
}

/// One above a threshold, else zero.
struct Binarizer {
    threshold: f32,
}

pub(crate) fn binarizer(attributes: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(Binarizer { threshold: attributes.float_or("threshold", 0.0)? }))
}

impl Kernel for Binarizer {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let input = context.tensor(0)?;
        context.allocate(input.shape())?;
        let threshold = f64::from(self.threshold);
        let data: TensorData = match input.data() {
            TensorData::Float(elements) => {
                elements.iter().map(|&x| f32::from(u8::from(x > self.threshold))).collect::<Vec<_>>().into()
            }
            TensorData::Double(elements) => {
                elements.iter().map(|&x| f64::from(u8::from(x > threshold))).collect::<Vec<_>>().into()
            }
            TensorData::Int64(elements) => {
                elements.iter().map(|&x| i64::from(x as f64 > threshold)).collect::<Vec<_>>().into()
            }
            TensorData::Int32(elements) => {
                elements.iter().map(|&x| i32::from(f64::from(x) > threshold)).collect::<Vec<_>>().into()
            }
            _ => return Err(wrong_type(0, input, "a number of 32 or 64 bits")),
        };
        Ok(Tensor::made(input.shape().to_vec(), data).into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    #[test]
    fn scaler_shifts_then_scales() {
        let attributes = || vec![floats("offset", &[1.0, 10.0]), floats("scale", &[2.0, 0.5])];
        assert_eq!(
            first("Scaler", attributes(), vec![tensor(&[2, 2], vec![1f32, 20.0, 3.0, 30.0])]),
            tensor(&[2, 2], vec![0f32, 5.0, 4.0, 10.0])
        );
        assert_eq!(
            first("Scaler", attributes(), vec![tensor(&[1, 2], vec![2i64, 12])]),
            tensor(&[1, 2], vec![2f32, 1.0])
        );
        assert_eq!(
            refusal("Scaler", attributes(), vec![tensor(&[1, 3], vec![0f32; 3])]),
            "there are 2 scales for 3 features"
        );
        let one = vec![floats("offset", &[1.0]), floats("scale", &[2.0])];
        assert_eq!(first("Scaler", one, vec![tensor(&[1, 2], vec![2f32, 3.0])]), tensor(&[1, 2], vec![2f32, 4.0]));
    }

    #[test]
    fn normalizer_divides_by_the_norm() {
        let normalized = |norm: &str| {
            let x = tensor(&[2, 2], vec![3f32, -4.0, 0.0, 0.0]);
            first("Normalizer", vec![string("norm", norm)], vec![x])
        };
        let close = |norm: &str, expected: [f32; 2]| {
            let output = normalized(norm);
            let row = output.view::<f32>().unwrap();
            assert!((row[0] - expected[0]).abs() < 1e-6 && (row[1] - expected[1]).abs() < 1e-6, "{row:?}");
            assert_eq!(row[2..], [0.0, 0.0]);
        };
        close("L1", [3.0 / 7.0, -4.0 / 7.0]);
        close("L2", [0.6, -0.8]);
        close("MAX", [1.0, -4.0 / 3.0]);
    }

    #[test]
    fn imputer_replaces_nan_and_numbers() {
        let nan = f32::NAN;
        let attributes = vec![floats("imputed_value_floats", &[1.0, 2.0]), float("replaced_value_float", nan)];
        assert_eq!(
            first("Imputer", attributes, vec![tensor(&[2, 2], vec![nan, 5.0, 6.0, nan])]),
            tensor(&[2, 2], vec![1f32, 5.0, 6.0, 2.0])
        );
        let attributes = vec![ints("imputed_value_int64s", &[7]), int("replaced_value_int64", -1)];
        assert_eq!(first("Imputer", attributes, vec![tensor(&[3], vec![-1i64, 0, 3])]), tensor(&[3], vec![7i64, 0, 3]));
    }

    #[test]
    fn binarizer_is_strict() {
        assert_eq!(
            first("Binarizer", vec![float("threshold", 1.0)], vec![tensor(&[3], vec![0.5f32, 1.0, 1.5])]),
            tensor(&[3], vec![0f32, 0.0, 1.0])
        );
    }

    #[test]
    fn no_rows_stay_no_rows() {
        let none = || tensor(&[0, 2], Vec::<f32>::new());
        let attributes = vec![floats("offset", &[1.0, 1.0]), floats("scale", &[2.0, 2.0])];
        assert_eq!(first("Scaler", attributes, vec![none()]), none());
        assert_eq!(first("Normalizer", vec![], vec![none()]), none());
    }
}
