//! Remembered heads against the head that a home shows today.

use std::{collections::BTreeMap, fmt};

use super::{
    heads::SeenHead,
    merkle::{Hash, is_beginning},
    note::{KeySuccession, SignedHead, VerifierKey},
};

/// By size: the proof that the tree of this size is a beginning of today's. What needs none has an empty one.
pub type Proofs = BTreeMap<u64, Vec<Hash>>;

/// What a home shows of its history today.
#[derive(Debug, Clone, PartialEq)]
pub struct Today {
    pub size: u64,
    pub root: Hash,
    /// The key that signs; keys are not compared if it is not known.
    pub key: Option<VerifierKey>,
    pub proofs: Proofs,
    pub successions: Vec<KeySuccession>,
}

impl Today {
    pub fn new(head: &SignedHead, proofs: Proofs, successions: Vec<KeySuccession>) -> Self {
        Self { size: head.size(), root: *head.root(), key: Some(head.key().clone()), proofs, successions }
    }
}

/// How a history is not the one that was remembered, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Disagreement {
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
    pub how: Disagreement,
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

/// Compares remembered heads of one home, the smallest first, with what it shows.
pub fn compare(remembered: &[SeenHead], today: &Today) -> Result<Agreement, Box<Departure>> {
    let judged = remembered.iter().map(|head| (head, judge(head, today)));
    let (mut same_up_to, mut newest, mut worst) = (0, None, None::<Departure>);
    for (head, how) in judged {
        let Some(how) = how else {
            same_up_to = head.signed.size();
            newest = Some(head.clone());
            continue;
        };
        if worst.as_ref().is_none_or(|worst| worst.how < how) {
            let at_latest = head.signed.size().min(today.size + 1);
            let remembered = head.clone();
            worst = Some(Departure { how, same_up_to, at_latest, remembered, size: today.size });
        }
    }
    worst.map_or(Ok(Agreement { newest }), |worst| Err(Box::new(worst)))
}

fn judge(head: &SeenHead, today: &Today) -> Option<Disagreement> {
    let then = &head.signed;
    if then.size() > today.size {
        return Some(Disagreement::WentBack);
    }
    let none = Vec::new();
    let needs_no_proof = then.size() == 0 || then.size() == today.size;
    let Some(proof) = today.proofs.get(&then.size()).or(needs_no_proof.then_some(&none)) else {
        return Some(Disagreement::Unproved);
    };
    if !is_beginning(then.size(), then.root(), today.size, &today.root, proof) {
        return Some(Disagreement::Differs);
    }
    let is_followed = |key| KeySuccession::lead(&today.successions, then.key(), key);
    (!today.key.as_ref().is_none_or(is_followed)).then_some(Disagreement::OtherKey)
}

impl Departure {
    /// The first event that may be another; up to `at_latest` one is.
    const fn first_event(&self) -> u64 {
        self.same_up_to + 1
    }

    /// The event to name: the first after all that is known to be the same, or if nothing is, the one that surely is another.
    pub const fn event(&self) -> u64 {
        if self.same_up_to > 0 { self.first_event() } else { self.at_latest }
    }

    /// The same with what other remembered heads say of where it begins.
    pub fn narrowed(mut self, others: &[SeenHead], today: &Today) -> Self {
        let sizes = |is_same: bool| {
            let judged = others.iter().filter(move |head| judge(head, today).is_none() == is_same);
            judged.map(|head| head.signed.size())
        };
        let at_latest = sizes(false).min().map_or(self.at_latest, |size| size.min(self.at_latest));
        let same_up_to = sizes(true).filter(|size| *size < at_latest).max();
        (self.at_latest, self.same_up_to) = (at_latest, same_up_to.unwrap_or(0).max(self.same_up_to));
        self
    }

    fn events(&self) -> String {
        match (self.first_event(), self.at_latest) {
            (first, last) if first >= last => format!("event {last}"),
            (first, last) => format!("one of the events {first} to {last}"),
        }
    }
}

