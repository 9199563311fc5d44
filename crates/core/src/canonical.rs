//! Canonical JSON (RFC 8785), the one form in which records are hashed.

use serde::Serialize;

use crate::Digest;

/// Returns the RFC 8785 bytes of a value.
///
/// Fails on numbers JSON can't hold (NaN, infinities) and on map keys that are not strings.
pub fn to_bytes<T: Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    serde_json_canonicalizer::to_vec(value)
}

/// Returns the digest of a value's canonical bytes, and the bytes.
pub fn digest<T: Serialize>(value: &T) -> Result<(Digest, Vec<u8>), serde_json::Error> {
    let bytes = to_bytes(value)?;
    Ok((Digest::of(&bytes), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_sorted_and_numbers_shortest() {
        let value = serde_json::json!({"b": 1.0, "a": [1e21, 0.1, "é"], "": null});
        assert_eq!(to_bytes(&value).unwrap(), r#"{"":null,"a":[1e+21,0.1,"é"],"b":1}"#.as_bytes());
    }
}
