//! One cell of a table, and what it is in a request or in CSV.

use arrow_array::{
    Array, ArrayRef,
    cast::AsArray as _,
    types::{
        Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
        UInt64Type,
    },
};
use arrow_schema::DataType;
use serde_json::Value;
use stemma_core::signature::Datatype;

/// Longest text of a cell that a message shows.
const SHOWN_CHARS_MAX: usize = 40;

/// A cell as it was read.
#[derive(Debug, Clone)]
pub enum Cell<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float32(f32),
    Float(f64),
    Text(&'a str),
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

/// True if a cell of this type is one value, which CSV can hold.
pub fn is_plain(datatype: &DataType) -> bool {
    use DataType as D;
    match datatype {
        D::Dictionary(keys, values) => is_plain(keys) && is_plain(values),
        other => {
            other.is_integer()
                || matches!(other, D::Null | D::Boolean | D::Float32 | D::Float64)
                || matches!(other, D::Utf8 | D::LargeUtf8 | D::Utf8View)
        }
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
            D::Int8 => Self::Int(array.as_primitive::<Int8Type>().value(row).into()),
            D::Int16 => Self::Int(array.as_primitive::<Int16Type>().value(row).into()),
            D::Int32 => Self::Int(array.as_primitive::<Int32Type>().value(row).into()),
            D::Int64 => Self::Int(array.as_primitive::<Int64Type>().value(row)),
            D::UInt8 => Self::Uint(array.as_primitive::<UInt8Type>().value(row).into()),
            D::UInt16 => Self::Uint(array.as_primitive::<UInt16Type>().value(row).into()),
            D::UInt32 => Self::Uint(array.as_primitive::<UInt32Type>().value(row).into()),
            D::UInt64 => Self::Uint(array.as_primitive::<UInt64Type>().value(row)),
            D::Float32 => Self::Float32(array.as_primitive::<Float32Type>().value(row)),
            D::Float64 => Self::Float(array.as_primitive::<Float64Type>().value(row)),
            D::Utf8 => Self::Text(array.as_string::<i32>().value(row)),
            D::LargeUtf8 => Self::Text(array.as_string::<i64>().value(row)),
            D::Utf8View => Self::Text(array.as_string_view().value(row)),
            D::List(_) => Self::List(array.as_list::<i32>().value(row)),
            D::LargeList(_) => Self::List(array.as_list::<i64>().value(row)),
            D::FixedSizeList(..) => Self::List(array.as_fixed_size_list().value(row)),
            D::Dictionary(..) => Self::of_dictionary(array, row),
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

    /// As CSV writes it; empty for nothing. Numbers read back as the same numbers.
    pub fn text(&self) -> String {
        match self {
            Self::Null | Self::List(_) => String::new(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Uint(value) => value.to_string(),
            Self::Float32(value) => format!("{value:?}"),
            Self::Float(value) => format!("{value:?}"),
            Self::Text(text) => (*text).to_owned(),
        }
    }

    /// The values that a request holds for this cell, `count` of them, or what the cell should have been.
    pub fn elements(&self, datatype: Datatype, count: usize) -> Result<Vec<Value>, String> {
        match self {
            Self::List(list) if list.len() == count => {
                (0..count).map(|at| Cell::at(list, at).element(datatype)).collect()
            }
            Self::List(list) => Err(format!("must hold {count} values, not {}", list.len())),
            Self::Text(text) if count != 1 => of_list(text, datatype, count),
            _ if count == 1 => Ok(vec![self.element(datatype)?]),
            _ => Err(format!("must be a list of {count} values")),
        }
    }

    fn element(&self, datatype: Datatype) -> Result<Value, String> {
        use Datatype as D;
        let value = match datatype {
            D::Bool => self.bool().map(Value::from),
            D::Bytes => match self {
                Self::Text(text) => Some(Value::from(*text)),
                _ => None,
            },
            D::Fp16 | D::Fp32 | D::Fp64 => self.float().map(Value::from).filter(Value::is_number),
            D::Uint8 | D::Uint16 | D::Uint32 | D::Uint64 => {
                self.integer().and_then(|whole| u64::try_from(whole).ok()).map(Value::from)
            }
            D::Int8 | D::Int16 | D::Int32 | D::Int64 => {
                self.integer().and_then(|whole| i64::try_from(whole).ok()).map(Value::from)
            }
        };
        value.ok_or_else(|| match self {
            Self::Null => format!("must be {}, and is missing", wanted(datatype)),
            Self::Text("") => format!("must be {}, and is empty", wanted(datatype)),
            cell => format!("must be {}, not `{}`", wanted(datatype), shown(&cell.text())),
        })
    }

    fn bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            Self::Text("true" | "True" | "TRUE") => Some(true),
            Self::Text("false" | "False" | "FALSE") => Some(false),
            _ => None,
        }
    }

    fn float(&self) -> Option<f64> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "a number that the model reads as a float anyway")]
            Self::Int(value) => Some(*value as f64),
            #[expect(clippy::cast_precision_loss, reason = "a number that the model reads as a float anyway")]
            Self::Uint(value) => Some(*value as f64),
            Self::Float32(value) => Some(f64::from(*value)),
            Self::Float(value) => Some(*value),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// Whole numbers that other programs keep as floats because of gaps in the column are whole numbers too.
    fn integer(&self) -> Option<i128> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let of_float = |value: f64| (value.fract() == 0.0 && value.abs() <= EXACT).then_some(value as i128);
        match self {
            Self::Int(value) => Some((*value).into()),
            Self::Uint(value) => Some((*value).into()),
            Self::Float32(value) => of_float(f64::from(*value)),
            Self::Float(value) => of_float(*value),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }
}

