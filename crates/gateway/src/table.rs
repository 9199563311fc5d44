//! What the data plane knows: the endpoints with their loaded models, and who may ask them. Swapped whole.

use std::{collections::HashMap, error::Error, sync::Arc};

use stemma_core::{
    Digest,
    name::{EndpointName, ProjectName},
    route::{Revision, Target},
    signature::Signature,
};

use crate::{access::Access, runtime::Runtime};

/// Everything a request needs to be answered.
#[derive(Default)]
pub struct RouteTable {
    pub endpoints: HashMap<EndpointName, Arc<Endpoint>>,
    /// Deployed endpoints whose live model could not be loaded; they answer 503.
    pub unavailable: HashMap<EndpointName, ProjectName>,
    pub access: Access,
}

/// A deployment revision with the models of its route.
pub struct Endpoint {
    revision: Revision,
    revision_digest: Digest,
    models: HashMap<Digest, Arc<dyn Runtime>>,
}

/// Why a revision can't be served.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("cannot load `{}@{}` for endpoint `{endpoint}`: {source}", target.model, target.version)]
    Model { endpoint: EndpointName, target: Box<Target>, source: Box<dyn Error + Send + Sync> },
    #[error("`{}@{}` does not keep the contract of endpoint `{endpoint}`: {}", target.model, target.version, changes.join(", "))]
    Contract { endpoint: EndpointName, target: Box<Target>, changes: Vec<String> },
}

impl Endpoint {
    /// Loads every model of a revision's route and checks that each keeps the revision's contract.
    pub fn load<R: Runtime, E: Into<Box<dyn Error + Send + Sync>>>(
        revision: Revision,
        revision_digest: Digest,
        load: &dyn Fn(&Target) -> Result<Arc<R>, E>,
    ) -> Result<Self, LoadError> {
        let mut models: HashMap<Digest, Arc<dyn Runtime>> = HashMap::new();
        for target in revision.route.targets() {
            if models.contains_key(&target.digest) {
                continue;
            }
            let model = load(target).map_err(|source| LoadError::Model {
                endpoint: revision.endpoint.clone(),
                target: Box::new(target.clone()),
                source: source.into(),
            })?;
            check_contract(&revision, target, model.signature())?;
            models.insert(target.digest, model);
        }
        Ok(Self { revision, revision_digest, models })
    }

    pub fn revision(&self) -> &Revision {
        &self.revision
    }

    pub fn revision_digest(&self) -> Digest {
        self.revision_digest
    }

    /// Returns the model of a target of this revision's route.
    pub(crate) fn model(&self, target: &Target) -> &Arc<dyn Runtime> {
        self.models.get(&target.digest).expect("`load` loads every target of the route")
    }

    /// Returns the targets that answer requests, as `versions` of the protocol.
    pub fn versions(&self) -> Vec<String> {
        let targets = self.revision.route.targets();
        targets.iter().map(|target| target.version.to_string()).collect()
    }
}

fn check_contract(revision: &Revision, target: &Target, model: &Signature) -> Result<(), LoadError> {
    let changes = revision.signature.changes_to(model);
    let changes: Vec<String> = changes.into_iter().filter(|change| change.breaking).map(|change| change.what).collect();
    if changes.is_empty() {
        return Ok(());
    }
    Err(LoadError::Contract { endpoint: revision.endpoint.clone(), target: Box::new(target.clone()), changes })
}
