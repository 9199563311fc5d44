//! Who guesses waits: longer with each time that it was wrong, by the name that is tried and by where it is tried from.
//!
//! A name waits at most half a minute, so that nobody can keep somebody else out by trying their name; an address waits up
//! to an hour.

use std::collections::HashMap;

use stemma_core::Timestamp;

const SECOND: i64 = 1_000_000;
/// So many may go wrong before anybody waits.
const FREE: u32 = 4;
const NAME_WAITS_MAX: i64 = 30 * SECOND;
const ADDRESS_WAITS_MAX: i64 = 3_600 * SECOND;
/// What went wrong longer ago is forgotten.
const FORGOTTEN: i64 = 2 * 3_600 * SECOND;
/// Names and addresses that are kept; of more, what went wrong longest ago is forgotten.
const KEPT_MAX: usize = 20_000;

#[derive(Debug, Clone, Copy)]
struct Wrong {
    count: u32,
    last: Timestamp,
}

/// What has gone wrong lately. Bounded in memory.
#[derive(Debug, Default)]
pub struct Limiter {
    names: HashMap<String, Wrong>,
    addresses: HashMap<String, Wrong>,
}

impl Limiter {
    /// Begins a try, or says for how many seconds to wait first. A try counts as wrong from its beginning, so that many at
    /// once are no more than one after the other. Whoever shows a token tries no name.
    pub fn begin(&mut self, name: Option<&str>, address: &str, now: Timestamp) -> Result<(), u64> {
        match self.wait(name, address, now) {
            0 => {
                if let Some(name) = name {
                    note(&mut self.names, folded(name), now);
                }
                note(&mut self.addresses, address.to_owned(), now);
                Ok(())
            }
            wait => Err(wait),
        }
    }

    /// The try was right. The name is forgotten; of the address only this try is, since whoever knows one password may guess
    /// another.
    pub fn was_right(&mut self, name: Option<&str>, address: &str) {
        if let Some(name) = name {
            self.names.remove(&folded(name));
        }
        if let Some(wrong) = self.addresses.get_mut(address) {
            wrong.count = wrong.count.saturating_sub(1);
        }
    }

    fn wait(&self, name: Option<&str>, address: &str, now: Timestamp) -> u64 {
        let of = |wrong: Option<&Wrong>, most: i64| match wrong {
            Some(wrong) if wrong.count > FREE => {
                let wait = SECOND.saturating_mul(1 << (wrong.count - FREE - 1).min(20)).min(most);
                (wrong.last.micros() + wait - now.micros()).clamp(0, most)
            }
            _ => 0,
        };
        let name = of(name.and_then(|name| self.names.get(&folded(name))), NAME_WAITS_MAX);
        let address = of(self.addresses.get(address), ADDRESS_WAITS_MAX);
        (name.max(address) as u64).div_ceil(SECOND as u64)
    }
}

/// However long a name is that somebody tries, what is kept of it is short.
fn folded(name: &str) -> String {
    name.to_lowercase().chars().take(255).collect()
}

fn note(kept: &mut HashMap<String, Wrong>, key: String, now: Timestamp) {
    if kept.len() >= KEPT_MAX && !kept.contains_key(&key) {
        kept.retain(|_, wrong| now.micros() - wrong.last.micros() < FORGOTTEN);
        let oldest = kept.iter().min_by_key(|(_, wrong)| wrong.last).map(|(key, _)| key.clone());
        if kept.len() >= KEPT_MAX
            && let Some(oldest) = oldest
        {
            kept.remove(&oldest);
        }
    }
    let wrong = kept.entry(key).or_insert(Wrong { count: 0, last: now });
    if now.micros() - wrong.last.micros() >= FORGOTTEN {
        wrong.count = 0;
    }
    *wrong = Wrong { count: wrong.count.saturating_add(1), last: now };
}

#[cfg(test)]
mod tests {
    use super::*;

    const RITA: Option<&str> = Some("rita");

    #[test]
    fn t22_each_wrong_guess_is_waited_for_longer() {
        let mut limiter = Limiter::default();
        let (mut now, mut tried) = (Timestamp(0), 0);
        // somebody who tries as soon as they may, for a day
        while now.micros() < 24 * 3_600 * SECOND {
            match limiter.begin(RITA, "203.0.113.9", now) {
                Ok(()) => tried += 1,
                Err(wait) => now = Timestamp(now.micros() + wait as i64 * SECOND),
            }
        }
        assert!(tried < 50, "{tried} guesses a day from one address");
        // the owner of the name, at another address, waits for half a minute at most
        assert!(limiter.wait(Some("Rita"), "198.51.100.1", now) <= 30);
        assert_eq!(limiter.wait(Some("omar"), "198.51.100.1", now), 0);
        assert_eq!(limiter.wait(None, "198.51.100.1", now), 0, "who shows a token waits for nobody's name");
    }

    #[test]
    fn t22_many_guesses_at_once_are_no_more_than_one_after_the_other() {
        let mut limiter = Limiter::default();
        let begun = (0..100).filter(|_| limiter.begin(RITA, "203.0.113.9", Timestamp(0)).is_ok()).count();
        assert_eq!(begun, FREE as usize + 1, "none of them has been answered yet");
        let tokens = (0..100).filter(|_| limiter.begin(None, "203.0.113.8", Timestamp(0)).is_ok()).count();
        assert_eq!(tokens, FREE as usize + 1);
        assert_eq!(limiter.begin(None, "203.0.113.7", Timestamp(0)), Ok(()), "others sign in by theirs");
    }

    #[test]
    fn a_name_is_guessed_slowly_from_everywhere_together() {
        let (mut limiter, mut now, mut tried) = (Limiter::default(), Timestamp(0), 0u32);
        while now.micros() < 3_600 * SECOND {
            match limiter.begin(RITA, &format!("2001:db8:{tried:x}::"), now) {
                Ok(()) => tried += 1,
                Err(wait) => now = Timestamp(now.micros() + wait as i64 * SECOND),
            }
        }
        assert!(tried < 150, "{tried} guesses an hour");
        limiter.was_right(Some("RITA"), "198.51.100.1");
        assert_eq!(limiter.wait(RITA, "198.51.100.1", now), 0);
    }

    #[test]
    fn who_is_right_never_waits() {
        let mut limiter = Limiter::default();
        for _ in 0..100 {
            assert_eq!(limiter.begin(RITA, "here", Timestamp(0)), Ok(()));
            limiter.was_right(RITA, "here");
        }
    }

    #[test]
    fn what_is_kept_is_bounded_and_forgotten() {
        let mut limiter = Limiter::default();
        for n in 0..KEPT_MAX + 10 {
            let name = format!("{n}{}", "x".repeat(5000));
            limiter.begin(Some(&name), &format!("place {n}"), Timestamp(n as i64)).unwrap();
        }
        assert!(limiter.names.len() <= KEPT_MAX && limiter.names.keys().all(|name| name.len() <= 255));
        assert!(limiter.addresses.len() <= KEPT_MAX);
        let mut limiter = Limiter::default();
        while limiter.begin(RITA, "here", Timestamp(0)).is_ok() {}
        assert!(limiter.wait(RITA, "here", Timestamp(SECOND / 2)) > 0);
        assert_eq!(limiter.wait(RITA, "here", Timestamp(FORGOTTEN)), 0);
        assert_eq!(limiter.begin(RITA, "here", Timestamp(FORGOTTEN)), Ok(()));
        assert_eq!(limiter.begin(RITA, "here", Timestamp(FORGOTTEN)), Ok(()), "what was before is forgotten");
    }
}
