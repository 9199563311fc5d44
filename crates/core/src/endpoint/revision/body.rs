//! How an endpoint answers: an immutable deployment revision, and what is declared for one.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    endpoint::{
        declaration::LogMode,
        graph::{Graph, StepAsks},
        overrule::Override,
        route::{Assignment, Route, RouteKind},
        target::Target,
    },
    name::{EndpointName, ProjectName},
    rights::Role,
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

    /// The share of units in percent that a canary answers; 0 if there is none.
    pub fn canary_percent(&self) -> f64 {
        let shares = self.route.shares.iter().filter(|share| share.arm == arm::CANARY);
        shares.map(|share| share.to_percent - share.from_percent).sum()
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

/// The revisions to go back to, newest last, from the numbers that became live one after the other; and so with whatever
/// else can be gone back to.
///
/// Deploying puts a revision on top; going back to one takes away everything above it, so what was abandoned is not
/// gone back to.
pub fn standing<T: Copy + PartialEq>(activated: &[T]) -> Vec<T> {
    let mut stack: Vec<T> = Vec::new();
    for number in activated {
        match stack.iter().position(|standing| standing == number) {
            Some(at) => stack.truncate(at + 1),
            None => stack.push(*number),
        }
    }
    stack
}
