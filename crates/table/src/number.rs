//! Numbers as texts and types write them, without the rounding that binary fractions bring.

/// A finite number, exactly as it was written: equal numbers are equal, however many zeros they are written with.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Number {
    Whole(i128),
    /// Digits without zeros at either end, and the power of ten that they are multiplied by.
    Other {
        is_negative: bool,
        digits: String,
        exponent: i64,
    },
}

/// Digits of a number that is read exactly; longer ones are texts.
const DIGITS_MAX: usize = 400;
/// Powers of ten beyond those of every float.
const EXPONENT_MAX: i64 = 100_000;

impl Number {
    /// Reads decimal digits with an optional sign, point and exponent, and spaces around it. `01067` is a text: zeros in
    /// front are not how numbers are written.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(value) = short(text) {
            return Some(Self::Whole(value.into()));
        }
        let is_negative = text.starts_with('-');
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
            Some(at) => (&unsigned[..at], exponent(&unsigned[at + 1..])?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_digits = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        let has_zero_in_front = whole.len() > 1 && whole.starts_with('0');
        if whole.len() + fraction.len() == 0 || has_zero_in_front || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        if whole.len() + fraction.len() > DIGITS_MAX {
            return None;
        }
        Some(Self::of(is_negative, &format!("{whole}{fraction}"), exponent - fraction.len() as i64))
    }

    /// `None` for what is not finite. The shortest digits that give this float, as everybody writes it.
    pub fn of_f64(value: f64) -> Option<Self> {
        value.is_finite().then(|| Self::parse(&format!("{value:e}")))?
    }

    pub fn of_f32(value: f32) -> Option<Self> {
        value.is_finite().then(|| Self::parse(&format!("{value:e}")))?
    }

    /// Digits with a power of ten.
    pub(crate) fn of(is_negative: bool, digits: &str, mut exponent: i64) -> Self {
        let digits = digits.trim_start_matches('0');
        let short = digits.trim_end_matches('0');
        exponent += (digits.len() - short.len()) as i64;
        if short.is_empty() {
            return Self::Whole(0);
        }
        if (0..39).contains(&exponent)
            && let Ok(value) = format!("{short}{}", "0".repeat(exponent as usize)).parse::<i128>()
        {
            return Self::Whole(if is_negative { -value } else { value });
        }
        Self::Other { is_negative, digits: short.to_owned(), exponent }
    }

    /// The nearest float.
    pub fn to_f64(&self) -> f64 {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "the nearest is asked for")]
            Self::Whole(value) => *value as f64,
            Self::Other { is_negative, digits, exponent } => {
                let size: f64 = format!("{digits}e{exponent}").parse().unwrap_or(f64::NAN);
                if *is_negative { -size } else { size }
            }
        }
    }
}

/// What most numbers are: few digits and nothing else.
fn short(text: &str) -> Option<i64> {
    const LEN_MAX: usize = 18;
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let is_plain = digits.iter().all(u8::is_ascii_digit) && (digits.len() == 1 || digits.first() != Some(&b'0'));
    (is_plain && digits.len() <= LEN_MAX).then(|| text.parse().ok())?
}

fn exponent(text: &str) -> Option<i64> {
    text.parse().ok().filter(|exponent: &i64| exponent.abs() <= EXPONENT_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn same(one: &str, other: &str) {
        assert_eq!(Number::parse(one).unwrap(), Number::parse(other).unwrap(), "{one} {other}");
    }

    #[test]
    fn spelling_makes_no_difference() {
        for (one, other) in [
            ("1", "1.0"),
            ("1", " +1e0 "),
            ("100000", "1e5"),
            ("0", "-0.000"),
            ("0.5", ".5"),
            ("1.5e-3", "0.0015"),
            ("-12.50", "-1.25E+1"),
            ("100000000000000000000000000000000000000000000000", "1e47"),
        ] {
            same(one, other);
        }
    }

    #[test]
    fn values_make_one() {
        for (one, other) in
            [("9007199254740993", "9007199254740992"), ("0.1", "0.10000000000000001"), ("1", "-1"), ("1e5", "1e6")]
        {
            assert_ne!(Number::parse(one).unwrap(), Number::parse(other).unwrap(), "{one} {other}");
        }
    }

    #[test]
    fn other_texts_are_no_numbers() {
        for text in [
            "01067",
            "00",
            "-01",
            "",
            " ",
            ".",
            "-",
            "1,5",
            "1e",
            "e5",
            "0x10",
            "nan",
            "inf",
            "1_000",
            "١",
            "1e9999999",
        ] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
        assert!(Number::parse(&"9".repeat(401)).is_none());
    }

    #[test]
    fn floats_are_what_is_written_of_them() {
        assert_eq!(Number::of_f64(0.1), Number::parse("0.1"));
        assert_eq!(Number::of_f32(0.1), Number::parse("0.1"));
        assert_eq!(Number::of_f64(1e300), Number::parse("1e300"));
        assert_eq!(Number::of_f64(f64::NAN), None);
        assert_eq!(Number::parse("1e300").unwrap().to_f64(), 1e300);
        assert_eq!(Number::parse("-2.25").unwrap().to_f64(), -2.25);
    }
}
