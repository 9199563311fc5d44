//! One cell of a table.

use std::borrow::Cow;

use arrow_array::{Array, ArrayRef, cast::AsArray as _, types as t};
use arrow_buffer::i256;
use arrow_schema::{DataType, IntervalUnit, TimeUnit};
use serde_json::Value;

use crate::{number::Number, time::Time};

/// A cell as it was read.
#[derive(Debug, Clone)]
pub enum Cell<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float32(f32),
    Float(f64),
    /// Digits, and the power of ten that they are divided by.
    Decimal(i256, i8),
    Text(&'a str),
    Bytes(&'a [u8]),
    Time(Time),
    List(ArrayRef),
}

/// True if cells of this type can be read.
pub fn is_readable(datatype: &DataType) -> bool {
    match datatype {
        DataType::Dictionary(keys, values) => is_readable(keys) && is_readable(values),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            is_readable(item.data_type())
        }
        other => is_plain(other),
    }
}

/// True if a cell of this type is one value, which text can hold.
pub fn is_plain(datatype: &DataType) -> bool {
    use DataType as D;
    match datatype {
        D::Dictionary(keys, values) => is_plain(keys) && is_plain(values),
        D::Null | D::Boolean | D::Utf8 | D::LargeUtf8 | D::Utf8View => true,
        D::Binary | D::LargeBinary | D::BinaryView | D::FixedSizeBinary(_) => true,
        other => other.is_numeric() || other.is_temporal(),
    }
}

/// True for floats of 32 bits and less.
pub fn is_single(datatype: &DataType) -> bool {
    match datatype {
        DataType::Dictionary(_, values) => is_single(values),
        other => matches!(other, DataType::Float16 | DataType::Float32),
    }
}

impl<'a> Cell<'a> {
    /// Types that can't be read give `Null`; [`is_readable`] is asked before.
    pub fn at(array: &'a dyn Array, row: usize) -> Self {
        use DataType as D;
        if array.is_null(row) {
            return Self::Null;
        }
        match array.data_type() {
            D::Boolean => Self::Bool(array.as_boolean().value(row)),
            D::Utf8 => Self::Text(array.as_string::<i32>().value(row)),
            D::LargeUtf8 => Self::Text(array.as_string::<i64>().value(row)),
            D::Utf8View => Self::Text(array.as_string_view().value(row)),
            D::Binary => Self::Bytes(array.as_binary::<i32>().value(row)),
            D::LargeBinary => Self::Bytes(array.as_binary::<i64>().value(row)),
            D::BinaryView => Self::Bytes(array.as_binary_view().value(row)),
            D::FixedSizeBinary(_) => Self::Bytes(array.as_fixed_size_binary().value(row)),
            D::List(_) => Self::List(array.as_list::<i32>().value(row)),
            D::LargeList(_) => Self::List(array.as_list::<i64>().value(row)),
            D::FixedSizeList(..) => Self::List(array.as_fixed_size_list().value(row)),
            D::Dictionary(..) => Self::of_dictionary(array, row),
            datatype if datatype.is_numeric() => Self::of_number(array, row),
            datatype if datatype.is_temporal() => of_time(array, row).map_or(Self::Null, Self::Time),
            _ => Self::Null,
        }
    }

    fn of_number(array: &dyn Array, row: usize) -> Self {
        use DataType as D;
        match array.data_type() {
            D::Int8 => Self::Int(array.as_primitive::<t::Int8Type>().value(row).into()),
            D::Int16 => Self::Int(array.as_primitive::<t::Int16Type>().value(row).into()),
            D::Int32 => Self::Int(array.as_primitive::<t::Int32Type>().value(row).into()),
            D::Int64 => Self::Int(array.as_primitive::<t::Int64Type>().value(row)),
            D::UInt8 => Self::Uint(array.as_primitive::<t::UInt8Type>().value(row).into()),
            D::UInt16 => Self::Uint(array.as_primitive::<t::UInt16Type>().value(row).into()),
            D::UInt32 => Self::Uint(array.as_primitive::<t::UInt32Type>().value(row).into()),
            D::UInt64 => Self::Uint(array.as_primitive::<t::UInt64Type>().value(row)),
            D::Float16 => Self::Float32(array.as_primitive::<t::Float16Type>().value(row).to_f32()),
            D::Float32 => Self::Float32(array.as_primitive::<t::Float32Type>().value(row)),
            D::Float64 => Self::Float(array.as_primitive::<t::Float64Type>().value(row)),
            D::Decimal32(_, scale) => Self::Decimal(array.as_primitive::<t::Decimal32Type>().value(row).into(), *scale),
            D::Decimal64(_, scale) => Self::Decimal(array.as_primitive::<t::Decimal64Type>().value(row).into(), *scale),
            D::Decimal128(_, scale) => {
                Self::Decimal(i256::from_i128(array.as_primitive::<t::Decimal128Type>().value(row)), *scale)
            }
            D::Decimal256(_, scale) => Self::Decimal(array.as_primitive::<t::Decimal256Type>().value(row), *scale),
            _ => Self::Null,
        }
    }

