//! How queries are read that a form may have sent: what it leaves empty is not said.

use serde::Deserialize as _;

/// What is given, if it is not empty.
pub fn given<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let text = String::deserialize(deserializer)?;
    match text.trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|error| serde::de::Error::custom(format!("which can't be: {error}"))),
    }
}

/// Those of several that are not empty.
pub fn given_of<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    Ok(texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).map(str::to_owned).collect())
}

/// Times as people write them.
pub mod written {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use stemma_core::{Timestamp, written_time::WrittenTime};

    pub fn serialize<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.collect_str(time),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        Ok(written(deserializer)?.map(WrittenTime::start))
    }

    pub fn last<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        Ok(written(deserializer)?.map(WrittenTime::last))
    }

    fn written<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<WrittenTime>, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.trim() {
            "" => Ok(None),
            text => {
                let wrong = || D::Error::custom("expected a date or a time as in `2026-03-01T12:00:00Z`");
                WrittenTime::parse(text).ok_or_else(wrong).map(Some)
            }
        }
    }
}
