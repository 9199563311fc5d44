//! How an endpoint answers: immutable deployment revisions, and the pure function from a request to an arm.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    composition::{Sequence, Source, StepSpec},
    name::{EndpointName, ProjectName},
    overrule::Override,
    signature::Signature,
    target::Target,
};

/// What a prediction's answer waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogMode {
    /// Answered only after the record is on disk.
    #[default]
    Durable,
    /// Answered at once; a crash may lose the last moments, and what is lost is counted.
    Fast,
    Off,
}

/// Which models answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Route {
    Single {
        serves: Sequence,
    },
    /// A share of the units gets the new models, and keeps them while the share grows.
    Canary {
        stable: Sequence,
        canary: Sequence,
        weight_percent: f64,
    },
}

/// One way to answer: its name in records and headers, and its models.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arm<'a> {
    pub variant: &'static str,
    pub serves: &'a Sequence,
    /// Share of the units, 0 to 1.
    pub share: f64,
}

impl Route {
    /// The arms; the first is the one that answered before and defines the contract.
    pub fn arms(&self) -> Vec<Arm<'_>> {
        match self {
            Self::Single { serves } => vec![Arm { variant: "single", serves, share: 1.0 }],
            Self::Canary { stable, canary, weight_percent } => {
                let share = weight_percent / 100.0;
                vec![
                    Arm { variant: "stable", serves: stable, share: 1.0 - share },
                    Arm { variant: "canary", serves: canary, share },
                ]
            }
        }
    }

    /// As in records and headers.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Single { .. } => "single",
            Self::Canary { .. } => "canary",
        }
    }

    /// Every model version that may be asked, once each.
    pub fn targets(&self) -> Vec<&Target> {
        let mut targets: Vec<&Target> = Vec::new();
        for target in self.arms().into_iter().flat_map(|arm| arm.serves.targets()) {
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
        targets
    }
}

/// What people declare of an endpoint: `[endpoint.<name>]` of `stemma.toml`, or the arguments of a command.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointSpec {
    #[serde(default, rename = "step")]
    pub steps: Vec<StepSpec>,
    /// Output of the endpoint → where it comes from; empty: the outputs of the last step.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, Source>,
    #[serde(default, rename = "override", skip_serializing_if = "BTreeMap::is_empty")]
    pub overrides: BTreeMap<String, Override>,
    #[serde(default)]
    pub log: LogMode,
}

impl EndpointSpec {
    /// One model, as in `credit-score@champion`.
    pub fn of_one(model: String, log: LogMode) -> Self {
        let name = model.split('@').next().unwrap_or(&model).to_owned();
        Self { steps: vec![StepSpec { name, model, inputs: BTreeMap::new() }], log, ..Self::default() }
    }
}

/// The whole of one deployment revision. Hashed as canonical JSON; never changed once deployed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Revision {
    /// Stored-format version, 1.
    pub v: u32,
    pub project: ProjectName,
    pub endpoint: EndpointName,
    /// The endpoint's number in its home; part of every prediction id.
    pub ordinal: u16,
    /// Counts from 1 within the endpoint.
    pub number: u32,
    pub route: Route,
    /// Applied to the answer of whichever arm, in the order of their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub overrides: BTreeMap<String, Override>,
    /// What callers send and get.
    pub signature: Signature,
    /// Separates this experiment's assignments from those of others; stays when only the share changes.
    pub salt: String,
    pub log: LogMode,
}

impl Revision {
    /// Chooses the arm for a unit: the same revision and unit always give the same arm.
    ///
    /// The canary's part of [0, 1) is anchored at 0, so that a greater share only adds units to it.
    pub fn assign(&self, unit: &str) -> Arm<'_> {
        self.route.arms()[self.assign_at(unit)]
    }

    /// The place of that arm among [`Route::arms`].
    pub fn assign_at(&self, unit: &str) -> usize {
        match &self.route {
            Route::Single { .. } => 0,
            Route::Canary { weight_percent, .. } => usize::from(bucket(&self.salt, unit) < weight_percent / 100.0),
        }
    }

    /// The canary that runs in this revision and would not in one with the other route, or without any.
    pub fn canary_ended_by(&self, next: Option<&Route>) -> Option<RunningCanary> {
        let Route::Canary { stable, canary, weight_percent } = &self.route else {
            return None;
        };
        if matches!(next, Some(Route::Canary { canary: kept, .. }) if kept == canary) {
            return None;
        }
        let answering: Vec<&Target> = stable.targets().collect();
        let tried = canary.targets().filter(|target| !answering.contains(target));
        let versions = tried.map(|target| format!("{}@{}", target.model, target.version)).collect();
        Some(RunningCanary { versions, weight_percent: *weight_percent })
    }

    /// The arm of a record.
    pub fn arm(&self, variant: &str) -> Option<Arm<'_>> {
        self.route.arms().into_iter().find(|arm| arm.variant == variant)
    }
}

/// What is tried out on a share of the units.
#[derive(Debug, Clone, PartialEq)]
pub struct RunningCanary {
    pub versions: Vec<String>,
    pub weight_percent: f64,
}