    fn of_dictionary(array: &'a dyn Array, row: usize) -> Self {
        let dictionary = array.as_any_dictionary();
        let key = match Cell::at(dictionary.keys(), row) {
            Cell::Int(key) => usize::try_from(key).ok(),
            Cell::Uint(key) => usize::try_from(key).ok(),
            _ => None,
        };
        let values: &'a dyn Array = dictionary.values().as_ref();
        match key.filter(|key| *key < values.len()) {
            Some(key) => Cell::at(values, key),
            None => Self::Null,
        }
    }

    /// As CSV writes it; empty for nothing. Numbers and times read back as the same ones, lists are JSON, and bytes that
    /// are no text are in hexadecimal.
    pub fn text(&self) -> Cow<'a, str> {
        match self {
            Self::Null => Cow::Borrowed(""),
            Self::List(_) => Cow::Owned(self.json().to_string()),
            Self::Bool(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
            Self::Int(value) => Cow::Owned(value.to_string()),
            Self::Uint(value) => Cow::Owned(value.to_string()),
            Self::Float32(value) => Cow::Owned(format!("{value:?}")),
            Self::Float(value) => Cow::Owned(format!("{value:?}")),
            Self::Decimal(digits, scale) => Cow::Owned(decimal(*digits, *scale)),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) => Cow::Owned(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
            },
            Self::Time(time) => Cow::Owned(time.to_string()),
        }
    }

    /// As JSON writes it: numbers, texts, true and false as they are, what JSON has no type for as text.
    pub fn json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::from(*value),
            Self::Int(value) => Value::from(*value),
            Self::Uint(value) => Value::from(*value),
            // as it is written: the nearest double of 0.1 is not 0.1
            Self::Float32(value) => value.to_string().parse::<f64>().map_or(Value::Null, Value::from),
            Self::Float(value) => Value::from(*value),
            Self::List(list) => (0..list.len()).map(|at| json(list, at)).collect(),
            cell => Value::from(cell.text().into_owned()),
        }
    }

    /// The number that the cell holds or writes, exactly.
    pub fn number(&self) -> Option<Number> {
        match self {
            Self::Int(value) => Some(Number::Whole((*value).into())),
            Self::Uint(value) => Some(Number::Whole((*value).into())),
            Self::Float32(value) => Number::of_f32(*value),
            Self::Float(value) => Number::of_f64(*value),
            Self::Decimal(digits, scale) => Number::parse(&decimal(*digits, *scale)),
            Self::Text(text) => Number::parse(text),
            _ => None,
        }
    }
}

/// A cell of any type as JSON, also of those that are no cells elsewhere: groups of named values, and maps.
pub fn json(array: &dyn Array, row: usize) -> Value {
    use DataType as D;
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        D::Struct(fields) => {
            let columns = fields.iter().zip(array.as_struct().columns());
            columns.map(|(field, column)| (field.name().clone(), json(column, row))).collect()
        }
        D::Map(..) => {
            let entries = array.as_map().value(row);
            (0..entries.len()).map(|at| json(&entries, at)).collect()
        }
        _ => Cell::at(array, row).json(),
    }
}

fn decimal(digits: i256, scale: i8) -> String {
    let text = digits.to_string();
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
    match usize::try_from(scale) {
        Ok(0) => text,
        Ok(scale) => {
            let padded = format!("{digits:0>width$}", width = scale + 1);
            let (whole, fraction) = padded.split_at(padded.len() - scale);
            format!("{sign}{whole}.{fraction}")
        }
        Err(_) => format!("{text}{}", "0".repeat(usize::from(scale.unsigned_abs()))),
    }
}

