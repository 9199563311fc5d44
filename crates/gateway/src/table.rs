//! What the data plane knows: the endpoints with their loaded models, and who may ask them. Swapped whole.

use std::{collections::HashMap, error::Error, sync::Arc};

use stemma_core::{
    Digest, Timestamp,
    name::{EndpointName, ProjectName},
    route::{Arm, Revision},
};

use crate::{
    access::Access,
    compose::{Program, ProgramError},
    runtime::Loader,
    stats::{AllCounters, Counters},
};

/// Everything a request needs to be answered, as it is at one moment.
#[derive(Clone, Default)]
pub struct RouteTable {
    pub routes: Arc<Routes>,
    pub access: Arc<Access>,
}

/// What answers for each endpoint.
#[derive(Default)]
pub struct Routes {
    pub endpoints: HashMap<EndpointName, Arc<Endpoint>>,
    /// Revisions that answered before the live one, for callers who ask for them by number.
    pub earlier: HashMap<EndpointName, Vec<Arc<Endpoint>>>,
    /// Deployed endpoints whose live model could not be loaded; they answer 503.
    pub unavailable: HashMap<EndpointName, ProjectName>,
    /// Endpoints that were taken down; they answer 410.
    pub taken_down: HashMap<EndpointName, TakenDown>,
}

/// Why nothing answers for an endpoint any more.
#[derive(Debug, Clone, PartialEq)]
pub struct TakenDown {
    pub project: ProjectName,
    pub time: Timestamp,
    pub reason: String,
}

impl Routes {
    /// The revision of an endpoint that answers by this number.
    pub fn revision(&self, endpoint: &EndpointName, number: u32) -> Option<&Arc<Endpoint>> {
        let live = self.endpoints.get(endpoint).into_iter();
        let mut all = live.chain(self.earlier.get(endpoint).into_iter().flatten());
        all.find(|endpoint| endpoint.revision().number == number)
    }
}

/// A deployment revision with the models of its route.
pub struct Endpoint {
    revision: Revision,
    revision_digest: Digest,
    /// In the order of the route's arms.
    arms: Vec<LoadedArm>,
    /// Of all its requests, also those that reach no arm.
    pub(crate) counters: Arc<Counters>,
}

/// An arm that can answer.
pub(crate) struct LoadedArm {
    pub program: Program,
    pub counters: Arc<Counters>,
}

/// Why a revision can't be served.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("endpoint `{endpoint}`, {variant}: {source}")]
    Program { endpoint: EndpointName, variant: &'static str, source: ProgramError },
    #[error("{variant} does not keep the contract of endpoint `{endpoint}`: {}", changes.join(", "))]
    Contract { endpoint: EndpointName, variant: &'static str, changes: Vec<String> },
}

impl Endpoint {
    /// Loads every model of a revision's route and checks that each arm keeps the revision's contract. It counts on where
    /// earlier revisions of the endpoint stopped.
    pub fn load<E: Into<Box<dyn Error + Send + Sync>>>(
        revision: Revision,
        revision_digest: Digest,
        counters: &AllCounters,
        load: &Loader<'_, E>,
    ) -> Result<Self, LoadError> {
        let mut arms = Vec::new();
        for Arm { variant, serves, .. } in revision.route.arms() {
            let endpoint = || revision.endpoint.clone();
            let program = Program::load(serves, &revision.overrides, load).map_err(|source| LoadError::Program {
                endpoint: endpoint(),
                variant,
                source,
            })?;
            let changes = revision.signature.changes_to(program.signature());
            let changes: Vec<String> = changes.into_iter().filter(|c| c.breaking).map(|c| c.what).collect();
            if !changes.is_empty() {
                return Err(LoadError::Contract { endpoint: endpoint(), variant, changes });
            }
            let counters = counters.of_arm(&revision.endpoint, &arm_key(&revision, variant));
            arms.push(LoadedArm { program, counters });
        }
        let counters = counters.of_endpoint(&revision.endpoint);
        Ok(Self { revision, revision_digest, arms, counters })
    }

    pub fn revision(&self) -> &Revision {
        &self.revision
    }

    pub fn revision_digest(&self) -> Digest {
        self.revision_digest
    }

    /// The arm for a unit, ready to run.
    pub(crate) fn assign(&self, unit: &str) -> (Arm<'_>, &LoadedArm) {
        let at = self.revision.assign_at(unit);
        (self.revision.route.arms()[at], &self.arms[at])
    }

    /// Returns the targets that answer requests, as `versions` of the protocol.
    pub fn versions(&self) -> Vec<String> {
        let targets = self.revision.route.targets();
        targets.iter().map(|target| target.version.to_string()).collect()
    }
}

/// The key under which the requests of an arm are counted: the same arm of an experiment whose share changed has the same.
pub fn arm_key(revision: &Revision, variant: &str) -> String {
    format!("{}#{variant}", revision.salt)
}
