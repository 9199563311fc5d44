//! What a home shows of its history, so that whoever remembers a part of it can compare: as a body, and in the headers of
//! every answer to a caller that says what it remembers.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{
    Timestamp,
    history::{KeySuccession, Proofs, SeenHead, SignedHead, Today, VerifierKey, merkle::Hash},
};

use super::audit::Checkpoint;
use crate::act::Query;

/// `GET /api/v1/home/history?seen=…`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryShown {
    /// The signed head as it is now.
    pub head: Checkpoint,
    /// For each size that was asked for and is not larger than the head's.
    pub proofs: Vec<ConsistencyProof>,
    /// How the keys that sign followed each other.
    pub successions: Vec<KeySuccession>,
}

/// That a number of events is a beginning of the history (RFC 9162 §2.1.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConsistencyProof {
    pub size: u64,
    /// Base64.
    pub hashes: Vec<String>,
}

/// The same, read and its signature checked.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    pub head: SeenHead,
    pub proofs: Proofs,
    pub successions: Vec<KeySuccession>,
}

impl History {
    /// What remembered heads are compared with.
    pub fn today(&self) -> Today {
        Today::new(&self.head.signed, self.proofs.clone(), self.successions.clone())
    }

    pub fn write(&self) -> HistoryShown {
        let hashes = |proof: &Vec<Hash>| proof.iter().map(|hash| BASE64.encode(hash)).collect();
        let proofs = self.proofs.iter().map(|(size, proof)| ConsistencyProof { size: *size, hashes: hashes(proof) });
        HistoryShown {
            head: Checkpoint { note: self.head.signed.note(), key: self.head.signed.key().to_string() },
            proofs: proofs.collect(),
            successions: self.successions.clone(),
        }
    }

    /// Reads what a home has sent; what can't be believed is told in words.
    pub fn read(shown: HistoryShown, now: Timestamp) -> Result<Self, String> {
        let key: VerifierKey = shown.head.key.parse().map_err(|error| format!("its key: {error}"))?;
        let signed = SignedHead::open(&shown.head.note, &key).map_err(|error| error.to_string())?;
        let head = SeenHead::new(signed, now).map_err(|error| error.to_string())?;
        let mut proofs = BTreeMap::new();
        for proof in shown.proofs {
            proofs.insert(proof.size, read_hashes(proof.hashes.iter().map(String::as_str))?);
        }
        Ok(Self { head, proofs, successions: shown.successions })
    }

    /// The values of the headers with the head and, if there is one, the proof for a size.
    pub fn headers(&self, size: u64) -> (String, Option<String>) {
        let proof = self.proofs.get(&size).map(|proof| {
            let hashes = proof.iter().map(|hash| BASE64.encode(hash));
            std::iter::once(size.to_string()).chain(hashes).collect::<Vec<_>>().join(" ")
        });
        (self.head.line(), proof)
    }

    /// Reads the headers of an answer.
    pub fn from_headers(head: &str, proof: Option<&str>, now: Timestamp) -> Result<Self, String> {
        let head = SeenHead { seen: now, ..SeenHead::parse(head)? };
        let mut proofs = Proofs::new();
        if let Some(proof) = proof {
            let mut words = proof.split(' ');
            let size = words.next().and_then(|size| size.parse().ok()).ok_or("a proof names no size")?;
            proofs.insert(size, read_hashes(words)?);
        }
        Ok(Self { head, proofs, successions: Vec::new() })
    }
}

fn read_hashes<'a>(hashes: impl Iterator<Item = &'a str>) -> Result<Vec<Hash>, String> {
    let read = |hash: &str| BASE64.decode(hash.as_bytes()).ok().and_then(|hash| hash.try_into().ok());
    hashes.map(|hash| read(hash).ok_or_else(|| format!("`{hash}` is no hash"))).collect()
}

/// Sizes of heads that somebody remembers, for `GET /api/v1/home/history`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Remembered {
    #[serde(default)]
    pub seen: Vec<u64>,
}

impl Query for Remembered {
    const EXAMPLE: &'static str = "seen=12&seen=40";
}

#[cfg(test)]
mod tests {
    use stemma_core::{
        history::{KeyPurpose, SigningKey, origin},
        id::HomeId,
    };

    use super::*;

    #[test]
    fn a_history_is_read_as_it_was_written() {
        let key = |secret: u8| SigningKey::new(&origin(HomeId::from_u128(7)), KeyPurpose::Head, &[secret; 32]);
        let head = SeenHead::new(key(1).sign(9, [3; 32]), Timestamp(5)).unwrap();
        let proofs = Proofs::from([(4, vec![[1; 32], [2; 32]]), (9, vec![])]);
        let history = History { head, proofs, successions: vec![key(2).hand_over(key(1).verifier())] };
        assert_eq!(History::read(history.write(), Timestamp(5)).unwrap(), history);

        for (size, expected) in [(4, Some(4)), (9, Some(9)), (5, None)] {
            let (head, proof) = history.headers(size);
            assert!(head.is_ascii() && head.len() < 400);
            let read = History::from_headers(&head, proof.as_deref(), Timestamp(5)).unwrap();
            assert_eq!(read.head, history.head);
            assert_eq!(read.proofs.keys().next().copied(), expected);
            assert!(read.proofs.iter().all(|(size, proof)| history.proofs[size] == *proof));
        }
        let (head, _) = history.headers(4);
        for (head, proof) in [(head.as_str(), Some("")), (&head, Some("x AA==")), (&head, Some("4 AA==")), ("", None)] {
            assert!(History::from_headers(head, proof, Timestamp(5)).is_err(), "{head} {proof:?}");
        }
        let mut altered = history.write();
        altered.head.note = altered.head.note.replace("\n9\n", "\n8\n");
        assert!(History::read(altered, Timestamp(5)).is_err());
    }
}
