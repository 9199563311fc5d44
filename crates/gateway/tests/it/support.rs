//! A gateway with models that echo, fail or panic, and records to log.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Value, json};
use stemma_core::{
    Digest, SystemClock, Timestamp,
    endpoint::{
        declaration::LogMode,
        graph::Graph,
        prediction::{
            ArmTaken, Chosen, Draw, GivenBy, LoggedTensor, NodeEnding, NodeRecord, Outcome, PredictionId,
            PredictionKey, PredictionRecord, RECORD_VERSION,
        },
        revision::{Arm, Forcing, REVISION_VERSION, Revision, UnitSource},
        route::Route,
        target::{Identity, StepKind, Target},
    },
    name::{EndpointName, PrincipalName, ProjectName},
    signature::{Datatype, Field, Signature},
};
use stemma_gateway::{
    Access, AllCounters, AppendError, Endpoint, Gateway, LogOptions, NewRecord, PredictionLog, Routes, RunFailure,
    Runtime, protocol::Protocol,
};
use stemma_tensor::{Tensor, TensorData};

pub const KEY: PredictionKey = PredictionKey::from_bytes([7; 32]);

pub fn open_log(directory: &Path) -> PredictionLog {
    open_log_with(directory, LogOptions::default())
}

pub fn open_log_with(directory: &Path, options: LogOptions) -> PredictionLog {
    PredictionLog::open(directory, KEY, Arc::new(SystemClock), options).unwrap()
}

/// A record that says which one it is.
pub fn record(endpoint: &str, number: u64) -> PredictionRecord {
    let tensor =
        |name: &str, datatype, data: Value| LoggedTensor { name: name.to_owned(), datatype, shape: vec![1, 1], data };
    PredictionRecord {
        v: RECORD_VERSION,
        time: Timestamp(1_772_366_400_000_000 + number as i64 * 1_000),
        endpoint: EndpointName::new(endpoint).unwrap(),
        revision: 3,
        revision_digest: Digest::of(b"revision"),
        request_id: Some(format!("request-{number}")),
        caller: PrincipalName::new("shop@example.org").unwrap(),
        trace: None,
        subject: None,
        draw: Some(Draw {
            unit: format!("unit-{number}"),
            given_by: GivenBy::Gateway,
            salt: Some(endpoint.to_owned()),
            bucket: Some(number),
            partition: None,
            allocation: Some(0),
        }),
        arm: Some(ArmTaken { name: "single".to_owned(), chosen: Chosen::Drawn { propensity: 1.0 } }),
        outcome: Outcome::Answered,
        inputs: vec![tensor("amount", Datatype::Uint64, json!([number]))],
        outputs: vec![tensor("p", Datatype::Fp32, json!([0.25]))],
        nodes: vec![NodeRecord {
            node: "single".to_owned(),
            kind: StepKind::Model,
            what: Identity::Digest(Digest::of(b"model")),
            model: Some("credit-score".parse().unwrap()),
            version: Some("1.0.2".parse().unwrap()),
            began_us: Some(300),
            latency_us: 12,
            ended: Some(NodeEnding::Answered),
            outputs: Vec::new(),
        }],
        overrides: Vec::new(),
        latency_us: 345,
        reported: None,
    }
}

pub async fn append(log: &PredictionLog, ordinal: u16, record: &PredictionRecord) -> Result<PredictionId, AppendError> {
    append_as(log, LogMode::Durable, ordinal, record).await
}

pub async fn append_as(
    log: &PredictionLog,
    mode: LogMode,
    ordinal: u16,
    record: &PredictionRecord,
) -> Result<PredictionId, AppendError> {
    let project = ProjectName::default_project();
    let new = NewRecord { project: &project, ordinal, record };
    let id = log.append(mode, new.encode()?).await?;
    Ok(id.expect("the log is on"))
}

/// Returns its inputs as its outputs, unless the input `act` says otherwise.
pub struct Echo(Signature);

impl Echo {
    pub fn new(signature: Signature) -> Self {
        Self(signature)
    }
}

#[async_trait]
impl Runtime for Echo {
    fn signature(&self) -> &Signature {
        &self.0
    }

    async fn run(&self, inputs: Vec<(String, Tensor)>) -> Result<Vec<(String, Tensor)>, RunFailure> {
        let act = inputs.iter().find(|(name, _)| name == "act");
        match act.map(|(_, tensor)| tensor.data()) {
            Some(TensorData::String(act)) => match act[0].as_str() {
                "panic" => panic!("the model was told to"),
                "fail" => Err(RunFailure::Model("it was told to".to_owned())),
                "misfit" => Err(RunFailure::Inputs("the inputs misfit".to_owned())),
                "nan" => {
                    let nan = Tensor::new(vec![1], vec![f32::NAN]).unwrap();
                    Ok(vec![("fp32".to_owned(), nan)])
                }
                _ => Ok(inputs),
            },
            _ => Ok(inputs),
        }
    }
}

const DATATYPES: [Datatype; 12] = [
    Datatype::Bool,
    Datatype::Uint8,
    Datatype::Uint16,
    Datatype::Uint32,
    Datatype::Uint64,
    Datatype::Int8,
    Datatype::Int16,
    Datatype::Int32,
    Datatype::Int64,
    Datatype::Fp32,
    Datatype::Fp64,
    Datatype::Bytes,
];

