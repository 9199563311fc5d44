//! The ledger's events and its signed head.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{
    Timestamp,
    event::Event,
    id::RequestId,
    name::{DatasetName, EndpointName, ModelName, PrincipalName, ProjectName},
    record::Auth,
};

use super::{
    asked::{given, given_of, written},
    page::Limit,
};
use crate::act::Query;
pub use stemma_core::history::proof::{BeginningProof, InclusionProof, ProvedEvent};

/// Which governed changes are looked for. Whatever is said must hold; what is left empty, as in a form, is not said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct FindEvents {
    /// One of these kinds, as in `approved`.
    #[serde(default, deserialize_with = "given_of", skip_serializing_if = "Vec::is_empty")]
    pub kind: Vec<String>,
    /// All that happened to a model of the project, or to one version, as in `credit-score@1.2.0`.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// All that happened to a dataset of the project.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub dataset: Option<DatasetName>,
    /// All that happened to an endpoint.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<EndpointName>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectName>,
    /// Who asked for it.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub actor: Option<PrincipalName>,
    /// From this time on: a date, or a time as in `2026-03-01T12:00:00Z`.
    #[serde(default, with = "written", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// Up to this time: of a date, to the end of the day in UTC.
    #[serde(
        default,
        deserialize_with = "written::last",
        serialize_with = "written::serialize",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<String>")]
    pub until: Option<Timestamp>,
    /// Which come first: `oldest`, or `newest`.
    #[serde(default, skip_serializing_if = "EventOrder::is_usual")]
    pub order: EventOrder,
    /// What the page before gave as `next`.
    #[serde(default, alias = "after", deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub cursor: Option<u64>,
    #[serde(default)]
    pub limit: Limit<100>,
}

impl Query for FindEvents {
    const EXAMPLE: &'static str = "kind=approved&project=default&model=credit-score&since=2026-03-01&limit=20";
}

impl FindEvents {
    /// All that happened to a model of a project, the newest first.
    pub fn of_model(project: &ProjectName, model: &ModelName) -> Self {
        Self { model: Some(model.to_string()), ..Self::newest_in(project) }
    }

    /// The same of a version, as in `credit-score@1.2.0`.
    pub fn of_version(project: &ProjectName, version: impl std::fmt::Display) -> Self {
        Self { model: Some(version.to_string()), ..Self::newest_in(project) }
    }

    pub fn of_dataset(project: &ProjectName, dataset: &DatasetName) -> Self {
        Self { dataset: Some(dataset.clone()), ..Self::newest_in(project) }
    }

    pub fn of_endpoint(project: &ProjectName, endpoint: &EndpointName) -> Self {
        Self { endpoint: Some(endpoint.clone()), ..Self::newest_in(project) }
    }

    fn newest_in(project: &ProjectName) -> Self {
        Self { project: Some(project.clone()), order: EventOrder::Newest, ..Self::default() }
    }

    /// Nothing is said of which events are meant.
    pub fn is_of_all(&self) -> bool {
        let Self { order, cursor, limit, .. } = self.clone();
        *self == Self { order, cursor, limit, ..Self::default() }
    }
}

/// Two lengths of the history, the shorter one first; `GET /api/v1/audit/consistency`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lengths {
    /// Events of the shorter one.
    pub first: u64,
    /// Events of the longer one; all that there are unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<u64>,
}

impl Query for Lengths {
    const EXAMPLE: &'static str = "first=12&second=40";
}

/// A head that somebody kept. What is left empty, as in a form, is not said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct KeptHead {
    /// Events of the history then.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Its root in base64, as it was signed.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
}

impl Query for KeptHead {
    const EXAMPLE: &'static str = "size=12&root=zNCvFRYhb4lgUvIK%2ByL1BMs4CgW5yjT6lUIClv8VOpA%3D";
}

/// Which end of the history comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventOrder {
    #[default]
    Oldest,
    Newest,
}

impl EventOrder {
    fn is_usual(&self) -> bool {
        *self == Self::Oldest
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuditEvent {
    pub seq: u64,
    pub time: Timestamp,
    pub actor: PrincipalName,
    pub auth: Auth,
    pub kind: String,
    pub subject: String,
    pub request: RequestId,
    pub event: Event,
}

/// `GET /api/v1/audit/checkpoint`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Checkpoint {
    /// A C2SP signed note.
    pub note: String,
    /// The verifier key of the note.
    pub key: String,
}
