//! How an endpoint answers: immutable deployment revisions.

mod v1;

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{
    declaration::LogMode,
    graph::{Graph, StepAsks},
    overrule::Override,
    route::{Assignment, Route, RouteKind},
    target::Target,
};
use crate::{
    Digest, canonical,
    name::{EndpointName, ProjectName},
    policy::Role,
    signature::Signature,
};

/// The version of the stored format that is written.
pub const REVISION_VERSION: u32 = 2;

/// Names of the arms that this program makes.
pub mod arm {
    pub const SINGLE: &str = "single";
    pub const STABLE: &str = "stable";
    pub const CANARY: &str = "canary";
}

/// One way to answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Arm {
    /// As in records and headers.
    pub name: String,
    pub graph: Graph,
}

/// What of a request is the unit that is assigned to an arm.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnitSource {
    /// The header `X-Stemma-Unit` or the parameter `stemma_unit`; without them each request is a unit of its own.
    #[default]
    Named,
    Header(String),
    /// An input of the request.
    Field(String),
}

/// Who may ask for an arm by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Forcing {
    #[default]
    Off,
    /// Whoever has this role in the project.
    By(Role),
}

/// The whole of one deployment revision. Hashed as canonical JSON; never changed once deployed.
///
/// A revision of version 1 is written as it was, so that its digest stays what it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self")]
pub struct Revision {
    /// Stored-format version.
    pub v: u32,
    pub project: ProjectName,
    pub endpoint: EndpointName,
    /// The endpoint's number in its home; part of every prediction id.
    pub ordinal: u16,
    /// Counts from 1 within the endpoint.
    pub number: u32,
    /// The first is the one that answered before and defines the contract.
    pub arms: Vec<Arm>,
    pub route: Route,
    #[serde(default, skip_serializing_if = "is_default")]
    pub unit: UnitSource,
    #[serde(default, skip_serializing_if = "is_default")]
    pub force: Forcing,
    /// Applied to the answer of whichever arm, in the order of their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub overrides: BTreeMap<String, Override>,
    /// What callers send and get.
    pub signature: Signature,
    pub log: LogMode,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Serialize for Revision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.v {
            1 => v1::Revision::of(self).map_err(serde::ser::Error::custom)?.serialize(serializer),
            _ => Self::serialize(self, serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Revision {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = serde_json::Value::deserialize(deserializer)?;
        match stored.get("v").and_then(serde_json::Value::as_u64) {
            Some(1) => v1::Revision::deserialize(stored).map(Self::from).map_err(D::Error::custom),
            Some(2) => Self::deserialize(stored).map_err(D::Error::custom),
            Some(newer) => Err(D::Error::custom(format!("a revision of version {newer}, which a newer Stemma wrote"))),
            None => Err(D::Error::custom("a revision that does not say its version")),
        }
    }
}

impl Revision {
    /// Chooses the arm for a unit: the same revision and unit always give the same arm.
    ///
    /// `None` only for a revision that [`Revision::faults`] finds wrong.
    pub fn assign(&self, unit: &str) -> Option<Assignment<'_>> {
        self.route.assign(unit)
    }

    /// The arm of a record.
    pub fn arm(&self, name: &str) -> Option<&Arm> {
        self.arms.iter().find(|arm| arm.name == name)
    }

    /// Every model version that may be asked, once each.
    pub fn targets(&self) -> Vec<&Target> {
        let mut targets: Vec<&Target> = Vec::new();
        for target in self.arms.iter().flat_map(|arm| arm.graph.targets()) {
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
        targets
    }

    /// All that contradicts itself in it.
    pub fn faults(&self) -> Vec<String> {
        let names: Vec<&str> = self.arms.iter().map(|arm| arm.name.as_str()).collect();
        let mut faults = self.route.faults(&names);
        if names.is_empty() {
            faults.push("it has no arm".to_owned());
        }
        for (at, name) in names.iter().enumerate() {
            if names[..at].contains(name) {
                faults.push(format!("two arms are called `{name}`"));
            }
        }
        faults
    }

    /// What the format can say of it and this program can't do: it must not answer as if that were not there.
    pub fn beyond_this_program(&self) -> Vec<String> {
        let mut beyond = Vec::new();
        for (arm, step) in self.arms.iter().flat_map(|arm| arm.graph.steps.iter().map(move |step| (arm, step))) {
            if !matches!(step.asks, StepAsks::Model { .. }) {
                beyond.push(format!(
                    "arm `{}`, step `{}` asks {}; only models can be asked",
                    arm.name, step.name, step.asks
                ));
            }
        }
        let Route { kind, partitions, allocation, shadow, fallback, salt: _, shares: _ } = &self.route;
        for (is_asked, what) in [
            (
                !matches!(kind, RouteKind::Single | RouteKind::Canary),
                format!("a route of the kind `{}`", kind.as_str()),
            ),
            (!partitions.is_empty(), "partitions".to_owned()),
            (*allocation != 0, "shares that were published later".to_owned()),
            (!shadow.is_empty(), "shadows".to_owned()),
            (fallback.is_some(), "a fallback".to_owned()),
            (self.unit != UnitSource::Named, "a unit that is read out of the request".to_owned()),
            (self.force != Forcing::Off, "arms that are asked for by name".to_owned()),
        ] {
            if is_asked {
                beyond.push(format!("{what}: not possible yet"));
            }
        }
        beyond
    }

    /// The canary that runs in this revision and would not in the next, or without any.
    pub fn canary_ended_by(&self, next: Option<&Self>) -> Option<RunningCanary> {
        let (stable, canary) = self.canary_arms()?;
        let goes_on = next.and_then(Self::canary_arms).is_some_and(|(_, kept)| kept.computes_as(canary));
        if goes_on {
            return None;
        }
        let answering: Vec<&Target> = stable.targets().collect();
        let tried = canary.targets().filter(|target| !answering.contains(target));
        let weight_percent = self.canary_percent();
        Some(RunningCanary { versions: tried.map(ToString::to_string).collect(), weight_percent })
    }

    /// What answered before and what is tried, if something is.
    pub fn canary_arms(&self) -> Option<(&Graph, &Graph)> {
        match self.route.kind {
            RouteKind::Canary => Some((&self.arm(arm::STABLE)?.graph, &self.arm(arm::CANARY)?.graph)),
            RouteKind::Single | RouteKind::Experiment | RouteKind::Bandit => None,
        }
    }

    fn canary_percent(&self) -> f64 {
        let shares = self.route.shares.iter().filter(|share| share.arm == arm::CANARY);
        shares.map(|share| share.to_percent - share.from_percent).sum()
    }
}

/// What separates the units of a canary from those of others: the same canary is always tried on the same units, whoever
/// let its versions in.
pub fn canary_salt(endpoint: &EndpointName, canary: &Graph) -> Result<String, serde_json::Error> {
    // in the form of version 1, from which the salts of canaries came that are under way
    let (digest, _): (Digest, _) = match v1::Sequence::of(canary) {
        Some(sequence) => canonical::digest(&sequence)?,
        None => canonical::digest(canary)?,
    };
    Ok(format!("{endpoint}/{}", digest.short()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{endpoint::graph::LetIn, event::Event};

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

    fn graph(model: &str) -> Graph {
        let target = Target {
            model: model.parse().unwrap(),
            version: "1.0.0".parse().unwrap(),
            digest: Digest::of(model.as_bytes()),
        };
        Graph::of_one(target, &Signature::default())
    }

    fn canary(weight_percent: f64) -> Revision {
        let arm = |name: &str, model| Arm { name: name.to_owned(), graph: graph(model) };
        Revision {
            v: REVISION_VERSION,
            project: ProjectName::default_project(),
            endpoint: "credit-offer".parse().unwrap(),
            ordinal: 0,
            number: 1,
            arms: vec![arm("stable", "old"), arm("canary", "new")],
            route: Route::canary("stable", "canary", weight_percent, "credit-offer/new".into()),
            unit: UnitSource::Named,
            force: Forcing::Off,
            overrides: BTreeMap::new(),
            signature: Signature::default(),
            log: LogMode::Durable,
        }
    }

    fn single(graph: Graph) -> Revision {
        let arms = vec![Arm { name: arm::SINGLE.to_owned(), graph }];
        Revision { arms, route: Route::single(arm::SINGLE, "credit-offer".into()), ..canary(0.0) }
    }

    #[test]
    fn a_canary_ends_unless_the_next_revision_has_it_too() {
        let running = canary(20.0);
        let ended = |next: Option<&Revision>| running.canary_ended_by(next).map(|canary| canary.to_string());
        assert_eq!(ended(None).unwrap(), "new@1.0.0, which answers 20 % of the units");
        assert!(ended(Some(&single(graph("new")))).is_some());
        let mut swapped = canary(20.0);
        (swapped.arms[0].graph, swapped.arms[1].graph) = (graph("new"), graph("old"));
        assert!(ended(Some(&swapped)).is_some());
        assert_eq!(ended(Some(&canary(50.0))), None);
        let mut let_in = canary(50.0);
        let StepAsks::Model { let_in: by, .. } = &mut let_in.arms[1].graph.steps[0].asks else { panic!("a model") };
        *by = Some(LetIn { policy: Digest::of(b"policy"), promotion: Some(17) });
        assert_eq!(ended(Some(&let_in)), None, "the same versions, under another policy");
        assert_eq!(single(graph("old")).canary_ended_by(None), None);
    }

    /// As version 1 wrote them, and where its rule sent `customer-0` to `customer-63`.
    const STORED: [(&str, &str, &str); 2] = [
        (
            include_str!("../../tests/data/revision-v1-single.json"),
            "b3:b37970853c5b6f007c9fce1f4fcc2e40e0591375755bd2b88b9266e1eaa30fd5",
            "ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss",
        ),
        (
            include_str!("../../tests/data/revision-v1-canary.json"),
            "b3:33d28e48d71c96bc39db9e7e50b30b4119edc92c8c5afcc78e8ca5bc9e6e0092",
            "ssssssssssssssssssscsssssssssscscssssssssssscsssscssssssssssssss",
        ),
    ];

    #[test]
    fn revisions_of_version_1_stay_as_they_were() {
        for (stored, digest, assigned) in STORED {
            let event: Event = serde_json::from_str(stored).unwrap();
            assert_eq!(serde_json::to_string(&event).unwrap(), stored.trim_end());
            let Event::RevisionDeployed { revision, .. } = event else { panic!("{event:?}") };
            assert_eq!(canonical::digest(&revision).unwrap().0.to_string(), digest);
            let arms = (0..64).map(|unit| revision.assign(&format!("customer-{unit}")).unwrap().arm.to_owned());
            assert_eq!(arms.map(|arm| arm.chars().next().unwrap()).collect::<String>(), assigned);
            assert_eq!((revision.faults(), revision.beyond_this_program()), (Vec::new(), Vec::new()));
        }
    }

    #[test]
    fn what_version_1_could_not_say_is_not_written_in_it() {
        let three = Arm { name: "third".into(), graph: graph("third") };
        let mut newer = canary(10.0);
        newer.arms.push(three);
        for revision in [newer, Revision { force: Forcing::By(Role::Owner), ..canary(10.0) }] {
            assert!(serde_json::to_string(&Revision { v: 1, ..revision }).is_err());
        }
    }

    /// With everything that the format can say.
    fn whole() -> Revision {
        serde_json::from_str(include_str!("../../tests/data/revision-v2.json")).unwrap()
    }

    #[test]
    fn the_format_of_revisions_is_frozen() {
        let stored = include_str!("../../tests/data/revision-v2.json");
        let value: serde_json::Value = serde_json::from_str(stored).unwrap();
        assert_eq!(serde_json::to_value(whole()).unwrap(), value);
        assert_eq!(canonical::digest(&whole()).unwrap().0, canonical::digest(&value).unwrap().0);
    }

    #[test]
    fn what_this_program_can_not_do_is_named() {
        assert_eq!(canary(10.0).beyond_this_program(), [""; 0]);
        assert_eq!(whole().faults(), [""; 0]);
        let beyond = whole().beyond_this_program();
        assert_eq!(
            beyond,
            [
                format!("arm `challenger`, step `features` asks feature {}; only models can be asked", Digest::of(b"")),
                "arm `challenger`, step `score` asks remote https://models.example/score; only models can be asked"
                    .to_owned(),
                "a route of the kind `experiment`: not possible yet".to_owned(),
                "partitions: not possible yet".to_owned(),
                "shares that were published later: not possible yet".to_owned(),
                "shadows: not possible yet".to_owned(),
                "a fallback: not possible yet".to_owned(),
                "a unit that is read out of the request: not possible yet".to_owned(),
                "arms that are asked for by name: not possible yet".to_owned(),
            ]
        );
    }

    #[test]
    fn a_newer_revision_is_not_read_as_an_old_one() {
        let mut value = serde_json::to_value(canary(10.0)).unwrap();
        value["v"] = 3.into();
        let error = serde_json::from_value::<Revision>(value.clone()).unwrap_err();
        assert_eq!(error.to_string(), "a revision of version 3, which a newer Stemma wrote");
        value.as_object_mut().unwrap().remove("v");
        assert!(serde_json::from_value::<Revision>(value).is_err());
    }

    #[test]
    fn arms_are_told_apart() {
        let mut twice = canary(10.0);
        twice.arms[1].name = "stable".into();
        assert_eq!(twice.faults(), ["the shares: there is no arm `canary`", "two arms are called `stable`"]);
        let none = Revision { arms: Vec::new(), ..canary(10.0) };
        assert_eq!(none.faults().len(), 3);
    }

    #[test]
    fn a_canary_keeps_the_salt_that_version_1_gave_it() {
        let endpoint = "credit-offer".parse().unwrap();
        // canonical JSON of the sequence as version 1 had it
        let digest = Digest::of(b"new");
        let sequence = format!(
            r#"{{"outputs":[],"steps":[{{"inputs":{{}},"name":"new","target":{{"digest":"{digest}","model":"new","version":"1.0.0"}}}}]}}"#
        );
        let salt = format!("credit-offer/{}", Digest::of(sequence.as_bytes()).short());
        assert_eq!(canary_salt(&endpoint, &graph("new")).unwrap(), salt);
    }
}