/// Optional inputs of every datatype and rank, each also an output.
pub fn echo_signature() -> Signature {
    let field = |name: String, datatype, shape: &[i64]| Field { name, datatype, shape: shape.to_vec(), optional: true };
    let mut fields = vec![
        field("act".to_owned(), Datatype::Bytes, &[]),
        field("matrix".to_owned(), Datatype::Int64, &[-1, 2]),
        field("scalar".to_owned(), Datatype::Int64, &[]),
    ];
    for datatype in DATATYPES {
        let name = datatype.as_str().to_lowercase();
        fields.push(field(name, datatype, &[-1]));
    }
    Signature { inputs: fields.clone(), outputs: fields }
}

pub fn target(version: &str) -> Target {
    Target {
        model: "credit-score".parse().unwrap(),
        version: version.parse().unwrap(),
        digest: Digest::of(version.as_bytes()),
    }
}

pub fn revision(endpoint: &str, version: &str, log: LogMode) -> Revision {
    Revision {
        v: REVISION_VERSION,
        project: ProjectName::default_project(),
        endpoint: endpoint.parse().unwrap(),
        ordinal: 3,
        number: 5,
        arms: only(Graph::of_one(target(version), &echo_signature())),
        route: Route::single("single", "salt".to_owned()),
        unit: UnitSource::Named,
        force: Forcing::Off,
        overrides: BTreeMap::new(),
        signature: echo_signature(),
        log,
    }
}

/// The arms of a revision that has one.
pub fn only(graph: Graph) -> Vec<Arm> {
    vec![Arm { name: "single".to_owned(), graph }]
}

pub fn echo_endpoint(endpoint: &str, version: &str, log: LogMode) -> Endpoint {
    counting_echo(endpoint, version, log, &AllCounters::default())
}

pub fn counting_echo(endpoint: &str, version: &str, log: LogMode, counters: &AllCounters) -> Endpoint {
    let load = |_: &Target| Ok::<Arc<dyn Runtime>, std::io::Error>(Arc::new(Echo::new(echo_signature())));
    let revision = revision(endpoint, version, log);
    Endpoint::load(revision, Digest::of(b"revision"), counters, &load).unwrap()
}

pub fn routes(endpoints: Vec<Endpoint>) -> Routes {
    let named = |endpoint: Endpoint| (endpoint.revision().endpoint.clone(), Arc::new(endpoint));
    Routes { endpoints: endpoints.into_iter().map(named).collect(), ..Routes::default() }
}

/// A gateway over a log in a folder of its own.
pub struct House {
    pub gateway: Arc<Gateway>,
    pub log: PredictionLog,
    _folder: tempfile::TempDir,
}

impl House {
    /// Whoever is on this machine may ask.
    pub fn new(routes: Routes) -> Self {
        Self::counting(|_| routes)
    }

    /// The same, with routes whose counters are the gateway's.
    pub fn counting(routes: impl FnOnce(&AllCounters) -> Routes) -> Self {
        Self::of(|log| Gateway::new(log, Arc::new(SystemClock)), routes)
    }

    pub fn speaking(protocols: &'static [&'static dyn Protocol], routes: impl FnOnce(&AllCounters) -> Routes) -> Self {
        Self::of(|log| Gateway::speaking(protocols, log, Arc::new(SystemClock)), routes)
    }

    fn of(gateway: impl FnOnce(PredictionLog) -> Gateway, routes: impl FnOnce(&AllCounters) -> Routes) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = open_log(folder.path());
        let gateway = gateway(log.clone());
        gateway.live().show(routes(gateway.counters()));
        gateway.live().let_in(Access { anonymous_local: true, ..Access::default() });
        Self { gateway: Arc::new(gateway), log, _folder: folder }
    }

    /// One endpoint, `echo`, at version 1.0.2, that logs durably.
    pub fn echo() -> Self {
        Self::counting(|counters| routes(vec![counting_echo("echo", "1.0.2", LogMode::Durable, counters)]))
    }

    pub async fn send(&self, request: Request<Bytes>) -> Response<Bytes> {
        let (parts, body) = request.into_parts();
        stemma_gateway::http::handle(&self.gateway, parts, body, true).await
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        let request = Request::builder().uri(path).body(Bytes::new()).unwrap();
        status_and_json(&self.send(request).await)
    }

    pub async fn post(&self, path: &str, body: impl Into<Bytes>) -> (u16, Value) {
        status_and_json(&self.send(post(path, body)).await)
    }

    pub async fn infer(&self, body: &Value) -> (u16, Value) {
        let path = "/v2/models/echo/infer";
        self.post(path, body.to_string()).await
    }
}

pub fn post(path: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    Request::builder().method(Method::POST).uri(path).body(body.into()).unwrap()
}

pub fn status_and_json(response: &Response<Bytes>) -> (u16, Value) {
    let content_type = response.headers()[http::header::CONTENT_TYPE].to_str();
    assert_eq!(content_type.unwrap(), "application/json");
    let json = serde_json::from_slice(response.body()).unwrap();
    (response.status().as_u16(), json)
}

/// An inference request with one input.
pub fn request(name: &str, datatype: &str, shape: Value, data: Value) -> Value {
    json!({ "inputs": [{ "name": name, "datatype": datatype, "shape": shape, "data": data }] })
}
