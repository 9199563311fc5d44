//! A moment that is asked about, and what can't be told of it.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use stemma_api::types::AsOf;
use stemma_core::{Timestamp, moment::Moment};
use stemma_ledger::View;

pub struct Past {
    pub facts: View,
    /// As it was named.
    pub moment: Moment,
    /// The last event that counts.
    pub seq: u64,
    /// The time that it is then.
    pub time: Timestamp,
    left_out: Mutex<BTreeSet<String>>,
}

impl Past {
    pub fn new(facts: View, moment: Moment, seq: u64, time: Timestamp) -> Self {
        Self { facts, moment, seq, time, left_out: Mutex::default() }
    }

    pub fn leave_out(&self, what: String) {
        self.left_out.lock().unwrap_or_else(PoisonError::into_inner).insert(what);
    }

    pub fn told(&self) -> AsOf {
        let left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        AsOf { seq: self.seq, time: self.time, left_out: left_out.iter().cloned().collect() }
    }
}
