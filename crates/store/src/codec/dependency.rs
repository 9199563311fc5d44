//! Chunks that are kept as what differs from another one.

use stemma_core::Digest;

use crate::pack::is_delta;

/// Most chunks that one chunk depends on, one through the other.
pub(crate) const DEPTH_MAX: u8 = 2;

/// A stored chunk that another one may depend on.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    pub digest: Digest,
    pub depth: u8,
    pub plain: Vec<u8>,
}

impl AsRef<[u8]> for Base {
    fn as_ref(&self) -> &[u8] {
        &self.plain
    }
}

/// What the payload of a delta begins with: depth (u8, 1 for a base that depends on nothing), digest of the base (32).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub depth: u8,
    pub base: Digest,
}

pub(crate) const DEPENDENCY_LEN: usize = 33;

impl Dependency {
    /// Reads it off the beginning of a payload; `None` for a codec without one, or a payload that is cut short.
    pub fn of(codec: u8, payload: &[u8]) -> Option<Self> {
        if !is_delta(codec) {
            return None;
        }
        let (depth, rest) = payload.split_first()?;
        Some(Self { depth: *depth, base: Digest::from_slice(rest.get(..32)?)? })
    }

    pub(super) fn encode(self, payload: &mut Vec<u8>) {
        payload.push(self.depth);
        payload.extend_from_slice(self.base.as_bytes());
    }
}
