//! Remembered heads against the head that a home shows today.

use std::{collections::BTreeMap, fmt};

use super::{
    heads::SeenHead,
    merkle::{Hash, is_beginning},
    note::{KeySuccession, SignedHead},
};

/// By size: the proof that the tree of this size is a beginning of today's. What needs none has an empty one.
pub type Proofs = BTreeMap<u64, Vec<Hash>>;

/// How a history is not the one that was remembered, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It continues, but is signed by a key that none before has named.
    OtherKey,
    /// The home has not shown that it continues.
    Unproved,
    /// It is shorter than what was remembered.
    WentBack,
    /// It holds other events than what was remembered.
    Differs,
}

/// The first remembered head with which today's history does not agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departure {
    pub fault: Fault,
    /// Up to this event everything is as it was remembered.
    pub same_up_to: u64,
    /// This event at the latest is another now, or gone.
    pub at_latest: u64,
    pub remembered: SeenHead,
    /// Events that the home has today.
    pub size: u64,
}

/// All remembered heads are beginnings of today's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// The largest of them; none was remembered if absent.
    pub newest: Option<SeenHead>,
}

/// Compares remembered heads of one home, the smallest first, with the one that it shows.
pub fn compare(
    remembered: &[SeenHead],
    today: &SignedHead,
    proofs: &Proofs,
    successions: &[KeySuccession],
) -> Result<Agreement, Box<Departure>> {
    let judged = remembered.iter().map(|head| (head, judge(head, today, proofs, successions)));
    let (mut same_up_to, mut newest, mut worst) = (0, None, None::<Departure>);
    for (head, fault) in judged {
        let Some(fault) = fault else {
            same_up_to = head.signed.size();
            newest = Some(head.clone());
            continue;
        };
        if worst.as_ref().is_none_or(|worst| worst.fault < fault) {
            let at_latest = head.signed.size().min(today.size() + 1);
            let remembered = head.clone();
            worst = Some(Departure { fault, same_up_to, at_latest, remembered, size: today.size() });
        }
    }
    worst.map_or(Ok(Agreement { newest }), |worst| Err(Box::new(worst)))
}

fn judge(head: &SeenHead, today: &SignedHead, proofs: &Proofs, successions: &[KeySuccession]) -> Option<Fault> {
    let then = &head.signed;
    if then.size() > today.size() {
        return Some(Fault::WentBack);
    }
    let none = Vec::new();
    let needs_no_proof = then.size() == 0 || then.size() == today.size();
    let proof = proofs.get(&then.size()).or(needs_no_proof.then_some(&none));
    match proof {
        None => Some(Fault::Unproved),
        Some(proof) if !is_beginning(then.size(), then.root(), today.size(), today.root(), proof) => {
            Some(Fault::Differs)
        }
        Some(_) if !KeySuccession::lead(successions, then.key(), today.key()) => Some(Fault::OtherKey),
        Some(_) => None,
    }
}

impl Departure {
    /// The first event that may be another.
    pub const fn first_event(&self) -> u64 {
        self.same_up_to + 1
    }

    fn events(&self) -> String {
        match (self.first_event(), self.at_latest) {
            (first, last) if first >= last => format!("event {last}"),
            (first, last) => format!("an event from {first} to {last}"),
        }
    }
}

