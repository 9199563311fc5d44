//! Models that are text: LightGBM's own, and XGBoost's JSON.

use std::{fmt, io::BufReader};

use serde::{
    Deserializer as _,
    de::{IgnoredAny, MapAccess, Visitor},
};
use stemma_core::look::ModelFormat;
use stemma_format::ReadAt;

use crate::{fault::Fault, findings::Findings, tape::Stretch};

const LIGHTGBM: &[u8] = b"tree\nversion=v";
/// LightGBM ends the list of its trees so, and then writes its parameters.
const LIGHTGBM_END: &[u8] = b"end of trees";
/// How much of JSON is read.
const JSON_LEN_MAX: u64 = 1 << 30;
const BUFFER: usize = 64 << 10;

pub(crate) fn is_lightgbm(start: &[u8]) -> bool {
    start.starts_with(LIGHTGBM)
}

/// Names and numbers, line by line: nothing of it is more than that to the library.
pub(crate) fn lightgbm(source: &dyn ReadAt) -> Result<Findings, Fault> {
    let mut found = Findings::of(ModelFormat::Lightgbm);
    if !contains(source, LIGHTGBM_END)? {
        found.unseen.push("the end of its trees, which is missing".to_owned());
    }
    Ok(found)
}

fn contains(source: &dyn ReadAt, wanted: &[u8]) -> Result<bool, Fault> {
    let step = BUFFER as u64 - wanted.len() as u64;
    // its end is near the end
    let mut at = source.len().saturating_sub(BUFFER as u64);
    loop {
        let bytes = source.bytes_at(at, BUFFER)?;
        if bytes.windows(wanted.len()).any(|window| window == wanted) {
            return Ok(true);
        }
        if at == 0 {
            return Ok(false);
        }
        at = at.saturating_sub(step);
    }
}

pub(crate) fn may_be_json(start: &[u8]) -> bool {
    start.trim_ascii_start().first() == Some(&b'{')
}

/// Reads all of a JSON file: XGBoost's, or one that is no model's.
pub(crate) fn json(source: &dyn ReadAt) -> Result<Findings, Fault> {
    if source.len() > JSON_LEN_MAX {
        return Ok(Findings::opaque("its text, which is longer than 1 GiB"));
    }
    let reader = BufReader::with_capacity(BUFFER, Stretch::new(source, 0, source.len()));
    let mut reading = serde_json::Deserializer::from_reader(reader);
    match reading.deserialize_map(Keys).and_then(|keys| reading.end().map(|()| keys)) {
        Ok(Found { learner: true, version: true }) => Ok(Findings::of(ModelFormat::XgboostJson)),
        Ok(_) => Ok(Findings::opaque("what its JSON is for")),
        Err(error) if error.is_io() => Err(Fault::Io(error.into())),
        Err(_) => Ok(Findings::opaque("it begins as JSON, but is none")),
    }
}

/// Which keys of XGBoost's there are.
struct Found {
    learner: bool,
    version: bool,
}

struct Keys;

impl<'de> Visitor<'de> for Keys {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found, A::Error> {
        let mut found = Found { learner: false, version: false };
        while let Some(key) = map.next_key::<String>()? {
            found.learner |= key == "learner";
            found.version |= key == "version";
            map.next_value::<IgnoredAny>()?;
        }
        Ok(found)
    }
}
