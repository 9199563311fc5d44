//! Which request of a distributed trace a prediction was a part of: `traceparent` of W3C Trace Context.

use std::{fmt, str::FromStr};

use data_encoding::HEXLOWER;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// So many bytes, written as digits of base 16 in lower case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hex<const N: usize>([u8; N]);

/// The trace that a caller works in, and the caller's own part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trace {
    pub trace_id: Hex<16>,
    pub parent_id: Hex<8>,
    /// As they came; bit 0 says that the caller may have recorded the trace.
    pub flags: u8,
}

/// A text that is not so many digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {digits} digits of base 16 in lower case")]
pub struct HexError {
    text: String,
    digits: usize,
}

impl Trace {
    /// Reads a `traceparent`; `None` if it is malformed, which the standard says to ignore.
    ///
    /// Of later versions of the header only what version 0 has is read.
    pub fn parse(traceparent: &str) -> Option<Self> {
        let mut parts = traceparent.splitn(5, '-');
        let version: Hex<1> = parts.next()?.parse().ok()?;
        let (trace_id, parent_id): (Hex<16>, Hex<8>) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let flags: Hex<1> = parts.next()?.parse().ok()?;
        let goes_on = parts.next().is_some();
        let is_version = version.0[0] != 0xff && !(goes_on && version.0[0] == 0);
        let is_set = trace_id != Hex([0; 16]) && parent_id != Hex([0; 8]);
        (is_version && is_set).then_some(Self { trace_id, parent_id, flags: flags.0[0] })
    }
}

impl fmt::Display for Trace {
    /// As in a `traceparent` of version 0.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace_id, self.parent_id, self.flags)
    }
}

impl<const N: usize> Hex<N> {
    pub const fn from_bytes(bytes: [u8; N]) -> Self {
        Self(bytes)
    }
}

impl<const N: usize> fmt::Display for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl<const N: usize> fmt::Debug for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<const N: usize> FromStr for Hex<N> {
    type Err = HexError;
    fn from_str(text: &str) -> Result<Self, HexError> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| HexError { text: text.to_owned(), digits: 2 * N })
    }
}

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl<const N: usize> JsonSchema for Hex<N> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Hex{N}").into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": format!("^[0-9a-f]{{{}}}$", 2 * N) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const PARENT: &str = "00f067aa0ba902b7";

    #[test]
    fn a_traceparent_is_read() {
        for (header, flags) in [
            (format!("00-{TRACE}-{PARENT}-01"), 1),
            (format!("00-{TRACE}-{PARENT}-ff"), 0xff),
            (format!("01-{TRACE}-{PARENT}-00"), 0),
            (format!("cc-{TRACE}-{PARENT}-01-what-comes-later"), 1),
        ] {
            let trace = Trace::parse(&header).unwrap();
            assert_eq!((trace.trace_id.to_string().as_str(), trace.parent_id.to_string().as_str()), (TRACE, PARENT));
            assert_eq!(trace.flags, flags, "{header}");
        }
    }

    #[test]
    fn what_is_malformed_is_no_trace() {
        let zeros = "0".repeat(32);
        for header in [
            String::new(),
            format!("ff-{TRACE}-{PARENT}-01"),
            format!("00-{TRACE}-{PARENT}-01-more"),
            format!("00-{TRACE}-{PARENT}-01-"),
            format!("00-{zeros}-{PARENT}-01"),
            format!("00-{TRACE}-{}-01", &zeros[..16]),
            format!("00-{}-{PARENT}-01", TRACE.to_uppercase()),
            format!("00-{}-{PARENT}-01", &TRACE[1..]),
            format!("00-{TRACE}-{PARENT}-1"),
            format!("00-{TRACE}-{PARENT}"),
            format!("0-{TRACE}-{PARENT}-01"),
            format!("cc-{TRACE}-{PARENT}-01.later"),
        ] {
            assert_eq!(Trace::parse(&header), None, "{header}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_sent_is_read_or_ignored(header in "[0-9a-f-]{0,60}|\\PC{0,60}") {
            if let Some(trace) = Trace::parse(&header) {
                prop_assert!(header.contains(&trace.to_string()[2..]));
                prop_assert_eq!(Trace::parse(&trace.to_string()), Some(trace));
            }
        }
    }
}
