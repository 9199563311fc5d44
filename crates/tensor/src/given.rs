//! One value as it was given from outside, and what each element type makes of it.

use std::borrow::Cow;

use serde_json::Value;
use stemma_core::signature::Datatype;

use crate::{Element, TensorData};

/// From here on a double may stand for a neighbour of the whole number that was written.
const EXACT_BELOW: f64 = 9_007_199_254_740_992.0;
/// Longest text that a message shows.
const SHOWN_CHARS_MAX: usize = 40;

/// A value of a request, a file or a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Given<'a> {
    /// Nothing where a value could be: `null` in JSON. Of a table it is an empty cell.
    Missing,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    /// A text that says that it is one, as JSON's do.
    Text(Cow<'a, str>),
    /// A cell that may stand for anything, as all of CSV's do.
    Written(Cow<'a, str>),
}

impl<'a> Given<'a> {
    /// `None` for lists and objects.
    pub fn of_json(value: &'a Value) -> Option<Self> {
        Some(match value {
            Value::Null => Self::Missing,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(value), _) => Self::Unsigned(value),
                (None, Some(value)) => Self::Signed(value),
                (None, None) => Self::Float(number.as_f64()?),
            },
            Value::String(text) => Self::Text(Cow::Borrowed(text)),
            Value::Array(_) | Value::Object(_) => return None,
        })
    }

    /// For messages.
    fn shown(&self) -> String {
        match self {
            Self::Missing => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Unsigned(value) => value.to_string(),
            Self::Signed(value) => value.to_string(),
            Self::Float(value) => format!("{value:?}"),
            Self::Text(text) => format!("{:?}", shortened(text)),
            Self::Written(text) => shortened(text.trim()).into_owned(),
        }
    }
}

fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// Why a value is no element of some type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("a value is missing where {wanted} must be; only FP32 and FP64 take missing values")]
    Missing { wanted: &'static str },
    #[error("`{given}` is not {wanted}")]
    Other { given: String, wanted: &'static str },
    #[error("`{given}` is out of range for {datatype}")]
    OutOfRange { given: String, datatype: Datatype },
    #[error("`{given}` is a float too large to be exact; write the whole number without a fraction or exponent")]
    Inexact { given: String },
}

/// An element type and what it takes.
pub trait FromGiven: Element {
    /// For messages: what a value must be.
    const WANTED: &'static str;

    fn from_given(given: Given<'_>) -> Result<Self, Unfit>;

    fn unfit(given: &Given<'_>) -> Unfit {
        match given {
            Given::Missing => Unfit::Missing { wanted: Self::WANTED },
            Given::Float(value) if value.is_nan() => Unfit::Missing { wanted: Self::WANTED },
            Given::Written(text) if text.trim().is_empty() => Unfit::Missing { wanted: Self::WANTED },
            given => Unfit::Other { given: given.shown(), wanted: Self::WANTED },
        }
    }
}

/// Missing is NaN, always the same one. Whole numbers round as the double that is nearest to them does.
impl FromGiven for f64 {
    const WANTED: &'static str = "a number";

    fn from_given(given: Given<'_>) -> Result<Self, Unfit> {
        let number = match &given {
            Given::Missing => Self::NAN,
            Given::Unsigned(value) => *value as Self,
            Given::Signed(value) => *value as Self,
            Given::Float(value) => *value,
            Given::Text(text) => match text.as_ref() {
                "NaN" => Self::NAN,
                "Infinity" => Self::INFINITY,
                "-Infinity" => Self::NEG_INFINITY,
                _ => return Err(Self::unfit(&given)),
            },
            Given::Written(text) => match text.trim() {
                "" => Self::NAN,
                text => text.parse().map_err(|_| Self::unfit(&given)).and_then(|number: Self| {
                    let says_so = number.is_finite() || !text.contains(|c: char| c.is_ascii_digit());
                    says_so.then_some(number).ok_or_else(|| out_of_range(&given, Datatype::Fp64))
                })?,
            },
            Given::Bool(_) => return Err(Self::unfit(&given)),
        };
        Ok(if number.is_nan() { Self::NAN } else { number })
    }
}

/// What a double takes, rounded once more; what would become infinite is out of range.
impl FromGiven for f32 {
    const WANTED: &'static str = f64::WANTED;

    fn from_given(given: Given<'_>) -> Result<Self, Unfit> {
        let wide = f64::from_given(given.clone())?;
        let narrow = wide as Self;
        match (wide.is_nan(), narrow.is_infinite() && wide.is_finite()) {
            (true, _) => Ok(Self::NAN),
            (false, true) => Err(out_of_range(&given, Datatype::Fp32)),
            (false, false) => Ok(narrow),
        }
    }
}

fn out_of_range(given: &Given<'_>, datatype: Datatype) -> Unfit {
    Unfit::OutOfRange { given: given.shown(), datatype }
}

/// The whole number that is given, in whatever type it came.
pub(crate) fn whole<T: FromGiven>(given: &Given<'_>) -> Result<i128, Unfit> {
    let of_float = |value: f64| match value {
        value if value.fract() != 0.0 || !value.is_finite() => Err(T::unfit(given)),
        value if value.abs() >= EXACT_BELOW => Err(Unfit::Inexact { given: given.shown() }),
        value => Ok(value as i128),
    };
    match given {
        Given::Unsigned(value) => Ok(i128::from(*value)),
        Given::Signed(value) => Ok(i128::from(*value)),
        Given::Float(value) => of_float(*value),
        Given::Written(text) => match (text.trim().parse(), text.trim().parse()) {
            (Ok(whole), _) => Ok(whole),
            (Err(_), Ok(float)) => of_float(float),
            (Err(_), Err(_)) => Err(T::unfit(given)),
        },
        Given::Missing | Given::Bool(_) | Given::Text(_) => Err(T::unfit(given)),
    }
}

macro_rules! whole_numbers {
    ($($type:ty, $datatype:ident);+) => {$(
        impl FromGiven for $type {
            const WANTED: &'static str = "a whole number";

            fn from_given(given: Given<'_>) -> Result<Self, Unfit> {
                let number = whole::<Self>(&given)?;
                number.try_into().map_err(|_| out_of_range(&given, Datatype::$datatype))
            }
        }
    )+};
}

whole_numbers!(
    u8, Uint8; u16, Uint16; u32, Uint32; u64, Uint64;
    i8, Int8; i16, Int16; i32, Int32; i64, Int64
);

/// 0 and 1 are false and true, also as the floats that programs make of a column with gaps.
impl FromGiven for bool {
    const WANTED: &'static str = "true or false";

    fn from_given(given: Given<'_>) -> Result<Self, Unfit> {
        match &given {
            Given::Bool(value) => return Ok(*value),
            Given::Written(text) if text.trim().eq_ignore_ascii_case("true") => return Ok(true),
            Given::Written(text) if text.trim().eq_ignore_ascii_case("false") => return Ok(false),
            _ => {}
        }
        match whole::<Self>(&given) {
            Ok(0) => Ok(false),
            Ok(1) => Ok(true),
            _ => Err(Self::unfit(&given)),
        }
    }
}

/// A cell is a text as it stands there; an empty one is the empty text.
impl FromGiven for String {
    const WANTED: &'static str = "a text";

    fn from_given(given: Given<'_>) -> Result<Self, Unfit> {
        match given {
            Given::Text(text) | Given::Written(text) => Ok(text.into_owned()),
            other => Err(Self::unfit(&other)),
        }
    }
}

/// The first value that is no element, and where it stood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{unfit}")]
pub struct Misfit {
    pub at: usize,
    pub unfit: Unfit,
}

/// Evaluates one expression with the element type of a datatype, bound to a name, or another where there is none.
#[macro_export]
macro_rules! with_element_type {
    ($datatype:expr, $type:ident => $body:expr, else $other:expr) => {
        match $datatype {
            stemma_core::signature::Datatype::Bool => $crate::with_element_type!(@ bool, $type => $body),
            stemma_core::signature::Datatype::Uint8 => $crate::with_element_type!(@ u8, $type => $body),
            stemma_core::signature::Datatype::Uint16 => $crate::with_element_type!(@ u16, $type => $body),
            stemma_core::signature::Datatype::Uint32 => $crate::with_element_type!(@ u32, $type => $body),
            stemma_core::signature::Datatype::Uint64 => $crate::with_element_type!(@ u64, $type => $body),
            stemma_core::signature::Datatype::Int8 => $crate::with_element_type!(@ i8, $type => $body),
            stemma_core::signature::Datatype::Int16 => $crate::with_element_type!(@ i16, $type => $body),
            stemma_core::signature::Datatype::Int32 => $crate::with_element_type!(@ i32, $type => $body),
            stemma_core::signature::Datatype::Int64 => $crate::with_element_type!(@ i64, $type => $body),
            stemma_core::signature::Datatype::Fp32 => $crate::with_element_type!(@ f32, $type => $body),
            stemma_core::signature::Datatype::Fp64 => $crate::with_element_type!(@ f64, $type => $body),
            stemma_core::signature::Datatype::Bytes => $crate::with_element_type!(@ String, $type => $body),
            stemma_core::signature::Datatype::Fp16 => $other,
        }
    };
    (@ $concrete:ty, $type:ident => $body:expr) => {{
        type $type = $concrete;
        $body
    }};
}

/// Makes elements of all values. There are no half-precision tensors.
pub fn collect<'a>(datatype: Datatype, given: impl IntoIterator<Item = Given<'a>>) -> Result<TensorData, Misfit> {
    fn elements<'a, T: FromGiven>(given: impl IntoIterator<Item = Given<'a>>) -> Result<TensorData, Misfit> {
        let element = |(at, given)| T::from_given(given).map_err(|unfit| Misfit { at, unfit });
        let elements: Vec<T> = given.into_iter().enumerate().map(element).collect::<Result<_, _>>()?;
        Ok(T::wrap(elements))
    }
    let no_half = || Unfit::Other { given: Datatype::Fp16.to_string(), wanted: "a type that values can be given in" };
    with_element_type!(datatype, T => elements::<T>(given), else Err(Misfit { at: 0, unfit: no_half() }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const ALL: [Datatype; 12] = [
        Datatype::Bool,
        Datatype::Uint8,
        Datatype::Uint16,
        Datatype::Uint32,
        Datatype::Uint64,
        Datatype::Int8,
        Datatype::Int16,
        Datatype::Int32,
        Datatype::Int64,
        Datatype::Fp32,
        Datatype::Fp64,
        Datatype::Bytes,
    ];

    fn written(text: &str) -> Given<'_> {
        Given::Written(text.into())
    }

    #[track_caller]
    fn check<T: FromGiven + std::fmt::Debug>(given: Given<'_>, expected: Result<T, &str>) {
        let found = T::from_given(given.clone()).map_err(|unfit| unfit.to_string());
        assert_eq!(found, expected.map_err(str::to_owned), "{given:?}");
    }

    #[test]
    fn missing_numbers_are_one_nan_and_infinities_are_named() {
        for given in [
            Given::Missing,
            Given::Float(f64::NAN),
            Given::Float(-f64::NAN),
            Given::Text("NaN".into()),
            written(""),
            written(" "),
            written("nan"),
            written("-NaN"),
        ] {
            assert_eq!(f32::from_given(given.clone()).unwrap().to_bits(), f32::NAN.to_bits(), "{given:?}");
            assert_eq!(f64::from_given(given.clone()).unwrap().to_bits(), f64::NAN.to_bits(), "{given:?}");
        }
        for given in [Given::Float(f64::INFINITY), Given::Text("Infinity".into()), written("inf")] {
            check(given, Ok(f32::INFINITY));
        }
        check(Given::Text("-Infinity".into()), Ok(f64::NEG_INFINITY));
        check(written("-inf"), Ok(f64::NEG_INFINITY));
        check::<f64>(Given::Text("nan".into()), Err("`\"nan\"` is not a number"));
        check::<f64>(written("n/a"), Err("`n/a` is not a number"));
    }

    #[test]
    fn what_has_no_missing_value_says_so() {
        for given in [Given::Missing, Given::Float(f64::NAN), written("")] {
            let missing =
                |wanted| format!("a value is missing where {wanted} must be; only FP32 and FP64 take missing values");
            check::<i64>(given.clone(), Err(&missing("a whole number")));
            check::<bool>(given, Err(&missing("true or false")));
        }
        check::<String>(
            Given::Missing,
            Err("a value is missing where a text must be; only FP32 and FP64 take missing values"),
        );
        check(written(""), Ok(String::new()));
    }

    #[test]
    fn whole_numbers_are_exact_and_in_range() {
        check(Given::Float(3.0), Ok(3i64));
        check(written("3.0"), Ok(3i64));
        check(written(" 2e1 "), Ok(20u8));
        check(written("-0"), Ok(0u8));
        check(Given::Unsigned(u64::MAX), Ok(u64::MAX));
        check(written("18446744073709551615"), Ok(u64::MAX));
        check(written("9007199254740993"), Ok(9_007_199_254_740_993i64));
        check::<i64>(Given::Float(1.5), Err("`1.5` is not a whole number"));
        check::<u8>(Given::Unsigned(256), Err("`256` is out of range for UINT8"));
        check::<u8>(written("-1"), Err("`-1` is out of range for UINT8"));
        check::<i64>(Given::Float(f64::INFINITY), Err("`inf` is not a whole number"));
        // 2^53 + 1 reads as the same double
        let inexact = "is a float too large to be exact; write the whole number without a fraction or exponent";
        check::<i64>(Given::Float(EXACT_BELOW), Err(&format!("`9007199254740992.0` {inexact}")));
        check::<i64>(written("9007199254740993.0"), Err(&format!("`9007199254740993.0` {inexact}")));
        check::<i64>(Given::Bool(true), Err("`true` is not a whole number"));
        check::<i64>(Given::Text("1".into()), Err("`\"1\"` is not a whole number"));
    }

    #[test]
    fn floats_that_would_become_infinite_are_out_of_range() {
        check::<f32>(Given::Float(1e39), Err("`1e39` is out of range for FP32"));
        check::<f32>(written("1e39"), Err("`1e39` is out of range for FP32"));
        check::<f64>(written("1e400"), Err("`1e400` is out of range for FP64"));
        check(Given::Unsigned(16_777_217), Ok(16_777_216f32));
        check::<f64>(Given::Bool(true), Err("`true` is not a number"));
    }

    #[test]
    fn booleans_are_words_or_0_and_1() {
        for given in
            [Given::Bool(true), Given::Unsigned(1), Given::Float(1.0), written("True"), written("1"), written("1.0")]
        {
            check(given, Ok(true));
        }
        for given in [Given::Signed(0), written("FALSE"), written(" 0")] {
            check(given, Ok(false));
        }
        check::<bool>(Given::Unsigned(2), Err("`2` is not true or false"));
        check::<bool>(Given::Text("true".into()), Err("`\"true\"` is not true or false"));
        check::<bool>(written("yes"), Err("`yes` is not true or false"));
    }

    #[test]
    fn texts_stay_as_they_are() {
        check(written(" 017 "), Ok(" 017 ".to_owned()));
        check(Given::Text("é".into()), Ok("é".to_owned()));
        check::<String>(Given::Unsigned(1), Err("`1` is not a text"));
        let long = "x".repeat(41);
        check::<i64>(written(&long), Err(&format!("`{}…` is not a whole number", "x".repeat(40))));
    }

    /// The same value as JSON, as a cell of CSV and as a typed cell: same element, or refused by all.
    fn agree(datatype: Datatype, value: &Value, typed: Given<'_>) -> Result<(), TestCaseError> {
        let text = match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        let of_json = collect(datatype, Given::of_json(value));
        let of_csv = collect(datatype, [written(&text)]);
        let of_table = collect(datatype, [typed]);
        let bits = |made: &Result<TensorData, Misfit>| made.as_ref().ok().map(bits);
        // all of CSV are texts, also what JSON writes as a number, and an empty cell is a text too
        if datatype != Datatype::Bytes {
            prop_assert_eq!(bits(&of_json), bits(&of_csv), "{} {}", datatype, value);
        }
        prop_assert_eq!(bits(&of_json), bits(&of_table), "{} {}", datatype, value);
        Ok(())
    }

    fn bits(data: &TensorData) -> String {
        match data {
            TensorData::Float(x) => format!("{:?}", x.iter().map(|x| x.to_bits()).collect::<Vec<_>>()),
            TensorData::Double(x) => format!("{:?}", x.iter().map(|x| x.to_bits()).collect::<Vec<_>>()),
            other => format!("{other:?}"),
        }
    }

    fn any_value() -> impl Strategy<Value = (Value, Given<'static>)> {
        prop_oneof![
            Just((Value::Null, Given::Missing)),
            any::<bool>().prop_map(|value| (json!(value), Given::Bool(value))),
            any::<u64>().prop_map(|value| (json!(value), Given::Unsigned(value))),
            any::<i64>().prop_map(|value| (json!(value), Given::Signed(value))),
            (-300i64..300).prop_map(|value| (json!(value), Given::Signed(value))),
            (-300i64..300).prop_map(|value| (json!(value as f64), Given::Float(value as f64))),
            any::<u64>()
                .prop_map(f64::from_bits)
                .prop_filter("JSON has no form", |value| value.is_finite())
                .prop_map(|value| (json!(value), Given::Float(value))),
            prop_oneof![Just("NaN"), Just("Infinity"), Just("-Infinity")]
                .prop_map(|text| (json!(text), Given::Written(text.into()))),
        ]
    }

    proptest! {
        #[test]
        fn a_value_is_the_same_element_by_every_door((value, typed) in any_value(), datatype in 0..ALL.len()) {
            agree(ALL[datatype], &value, typed)?;
        }

        #[test]
        fn texts_are_the_same_by_every_door(text in any::<String>()) {
            agree(Datatype::Bytes, &json!(text), Given::Text(text.clone().into()))?;
            let of_csv = collect(Datatype::Bytes, [written(&text)]);
            prop_assert_eq!(of_csv, Ok(TensorData::String(vec![text.clone()])));
        }
    }
}
