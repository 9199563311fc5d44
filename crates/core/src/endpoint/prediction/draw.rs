//! How a request came to the arm that answered it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who said whose request it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GivenBy {
    Caller,
    /// The caller named no unit, so the request was one of its own.
    Gateway,
}

impl GivenBy {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Gateway => "gateway",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Caller, Self::Gateway].into_iter().find(|by| by.as_str() == text)
    }
}

/// What the arm follows from: with the revision, and the allocation if that is newer, it can be drawn again.
///
/// Of records of version 1 only the unit is known, and only if its caller gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Draw {
    /// The randomisation unit.
    pub unit: String,
    pub given_by: GivenBy,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    /// Where the unit stands, of 2^53 places: a number that JSON and `f64` hold exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<u64>,
    /// The part of the requests that it belongs to, if the route has several; the shares are those of the part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// Which version of the shares held; 0 is the revision's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocation: Option<u64>,
}

impl fmt::Display for Draw {
    /// ``customer-29, at place 17 of 2^53 by salt `credit-offer` ``
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.given_by {
            GivenBy::Caller => f.write_str(&self.unit)?,
            GivenBy::Gateway => write!(f, "{}, drawn as none was given", self.unit)?,
        }
        let (Some(bucket), Some(salt)) = (self.bucket, &self.salt) else { return Ok(()) };
        write!(f, ", at place {bucket} of 2^53 by salt `{salt}`")
    }
}

/// Why it was this arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "chosen", rename_all = "snake_case")]
pub enum Chosen {
    Drawn {
        /// Probability with which the unit's arm was this one.
        propensity: f64,
    },
    /// Somebody asked for it; nothing can be learnt of it about shares.
    Forced { by: String },
    /// The arm that was chosen at first could not answer.
    Fallback { from: String, because: String },
}

/// The arm that a request was sent to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ArmTaken {
    /// Its name in the revision.
    pub name: String,
    #[serde(flatten)]
    pub chosen: Chosen,
}

impl ArmTaken {
    /// Probability of the arm; only what was drawn has one.
    pub const fn propensity(&self) -> Option<f64> {
        match &self.chosen {
            Chosen::Drawn { propensity } => Some(*propensity),
            Chosen::Forced { .. } | Chosen::Fallback { .. } => None,
        }
    }
}

impl fmt::Display for ArmTaken {
    /// `canary, drawn with probability 0.2`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.chosen {
            Chosen::Drawn { propensity } => write!(f, "{name}, drawn with probability {propensity}"),
            Chosen::Forced { by } => write!(f, "{name}, which {by} asked for"),
            Chosen::Fallback { from, because } => write!(f, "{name} instead of {from}: {because}"),
        }
    }
}
