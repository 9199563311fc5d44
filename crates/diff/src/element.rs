//! From the bytes of tensors to numbers. All types but 64-bit integers fit into `f64` exactly.

use stemma_format::Dtype;

/// Replaces what `numbers` holds by the elements in `bytes`, a multiple of the type's width.
pub(crate) fn decode(dtype: Dtype, bytes: &[u8], numbers: &mut Vec<f64>) {
    numbers.clear();
    match dtype {
        Dtype::Bool | Dtype::U8 => numbers.extend(bytes.iter().map(|byte| f64::from(*byte))),
        Dtype::I8 => numbers.extend(bytes.iter().map(|byte| f64::from(*byte as i8))),
        Dtype::U16 => extend(numbers, bytes, |bytes| u16::from_le_bytes(bytes).into()),
        Dtype::I16 => extend(numbers, bytes, |bytes| i16::from_le_bytes(bytes).into()),
        Dtype::U32 => extend(numbers, bytes, |bytes| u32::from_le_bytes(bytes).into()),
        Dtype::I32 => extend(numbers, bytes, |bytes| i32::from_le_bytes(bytes).into()),
        Dtype::U64 => extend(numbers, bytes, |bytes| u64::from_le_bytes(bytes) as f64),
        Dtype::I64 => extend(numbers, bytes, |bytes| i64::from_le_bytes(bytes) as f64),
        Dtype::F8E4M3 => numbers.extend(bytes.iter().map(|byte| f8_e4m3(*byte))),
        Dtype::F8E5M2 => numbers.extend(bytes.iter().map(|byte| f16(u16::from(*byte) << 8))),
        Dtype::F16 => extend(numbers, bytes, |bytes| f16(u16::from_le_bytes(bytes))),
        Dtype::Bf16 => {
            extend(numbers, bytes, |bytes| f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16).into());
        }
        Dtype::F32 => extend(numbers, bytes, |bytes| f32::from_le_bytes(bytes).into()),
        Dtype::F64 => extend(numbers, bytes, f64::from_le_bytes),
    }
}

fn extend<const N: usize>(numbers: &mut Vec<f64>, bytes: &[u8], number: impl Fn([u8; N]) -> f64) {
    numbers.extend(bytes.as_chunks::<N>().0.iter().map(|bytes| number(*bytes)));
}

/// Differences of 64-bit integers, which may be lost if each is rounded first.
pub(crate) fn exact_deltas(dtype: Dtype, before: &[u8], after: &[u8], deltas: &mut [f64]) {
    let pairs = before.as_chunks::<8>().0.iter().zip(after.as_chunks::<8>().0);
    let signed = dtype == Dtype::I64;
    for (delta, (before, after)) in deltas.iter_mut().zip(pairs) {
        let number = |bytes: &[u8; 8]| match signed {
            true => i128::from(i64::from_le_bytes(*bytes)),
            false => i128::from(u64::from_le_bytes(*bytes)),
        };
        *delta = (number(after) - number(before)) as f64;
    }
}

/// IEEE 754 half precision: 5 bits of exponent, 10 of fraction.
fn f16(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let fraction = f64::from(bits & 0x3ff);
    match i32::from((bits >> 10) & 0x1f) {
        0 => sign * fraction * power_of_two(-24),
        31 if fraction == 0.0 => sign * f64::INFINITY,
        31 => f64::NAN,
        exponent => sign * (1024.0 + fraction) * power_of_two(exponent - 25),
    }
}

/// 4 bits of exponent, 3 of fraction, no infinity, one NaN for each sign.
fn f8_e4m3(bits: u8) -> f64 {
    let sign = if bits & 0x80 == 0 { 1.0 } else { -1.0 };
    let fraction = f64::from(bits & 7);
    match i32::from((bits >> 3) & 0xf) {
        0 => sign * fraction * power_of_two(-9),
        15 if bits & 7 == 7 => f64::NAN,
        exponent => sign * (8.0 + fraction) * power_of_two(exponent - 10),
    }
}

/// Exact for the exponents of normal numbers.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((1023 + exponent) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values as `ml_dtypes` and NumPy give them.
    #[test]
    fn small_floats() {
        for (bits, value) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 5.960464477539063e-8),
            (0x03ff, 6.097555160522461e-5),
            (0x0400, 6.103515625e-5),
            (0x3555, 0.333251953125),
            (0x7c00, f64::INFINITY),
        ] {
            assert_eq!(f16(bits), value, "{bits:x}");
        }
        assert!(f16(0x7e00).is_nan() && f8_e4m3(0x7f).is_nan() && f8_e4m3(0xff).is_nan());
        for (bits, value) in [(0x38, 1.0), (0x7e, 448.0), (0x01, 0.001953125), (0x08, 0.015625), (0xbc, -1.5)] {
            assert_eq!(f8_e4m3(bits), value, "{bits:x}");
        }
        let mut numbers = Vec::new();
        decode(Dtype::F8E5M2, &[0x3c, 0x7b, 0x01, 0xfc], &mut numbers);
        assert_eq!(numbers, [1.0, 57344.0, 1.52587890625e-5, f64::NEG_INFINITY]);
        decode(Dtype::Bf16, &[0x80, 0x3f, 0x49, 0x40], &mut numbers);
        assert_eq!(numbers, [1.0, 3.140625]);
    }
}
