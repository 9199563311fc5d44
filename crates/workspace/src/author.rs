use stemma_core::{Timestamp, name::PrincipalName};

/// Who changes a workspace, and with which command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    pub actor: Option<PrincipalName>,
    /// As typed; secrets are taken out before it is written down.
    pub command: Vec<String>,
    pub time: Timestamp,
}
