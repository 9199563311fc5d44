//! Numbers, truths and texts turned into one another.

use std::borrow::Cow;

use stemma_tensor::{ELEMENT_BYTES, Tensor, TensorData};

use super::{Context, Kernel, KernelError, Outputs, refuse};
use crate::attributes::{Attributes, required};
use crate::proto::data_type;

/// No number written out, with what a string itself takes, is longer.
const NUMBER_TEXT_BYTES_MAX: usize = 48;

struct Cast {
    to: i32,
}

pub(crate) fn cast(attributes: &mut Attributes, _: i64) -> Result<Box<dyn Kernel>, KernelError> {
    // say what happens to numbers beyond the range of eight-bit floats, which are not supported
    attributes.ignore("saturate");
    attributes.ignore("round_mode");
    let to = required("to", attributes.int("to")?)?;
    match i32::try_from(to) {
        Ok(to @ (data_type::FLOAT..=data_type::BOOL | data_type::DOUBLE..=data_type::UINT64)) => {
            Ok(Box::new(Cast { to }))
        }
        _ => refuse!("element type {to} is not supported"),
    }
}

impl Kernel for Cast {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let input = context.tensor(0)?;
        let bytes = match self.to {
            data_type::STRING => NUMBER_TEXT_BYTES_MAX.max(input.data().element_bytes_max()),
            _ => ELEMENT_BYTES,
        };
        let count = context.allocate_each(input.shape(), bytes)?;
        let shape = input.shape().to_vec();
        let data = match input.data() {
            TensorData::Float(elements) => numbers(elements, self.to),
            TensorData::Double(elements) => numbers(elements, self.to),
            TensorData::Int8(elements) => numbers(elements, self.to),
            TensorData::Int16(elements) => numbers(elements, self.to),
            TensorData::Int32(elements) => numbers(elements, self.to),
            TensorData::Int64(elements) => numbers(elements, self.to),
            TensorData::Uint8(elements) => numbers(elements, self.to),
            TensorData::Uint16(elements) => numbers(elements, self.to),
            TensorData::Uint32(elements) => numbers(elements, self.to),
            TensorData::Uint64(elements) => numbers(elements, self.to),
            TensorData::Bool(elements) => numbers(elements, self.to),
            TensorData::String(elements) => texts(elements, self.to)?,
        };
        debug_assert_eq!(data.len(), count);
        Ok(Tensor::made(shape, data).into())
    }
}

/// A number, or a truth as zero or one, in every other type.
///
/// Fractions are cut off; what is out of range becomes the nearest that is not, and NaN becomes zero.
trait Castable: Copy {
    fn to_f32(self) -> f32;
    fn to_f64(self) -> f64;
    fn to_i8(self) -> i8;
    fn to_i16(self) -> i16;
    fn to_i32(self) -> i32;
    fn to_i64(self) -> i64;
    fn to_u8(self) -> u8;
    fn to_u16(self) -> u16;
    fn to_u32(self) -> u32;
    fn to_u64(self) -> u64;
    fn to_bool(self) -> bool;
    fn to_text(self) -> Cow<'static, str>;
}

macro_rules! castable {
    ($($type:ty: $number:expr, $text:expr;)+) => {$(
        impl Castable for $type {
            fn to_f32(self) -> f32 { $number(self) as f32 }
            fn to_f64(self) -> f64 { $number(self) as f64 }
            fn to_i8(self) -> i8 { $number(self) as i8 }
            fn to_i16(self) -> i16 { $number(self) as i16 }
            fn to_i32(self) -> i32 { $number(self) as i32 }
            fn to_i64(self) -> i64 { $number(self) as i64 }
            fn to_u8(self) -> u8 { $number(self) as u8 }
            fn to_u16(self) -> u16 { $number(self) as u16 }
            fn to_u32(self) -> u32 { $number(self) as u32 }
            fn to_u64(self) -> u64 { $number(self) as u64 }
            fn to_bool(self) -> bool { self != <$type>::default() }
            fn to_text(self) -> Cow<'static, str> { $text(self) }
        }
    )+};
}

castable! {
    f32: |x| x, |x: f32| real_text(x.into());
    f64: |x| x, real_text;
    i8: |x| x, |x: i8| x.to_string().into();
    i16: |x| x, |x: i16| x.to_string().into();
    i32: |x| x, |x: i32| x.to_string().into();
    i64: |x| x, |x: i64| x.to_string().into();
    u8: |x| x, |x: u8| x.to_string().into();
    u16: |x| x, |x: u16| x.to_string().into();
    u32: |x| x, |x: u32| x.to_string().into();
    u64: |x| x, |x: u64| x.to_string().into();
    bool: u8::from, |x| Cow::Borrowed(if x { "1" } else { "0" });
}

