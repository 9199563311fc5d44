//! What can stand in a case: single values, and flat lists of them.

use serde_json::Value;

const ELEMENTS_MAX: usize = 10_000;
pub(super) const TEXT_BYTES_MAX: usize = 4000;
/// Canonical JSON has no whole numbers beyond this.
const WHOLE_MAX: i64 = 1 << 53;

/// A value alone or a flat list of values; `nullable` for inputs.
pub(super) fn check_value(value: &Value, nullable: bool) -> Result<(), String> {
    let elements = match value {
        Value::Array(elements) => elements.as_slice(),
        value => std::slice::from_ref(value),
    };
    if elements.len() > ELEMENTS_MAX {
        return Err(format!("has more than {ELEMENTS_MAX} elements"));
    }
    for element in elements {
        match element {
            Value::Null if nullable => {}
            Value::Number(number) if number.is_f64() => {}
            Value::Number(number) if number.as_i64().is_some_and(|n| (-WHOLE_MAX..=WHOLE_MAX).contains(&n)) => {}
            Value::Number(number) => return Err(format!("is {number}, more than a JSON number can hold exactly")),
            Value::String(text) if text.len() <= TEXT_BYTES_MAX => {}
            Value::String(_) => return Err(format!("is a text longer than {TEXT_BYTES_MAX} bytes")),
            Value::Bool(_) => {}
            Value::Null => return Err("is `null`".to_owned()),
            Value::Array(_) | Value::Object(_) => return Err("is neither a value nor a list of values".to_owned()),
        }
    }
    Ok(())
}
