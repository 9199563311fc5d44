//! The unit that a request is assigned to an arm by, from whatever names it.

use crate::{Given, given::whole};

/// A text is the unit as it stands, a whole number is its digits: `17`, `17.0` and `"17"` are one unit, `"017"` is
/// another. A cell of digits with nothing but zeros behind its point is a whole number that some program wrote so.
///
/// Anything else is refused: a request whose unit was dropped would be sent to one arm now and to another later.
pub fn unit(given: &Given<'_>) -> Result<String, String> {
    match given {
        Given::Text(text) | Given::Written(text) if text.is_empty() => Err("it is empty".to_owned()),
        Given::Text(text) => Ok(text.to_string()),
        Given::Written(text) => Ok(without_zeros(text).to_owned()),
        Given::Unsigned(_) | Given::Signed(_) | Given::Float(_) => {
            whole::<i64>(given).map(|digits| digits.to_string()).map_err(|unfit| unfit.to_string())
        }
        Given::Missing => Err("it is null".to_owned()),
        Given::Bool(value) => Err(format!("`{value}` is neither a text nor a whole number")),
    }
}

fn without_zeros(text: &str) -> &str {
    let Some((digits, zeros)) = text.split_once('.') else { return text };
    let is_canonical = digits.parse::<i128>().is_ok_and(|number| number.to_string() == digits);
    let are_zeros = !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0');
    if is_canonical && are_zeros { digits } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_and_its_digits_are_one_unit() {
        for (value, expected) in [
            (json!(17), "17"),
            (json!(17.0), "17"),
            (json!("17"), "17"),
            (json!("017"), "017"),
            (json!("17.0"), "17.0"),
            (json!(-3), "-3"),
            (json!(9_007_199_254_740_993_u64), "9007199254740993"),
            (json!(u64::MAX), "18446744073709551615"),
            (json!(-0.0), "0"),
            (json!("é"), "é"),
        ] {
            assert_eq!(unit(&Given::of_json(&value).unwrap()).as_deref(), Ok(expected), "{value}");
        }
        for value in [json!(null), json!(true), json!(17.5), json!(1e300), json!(9_007_199_254_740_992.0), json!("")] {
            assert!(unit(&Given::of_json(&value).unwrap()).is_err(), "{value}");
        }
    }

    #[test]
    fn a_cell_is_the_unit_that_json_would_name() {
        for (cell, expected) in [
            ("17", "17"),
            ("17.0", "17"),
            ("17.00", "17"),
            ("017.0", "017.0"),
            ("17.5", "17.5"),
            ("a.0", "a.0"),
            ("17.", "17."),
        ] {
            assert_eq!(unit(&Given::Written(cell.into())).as_deref(), Ok(expected), "{cell}");
        }
        assert!(unit(&Given::Written("".into())).is_err());
    }
}
