//! Stored revisions: each version of the format is read, and written as it was.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{body::Revision, v1};
use crate::{Digest, canonical, endpoint::graph::Graph, name::EndpointName};

impl Serialize for Revision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.v {
            1 => v1::Revision::of(self).map_err(serde::ser::Error::custom)?.serialize(serializer),
            _ => Self::serialize(self, serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Revision {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = serde_json::Value::deserialize(deserializer)?;
        match stored.get("v").and_then(serde_json::Value::as_u64) {
            Some(1) => v1::Revision::deserialize(stored).map(Self::from).map_err(D::Error::custom),
            Some(2) => Self::deserialize(stored).map_err(D::Error::custom),
            Some(newer) => Err(D::Error::custom(format!("a revision of version {newer}, which a newer Stemma wrote"))),
            None => Err(D::Error::custom("a revision that does not say its version")),
        }
    }
}

/// What separates the units of a canary from those of others: the same canary is always tried on the same units, whoever
/// let its versions in.
pub fn canary_salt(endpoint: &EndpointName, canary: &Graph) -> Result<String, serde_json::Error> {
    // in the form of version 1, from which the salts of canaries came that are under way
    let (digest, _): (Digest, _) = match v1::Sequence::of(canary) {
        Some(sequence) => canonical::digest(&sequence)?,
        None => canonical::digest(canary)?,
    };
    Ok(format!("{endpoint}/{}", digest.short()))
}
