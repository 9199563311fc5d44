//! How an endpoint answers: immutable deployment revisions, and the pure function from a request to an arm.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    Digest,
    name::{EndpointName, ModelName, ProjectName},
    signature::Signature,
    version::VersionNumber,
};

/// What a prediction's answer waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogMode {
    /// Answered only after the record is on disk.
    #[default]
    Durable,
    /// Answered at once; a crash may lose the last moments, and what is lost is counted.
    Fast,
    Off,
}

/// A model version that takes requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    pub model: ModelName,
    pub version: VersionNumber,
    /// Digest of the version's content: the bytes that are loaded.
    pub digest: Digest,
}

/// Which target answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Route {
    Single { target: Target },
}

impl Route {
    pub fn targets(&self) -> Vec<&Target> {
        match self {
            Self::Single { target } => vec![target],
        }
    }
}

/// The whole of one deployment revision. Hashed as canonical JSON; never changed once deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Revision {
    /// Stored-format version, 1.
    pub v: u32,
    pub project: ProjectName,
    pub endpoint: EndpointName,
    /// The endpoint's number in its home; part of every prediction id.
    pub ordinal: u16,
    /// Counts from 1 within the endpoint.
    pub number: u32,
    pub route: Route,
    /// What callers send and get.
    pub signature: Signature,
    /// Separates this endpoint's assignments from those of others.
    pub salt: String,
    pub log: LogMode,
}

/// The arm that answers, and how likely it was.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment<'a> {
    pub variant: &'static str,
    pub target: &'a Target,
    pub propensity: f64,
}

impl Revision {
    /// Chooses the arm for a unit: the same revision and unit always give the same arm.
    pub fn assign(&self, _unit: Option<&str>) -> Assignment<'_> {
        match &self.route {
            Route::Single { target } => Assignment { variant: "single", target, propensity: 1.0 },
        }
    }
}

/// Maps a unit to [0, 1) by XXH3-64 of `salt ‖ 0x00 ‖ unit`, taking the upper 53 bits.
///
/// The same on every machine and in every process; independent between salts.
pub fn bucket(salt: &str, unit: &str) -> f64 {
    let mut bytes = Vec::with_capacity(salt.len() + 1 + unit.len());
    bytes.extend_from_slice(salt.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(unit.as_bytes());
    (xxh3_64(&bytes) >> 11) as f64 * 2f64.powi(-53)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_frozen() {
        let found = [bucket("seed", "a"), bucket("seed", "b"), bucket("", "")];
        assert_eq!(found, FROZEN);
    }
    const FROZEN: [f64; 3] = [0.453981257282587, 0.5164204006997172, 0.7667827578327963];

    #[test]
    fn shares_are_even_and_salts_independent() {
        let n = 100_000;
        let low = |salt: &str, i: u32| bucket(salt, &i.to_string()) < 0.1;
        let share = (0..n).filter(|i| low("one", *i)).count() as f64 / f64::from(n);
        assert!((share - 0.1).abs() < 0.004, "{share}");
        let both = (0..n).filter(|i| low("one", *i) && low("two", *i)).count() as f64 / f64::from(n);
        assert!((both - 0.01).abs() < 0.002, "{both}");
    }
}
