//! How requests are divided among the arms of a revision: a pure function from a unit to an arm.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::overrule::Condition;

/// Units stand in one of so many places, which JSON and `f64` tell apart exactly.
const BUCKETS: f64 = (1u64 << 53) as f64;

/// What the division is for; it changes nothing in how it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RouteKind {
    /// One arm answers everybody.
    Single,
    /// What is new is tried on a share of the units, which keep it while the share grows.
    Canary,
    /// Arms are compared.
    Experiment,
    /// Shares follow what the arms earn.
    Bandit,
}

impl RouteKind {
    /// As in headers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Canary => "canary",
            Self::Experiment => "experiment",
            Self::Bandit => "bandit",
        }
    }
}

/// Which arm answers whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Route {
    pub kind: RouteKind,
    /// Separates this experiment's assignments from those of others; stays when only shares change.
    pub salt: String,
    /// Parts of the requests with shares of their own, in order: a request belongs to the first whose conditions hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<Partition>,
    /// Of all requests that belong to no partition.
    pub shares: Vec<Share>,
    /// Version of the shares; 0 is what was deployed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub allocation: u64,
    /// Arms that are asked besides, and whose answers nobody gets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shadow: Vec<String>,
    /// The arm that answers when the chosen one can't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
}

/// A range of the units' places, in percent, and the arm that answers those who stand there.
///
/// Anchored ranges are what makes a growing share only gain units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Share {
    pub arm: String,
    pub from_percent: f64,
    /// Not in the range any more.
    pub to_percent: f64,
}

/// Requests of a kind, by what they say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Partition {
    pub name: String,
    /// All must hold.
    pub when: Vec<Condition>,
    pub shares: Vec<Share>,
}

/// The arm that a unit was assigned to, and what that follows from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Assignment<'a> {
    pub arm: &'a str,
    pub bucket: u64,
    /// Probability with which a unit is assigned to this arm.
    pub propensity: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls it with")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Share {
    fn of(arm: &str, from_percent: f64, to_percent: f64) -> Self {
        Self { arm: arm.to_owned(), from_percent, to_percent }
    }

    /// How many of all units, from 0 to 1.
    fn fraction(&self) -> f64 {
        (self.to_percent - self.from_percent) / 100.0
    }
}

impl Route {
    /// One arm answers everybody.
    pub fn single(arm: &str, salt: String) -> Self {
        Self::of(RouteKind::Single, salt, vec![Share::of(arm, 0.0, 100.0)])
    }

    /// The first arm answers all but a share of the units, which begins at 0 so that a greater one only adds to it.
    pub fn canary(stable: &str, canary: &str, weight_percent: f64, salt: String) -> Self {
        let shares = vec![Share::of(canary, 0.0, weight_percent), Share::of(stable, weight_percent, 100.0)];
        Self::of(RouteKind::Canary, salt, shares)
    }

    fn of(kind: RouteKind, salt: String, shares: Vec<Share>) -> Self {
        Self { kind, salt, partitions: Vec::new(), shares, allocation: 0, shadow: Vec::new(), fallback: None }
    }

    /// Chooses the arm for a unit of no partition: the same route and unit always give the same arm.
    ///
    /// `None` only for shares that [`Route::faults`] finds wrong.
    pub fn assign(&self, unit: &str) -> Option<Assignment<'_>> {
        let bucket = bucket(&self.salt, unit);
        let place = bucket as f64 / BUCKETS;
        let share = self.shares.iter().find(|share| place < share.to_percent / 100.0)?;
        Some(Assignment { arm: &share.arm, bucket, propensity: self.share_of(&share.arm) })
    }

    /// The share of an arm among units of no partition, from 0 to 1.
    pub fn share_of(&self, arm: &str) -> f64 {
        self.shares.iter().filter(|share| share.arm == arm).map(Share::fraction).sum()
    }

    /// All that is wrong with it for a revision with these arms.
    pub fn faults(&self, arms: &[&str]) -> Vec<String> {
        let mut faults = share_faults("the shares", &self.shares, arms);
        for (at, partition) in self.partitions.iter().enumerate() {
            let name = &partition.name;
            faults.extend(share_faults(&format!("partition `{name}`"), &partition.shares, arms));
            if self.partitions[..at].iter().any(|earlier| earlier.name == *name) {
                faults.push(format!("two partitions are called `{name}`"));
            }
        }
        let besides =
            self.shadow.iter().map(|arm| ("shadow", arm)).chain(self.fallback.iter().map(|arm| ("fallback", arm)));
        faults
            .extend(besides.filter(|(_, arm)| !arms.contains(&arm.as_str())).map(|(what, arm)| unknown_arm(what, arm)));
        faults
    }
}

