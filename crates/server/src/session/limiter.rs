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
    /// How many seconds are to be waited before this may be tried; 0 is now.
    pub fn wait(&self, name: &str, address: &str, now: Timestamp) -> u64 {
        let of = |wrong: Option<&Wrong>, most: i64| match wrong {
            Some(wrong) if wrong.count > FREE => {
                let wait = SECOND.saturating_mul(1 << (wrong.count - FREE - 1).min(20)).min(most);
                (wrong.last.micros() + wait - now.micros()).clamp(0, most)
            }
            _ => 0,
        };
        let name = of(self.names.get(&folded(name)), NAME_WAITS_MAX);
        let address = of(self.addresses.get(address), ADDRESS_WAITS_MAX);
        (name.max(address) as u64).div_ceil(SECOND as u64)
    }

    /// Notes that it was wrong.
    pub fn was_wrong(&mut self, name: &str, address: &str, now: Timestamp) {
        note(&mut self.names, folded(name), now);
        note(&mut self.addresses, address.to_owned(), now);
    }

    /// The name is forgotten. The address is not: whoever knows one password may guess another.
    pub fn was_right(&mut self, name: &str) {
        self.names.remove(&folded(name));
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

    #[test]
    fn t22_each_wrong_guess_is_waited_for_longer() {
        let mut limiter = Limiter::default();
        let (mut now, mut tried) = (Timestamp(0), 0);
        // somebody who tries as soon as they may, for a day
        while now.micros() < 24 * 3_600 * SECOND {
            let wait = limiter.wait("rita", "203.0.113.9", now);
            if wait > 0 {
                now = Timestamp(now.micros() + wait as i64 * SECOND);
            }
            assert_eq!(limiter.wait("rita", "203.0.113.9", now), 0);
            limiter.was_wrong("rita", "203.0.113.9", now);
            tried += 1;
        }
        assert!(tried < 50, "{tried} guesses a day from one address");
        // the owner of the name, at another address, waits for half a minute at most
        assert!(limiter.wait("Rita", "198.51.100.1", now) <= 30);
        assert_eq!(limiter.wait("omar", "198.51.100.1", now), 0);
    }

    #[test]
    fn a_name_is_guessed_slowly_from_everywhere_together() {
        let (mut limiter, mut now, mut tried) = (Limiter::default(), Timestamp(0), 0u32);
        while now.micros() < 3_600 * SECOND {
            let address = format!("2001:db8:{tried:x}::");
            now = Timestamp(now.micros() + limiter.wait("rita", &address, now) as i64 * SECOND);
            limiter.was_wrong("rita", &address, now);
            tried += 1;
        }
        assert!(tried < 150, "{tried} guesses an hour");
        limiter.was_right("RITA");
        assert_eq!(limiter.wait("rita", "198.51.100.1", now), 0);
    }

    #[test]
    fn what_is_kept_is_bounded_and_forgotten() {
        let mut limiter = Limiter::default();
        for n in 0..KEPT_MAX + 10 {
            limiter.was_wrong(&format!("{n}{}", "x".repeat(5000)), "here", Timestamp(n as i64));
        }
        assert!(limiter.names.len() <= KEPT_MAX && limiter.names.keys().all(|name| name.len() <= 255));
        let mut limiter = Limiter::default();
        for _ in 0..10 {
            limiter.was_wrong("rita", "here", Timestamp(0));
        }
        assert!(limiter.wait("rita", "here", Timestamp(SECOND)) > 0);
        assert_eq!(limiter.wait("rita", "here", Timestamp(FORGOTTEN)), 0);
        limiter.was_wrong("rita", "here", Timestamp(FORGOTTEN));
        assert_eq!(limiter.wait("rita", "here", Timestamp(FORGOTTEN)), 0);
    }
}