impl fmt::Display for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (then, seen) = (self.remembered.signed.size(), self.remembered.seen);
        let key = self.remembered.signed.key();
        match self.fault {
            Fault::WentBack => write!(
                f,
                "the home went back: it had {then} events on {seen} and has {} now, from {} on they are gone or others",
                self.size,
                self.events()
            ),
            Fault::Differs => write!(
                f,
                "the home's history was changed: of the {then} events that it had on {seen}, {} is another now",
                self.events()
            ),
            Fault::Unproved => {
                write!(f, "the home does not show that its history continues the {then} events that it had on {seen}")
            }
            Fault::OtherKey => write!(
                f,
                "the home signs with another key than on {seen} ({key}), and no statement of that key names the new one"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Timestamp,
        history::{KeyPurpose, SigningKey, merkle, origin},
        id::HomeId,
    };

    fn key(secret: u8) -> SigningKey {
        SigningKey::new(&origin(HomeId::from_u128(7)), KeyPurpose::Head, &[secret; 32])
    }

    fn root(events: &[&str]) -> Hash {
        match events {
            [] => merkle::empty_root(),
            [event] => merkle::leaf_hash(event.as_bytes()),
            _ => {
                let (left, right) = events.split_at(events.len().next_power_of_two() / 2);
                merkle::node_hash(&root(left), &root(right))
            }
        }
    }

    fn signed(key: &SigningKey, events: &[&str]) -> SignedHead {
        key.sign(events.len() as u64, root(events))
    }

    fn seen(events: &[&str]) -> SeenHead {
        SeenHead::new(signed(&key(1), events), Timestamp(0)).unwrap()
    }

    fn proofs(events: &[&str]) -> Proofs {
        let proof = |first: u64| {
            let ranges = merkle::consistency_ranges(first, events.len() as u64);
            ranges.into_iter().map(|range| root(&events[range.start as usize..range.end as usize])).collect()
        };
        (0..=events.len() as u64).map(|first| (first, proof(first))).collect()
    }

    const TRUE: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];

    #[test]
    fn every_way_to_depart_is_told_with_its_event() {
        let remembered: Vec<SeenHead> = [2, 5, 6, 9].map(|size| seen(&TRUE[..size])).to_vec();
        let mut forked = TRUE.to_vec();
        forked[5] = "x";
        let mut early = TRUE.to_vec();
        early[2] = "x";
        let longer = [&TRUE[..], &["j", "k"]].concat();
        let forked_on = [&forked[..], &["j", "k"]].concat();
        type Expected = Option<(Fault, u64, u64)>;
        let cases: [(&[&str], Expected); 8] = [
            (&TRUE, None),
            (&longer, None),
            // gone back to a head that was remembered, and to one that was not
            (&TRUE[..6], Some((Fault::WentBack, 6, 7))),
            (&TRUE[..8], Some((Fault::WentBack, 6, 9))),
            (&forked, Some((Fault::Differs, 5, 6))),
            (&forked_on, Some((Fault::Differs, 5, 6))),
            (&early, Some((Fault::Differs, 2, 5))),
            (&[], Some((Fault::WentBack, 0, 1))),
        ];
        for (today, expected) in cases {
            let found = compare(&remembered, &signed(&key(1), today), &proofs(today), &[]);
            let found = found.err().map(|departure| (departure.fault, departure.same_up_to, departure.at_latest));
            assert_eq!(found, expected, "{today:?}");
        }
    }

    #[test]
    fn nothing_is_believed_without_a_proof_or_a_named_key() {
        let remembered = [seen(&TRUE[..5])];
        let (today, renamed) = (signed(&key(1), &TRUE), signed(&key(2), &TRUE));
        let fault = |today: &SignedHead, proofs: &Proofs, successions: &[KeySuccession]| {
            compare(&remembered, today, proofs, successions).err().map(|departure| departure.fault)
        };
        assert_eq!(fault(&today, &Proofs::new(), &[]), Some(Fault::Unproved));
        let proofs = proofs(&TRUE);
        assert_eq!(fault(&today, &proofs, &[]), None);
        assert_eq!(fault(&renamed, &proofs, &[]), Some(Fault::OtherKey));
        assert_eq!(fault(&renamed, &proofs, &[key(3).hand_over(key(2).verifier())]), Some(Fault::OtherKey));
        assert_eq!(fault(&renamed, &proofs, &[key(1).hand_over(key(2).verifier())]), None);
        assert_eq!(compare(&[], &today, &Proofs::new(), &[]), Ok(Agreement { newest: None }));
    }

    #[test]
    fn departures_are_told_in_words() {
        let remembered: Vec<SeenHead> = [5, 6, 9].map(|size| seen(&TRUE[..size])).to_vec();
        let told = |today: &[&str]| {
            compare(&remembered, &signed(&key(1), today), &proofs(today), &[]).unwrap_err().to_string()
        };
        assert_eq!(
            told(&TRUE[..6]),
            "the home went back: it had 9 events on 1970-01-01T00:00:00Z and has 6 now, from event 7 on they are gone or \
             others"
        );
        let mut forked = TRUE.to_vec();
        forked[7] = "x";
        assert_eq!(
            told(&forked),
            "the home's history was changed: of the 9 events that it had on 1970-01-01T00:00:00Z, an event from 7 to 9 is \
             another now"
        );
    }
}
