//! What people decide about a version: that it is approved, promoted or kept back, and what is asked for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Digest,
    id::{ApprovalId, EvidenceId},
    name::{ModelName, ProjectName},
    policy::{PromotionGrounds, Stage},
    version::VersionNumber,
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Approved {
    pub project: ProjectName,
    pub approval: ApprovalId,
    pub model: ModelName,
    pub version: VersionNumber,
    pub subject: Digest,
    pub stage: Stage,
    /// All evidence of the version that existed when it was approved.
    pub evidence: Vec<EvidenceId>,
    pub reason: String,
    /// Content: what the version's card said then. Absent of approvals from before there were cards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<Digest>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Promoted {
    pub project: ProjectName,
    pub model: ModelName,
    pub version: VersionNumber,
    pub subject: Digest,
    pub from: Stage,
    pub to: Stage,
    pub grounds: PromotionGrounds,
    pub reason: String,
    /// The version of the same model that took its place, or, of one that came back, whose place it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchanged_with: Option<VersionNumber>,
}

/// A version is kept back, or is no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Quarantine {
    pub project: ProjectName,
    pub model: ModelName,
    pub version: VersionNumber,
    pub subject: Digest,
    pub reason: String,
}

/// Somebody asks that a version be promoted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PromotionRequested {
    pub project: ProjectName,
    /// Counts from 1 within the project.
    pub request: u32,
    pub model: ModelName,
    pub version: VersionNumber,
    pub subject: Digest,
    pub stage: Stage,
    pub comment: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequestCommented {
    pub project: ProjectName,
    pub request: u32,
    pub model: ModelName,
    pub version: VersionNumber,
    pub comment: String,
}

/// A request waits no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequestClosed {
    pub project: ProjectName,
    pub request: u32,
    pub model: ModelName,
    pub version: VersionNumber,
    pub outcome: RequestOutcome,
    pub reason: String,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RequestOutcome {
    /// What it asks for was done, in the same commit.
    Promoted,
    /// Whoever asked does no longer.
    Withdrawn,
    /// Somebody who may approve said no.
    Refused,
}

impl RequestOutcome {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Promoted => "promoted",
            Self::Withdrawn => "withdrawn",
            Self::Refused => "refused",
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::event::Event;

    const EMPTY: &str = "b3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";

    /// Decisions as they are stored.
    #[test]
    fn stored_decisions_stay_readable() {
        let of = r#""project":"default","model":"credit-score""#;
        let request = r#""project":"default","request":7,"model":"credit-score","version":"1.1.0""#;
        for text in [
            format!(r#"{{"type":"alias_moved",{of},"alias":"challenger","from":null,"to":"1.1.0"}}"#),
            format!(
                r#"{{"type":"alias_moved",{of},"alias":"challenger","from":"1.0.0","to":"1.1.0","reason":"to try it"}}"#
            ),
            format!(r#"{{"type":"alias_removed",{of},"alias":"challenger","from":"1.1.0","reason":"it lost"}}"#),
            format!(
                r#"{{"type":"version_quarantined",{of},"version":"1.1.0","subject":"{EMPTY}","reason":"it leaks"}}"#
            ),
            format!(r#"{{"type":"quarantine_lifted",{of},"version":"1.1.0","subject":"{EMPTY}","reason":"no"}}"#),
            format!(
                r#"{{"type":"promotion_requested",{request},"subject":"{EMPTY}","stage":"production","comment":"now?"}}"#
            ),
            format!(r#"{{"type":"request_commented",{request},"comment":"on which data?"}}"#),
            format!(r#"{{"type":"request_closed",{request},"outcome":"refused","reason":"too early"}}"#),
            format!(
                r#"{{"type":"promoted",{of},"version":"1.0.0","subject":"{EMPTY}","from":"archived","to":"production","grounds":{{"evidence":[],"approvals":[],"unknown":["who committed it"]}},"reason":"back","exchanged_with":"1.1.0"}}"#
            ),
            // as they were before anything was exchanged, or not known
            format!(
                r#"{{"type":"promoted",{of},"version":"1.0.0","subject":"{EMPTY}","from":"staging","to":"production","grounds":{{"evidence":[],"approvals":[]}},"reason":""}}"#
            ),
            r#"{"type":"endpoint_taken_down","project":"default","endpoint":"e","from":1,"reason":"x"}"#.to_owned(),
            r#"{"type":"endpoint_taken_down","project":"default","endpoint":"e","from":1,"reason":"x","quarantine":"m@1.0.0"}"#
                .to_owned(),
        ] {
            let event: Event = serde_json::from_str(&text).unwrap();
            assert_eq!(serde_json::to_string(&event).unwrap(), text);
        }
    }
}
