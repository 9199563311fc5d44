//! The history shown to whoever remembers a part of it: the signed head of today, proofs that earlier heads are its
//! beginnings, and how the keys that sign followed each other.

use std::{collections::BTreeSet, path::Path};

use stemma_core::{
    event::Event,
    history::{KeySuccession, Proofs, SignedHead, VerifierKey, merkle},
    id::RequestId,
    record::Actor,
};

use crate::{
    Commit, Ledger, LedgerError, NamedKeys,
    commit::read_parts,
    sql::{Database, Session},
};

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
        let _alone = self.0.signing.lock().await;
        let next = self.signer().prepare(elsewhere)?;
        let succession = next.succession.clone();
        let events = vec![Event::SigningKeyRotated(succession.clone())];
        self.commit(Commit { actor, request, premises: None, events, token_hash: None }).await?;
        self.signer().hand_over(next)?;
        Ok(succession)
    }
}

/// Proofs that sizes are beginnings of the tree; of those that it does not reach there is none.
pub(crate) async fn proofs(session: &mut Session, sizes: &BTreeSet<u64>, whole: u64) -> Result<Proofs, LedgerError> {
    let mut proofs = Proofs::new();
    for size in sizes.iter().copied().filter(|size| *size <= whole) {
        proofs.insert(size, proof(session, size, whole).await?);
    }
    Ok(proofs)
}

async fn proof(session: &mut Session, first: u64, second: u64) -> Result<Vec<merkle::Hash>, LedgerError> {
    let mut hashes = Vec::new();
    for range in merkle::consistency_ranges(first, second) {
        hashes.extend(merkle::hash_of_parts(&read_parts(session, range).await?));
    }
    Ok(hashes)
}

/// The keys that the ledger names, and how many events it has.
pub(crate) async fn named_keys(database: &Database) -> Result<(NamedKeys, u64), LedgerError> {
    let mut session = database.read().await?;
    let mut named = NamedKeys::default();
    for row in session.rows("SELECT verifier, body FROM signing_key ORDER BY from_seq", &[]).await? {
        match row.text("body")?.as_str() {
            "" => named.first = Some(row.parsed("verifier")?),
            _ => named.successions.push(row.json("body")?),
        }
    }
    Ok((named, size_in(&mut session).await?))
}

/// How many events there are.
pub(crate) async fn size(database: &Database) -> Result<u64, LedgerError> {
    size_in(&mut database.read().await?).await
}

pub(crate) async fn size_in(session: &mut Session) -> Result<u64, LedgerError> {
    let head = session.row("SELECT size FROM head WHERE id = 1", &[]).await?;
    let head = head.ok_or_else(|| LedgerError::Damaged("the ledger has no head".to_owned()))?;
    Ok(head.int("size")? as u64)
}