fn of_time(array: &dyn Array, row: usize) -> Option<Time> {
    use DataType as D;
    Some(match array.data_type() {
        D::Date32 => Time::Date(array.as_primitive::<t::Date32Type>().value(row).into()),
        D::Date64 => {
            let millis: i128 = array.as_primitive::<t::Date64Type>().value(row).into();
            Time::Instant { nanos: millis * 1_000_000, has_zone: false }
        }
        D::Timestamp(unit, zone) => Time::Instant { nanos: timestamp(array, *unit, row), has_zone: zone.is_some() },
        D::Time32(TimeUnit::Second) => of_day(array.as_primitive::<t::Time32SecondType>().value(row), 1_000_000_000),
        D::Time32(_) => of_day(array.as_primitive::<t::Time32MillisecondType>().value(row), 1_000_000),
        D::Time64(TimeUnit::Microsecond) => of_day(array.as_primitive::<t::Time64MicrosecondType>().value(row), 1_000),
        D::Time64(_) => of_day(array.as_primitive::<t::Time64NanosecondType>().value(row), 1),
        D::Duration(unit) => Time::Duration { nanos: duration(array, *unit, row) },
        D::Interval(IntervalUnit::YearMonth) => {
            let months = array.as_primitive::<t::IntervalYearMonthType>().value(row);
            Time::Interval { months, days: 0, nanos: 0 }
        }
        D::Interval(IntervalUnit::DayTime) => {
            let value = array.as_primitive::<t::IntervalDayTimeType>().value(row);
            Time::Interval { months: 0, days: value.days, nanos: i64::from(value.milliseconds) * 1_000_000 }
        }
        D::Interval(IntervalUnit::MonthDayNano) => {
            let value = array.as_primitive::<t::IntervalMonthDayNanoType>().value(row);
            Time::Interval { months: value.months, days: value.days, nanos: value.nanoseconds }
        }
        _ => return None,
    })
}

fn of_day(value: impl Into<i128>, unit: i128) -> Time {
    Time::OfDay { nanos: value.into() * unit }
}

fn timestamp(array: &dyn Array, unit: TimeUnit, row: usize) -> i128 {
    match unit {
        TimeUnit::Second => i128::from(array.as_primitive::<t::TimestampSecondType>().value(row)) * 1_000_000_000,
        TimeUnit::Millisecond => i128::from(array.as_primitive::<t::TimestampMillisecondType>().value(row)) * 1_000_000,
        TimeUnit::Microsecond => i128::from(array.as_primitive::<t::TimestampMicrosecondType>().value(row)) * 1_000,
        TimeUnit::Nanosecond => array.as_primitive::<t::TimestampNanosecondType>().value(row).into(),
    }
}

fn duration(array: &dyn Array, unit: TimeUnit, row: usize) -> i128 {
    match unit {
        TimeUnit::Second => i128::from(array.as_primitive::<t::DurationSecondType>().value(row)) * 1_000_000_000,
        TimeUnit::Millisecond => i128::from(array.as_primitive::<t::DurationMillisecondType>().value(row)) * 1_000_000,
        TimeUnit::Microsecond => i128::from(array.as_primitive::<t::DurationMicrosecondType>().value(row)) * 1_000,
        TimeUnit::Nanosecond => array.as_primitive::<t::DurationNanosecondType>().value(row).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_written_whole() {
        let text = |cell: Cell<'_>| cell.text().into_owned();
        assert_eq!(text(Cell::Decimal(i256::from_i128(-5), 2)), "-0.05");
        assert_eq!(text(Cell::Decimal(i256::from_i128(12_345), 2)), "123.45");
        assert_eq!(text(Cell::Decimal(i256::from_i128(12), -3)), "12000");
        assert_eq!(text(Cell::Uint(u64::MAX)), "18446744073709551615");
        assert_eq!(text(Cell::Float32(0.1)), "0.1");
        assert_eq!(text(Cell::Bytes(b"\xff\x00")), "ff00");
        assert_eq!(text(Cell::Bytes(b"abc")), "abc");
    }
}
