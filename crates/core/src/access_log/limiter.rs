//! How much of a minute is written one by one. What is more is a number, so that nobody fills the disk by being refused, and
//! nothing is left out silently.

use std::collections::HashMap;

use super::entry::{Access, Unwritten, WhyUnwritten};
use crate::{Timestamp, name::PrincipalName, record::Auth};

const MINUTE_MICROS: i64 = 60_000_000;
/// A clock that was set back by more minutes than that begins anew.
const BACK_MINUTES_MAX: i64 = 5;

/// How many entries of one minute are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessLimits {
    /// Of somebody who is proved, refused or allowed.
    pub proved_each: u32,
    /// Of an address without a credential, refused or allowed.
    pub stranger_each: u32,
    /// Of all that show no credential together.
    pub strangers: u32,
    /// Addresses without a credential that are told apart.
    pub addresses: usize,
    /// People who are proved that are told apart.
    pub people: usize,
}

impl Default for AccessLimits {
    fn default() -> Self {
        Self { proved_each: 600, stranger_each: 20, strangers: 60, addresses: 32, people: 4096 }
    }
}

impl AccessLimits {
    /// Most entries of a minute that those without a credential cause, numbers of what is not written among them: one for
    /// each address and outcome that is told apart, and one for all others of either outcome.
    pub const fn strangers_entries_per_minute(&self) -> u64 {
        self.strangers as u64 + self.addresses as u64 + 2
    }
}

/// Who is counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    who: Who,
    is_refused: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Who {
    Proved(PrincipalName),
    Address(String),
}

#[derive(Debug, Default)]
struct Counted {
    written: u32,
    /// Turned away by the part that one has.
    over: u64,
}

/// What of the present minute was written.
#[derive(Debug)]
pub struct Limiter {
    limits: AccessLimits,
    minute: i64,
    counted: HashMap<Key, Counted>,
    people: usize,
    addresses: usize,
    strangers: u32,
    /// Allowed and refused ones of those that are not told apart.
    crowd: [u64; 2],
}

impl Limiter {
    pub fn new(limits: AccessLimits) -> Self {
        Self { limits, minute: i64::MIN, counted: HashMap::new(), people: 0, addresses: 0, strangers: 0, crowd: [0; 2] }
    }

    /// Whether an access is written; else it is counted. [`Limiter::roll`] comes first.
    pub fn admit(&mut self, access: &Access) -> bool {
        let is_refused = access.outcome.is_refused();
        let proved = access.by.as_ref().filter(|_| access.auth == Some(Auth::Authenticated));
        let who = proved.map_or_else(|| Who::Address(access.from.clone()), |by| Who::Proved(by.clone()));
        let is_stranger = proved.is_none();
        let key = Key { who, is_refused };
        if !self.counted.contains_key(&key) && !self.take_place(is_stranger) {
            self.crowd[usize::from(is_refused)] += 1;
            return false;
        }
        let (each, left) = match is_stranger {
            true => (self.limits.stranger_each, self.limits.strangers - self.strangers),
            false => (self.limits.proved_each, u32::MAX),
        };
        let counted = self.counted.entry(key).or_default();
        if counted.written >= each || left == 0 {
            counted.over += 1;
            return false;
        }
        counted.written += 1;
        self.strangers += u32::from(is_stranger);
        true
    }

    /// Takes a place among those that are told apart, if there is one.
    fn take_place(&mut self, is_stranger: bool) -> bool {
        let (taken, most) = match is_stranger {
            true => (&mut self.addresses, self.limits.addresses),
            false => (&mut self.people, self.limits.people),
        };
        let has_place = *taken < most;
        *taken += usize::from(has_place);
        has_place
    }

    /// Goes on to the minute of a time; returns what was not written of the one that has ended.
    pub fn roll(&mut self, now: Timestamp) -> Vec<Unwritten> {
        let minute = now.micros().div_euclid(MINUTE_MICROS);
        // requests that run beside each other do not come in the order of their times
        let is_the_same = minute <= self.minute && minute >= self.minute.saturating_sub(BACK_MINUTES_MAX);
        if is_the_same {
            return Vec::new();
        }
        let ended = self.end();
        self.minute = minute;
        ended
    }