impl fmt::Display for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (then, seen) = (self.remembered.signed.size(), self.remembered.seen);
        let key = self.remembered.signed.key();
        match self.how {
            Disagreement::WentBack => write!(
                f,
                "the home went back: it had {then} events on {seen} and has {} now; the first that is gone or another is {}",
                self.size,
                self.events()
            ),
            Disagreement::Differs => write!(
                f,
                "the home's history was changed: it had {then} events on {seen}; the first that is another now is {}",
                self.events()
            ),
            Disagreement::Unproved => {
                write!(f, "the home does not show that its history continues the {then} events that it had on {seen}")
            }
            Disagreement::OtherKey => write!(
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

    fn shown(key: &SigningKey, events: &[&str], proofs: Proofs, successions: &[KeySuccession]) -> Today {
        Today::new(&signed(key, events), proofs, successions.to_vec())
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
        type Expected = Option<(Disagreement, u64, u64)>;
        let cases: [(&[&str], Expected); 8] = [
            (&TRUE, None),
            (&longer, None),
            // gone back to a head that was remembered, and to one that was not
            (&TRUE[..6], Some((Disagreement::WentBack, 6, 7))),
            (&TRUE[..8], Some((Disagreement::WentBack, 6, 9))),
            (&forked, Some((Disagreement::Differs, 5, 6))),
            (&forked_on, Some((Disagreement::Differs, 5, 6))),
            (&early, Some((Disagreement::Differs, 2, 5))),
            (&[], Some((Disagreement::WentBack, 0, 1))),
        ];
        for (today, expected) in cases {
            let found = compare(&remembered, &shown(&key(1), today, proofs(today), &[]));
            let found = found.err().map(|departure| (departure.how, departure.same_up_to, departure.at_latest));
            assert_eq!(found, expected, "{today:?}");
        }
    }

    #[test]
    fn nothing_is_believed_without_a_proof_or_a_named_key() {
        let remembered = [seen(&TRUE[..5])];
        let fault = |by: u8, proofs: Proofs, successions: &[KeySuccession]| {
            compare(&remembered, &shown(&key(by), &TRUE, proofs, successions)).err().map(|departure| departure.how)
        };
        assert_eq!(fault(1, Proofs::new(), &[]), Some(Disagreement::Unproved));
        assert_eq!(fault(1, proofs(&TRUE), &[]), None);
        assert_eq!(fault(2, proofs(&TRUE), &[]), Some(Disagreement::OtherKey));
        assert_eq!(fault(2, proofs(&TRUE), &[key(3).hand_over(key(2).verifier())]), Some(Disagreement::OtherKey));
        assert_eq!(fault(2, proofs(&TRUE), &[key(1).hand_over(key(2).verifier())]), None);
        let nothing = shown(&key(1), &TRUE, Proofs::new(), &[]);
        assert_eq!(compare(&[], &nothing), Ok(Agreement { newest: None }));
    }

    #[test]
    fn departures_are_told_in_words() {
        let remembered: Vec<SeenHead> = [5, 6, 9].map(|size| seen(&TRUE[..size])).to_vec();
        let told =
            |today: &[&str]| compare(&remembered, &shown(&key(1), today, proofs(today), &[])).unwrap_err().to_string();
        assert_eq!(
            told(&TRUE[..6]),
            "the home went back: it had 9 events on 1970-01-01T00:00:00Z and has 6 now; the first that is gone or another is \
             event 7"
        );
        let mut forked = TRUE.to_vec();
        forked[7] = "x";
        assert_eq!(
            told(&forked),
            "the home's history was changed: it had 9 events on 1970-01-01T00:00:00Z; the first that is another now is one of \
             the events 7 to 9"
        );
    }

    #[test]
    fn who_remembers_little_learns_from_others_where_it_begins() {
        let mut forked = TRUE.to_vec();
        forked[5] = "x";
        let today = shown(&key(1), &forked, proofs(&forked), &[]);
        let departure = *compare(&[seen(&TRUE)], &today).unwrap_err();
        assert_eq!((departure.same_up_to, departure.at_latest, departure.event()), (0, 9, 9));
        let others: Vec<SeenHead> = [2, 5, 6, 8].map(|size| seen(&TRUE[..size])).to_vec();
        let narrowed = departure.narrowed(&others, &today);
        assert_eq!((narrowed.first_event(), narrowed.at_latest, narrowed.event()), (6, 6, 6));
    }
}
