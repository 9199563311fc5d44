//! Who made a governed fact, and when.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{Timestamp, name::PrincipalName, record::Auth};

/// Who made a governed fact, when, and under which number in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fact {
    pub seq: u64,
    pub time: Timestamp,
    pub actor: PrincipalName,
    pub auth: Auth,
}
