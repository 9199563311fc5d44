//! How long something is as JSON: requests have a bound, and what is sent together must fit under it.

use std::io::{self, Write};

use serde::Serialize;
use stemma_core::Problem;

struct Counting(usize);

impl Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// With the comma behind it.
pub fn json_bytes(value: &impl Serialize) -> Result<usize, Problem> {
    let mut counting = Counting(1);
    serde_json::to_writer(&mut counting, value)
        .map_err(|error| Problem::invalid(format!("it can't be sent as JSON: {error}")))?;
    Ok(counting.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn everything_counts_as_long_as_it_is_written() {
        for value in [json!([1.5, "a\"\u{1}", null]), json!({ "x": vec![0.123_456_789_012_345_6; 64] }), json!("")] {
            assert_eq!(json_bytes(&value).unwrap(), value.to_string().len() + 1);
        }
    }
}