/// Ranges must follow each other from 0 to 100, so that every unit stands in one of them.
fn share_faults(whose: &str, shares: &[Share], arms: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut end = 0.0;
    for share in shares {
        if !arms.contains(&share.arm.as_str()) {
            faults.push(unknown_arm(whose, &share.arm));
        }
        if share.from_percent != end || !(share.from_percent..=100.0).contains(&share.to_percent) {
            let (from, to) = (share.from_percent, share.to_percent);
            faults.push(format!("{whose}: {from} to {to} % of `{}` does not go on from {end} %", share.arm));
        }
        end = share.to_percent;
    }
    if end != 100.0 {
        faults.push(format!("{whose} end at {end} %, not at 100 %"));
    }
    faults
}

fn unknown_arm(whose: &str, arm: &str) -> String {
    format!("{whose}: there is no arm `{arm}`")
}

/// Where a unit stands among 2^53 places: the upper bits of XXH3-64 of `salt ‖ 0x00 ‖ unit`.
///
/// The same on every machine and in every process; independent between salts.
pub fn bucket(salt: &str, unit: &str) -> u64 {
    let mut bytes = Vec::with_capacity(salt.len() + 1 + unit.len());
    bytes.extend_from_slice(salt.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(unit.as_bytes());
    xxh3_64(&bytes) >> 11
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As version 1 told where a unit stands.
    fn place(salt: &str, unit: &str) -> f64 {
        bucket(salt, unit) as f64 / BUCKETS
    }

    #[test]
    fn buckets_are_frozen() {
        assert_eq!([place("seed", "a"), place("seed", "b"), place("", "")], FROZEN);
        assert_eq!(bucket("seed", "a"), 4_089_099_642_262_096);
    }
    const FROZEN: [f64; 3] = [0.453981257282587, 0.5164204006997172, 0.7667827578327963];

    fn canary(weight_percent: f64) -> Route {
        Route::canary("stable", "canary", weight_percent, "credit-offer/new".to_owned())
    }

    #[test]
    fn places_are_even_and_salts_independent() {
        let n = 100_000;
        let low = |salt: &str, i: u32| place(salt, &i.to_string()) < 0.1;
        let share = (0..n).filter(|i| low("one", *i)).count() as f64 / f64::from(n);
        assert!((share - 0.1).abs() < 0.004, "{share}");
        let both = (0..n).filter(|i| low("one", *i) && low("two", *i)).count() as f64 / f64::from(n);
        assert!((both - 0.01).abs() < 0.002, "{both}");
    }

    #[test]
    fn a_growing_canary_only_gains_units() {
        let steps: Vec<Route> = [0.0, 1.0, 10.0, 10.01, 50.0, 100.0].into_iter().map(canary).collect();
        for i in 0..20_000 {
            let unit = format!("customer-{i}");
            let in_canary: Vec<bool> = steps.iter().map(|route| route.assign(&unit).unwrap().arm == "canary").collect();
            assert!(in_canary.is_sorted(), "{unit} left the canary while it grew: {in_canary:?}");
            assert!(!in_canary[0] && in_canary[5]);
        }
    }

    #[test]
    fn an_arm_may_have_several_ranges() {
        // a control of the size of the canary, so that both can be compared while they grow
        let shares = vec![
            Share::of("canary", 0.0, 10.0),
            Share::of("stable", 10.0, 50.0),
            Share::of("control", 50.0, 60.0),
            Share::of("stable", 60.0, 100.0),
        ];
        let route = Route { shares, ..canary(10.0) };
        assert_eq!(route.faults(&["stable", "canary", "control"]), [""; 0]);
        assert_eq!([route.share_of("canary"), route.share_of("control"), route.share_of("stable")], [0.1, 0.1, 0.8]);
        assert_eq!(route.faults(&["stable", "canary"]), ["the shares: there is no arm `control`"]);
    }

    #[test]
    fn what_is_no_division_is_told() {
        let faults = |ranges: &[(f64, f64)]| {
            let shares = ranges.iter().map(|(from, to)| Share::of("a", *from, *to)).collect();
            Route { shares, ..Route::single("a", String::new()) }.faults(&["a"])
        };
        assert_eq!(faults(&[(0.0, 40.0), (40.0, 40.0), (40.0, 100.0)]), [""; 0]);
        assert_eq!(faults(&[]), ["the shares end at 0 %, not at 100 %"]);
        assert_eq!(faults(&[(0.0, 40.0), (50.0, 100.0)]), ["the shares: 50 to 100 % of `a` does not go on from 40 %"]);
        assert_eq!(faults(&[(0.0, 60.0), (50.0, 100.0)]).len(), 1);
        assert_eq!(faults(&[(0.0, f64::NAN)]).len(), 2);
        assert_eq!(faults(&[(0.0, 110.0)]).len(), 2);
        let shadowed =
            Route { shadow: vec!["b".into()], fallback: Some("c".into()), ..Route::single("a", String::new()) };
        assert_eq!(shadowed.faults(&["a"]), ["shadow: there is no arm `b`", "fallback: there is no arm `c`"]);
    }

    /// Any number of arms that divide all units among them.
    fn any_route() -> impl Strategy<Value = Route> {
        let ends = prop::collection::vec(0.0..100.0f64, 0..6);
        ("[a-z]{0,8}", ends, any::<bool>()).prop_map(|(salt, mut ends, again)| {
            ends.sort_by(f64::total_cmp);
            ends.push(100.0);
            let mut from = 0.0;
            let share = |(at, to): (usize, f64)| {
                // the first arm may have another range at the end
                let arm = if again && to == 100.0 { 0 } else { at };
                let share = Share::of(&format!("arm{arm}"), from, to);
                from = to;
                share
            };
            let shares = ends.into_iter().enumerate().map(share).collect();
            Route { shares, ..Route::single("", salt) }
        })
    }

    proptest! {
        #[test]
        fn every_unit_has_one_arm_which_is_always_the_same(route in any_route(), unit in "\\PC{0,12}") {
            let arms: Vec<&str> = route.shares.iter().map(|share| share.arm.as_str()).collect();
            prop_assert_eq!(route.faults(&arms), Vec::<String>::new());
            let assigned = route.assign(&unit).unwrap();
            let again = route.clone();
            prop_assert_eq!(Some(assigned), again.assign(&unit));
            prop_assert!(assigned.bucket < 1 << 53);
            let held = serde_json::to_string(&assigned.bucket).unwrap().parse::<f64>().unwrap();
            prop_assert_eq!(held as u64, assigned.bucket);
            let holds = |share: &&Share| {
                let place = assigned.bucket as f64 / BUCKETS;
                share.from_percent / 100.0 <= place && place < share.to_percent / 100.0
            };
            let holding: Vec<&str> = route.shares.iter().filter(holds).map(|share| share.arm.as_str()).collect();
            prop_assert_eq!(holding, [assigned.arm]);
            prop_assert_eq!(assigned.propensity, route.share_of(assigned.arm));
        }

        #[test]
        fn arms_get_their_shares_within_binomial_bounds(route in any_route()) {
            let n = 20_000;
            let mut hits = std::collections::BTreeMap::<String, u32>::new();
            for unit in 0..n {
                *hits.entry(route.assign(&unit.to_string()).unwrap().arm.to_owned()).or_default() += 1;
            }
            let mut whole = 0.0;
            for arm in route.shares.iter().map(|share| &share.arm).collect::<std::collections::BTreeSet<_>>() {
                let share = route.share_of(arm);
                whole += share;
                let (expected, spread) = (share * f64::from(n), (share * (1.0 - share) * f64::from(n)).sqrt());
                let found = f64::from(hits.get(arm).copied().unwrap_or(0));
                prop_assert!((found - expected).abs() <= 5.0 * spread + 1.0, "{}: {} of {}", arm, found, expected);
            }
            prop_assert!((whole - 1.0).abs() < 1e-12, "{}", whole);
        }

        /// The rule of version 1, as it was: `bucket < weight`.
        #[test]
        fn a_canary_is_drawn_as_version_1_drew_it(weight in 0.0..=100.0f64, unit in "[a-z0-9-]{0,10}") {
            let was_canary = place("credit-offer/new", &unit) < weight / 100.0;
            prop_assert_eq!(canary(weight).assign(&unit).unwrap().arm == "canary", was_canary);
        }
    }
}