    /// Ends the minute as it is; returns what was not written of it.
    ///
    /// What comes later in the same minute counts as if there had been nothing: only for when the log ends.
    pub fn end(&mut self) -> Vec<Unwritten> {
        let time = Timestamp(self.minute.saturating_mul(MINUTE_MICROS));
        let mut counted: Vec<_> = self.counted.drain().filter(|(_, counted)| counted.over > 0).collect();
        counted.sort_by(|a, b| a.0.cmp(&b.0));
        let mut unwritten: Vec<Unwritten> =
            counted.into_iter().map(|(key, counted)| key.unwritten(time, counted.over)).collect();
        for (is_refused, count) in [(false, self.crowd[0]), (true, self.crowd[1])] {
            if count > 0 {
                let (why, refused) = (WhyUnwritten::Crowd, Some(is_refused));
                unwritten.push(Unwritten { time, count, why, by: None, from: None, refused });
            }
        }
        (self.people, self.addresses, self.strangers, self.crowd) = (0, 0, 0, [0; 2]);
        unwritten
    }
}

impl Key {
    fn unwritten(self, time: Timestamp, count: u64) -> Unwritten {
        let (by, from) = match self.who {
            Who::Proved(by) => (Some(by), None),
            Who::Address(from) => (None, Some(from)),
        };
        Unwritten { time, count, why: WhyUnwritten::Rate, by, from, refused: Some(self.is_refused) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{access_log::AccessOutcome, rights::Action};

    fn access(time: i64, who: u8, is_proved: bool, is_refused: bool) -> Access {
        Access {
            time: Timestamp(time),
            by: is_proved.then(|| PrincipalName::new(format!("p{who}")).unwrap()),
            auth: is_proved.then_some(Auth::Authenticated),
            token: None,
            from: format!("203.0.113.{who}"),
            act: "GET".into(),
            action: Action::Read,
            project: None,
            endpoint: None,
            thing: "/".into(),
            outcome: if is_refused { AccessOutcome::Forbidden } else { AccessOutcome::Allowed },
        }
    }

    const SMALL: AccessLimits =
        AccessLimits { proved_each: 5, stranger_each: 3, strangers: 7, addresses: 4, people: 2 };

    proptest! {
        /// Whatever comes in whatever order: what is written and what is a number are together what came, and strangers get no
        /// more than is said, however many they are.
        #[test]
        fn nothing_is_lost_and_strangers_stay_within_their_part(
            coming in prop::collection::vec((0i64..4, 0u8..30, any::<bool>(), any::<bool>()), 0..800),
        ) {
            let mut coming = coming;
            coming.sort_by_key(|one| one.0);
            let mut limiter = Limiter::new(SMALL);
            let (mut written, mut numbers) = (0u64, 0u64);
            let mut of_strangers = std::collections::BTreeMap::<i64, u64>::new();
            let mut take = |ended: Vec<Unwritten>, of: &mut std::collections::BTreeMap<i64, u64>| {
                for one in ended {
                    numbers += one.count;
                    if one.by.is_none() {
                        *of.entry(one.time.micros() / MINUTE_MICROS).or_default() += 1;
                    }
                }
            };
            for (minute, who, is_proved, is_refused) in &coming {
                let one = access(minute * MINUTE_MICROS + i64::from(*who), *who, *is_proved, *is_refused);
                take(limiter.roll(one.time), &mut of_strangers);
                if limiter.admit(&one) {
                    written += 1;
                    if !is_proved {
                        *of_strangers.entry(*minute).or_default() += 1;
                    }
                }
            }
            take(limiter.end(), &mut of_strangers);
            prop_assert_eq!(written + numbers, coming.len() as u64);
            let most = SMALL.strangers_entries_per_minute();
            prop_assert!(of_strangers.values().all(|entries| *entries <= most), "{:?} of {}", of_strangers, most);
        }
    }

    #[test]
    fn strangers_take_nothing_of_what_those_have_who_are_proved() {
        let mut limiter = Limiter::new(SMALL);
        for who in 0..100 {
            limiter.admit(&access(0, who, false, true));
        }
        assert!((0..5).all(|_| limiter.admit(&access(0, 1, true, true))));
        assert!(!limiter.admit(&access(0, 1, true, true)));
        assert!(limiter.admit(&access(0, 1, true, false)), "what is read is another part than what is refused");
    }

    #[test]
    fn a_minute_ends_once_and_a_clock_that_was_set_back_ends_it() {
        let mut limiter = Limiter::new(SMALL);
        let minute = |number: i64| Timestamp(number * MINUTE_MICROS);
        assert_eq!(limiter.roll(minute(10)), []);
        for _ in 0..5 {
            limiter.admit(&access(0, 1, false, true));
        }
        assert_eq!(limiter.roll(minute(9)), [], "a request that took its time");
        let ended = limiter.roll(minute(11));
        assert_eq!(ended.len(), 1);
        assert_eq!((ended[0].count, ended[0].time, ended[0].refused), (2, minute(10), Some(true)));
        for _ in 0..4 {
            limiter.admit(&access(0, 1, false, false));
        }
        assert_eq!(limiter.roll(minute(2))[0].count, 1);
        assert_eq!(limiter.roll(minute(2)), []);
    }
}
