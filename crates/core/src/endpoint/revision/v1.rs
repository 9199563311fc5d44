//! Revisions of version 1: one sequence of models, or two of which one is tried on a share of the units.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::body::{self, Arm, Forcing, UnitSource, arm};
use crate::{
    endpoint::{
        declaration::LogMode,
        graph::{Graph, Output, Step as GraphStep, StepAsks},
        overrule::Override,
        route,
        source::Source,
        target::Target,
    },
    name::{EndpointName, ProjectName},
    signature::Signature,
};

#[derive(Clone, Serialize, Deserialize)]
pub struct Revision {
    v: u32,
    project: ProjectName,
    endpoint: EndpointName,
    ordinal: u16,
    number: u32,
    route: Route,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    overrides: BTreeMap<String, Override>,
    signature: Signature,
    salt: String,
    log: LogMode,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Route {
    Single { serves: Sequence },
    Canary { stable: Sequence, canary: Sequence, weight_percent: f64 },
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Sequence {
    steps: Vec<Step>,
    outputs: Vec<Output>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Step {
    name: String,
    target: Target,
    inputs: BTreeMap<String, Source>,
}

/// What version 1 has no words for.
#[derive(Debug, thiserror::Error)]
#[error("a revision of version 1 has one arm, or two with a share, and asks models only")]
pub struct Beyond;

impl Sequence {
    /// The form that a graph of models had; `None` for others.
    pub fn of(graph: &Graph) -> Option<Self> {
        let step = |step: &GraphStep| {
            let target = step.asks.target()?.clone();
            Some(Step { name: step.name.clone(), target, inputs: step.inputs.clone() })
        };
        Some(Self { steps: graph.steps.iter().map(step).collect::<Option<_>>()?, outputs: graph.outputs.clone() })
    }
}

impl From<Sequence> for Graph {
    fn from(sequence: Sequence) -> Self {
        let step = |step: Step| GraphStep { name: step.name, asks: StepAsks::model(step.target), inputs: step.inputs };
        Self { steps: sequence.steps.into_iter().map(step).collect(), outputs: sequence.outputs }
    }
}

impl From<Revision> for body::Revision {
    fn from(stored: Revision) -> Self {
        let named = |name: &str, sequence: Sequence| Arm { name: name.to_owned(), graph: sequence.into() };
        let (arms, route) = match stored.route {
            Route::Single { serves } => {
                (vec![named(arm::SINGLE, serves)], route::Route::single(arm::SINGLE, stored.salt))
            }
            Route::Canary { stable, canary, weight_percent } => (
                vec![named(arm::STABLE, stable), named(arm::CANARY, canary)],
                route::Route::canary(arm::STABLE, arm::CANARY, weight_percent, stored.salt),
            ),
        };
        Self {
            v: stored.v,
            project: stored.project,
            endpoint: stored.endpoint,
            ordinal: stored.ordinal,
            number: stored.number,
            arms,
            route,
            unit: UnitSource::Named,
            force: Forcing::Off,
            overrides: stored.overrides,
            signature: stored.signature,
            log: stored.log,
        }
    }
}

impl Revision {
    /// The form in which a revision of version 1 was read.
    pub fn of(revision: &body::Revision) -> Result<Self, Beyond> {
        let route = match revision.arms.as_slice() {
            [single] => Route::Single { serves: Sequence::of(&single.graph).ok_or(Beyond)? },
            [stable, canary] => Route::Canary {
                stable: Sequence::of(&stable.graph).ok_or(Beyond)?,
                canary: Sequence::of(&canary.graph).ok_or(Beyond)?,
                weight_percent: revision.route.shares.first().ok_or(Beyond)?.to_percent,
            },
            _ => return Err(Beyond),
        };
        let stored = Self {
            v: 1,
            project: revision.project.clone(),
            endpoint: revision.endpoint.clone(),
            ordinal: revision.ordinal,
            number: revision.number,
            route,
            overrides: revision.overrides.clone(),
            signature: revision.signature.clone(),
            salt: revision.route.salt.clone(),
            log: revision.log,
        };
        // nothing may get lost on the way
        let again = body::Revision::from(stored.clone());
        if again == *revision { Ok(stored) } else { Err(Beyond) }
    }
}
