//! The elements of a tensor: nested or flat JSON arrays, read straight into the type they are for.

use std::fmt;

use data_encoding::BASE64;
use serde::de::{self, DeserializeSeed, Deserializer, SeqAccess};
use stemma_tensor::{FromGiven, Given};

/// Deepest nesting of arrays.
const DEPTH_MAX: usize = 32;

/// How strings stand for bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    Plain,
    Base64,
}

/// Returns the leaves of nested or flat arrays in order, which must be as many as expected.
pub fn read<T: FromGiven>(json: &str, expected: usize) -> Result<Vec<T>, String> {
    // an element takes at least one byte and a comma, so hostile shapes reserve no more than the body's size
    let mut elements = Vec::with_capacity(expected.min(json.len() / 2 + 1));
    let leaves = Leaves { elements: &mut elements, expected, depth: 0 };
    leaves
        .deserialize(&mut serde_json::Deserializer::from_str(json))
        .map_err(|error| without_position(&error.to_string()).to_owned())?;
    match elements.len() {
        got if got == expected => Ok(elements),
        got => Err(format!("the shape needs {expected} elements, there are {got}")),
    }
}

/// Returns strings like [`read`], decoded if they stand for bytes.
pub fn read_text(json: &str, expected: usize, text: Text) -> Result<Vec<String>, String> {
    let strings: Vec<String> = read(json, expected)?;
    match text {
        Text::Plain => Ok(strings),
        Text::Base64 => strings.iter().map(|string| decode(string)).collect(),
    }
}

fn decode(base64: &str) -> Result<String, String> {
    let bytes = BASE64.decode(base64.as_bytes()).map_err(|_| "an element is not base64".to_owned())?;
    String::from_utf8(bytes).map_err(|_| "an element is not UTF-8 once decoded".to_owned())
}

/// The position is one within the tensor's data, which means nothing to the sender.
fn without_position(message: &str) -> &str {
    message.rsplit_once(" at line ").map_or(message, |(message, _)| message)
}

struct Leaves<'a, T> {
    elements: &'a mut Vec<T>,
    expected: usize,
    depth: usize,
}

impl<T: FromGiven> Leaves<'_, T> {
    fn push<E: de::Error>(self, given: Given<'_>) -> Result<(), E> {
        if self.depth == 0 {
            return Err(E::custom("`data` is not an array"));
        }
        if self.elements.len() == self.expected {
            let expected = self.expected;
            return Err(E::custom(format!("the shape needs {expected} elements, there are more")));
        }
        let at = self.elements.len();
        let element = T::from_given(given);
        let element = element.map_err(|unfit| match self.expected {
            1 => E::custom(unfit),
            _ => E::custom(format_args!("element {at}: {unfit}")),
        })?;
        self.elements.push(element);
        Ok(())
    }
}

impl<'de, T: FromGiven> DeserializeSeed<'de> for Leaves<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: FromGiven> de::Visitor<'de> for Leaves<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of elements")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.push(Given::Bool(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.push(Given::Unsigned(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.push(Given::Signed(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        self.push(Given::Float(value))
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.push(Given::Missing)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        self.push(Given::Text(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if self.depth == DEPTH_MAX {
            let message = format!("`data` is nested deeper than {DEPTH_MAX}");
            return Err(de::Error::custom(message));
        }
        loop {
            let inner = Leaves { elements: &mut *self.elements, expected: self.expected, depth: self.depth + 1 };
            if seq.next_element_seed(inner)?.is_none() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: FromGiven + PartialEq + fmt::Debug>(json: &str, expected: &[T]) {
        let read = read::<T>(json, expected.len());
        assert_eq!(read.unwrap(), expected, "{json}");
    }

    fn refuse<T: FromGiven + fmt::Debug>(json: &str, count: usize, message: &str) {
        assert_eq!(read::<T>(json, count).unwrap_err(), message, "{json}");
    }

    #[test]
    fn any_nesting_gives_the_leaves_in_order() {
        for json in ["[1,2,3,4]", "[[1,2],[3,4]]", "[[[1],2],[3,[4]]]", "[[],1,2,3,4]"] {
            check::<i64>(json, &[1, 2, 3, 4]);
        }
        check::<i64>("[]", &[]);
    }

    #[test]
    fn integers_are_exact_and_in_range() {
        check::<i64>("[9223372036854775807,-9223372036854775808]", &[i64::MAX, i64::MIN]);
        check::<u64>("[18446744073709551615]", &[u64::MAX]);
        check::<u8>("[1.0, 2e1, 0, -0, -0.0]", &[1, 20, 0, 0, 0]);
        refuse::<u8>("[1.5]", 1, "`1.5` is not a whole number");
        refuse::<u8>("[1, 256]", 2, "element 1: `256` is out of range for UINT8");
        let above = "9223372036854775808";
        refuse::<i64>(&format!("[{above}]"), 1, &format!("`{above}` is out of range for INT64"));
        assert!(read::<u64>("[18446744073709551616]", 1).unwrap_err().contains("too large to be exact"));
        assert!(read::<i64>("[null]", 1).unwrap_err().contains("is missing"));
        assert!(read::<i64>("[{}]", 1).is_err());
    }

    #[test]
    fn floats_take_any_number_and_none() {
        check::<f64>("[1, -2, 0.1, 1e300]", &[1.0, -2.0, 0.1, 1e300]);
        check::<f32>("[0.1, 16777217]", &[0.1, 16_777_216.0]);
        check::<f32>(r#"["Infinity", "-Infinity"]"#, &[f32::INFINITY, f32::NEG_INFINITY]);
        for json in ["[null]", r#"["NaN"]"#] {
            assert!(read::<f32>(json, 1).unwrap()[0].is_nan(), "{json}");
        }
        refuse::<f32>("[1e39]", 1, "`1e39` is out of range for FP32");
        assert!(read::<f64>("[1e400]", 1).is_err());
        assert!(read::<f64>("[NaN]", 1).is_err());
    }

    #[test]
    fn booleans_may_be_written_as_0_and_1() {
        check("[true, 0, false, 1.0]", &[true, false, false, true]);
        refuse::<bool>("[2]", 1, "`2` is not true or false");
    }

    #[test]
    fn strings_are_text_or_base64() {
        let plain = read_text(r#"["é\n", ""]"#, 2, Text::Plain).unwrap();
        assert_eq!(plain, ["é\n", ""]);
        let decoded = read_text(r#"["w6k=", ""]"#, 2, Text::Base64).unwrap();
        assert_eq!(decoded, ["é", ""]);
        assert!(read_text(r#"["w6k"]"#, 1, Text::Base64).is_err());
        assert!(read_text(r#"["/w=="]"#, 1, Text::Base64).is_err());
        refuse::<String>("[1]", 1, "`1` is not a text");
    }

    #[test]
    fn the_count_must_be_the_shapes_and_nesting_is_bounded() {
        refuse::<u8>("[1]", 2, "the shape needs 2 elements, there are 1");
        refuse::<u8>("[1,2,3]", 2, "the shape needs 2 elements, there are more");
        refuse::<u8>("1", 1, "`data` is not an array");
        let deep = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        check::<u8>(&deep(32), &[1]);
        refuse::<u8>(&deep(33), 1, "`data` is nested deeper than 32");
        assert!(read::<u8>(&"[".repeat(1 << 20), 1).is_err());
    }
}
