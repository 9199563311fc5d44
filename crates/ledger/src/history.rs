//! The history shown to whoever remembers a part of it: the signed head of today, proofs that earlier heads are its
//! beginnings, and how the keys that sign followed each other.

use std::{collections::BTreeSet, path::Path};

use stemma_core::{
    event::Event,
    history::{KeySuccession, Proofs, SignedHead, VerifierKey, merkle},
    id::RequestId,
    record::Actor,
};

use crate::{Commit, Ledger, LedgerError, prove::hashes, sql::Session};

/// What a ledger shows of its history.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    pub head: SignedHead,
    /// For each size that was asked for and is not larger than the head's.
    pub proofs: Proofs,
    pub successions: Vec<KeySuccession>,
}

impl Ledger {
    /// Signs the head as it is now and proves that these sizes are beginnings of it.
    pub async fn history(&self, sizes: &BTreeSet<u64>) -> Result<History, LedgerError> {
        let head = self.checkpoint().await?;
        let mut session = self.database().read().await?;
        let proofs = proofs(&mut session, sizes, head.size()).await?;
        Ok(History { head, proofs, successions: self.signer().successions() })
    }

    /// The key that signs now.
    pub fn verifier(&self) -> VerifierKey {
        self.signer().verifier()
    }

    /// Makes a new key, beside the one that signs or in a file elsewhere, and signs with it from now on. The old key names
    /// it in an event, signs nothing more, and its file goes.
    pub async fn rotate_key(
        &self,
        actor: Actor,
        request: RequestId,
        elsewhere: Option<&Path>,
    ) -> Result<KeySuccession, LedgerError> {
        let _alone = self.signing().await;
        let next = self.signer().prepare(elsewhere)?;
        let succession = next.succession.clone();
        let events = vec![Event::SigningKeyRotated(succession.clone())];
        self.commit(Commit { actor, request, premises: None, events, secret: None }).await?;
        self.signer().hand_over(next)?;
        Ok(succession)
    }
}

/// Proofs that sizes are beginnings of the tree; of those that it does not reach there is none.
pub(crate) async fn proofs(session: &mut Session, sizes: &BTreeSet<u64>, whole: u64) -> Result<Proofs, LedgerError> {
    let mut proofs = Proofs::new();
    for size in sizes.iter().copied().filter(|size| *size <= whole) {
        proofs.insert(size, hashes(session, merkle::consistency_ranges(size, whole)).await?);
    }
    Ok(proofs)
}