impl fmt::Display for RunningCanary {
    /// `credit-score@1.1.0, which answers 20 % of the units`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.versions.len() == 1 { "answers" } else { "answer" };
        write!(f, "{}, which {verb} {} % of the units", self.versions.join(", "), self.weight_percent)
    }
}

/// The revisions to go back to, newest last, from the numbers that became live one after the other.
///
/// Deploying puts a revision on top; going back to one takes away everything above it, so what was abandoned is not
/// gone back to.
pub fn standing(activated: &[u32]) -> Vec<u32> {
    let mut stack: Vec<u32> = Vec::new();
    for number in activated {
        match stack.iter().position(|standing| standing == number) {
            Some(at) => stack.truncate(at + 1),
            None => stack.push(*number),
        }
    }
    stack
}

/// Maps a unit to [0, 1) by XXH3-64 of `salt ‖ 0x00 ‖ unit`, taking the upper 53 bits.
///
/// The same on every machine and in every process; independent between salts.
pub fn bucket(salt: &str, unit: &str) -> f64 {
    let mut bytes = Vec::with_capacity(salt.len() + 1 + unit.len());
    bytes.extend_from_slice(salt.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(unit.as_bytes());
    (xxh3_64(&bytes) >> 11) as f64 * 2f64.powi(-53)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Digest;

    #[test]
    fn buckets_are_frozen() {
        let found = [bucket("seed", "a"), bucket("seed", "b"), bucket("", "")];
        assert_eq!(found, FROZEN);
    }
    const FROZEN: [f64; 3] = [0.453981257282587, 0.5164204006997172, 0.7667827578327963];

    #[test]
    fn shares_are_even_and_salts_independent() {
        let n = 100_000;
        let low = |salt: &str, i: u32| bucket(salt, &i.to_string()) < 0.1;
        let share = (0..n).filter(|i| low("one", *i)).count() as f64 / f64::from(n);
        assert!((share - 0.1).abs() < 0.004, "{share}");
        let both = (0..n).filter(|i| low("one", *i) && low("two", *i)).count() as f64 / f64::from(n);
        assert!((both - 0.01).abs() < 0.002, "{both}");
    }

    #[test]
    fn what_was_abandoned_is_not_gone_back_to() {
        for (activated, expected) in [
            (&[][..], &[][..]),
            (&[1, 2, 3], &[1, 2, 3]),
            (&[1, 2, 3, 2], &[1, 2]),
            (&[1, 2, 3, 2, 4], &[1, 2, 4]),
            (&[1, 2, 3, 2, 4, 2, 1], &[1]),
            (&[1, 2, 1, 2], &[1, 2]),
        ] {
            assert_eq!(standing(activated), expected, "{activated:?}");
        }
    }

    fn canary(weight_percent: f64) -> Revision {
        let sequence = |model: &str| {
            let target = Target {
                model: model.parse().unwrap(),
                version: "1.0.0".parse().unwrap(),
                digest: Digest::of(model.as_bytes()),
            };
            Sequence::of_one(target, &Signature::default())
        };
        Revision {
            v: 1,
            project: ProjectName::default_project(),
            endpoint: "credit-offer".parse().unwrap(),
            ordinal: 0,
            number: 1,
            route: Route::Canary { stable: sequence("old"), canary: sequence("new"), weight_percent },
            overrides: BTreeMap::new(),
            signature: Signature::default(),
            salt: "credit-offer/new".into(),
            log: LogMode::Durable,
        }
    }

    #[test]
    fn a_canary_ends_unless_the_next_route_has_it_too() {
        let running = canary(20.0);
        let ended = |next: Option<&Route>| running.canary_ended_by(next).map(|canary| canary.to_string());
        assert_eq!(ended(None).unwrap(), "new@1.0.0, which answers 20 % of the units");
        let Route::Canary { stable, canary: tried, .. } = running.route.clone() else { panic!("a canary") };
        assert!(ended(Some(&Route::Single { serves: tried.clone() })).is_some());
        let swapped = Route::Canary { stable: tried, canary: stable.clone(), weight_percent: 20.0 };
        assert!(ended(Some(&swapped)).is_some());
        assert_eq!(ended(Some(&canary(50.0).route)), None);
        let single = Revision { route: Route::Single { serves: stable }, ..running.clone() };
        assert_eq!(single.canary_ended_by(None), None);
    }

    #[test]
    fn a_growing_canary_only_gains_units() {
        let steps: Vec<Revision> = [0.0, 1.0, 10.0, 10.01, 50.0, 100.0].into_iter().map(canary).collect();
        for i in 0..20_000 {
            let unit = format!("customer-{i}");
            let in_canary: Vec<bool> = steps.iter().map(|r| r.assign(&unit).variant == "canary").collect();
            assert!(in_canary.is_sorted(), "{unit} left the canary while it grew: {in_canary:?}");
            assert!(!in_canary[0] && in_canary[5]);
        }
    }

    #[test]
    fn a_canary_gets_exactly_its_share() {
        let revision = canary(10.0);
        let n = 1_000_000;
        let hits = (0..n).filter(|i| revision.assign(&i.to_string()).variant == "canary").count();
        assert!((hits as f64 / f64::from(n) - 0.1).abs() < 0.001, "{hits}");
        let shares: f64 = revision.route.arms().iter().map(|arm| arm.share).sum();
        assert_eq!(shares, 1.0);
    }
}
