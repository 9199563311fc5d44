//! The head of the home's history, as it comes with the answers.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use http::HeaderMap;

use super::own_header::{HEAD_HEADER, PROOF_HEADER};

/// Not a size of any ledger: nobody asks.
const NOT_ASKED: u64 = u64::MAX;

/// Asks with each request, and keeps the last answer.
#[derive(Debug)]
pub(super) struct HeadWatch {
    remembered: AtomicU64,
    shown: Mutex<HeadShown>,
}

/// What a home's answers have shown of its history.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum HeadShown {
    /// Nobody has asked, or nothing was answered.
    #[default]
    Nothing,
    /// There were answers, and no head with them.
    Withheld,
    /// Values of the headers.
    Head { head: String, proof: Option<String> },
}

impl Default for HeadWatch {
    fn default() -> Self {
        Self { remembered: AtomicU64::new(NOT_ASKED), shown: Mutex::default() }
    }
}

impl HeadWatch {
    pub fn ask_from(&self, size: u64) {
        self.remembered.store(size, Ordering::Relaxed);
    }

    pub fn asked(&self) -> Option<u64> {
        Some(self.remembered.load(Ordering::Relaxed)).filter(|size| *size != NOT_ASKED)
    }

    pub fn note(&self, headers: &HeaderMap) {
        let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        match value(HEAD_HEADER) {
            Some(head) => *shown = HeadShown::Head { head, proof: value(PROOF_HEADER) },
            None if *shown == HeadShown::Nothing => *shown = HeadShown::Withheld,
            None => {}
        }
    }

    pub fn shown(&self) -> HeadShown {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