/// A list as JSON, which is how it stands in a CSV file.
fn of_list(text: &str, datatype: Datatype, count: usize) -> Result<Vec<Value>, String> {
    let wrong = || format!("must be a list of {count} values like `[1, 2]`, not `{}`", shown(text));
    let Ok(Value::Array(values)) = serde_json::from_str(text) else { return Err(wrong()) };
    if values.len() != count {
        return Err(wrong());
    }
    let element = |value: Value| match value {
        Value::String(text) => Cell::Text(&text).element(datatype),
        other => Cell::Text(&other.to_string()).element(datatype),
    };
    values.into_iter().map(element).collect()
}

fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

const fn wanted(datatype: Datatype) -> &'static str {
    use Datatype as D;
    match datatype {
        D::Bool => "true or false",
        D::Bytes => "a text",
        D::Fp16 | D::Fp32 | D::Fp64 => "a finite number",
        D::Uint8 | D::Uint16 | D::Uint32 | D::Uint64 => "a whole number from 0 on",
        D::Int8 | D::Int16 | D::Int32 | D::Int64 => "a whole number",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(cell: Cell<'_>, datatype: Datatype, expected: Result<Value, &str>) {
        assert_eq!(
            cell.elements(datatype, 1).map(Value::from),
            expected.map(|value| json!([value])).map_err(str::to_owned)
        );
    }

    #[test]
    fn cells_become_elements() {
        use Datatype as D;
        check(Cell::Text("1.5"), D::Fp32, Ok(json!(1.5)));
        check(Cell::Text(" 7 "), D::Int64, Ok(json!(7)));
        check(Cell::Text("7"), D::Bytes, Ok(json!("7")));
        check(Cell::Text(""), D::Bytes, Ok(json!("")));
        check(Cell::Text("True"), D::Bool, Ok(json!(true)));
        check(Cell::Float(3.0), D::Int32, Ok(json!(3)));
        check(Cell::Uint(u64::MAX), D::Uint64, Ok(json!(u64::MAX)));
        check(Cell::Text(""), D::Fp64, Err("must be a finite number, and is empty"));
        check(Cell::Null, D::Bytes, Err("must be a text, and is missing"));
        check(Cell::Text("NaN"), D::Fp64, Err("must be a finite number, not `NaN`"));
        check(Cell::Float(f64::INFINITY), D::Fp64, Err("must be a finite number, not `inf`"));
        check(Cell::Text("1.5"), D::Int64, Err("must be a whole number, not `1.5`"));
        check(Cell::Int(-1), D::Uint8, Err("must be a whole number from 0 on, not `-1`"));
        check(Cell::Uint(u64::MAX), D::Int64, Err("must be a whole number, not `18446744073709551615`"));
        check(Cell::Int(1), D::Bool, Err("must be true or false, not `1`"));
    }

    #[test]
    fn a_wide_cell_is_a_list() {
        assert_eq!(Cell::Text("[1, 2.5]").elements(Datatype::Fp32, 2).unwrap(), [json!(1.0), json!(2.5)]);
        assert_eq!(Cell::Text(r#"["a", "b"]"#).elements(Datatype::Bytes, 2).unwrap(), [json!("a"), json!("b")]);
        assert!(Cell::Text("[1]").elements(Datatype::Fp32, 2).is_err());
        assert!(Cell::Text("1,2").elements(Datatype::Fp32, 2).is_err());
        assert!(Cell::Int(1).elements(Datatype::Fp32, 2).is_err());
    }
}
