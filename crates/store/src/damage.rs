//! What is not as it was put, in words for people and programs.

use serde::{Deserialize, Serialize};
use stemma_core::Digest;

/// Something in the store that is not as it was put.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// The blob or tree that can't be read, if the damage was met by reading one.
    pub digest: Option<Digest>,
    /// The pack file that holds the damage, if it was met by reading packs.
    pub pack: Option<String>,
    pub offset: Option<u64>,
    pub what: String,
}
