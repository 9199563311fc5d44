//! What is hashed of an event: a leaf that names it and commits to its body without showing it.

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use stemma_core::{
    Timestamp, canonical,
    event::Event,
    id::RequestId,
    name::{PrincipalName, ProjectName},
    record::Auth,
};

use crate::LedgerError;

/// Longest leaf in bytes: readers of tree tiles prefix entries with a 16-bit length.
const LEAF_BYTES_MAX: usize = 65_535;
/// Longest body of an event in bytes.
const BODY_BYTES_MAX: usize = 1 << 20;

/// The leaf of one event. Stored-format version 1, as canonical JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Leaf {
    pub v: u32,
    pub seq: u64,
    pub time: Timestamp,
    pub actor: PrincipalName,
    pub auth: Auth,
    pub kind: String,
    pub subject: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectName>,
    pub request: RequestId,
    /// Hex of SHA-256 over salt, body and what is kept aside of the body.
    pub commitment: String,
}

impl Leaf {
    /// The text that is hashed.
    pub fn text(&self) -> Result<String, LedgerError> {
        let bytes = canonical::to_bytes(self).map_err(|error| LedgerError::corrupt("a leaf", error))?;
        if bytes.len() > LEAF_BYTES_MAX {
            return Err(LedgerError::TooLarge(format!(
                "the event about `{}` has a leaf of more than {LEAF_BYTES_MAX} bytes",
                self.subject
            )));
        }
        String::from_utf8(bytes).map_err(|error| LedgerError::corrupt("a leaf", error))
    }
}

/// The body of an event with the salt that hides it in its leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub salt: [u8; 32],
    pub body: String,
}

impl Sealed {
    /// Writes an event as JSON and draws a salt. Refuses what would not be read back as it was.
    pub fn new(event: &Event) -> Result<Self, LedgerError> {
        let unstorable = |reason: String| LedgerError::Unstorable {
            place: format!("{} about `{}`", event.kind(), event.subject()),
            reason,
        };
        let body = serde_json::to_string(event).map_err(|error| unstorable(error.to_string()))?;
        if body.len() > BODY_BYTES_MAX {
            return Err(unstorable(format!("it has more than {BODY_BYTES_MAX} bytes")));
        }
        let again: Event = serde_json::from_str(&body).map_err(|error| unstorable(error.to_string()))?;
        if again != *event {
            return Err(unstorable("a number in it is not finite".to_owned()));
        }
        let mut salt = [0; 32];
        getrandom::fill(&mut salt).map_err(|error| LedgerError::Random(error.to_string()))?;
        Ok(Self { salt, body })
    }

    /// Commits to the body, and to the hash of a token that is kept elsewhere.
    pub fn commitment(&self, token_hash: Option<&[u8; 32]>) -> String {
        let mut hash = Sha256::new().chain_update(self.salt).chain_update(&self.body);
        if let Some(token_hash) = token_hash {
            hash.update(token_hash);
        }
        data_encoding::HEXLOWER.encode(&hash.finalize())
    }
}

/// The project an event belongs to; none for those of the whole home.
pub(crate) fn project_of(event: &Event) -> Option<&ProjectName> {
    match event {
        Event::HomeCreated { .. }
        | Event::PrincipalAdded { .. }
        | Event::TokenIssued { .. }
        | Event::TokenRevoked { .. }
        | Event::RunsSealed { .. } => None,
        Event::RoleGranted { project, .. } | Event::RoleRevoked { project, .. } => project.as_ref(),
        Event::ProjectCreated { project }
        | Event::ModelCreated { project, .. }
        | Event::PolicySet { project, .. }
        | Event::AliasMoved { project, .. }
        | Event::EndpointCreated { project, .. } => Some(project),
        Event::DatasetVersionAdded(added) => Some(&added.project),
        Event::VersionRegistered(registered) => Some(&registered.project),
        Event::EvidenceRecorded(recorded) => Some(&recorded.project),
        Event::Approved(approved) => Some(&approved.project),
        Event::Promoted(promoted) => Some(&promoted.project),
        Event::RevisionDeployed { revision, .. } => Some(&revision.project),
        Event::SegmentSealed(sealed) => Some(&sealed.project),
    }
}
