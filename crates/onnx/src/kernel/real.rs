//! Floating-point numbers of either size, with functions that give the same bits on every machine.

use std::ops::{Add, Div, Mul, Neg, Sub};

use stemma_tensor::Element;

pub(crate) trait Real:
    Element
    + Copy
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    const ZERO: Self;
    const ONE: Self;
    const LOWEST: Self;

    fn from_f64(number: f64) -> Self;
    fn to_f64(self) -> f64;
    fn exp(self) -> Self;
    fn ln(self) -> Self;
    fn ln_1p(self) -> Self;
    fn tanh(self) -> Self;
    fn sqrt(self) -> Self;
    fn erf(self) -> Self;
    fn powf(self, exponent: Self) -> Self;
    fn abs(self) -> Self;
    fn floor(self) -> Self;
    fn ceil(self) -> Self;
    /// To the nearest integer, halves to the even one.
    fn round_even(self) -> Self;
    fn is_nan(self) -> bool;

    /// The logistic function, without overflow and exact in its symmetry.
    fn logistic(self) -> Self {
        let upper = Self::ONE / (Self::ONE + (-self.abs()).exp());
        if self < Self::ZERO { Self::ONE - upper } else { upper }
    }
}

macro_rules! real {
    ($type:ty, $exp:path, $ln:path, $ln_1p:path, $tanh:path, $erf:path, $pow:path) => {
        impl Real for $type {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const LOWEST: Self = <$type>::MIN;

            fn from_f64(number: f64) -> Self {
                number as $type
            }

            fn to_f64(self) -> f64 {
                self.into()
            }

            fn exp(self) -> Self {
                $exp(self)
            }

            fn ln(self) -> Self {
                $ln(self)
            }

            fn ln_1p(self) -> Self {
                $ln_1p(self)
            }

            fn tanh(self) -> Self {
                $tanh(self)
            }

            // The standard's square root is correctly rounded everywhere.
            fn sqrt(self) -> Self {
                <$type>::sqrt(self)
            }

            fn erf(self) -> Self {
                $erf(self)
            }

            fn powf(self, exponent: Self) -> Self {
                $pow(self, exponent)
            }

            fn abs(self) -> Self {
                <$type>::abs(self)
            }

            fn floor(self) -> Self {
                <$type>::floor(self)
            }

            fn ceil(self) -> Self {
                <$type>::ceil(self)
            }

            fn round_even(self) -> Self {
                <$type>::round_ties_even(self)
            }

            fn is_nan(self) -> bool {
                <$type>::is_nan(self)
            }
        }
    };
}

real!(f32, libm::expf, libm::logf, libm::log1pf, libm::tanhf, libm::erff, libm::powf);
real!(f64, libm::exp, libm::log, libm::log1p, libm::tanh, libm::erf, libm::pow);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logistic_function_does_not_overflow() {
        assert_eq!(0f32.logistic(), 0.5);
        assert_eq!(200f32.logistic(), 1.0);
        assert_eq!((-200f32).logistic(), 0.0);
        assert_eq!(1f64.logistic() + (-1f64).logistic(), 1.0);
        assert!((1f64.logistic() - 0.731_058_578_630_004_9).abs() < 1e-15);
    }
}
