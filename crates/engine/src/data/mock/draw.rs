//! Random draws that are the same for the same table and seed.
//!
//! The key of ChaCha8 is the digest of the table's digest, [`PURPOSE`] and the seed.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use stemma_core::Digest;

/// Ends in the version of this specification.
const PURPOSE: &str = "stemma mock rows 1";

pub struct Draw(ChaCha8Rng);

impl Draw {
    pub fn new(table: Digest, seed: u64) -> Self {
        let key = Digest::of(format!("{table}\n{PURPOSE}\n{seed}").as_bytes());
        Self(ChaCha8Rng::from_seed(*key.as_bytes()))
    }

    /// A number from 0 on, below 1.
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number below `bound`, which is at least 1; that some are a little likelier does not matter here.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.unit() * bound as f64) as usize
    }
}
