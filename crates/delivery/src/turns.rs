//! Turns for predictions: who decides about feedback on one decides alone, and others go on.

use std::collections::BTreeSet;

use stemma_core::endpoint::prediction::PredictionAddress;
use tokio::sync::{Mutex, MutexGuard};

/// So many predictions can be decided about at once, if they fall on different turns.
const TURNS: usize = 64;

pub struct Turns([Mutex<()>; TURNS]);

impl Default for Turns {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

impl Turns {
    /// Waits for the turns of predictions. Everybody takes them in the same order, so nobody waits for ever.
    pub async fn take(&self, predictions: impl Iterator<Item = PredictionAddress>) -> Vec<MutexGuard<'_, ()>> {
        let places: BTreeSet<usize> = predictions.map(|one| (one.row as usize) % TURNS).collect();
        let mut turns = Vec::with_capacity(places.len());
        for place in places {
            turns.push(self.0[place].lock().await);
        }
        turns
    }
}
