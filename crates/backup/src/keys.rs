//! The secret files of a home. Whoever has them can sign for it, and make and open prediction ids.

use serde::{Deserialize, Serialize};

/// Whether a backup holds the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keys {
    Included,
    LeftOut,
}

/// The key of prediction ids.
pub const PREDICTION_KEY: &str = "prediction.key";
/// The key that signs the ledger's heads, unless it lies outside of the home.
pub const SIGNING_KEY: &str = "checkpoints/signing.key";

/// Whether a file of a home is a key, or one that is to follow.
pub fn is_key(path: &str) -> bool {
    let in_checkpoints = path.starts_with("checkpoints/") && (path.ends_with(".key") || path.ends_with(".key.next"));
    path == PREDICTION_KEY || in_checkpoints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_secret_in_a_home_is_a_key() {
        for path in [PREDICTION_KEY, SIGNING_KEY, "checkpoints/signing.key.next", "checkpoints/witness.key"] {
            assert!(is_key(path), "{path}");
        }
        for path in ["checkpoints/last.checkpoint", "home.json", "predictions/0192.seg", "operations"] {
            assert!(!is_key(path), "{path}");
        }
    }
}
