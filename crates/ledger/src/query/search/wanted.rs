//! What is looked for, with all that had to be looked up elsewhere.

use stemma_core::{
    name::{DatasetName, ProjectName},
    search::{Order, Query, Realm},
};

/// What is looked for.
#[derive(Debug, Clone)]
pub struct Search<'a> {
    pub realm: Realm,
    /// Nothing of any other project is found.
    pub projects: &'a [ProjectName],
    pub query: Option<&'a Query>,
    /// Only versions with one of these contracts.
    pub contracts: Option<&'a [i64]>,
    /// Runs that read a dataset by way of others, for each that the query names; those that read it itself are found
    /// without being named.
    pub descendants: &'a [Descendants],
    pub order: &'a Order,
}

/// What was made from a dataset, or from one version of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descendants {
    pub dataset: DatasetName,
    pub number: Option<u32>,
    /// Runs as `(project, run)`.
    pub runs: Vec<(ProjectName, String)>,
}
