//! What came of a prediction, as somebody told it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::prediction::PredictionId;
use crate::{
    Timestamp,
    name::{EndpointName, PrincipalName, ProjectName},
};

/// The version of the stored format that is written.
pub const FEEDBACK_VERSION: u32 = 1;

/// What happened later to whom the prediction was about, as `repaid` or `clicked`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Happening {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// When it happened; who told it may not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
}

impl fmt::Display for Happening {
    /// `repaid 120.5 at 2026-03-01T00:00:00Z`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(value) = self.value {
            write!(f, " {value}")?;
        }
        self.time.map_or(Ok(()), |time| write!(f, " at {time}"))
    }
}

/// How the prediction was found that feedback is about, where it did not name one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "by", content = "of", rename_all = "snake_case")]
pub enum FoundBy {
    RequestId(String),
    Unit(String),
}

impl FoundBy {
    /// As in a column.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::RequestId(_) => "request_id",
            Self::Unit(_) => "unit",
        }
    }

    pub fn value(&self) -> &str {
        match self {
            Self::RequestId(value) | Self::Unit(value) => value,
        }
    }

    pub fn of(kind: &str, value: String) -> Option<Self> {
        match kind {
            "request_id" => Some(Self::RequestId(value)),
            "unit" => Some(Self::Unit(value)),
            _ => None,
        }
    }
}

impl fmt::Display for FoundBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RequestId(value) => write!(f, "request `{value}`"),
            Self::Unit(value) => write!(f, "unit `{value}`"),
        }
    }
}

/// A label, reward, event or comment on one prediction. Never changed: a correction is another one, and the newest counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Feedback {
    pub label: Option<String>,
    pub reward: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Happening>,
    pub comment: Option<String>,
    /// Why the label or reward before it was wrong: this one holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correction: Option<String>,
    /// The sender's own name of it: the same again is the same fact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Absent where the sender named the prediction itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<FoundBy>,
    /// When it was told.
    pub time: Timestamp,
    pub from: PrincipalName,
}

/// Feedback as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredFeedback {
    /// Version of the stored format.
    pub v: u32,
    pub project: ProjectName,
    pub endpoint: EndpointName,
    pub prediction: PredictionId,
    pub feedback: Feedback,
}

/// Stored feedback that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum StoredFeedbackError {
    #[error("feedback is of version {0}, which a newer Stemma wrote; this one reads up to {FEEDBACK_VERSION}")]
    Newer(u32),
    #[error("feedback can't be read: {0}")]
    Json(#[from] serde_json::Error),
}

/// What tells versions of the stored format apart.
#[derive(Deserialize)]
struct Versioned {
    v: u32,
}

impl StoredFeedback {
    /// Reads the JSON of stored feedback of any version.
    pub fn read(json: &[u8]) -> Result<Self, StoredFeedbackError> {
        let unreadable = match serde_json::from_slice::<Self>(json) {
            Ok(stored) if stored.v == FEEDBACK_VERSION => return Ok(stored),
            Ok(newer) => return Err(StoredFeedbackError::Newer(newer.v)),
            Err(error) => error,
        };
        match serde_json::from_slice::<Versioned>(json)?.v {
            FEEDBACK_VERSION => Err(unreadable.into()),
            newer => Err(StoredFeedbackError::Newer(newer)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::prediction::{PredictionAddress, PredictionKey};

    const FROZEN: &str = r#"{"v":1,"project":"default","endpoint":"credit-offer","prediction":"pred_040sj4hmasw9nf000c0024bgrs4yxsp732wnm","feedback":{"label":"bad","reward":-1.5,"event":{"name":"repaid","value":120.0,"time":7},"comment":null,"correction":"a typo","key":"order-17","found":{"by":"unit","of":"customer-29"},"time":9,"from":"bob@example.org"}}"#;

    #[test]
    fn the_stored_form_is_frozen() {
        let address = PredictionAddress { segment: 0x0199_1234_5678_9abc, endpoint: 3, row: 70_000 };
        let stored = StoredFeedback {
            v: FEEDBACK_VERSION,
            project: ProjectName::default_project(),
            endpoint: "credit-offer".parse().unwrap(),
            prediction: PredictionId::seal(address, &PredictionKey::from_bytes([7; 32])),
            feedback: Feedback {
                label: Some("bad".to_owned()),
                reward: Some(-1.5),
                event: Some(Happening { name: "repaid".to_owned(), value: Some(120.0), time: Some(Timestamp(7)) }),
                comment: None,
                correction: Some("a typo".to_owned()),
                key: Some("order-17".to_owned()),
                found: Some(FoundBy::Unit("customer-29".to_owned())),
                time: Timestamp(9),
                from: "bob@example.org".parse().unwrap(),
            },
        };
        assert_eq!(serde_json::to_string(&stored).unwrap(), FROZEN);
        assert_eq!(StoredFeedback::read(FROZEN.as_bytes()).unwrap(), stored);
        let newer = FROZEN.replacen("\"v\":1", "\"v\":2", 1);
        assert!(matches!(StoredFeedback::read(newer.as_bytes()), Err(StoredFeedbackError::Newer(2))));
    }

    #[test]
    fn feedback_of_homes_from_before_it_was_a_log_is_read() {
        let row = r#"{"label":"4","reward":null,"comment":"called","time":5,"from":"bob@example.org"}"#;
        let feedback: Feedback = serde_json::from_str(row).unwrap();
        assert_eq!((feedback.label.as_deref(), feedback.key, feedback.found), (Some("4"), None, None));
    }
}
