//! What the data plane knows: the endpoints with their loaded models, and who may ask them. Swapped whole.

use std::{collections::HashMap, error::Error, sync::Arc};

use stemma_core::{
    Digest, Timestamp,
    endpoint::{
        prediction::{ArmTaken, Chosen, Draw, GivenBy},
        revision::{Arm, Revision},
    },
    name::{EndpointName, ProjectName},
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
    /// Endpoints that were taken down; they answer 410, or 503 where a quarantine did it.
    pub taken_down: HashMap<EndpointName, TakenDown>,
}

/// Why nothing answers for an endpoint any more.
#[derive(Debug, Clone, PartialEq)]
pub struct TakenDown {
    pub project: ProjectName,
    pub time: Timestamp,
    pub reason: String,
    /// `model@version` whose quarantine left nothing that may answer; absent if somebody took the endpoint down.
    pub quarantine: Option<String>,
}

impl Routes {
    /// The revision of an endpoint that answers by this number.
    pub fn revision(&self, endpoint: &EndpointName, number: u32) -> Option<&Arc<Endpoint>> {
        let live = self.endpoints.get(endpoint).into_iter();
        let mut all = live.chain(self.earlier.get(endpoint).into_iter().flatten());
        all.find(|endpoint| endpoint.revision().number == number)
    }
}

/// A deployment revision with the models of its arms.
pub struct Endpoint {
    revision: Revision,
    revision_digest: Digest,
    /// In the order of the revision's arms.
    arms: Vec<LoadedArm>,
    /// Of all its requests, also those that reach no arm.
    pub(crate) counters: Arc<Counters>,
}

/// An arm that can answer.
pub(crate) struct LoadedArm {
    pub program: Program,
    pub counters: Arc<Counters>,
}

/// The arm that a request goes to, and what that follows from.
pub(crate) struct Drawn<'a> {
    pub draw: Draw,
    pub taken: ArmTaken,
    pub arm: &'a LoadedArm,
}

/// Why a revision can't be served.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("endpoint `{endpoint}`: revision {number} can't be served: {}", faults.join("; "))]
    Revision { endpoint: EndpointName, number: u32, faults: Vec<String> },
    #[error("endpoint `{endpoint}`, {arm}: {source}")]
    Program { endpoint: EndpointName, arm: String, source: ProgramError },
    #[error("{arm} does not keep the contract of endpoint `{endpoint}`: {}", changes.join(", "))]
    Contract { endpoint: EndpointName, arm: String, changes: Vec<String> },
}

impl Endpoint {
    /// Loads every model of a revision and checks that each arm keeps the revision's contract. It counts on where earlier
    /// revisions of the endpoint stopped.
    pub fn load<E: Into<Box<dyn Error + Send + Sync>>>(
        revision: Revision,
        revision_digest: Digest,
        counters: &AllCounters,
        load: &Loader<'_, E>,
    ) -> Result<Self, LoadError> {
        let mut faults = revision.faults();
        faults.extend(revision.beyond_this_program());
        if !faults.is_empty() {
            return Err(LoadError::Revision { endpoint: revision.endpoint, number: revision.number, faults });
        }
        let arms = revision.arms.iter().map(|arm| LoadedArm::load(&revision, arm, counters, load));
        let arms = arms.collect::<Result<_, _>>()?;
        let counters = counters.of_endpoint(&revision.endpoint);
        Ok(Self { revision, revision_digest, arms, counters })
    }

    pub fn revision(&self) -> &Revision {
        &self.revision
    }

    pub fn revision_digest(&self) -> Digest {
        self.revision_digest
    }

    /// The arm for a unit, ready to run; without one, the request is a unit of its own.
    pub(crate) fn draw(&self, given: Option<String>) -> Drawn<'_> {
        let (unit, given_by) = match given {
            Some(unit) => (unit, GivenBy::Caller),
            None => (uuid::Uuid::now_v7().to_string(), GivenBy::Gateway),
        };
        let assigned = self.revision.assign(&unit).expect("the shares of what was loaded go up to 100 %");
        let at = self.revision.arms.iter().position(|arm| arm.name == assigned.arm);
        let arm = &self.arms[at.expect("the shares of what was loaded name its arms")];
        let chosen = Chosen::Drawn { propensity: assigned.propensity };
        let taken = ArmTaken { name: assigned.arm.to_owned(), chosen };
        let route = &self.revision.route;
        let (salt, allocation) = (Some(route.salt.clone()), Some(route.allocation));
        let draw = Draw { unit, given_by, salt, bucket: Some(assigned.bucket), partition: None, allocation };
        Drawn { draw, taken, arm }
    }

    /// Returns the targets that answer requests, as `versions` of the protocol.
    pub fn versions(&self) -> Vec<String> {
        self.revision.targets().iter().map(|target| target.version.to_string()).collect()
    }
}

impl LoadedArm {
    fn load<E: Into<Box<dyn Error + Send + Sync>>>(
        revision: &Revision,
        Arm { name, graph }: &Arm,
        counters: &AllCounters,
        load: &Loader<'_, E>,
    ) -> Result<Self, LoadError> {
        let (endpoint, arm) = (|| revision.endpoint.clone(), || name.clone());
        let program = Program::load(graph, &revision.overrides, load);
        let program = program.map_err(|source| LoadError::Program { endpoint: endpoint(), arm: arm(), source })?;
        let changes = revision.signature.changes_to(program.signature());
        let changes: Vec<String> = changes.into_iter().filter(|c| c.breaking).map(|c| c.what).collect();
        if !changes.is_empty() {
            return Err(LoadError::Contract { endpoint: endpoint(), arm: arm(), changes });
        }
        Ok(Self { program, counters: counters.of_arm(&revision.endpoint, &arm_key(revision, name)) })
    }
}

/// The key under which the requests of an arm are counted: the same arm of an experiment whose share changed has the same.
pub fn arm_key(revision: &Revision, arm: &str) -> String {
    format!("{}#{arm}", revision.route.salt)
}