/// `to` is one of the types that [`cast`] lets pass.
fn numbers<T: Castable>(elements: &[T], to: i32) -> TensorData {
    fn each<T: Copy, Out>(elements: &[T], convert: fn(T) -> Out) -> TensorData
    where
        TensorData: From<Vec<Out>>,
    {
        elements.iter().map(|&element| convert(element)).collect::<Vec<_>>().into()
    }
    match to {
        data_type::FLOAT => each(elements, T::to_f32),
        data_type::DOUBLE => each(elements, T::to_f64),
        data_type::INT8 => each(elements, T::to_i8),
        data_type::INT16 => each(elements, T::to_i16),
        data_type::INT32 => each(elements, T::to_i32),
        data_type::INT64 => each(elements, T::to_i64),
        data_type::UINT8 => each(elements, T::to_u8),
        data_type::UINT16 => each(elements, T::to_u16),
        data_type::UINT32 => each(elements, T::to_u32),
        data_type::UINT64 => each(elements, T::to_u64),
        data_type::BOOL => each(elements, T::to_bool),
        _ => each(elements, |element| element.to_text().into_owned()),
    }
}

fn texts(elements: &[String], to: i32) -> Result<TensorData, KernelError> {
    macro_rules! parsed {
        ($type:ty) => {
            parse_each::<$type>(elements)?.into()
        };
    }
    Ok(match to {
        data_type::FLOAT => parsed!(f32),
        data_type::DOUBLE => parsed!(f64),
        data_type::INT8 => parsed!(i8),
        data_type::INT16 => parsed!(i16),
        data_type::INT32 => parsed!(i32),
        data_type::INT64 => parsed!(i64),
        data_type::UINT8 => parsed!(u8),
        data_type::UINT16 => parsed!(u16),
        data_type::UINT32 => parsed!(u32),
        data_type::UINT64 => parsed!(u64),
        data_type::BOOL => refuse!("texts are not turned into truths"),
        _ => elements.to_vec().into(),
    })
}

/// The whole text must be a number, as `1`, `-2.5e3`, `NaN` or `inf`; spaces around it do not count.
fn parse_each<T: std::str::FromStr>(elements: &[String]) -> Result<Vec<T>, KernelError> {
    elements
        .iter()
        .map(|text| {
            text.trim().parse().map_err(|_| {
                let shown: String = text.chars().take(40).collect();
                KernelError::invalid(format!("`{shown}` is not a number of the type wanted"))
            })
        })
        .collect()
}

/// Writes a number as C's `%.8g` does, which is what ONNX Runtime takes for both sizes.
fn real_text(number: f64) -> Cow<'static, str> {
    const DIGITS: i32 = 8;
    if number.is_nan() {
        return "NaN".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "INF" } else { "-INF" }.into();
    }
    let scientific = format!("{number:.*e}", DIGITS as usize - 1);
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific.into();
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if !(-4..DIGITS).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        let mantissa = without_trailing_zeros(mantissa);
        return format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs()).into();
    }
    let decimals = (DIGITS - 1 - exponent) as usize;
    let fixed = format!("{number:.decimals$}");
    without_trailing_zeros(&fixed).to_owned().into()
}

fn without_trailing_zeros(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::proto::data_type;

    fn to(data_type: i32) -> Vec<crate::proto::AttributeProto> {
        vec![int("to", data_type.into())]
    }

    #[test]
    fn numbers_to_numbers() {
        let floats = tensor(&[5], vec![1.9f32, -1.9, f32::NAN, 1e20, 0.0]);
        assert_eq!(
            first("Cast", to(data_type::INT64), vec![floats.clone()]),
            tensor(&[5], vec![1i64, -1, 0, i64::MAX, 0])
        );
        assert_eq!(first("Cast", to(data_type::BOOL), vec![floats]), tensor(&[5], vec![true, true, true, true, false]));
        assert_eq!(first("Cast", to(data_type::DOUBLE), vec![tensor(&[1], vec![true])]), tensor(&[1], vec![1f64]));
    }

    #[test]
    fn texts_to_numbers() {
        assert_eq!(
            first("Cast", to(data_type::FLOAT), vec![texts(&[3], &[" 1.5", "-2e3", "inf"])]),
            tensor(&[3], vec![1.5f32, -2000.0, f32::INFINITY])
        );
        assert_eq!(
            refusal("Cast", to(data_type::INT64), vec![texts(&[1], &["12 apples"])]),
            "`12 apples` is not a number of the type wanted"
        );
    }

    #[test]
    fn numbers_to_texts_as_c_writes_them() {
        let floats = vec![
            0.1f32,
            1.0,
            100.0,
            1e8,
            1e-5,
            0.0001,
            1.0 / 3.0,
            -2.5,
            f32::NAN,
            f32::NEG_INFINITY,
            123_456_790.0,
            -0.0,
        ];
        assert_eq!(
            first("Cast", to(data_type::STRING), vec![tensor(&[12], floats)]),
            texts(
                &[12],
                &[
                    "0.1",
                    "1",
                    "100",
                    "1e+08",
                    "9.9999997e-06",
                    "9.9999997e-05",
                    "0.33333334",
                    "-2.5",
                    "NaN",
                    "-INF",
                    "1.2345679e+08",
                    "-0",
                ]
            )
        );
        assert_eq!(first("Cast", to(data_type::STRING), vec![tensor(&[1], vec![0.1f64])]), texts(&[1], &["0.1"]));
        assert_eq!(first("Cast", to(data_type::STRING), vec![tensor(&[2], vec![-7i64, 8])]), texts(&[2], &["-7", "8"]));
    }

    #[test]
    fn half_floats_are_refused_when_the_model_is_read() {
        assert_eq!(refusal("Cast", to(10), vec![tensor(&[1], vec![1f32])]), "element type 10 is not supported");
    }
}
