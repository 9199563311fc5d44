//! Records of version 1 as they lie in segments, and in the JSON columns of sealed files. Never written any more.

use serde::Deserialize;

use super::{
    draw::{ArmTaken, Chosen, Draw, GivenBy},
    node::{LoggedTensor, NodeRecord},
    outcome::Outcome,
    record::{OverrideRecord, PredictionRecord},
};
use crate::{
    Digest, Timestamp,
    endpoint::target::{Identity, StepKind},
    name::{EndpointName, ModelName, PrincipalName},
    version::VersionNumber,
};

#[derive(Deserialize)]
pub struct Record {
    pub time: Timestamp,
    pub endpoint: EndpointName,
    pub revision: u32,
    pub revision_digest: Digest,
    #[serde(default)]
    pub request_id: Option<String>,
    pub caller: PrincipalName,
    /// Only if the caller sent one.
    #[serde(default)]
    pub unit: Option<String>,
    pub variant: String,
    pub propensity: f64,
    pub outcome: Outcome,
    pub inputs: Vec<LoggedTensor>,
    pub outputs: Vec<LoggedTensor>,
    pub nodes: Vec<Node>,
    #[serde(default)]
    pub overrides: Vec<OverrideRecord>,
    pub latency_us: u64,
}

/// A step that was begun; all steps were models.
#[derive(Deserialize)]
pub struct Node {
    pub node: String,
    pub model: ModelName,
    pub version: VersionNumber,
    pub digest: Digest,
    pub latency_us: u64,
    #[serde(default)]
    pub outputs: Vec<LoggedTensor>,
}

impl From<Node> for NodeRecord {
    fn from(node: Node) -> Self {
        Self {
            node: node.node,
            kind: StepKind::Model,
            what: Identity::Digest(node.digest),
            model: Some(node.model),
            version: Some(node.version),
            began_us: None,
            latency_us: node.latency_us,
            ended: None,
            outputs: node.outputs,
        }
    }
}

/// What the first version said of units and arms: every arm was drawn, and a unit that no caller had sent was forgotten.
fn drawn(unit: Option<String>, variant: String, propensity: f64) -> (Option<Draw>, Option<ArmTaken>) {
    let known =
        |unit| Draw { unit, given_by: GivenBy::Caller, salt: None, bucket: None, partition: None, allocation: None };
    (unit.map(known), Some(ArmTaken { name: variant, chosen: Chosen::Drawn { propensity } }))
}

impl From<Record> for PredictionRecord {
    fn from(record: Record) -> Self {
        let (draw, arm) = drawn(record.unit, record.variant, record.propensity);
        Self {
            v: 1,
            time: record.time,
            endpoint: record.endpoint,
            revision: record.revision,
            revision_digest: record.revision_digest,
            request_id: record.request_id,
            trace: None,
            caller: record.caller,
            subject: None,
            draw,
            arm,
            outcome: record.outcome,
            inputs: record.inputs,
            outputs: record.outputs,
            nodes: record.nodes.into_iter().map(NodeRecord::from).collect(),
            overrides: record.overrides,
            latency_us: record.latency_us,
            reported: None,
        }
    }
}
