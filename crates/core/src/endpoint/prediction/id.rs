//! The id of a prediction, which is also its address.

use std::{fmt, str::FromStr};

use data_encoding::{Encoding, Specification};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::ConstantTimeEq as _;

/// First byte of every id; a change of layout or MAC changes it.
const FORMAT: u8 = 1;
const TEXT_PREFIX: &str = "pred_";
const ID_BYTES: usize = 1 + ADDRESS_BYTES + 8;
const ADDRESS_BYTES: usize = 8 + 2 + 4;

/// Crockford's base 32 in lower case: no `i`, `l`, `o`, `u`.
fn base32() -> &'static Encoding {
    static ENCODING: std::sync::LazyLock<Encoding> = std::sync::LazyLock::new(|| {
        let mut specification = Specification::new();
        specification.symbols.push_str("0123456789abcdefghjkmnpqrstvwxyz");
        specification.encoding().expect("32 distinct symbols are a valid base-32 alphabet")
    });
    &ENCODING
}

/// Where a record lies: needs no index, only the segment's catalogue entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct PredictionAddress {
    /// Milliseconds since the epoch in the upper 48 bits, 16 random bits below.
    pub segment: u64,
    /// The endpoint's number in its home, given once at creation.
    pub endpoint: u16,
    /// Counts from 0 within the segment and endpoint.
    pub row: u32,
}

/// The key that makes prediction ids unguessable; one per home, never shown.
#[derive(Clone)]
pub struct PredictionKey([u8; 32]);

impl PredictionKey {
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for PredictionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PredictionKey(hidden)")
    }
}

/// The public id of a prediction: its address and a 64-bit keyed BLAKE3 MAC over it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PredictionId([u8; ID_BYTES]);

/// A text that is not a prediction id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a prediction id; expected `pred_` and 37 letters and digits")]
pub struct PredictionIdError(pub String);

impl PredictionId {
    /// Makes the id of the record at an address.
    pub fn seal(address: PredictionAddress, key: &PredictionKey) -> Self {
        let mut bytes = [0; ID_BYTES];
        bytes[0] = FORMAT;
        bytes[1..9].copy_from_slice(&address.segment.to_be_bytes());
        bytes[9..11].copy_from_slice(&address.endpoint.to_be_bytes());
        bytes[11..15].copy_from_slice(&address.row.to_be_bytes());
        let mac = mac(&bytes[..15], key);
        bytes[15..].copy_from_slice(&mac);
        Self(bytes)
    }

    /// Returns the address if this home made the id, in constant time.
    pub fn open(&self, key: &PredictionKey) -> Option<PredictionAddress> {
        let expected = mac(&self.0[..15], key);
        let genuine: bool = expected.ct_eq(&self.0[15..]).into();
        genuine.then(|| self.claimed_address())
    }

    fn claimed_address(&self) -> PredictionAddress {
        let field = |range: std::ops::Range<usize>| self.0[range].iter().fold(0u64, |acc, b| acc << 8 | u64::from(*b));
        PredictionAddress { segment: field(1..9), endpoint: field(9..11) as u16, row: field(11..15) as u32 }
    }
}

fn mac(bytes: &[u8], key: &PredictionKey) -> [u8; 8] {
    let hash = blake3::keyed_hash(&key.0, bytes);
    let mut mac = [0; 8];
    mac.copy_from_slice(&hash.as_bytes()[..8]);
    mac
}

impl fmt::Display for PredictionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{TEXT_PREFIX}{}", base32().encode(&self.0))
    }
}

impl fmt::Debug for PredictionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PredictionId {
    type Err = PredictionIdError;
    fn from_str(text: &str) -> Result<Self, PredictionIdError> {
        let refuse = || PredictionIdError(text.to_owned());
        let encoded = text.strip_prefix(TEXT_PREFIX).ok_or_else(refuse)?;
        let bytes = base32().decode(encoded.as_bytes()).map_err(|_| refuse())?;
        let bytes: [u8; ID_BYTES] = bytes.try_into().map_err(|_| refuse())?;
        if bytes[0] == FORMAT { Ok(Self(bytes)) } else { Err(refuse()) }
    }
}

impl schemars::JsonSchema for PredictionId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PredictionId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^pred_[0-9a-z]{37}$" })
    }
}

impl Serialize for PredictionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PredictionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: PredictionKey = PredictionKey([7; 32]);

    fn address() -> PredictionAddress {
        PredictionAddress { segment: 0x0199_1234_5678_9abc, endpoint: 3, row: 70_000 }
    }

    #[test]
    fn an_id_is_its_address_and_survives_text() {
        let id = PredictionId::seal(address(), &KEY);
        let text = id.to_string();
        assert_eq!(text.len(), 42);
        assert_eq!(text.parse::<PredictionId>().unwrap().open(&KEY), Some(address()));
    }

    #[test]
    fn the_format_of_ids_is_frozen() {
        assert_eq!(PredictionId::seal(address(), &KEY).to_string(), FROZEN);
    }
    const FROZEN: &str = "pred_040sj4hmasw9nf000c0024bgrs4yxsp732wnm";

    #[test]
    fn neighbours_and_foreign_keys_are_not_accepted() {
        let id = PredictionId::seal(address(), &KEY);
        assert_eq!(id.open(&PredictionKey([8; 32])), None);
        let mut guessed = id;
        guessed.0[14] ^= 1;
        assert_eq!(guessed.open(&KEY), None);
        for text in ["pred_", "pred_0", "run_1", "", &id.to_string()[..41]] {
            assert!(text.parse::<PredictionId>().is_err(), "{text}");
        }
    }
}
