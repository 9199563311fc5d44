//! The main flow: who asks, which endpoint, what is asked, which arm, compute, remember, answer.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use serde_json::value::RawValue;
use stemma_core::{
    Timestamp,
    name::{EndpointName, PrincipalName, ProjectName},
    near,
    prediction::{LoggedTensor, NodeRecord, Outcome, OverrideEffect, PredictionId, PredictionRecord},
    route::LogMode,
    target::Target,
};
use stemma_tensor::{Tensor, logged};

use crate::{
    access::{AccessError, Caller},
    gateway::{Gateway, LARGE_BODY_BYTES},
    log::{AppendError, EncodedRecord, NewRecord},
    protocol::oip::{self, InferRequest, Invalid},
    ran::{Failure, Ran, StepRan},
    runtime::on_its_own_thread,
    stats::Ending,
    table::{Endpoint, LoadedArm, RouteTable, TakenDown},
    turns::{NoTurn, Turn},
};

/// Whom requests without a token are counted for; the server puts it into the extensions of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAddress(pub Arc<str>);

/// A request as it came in.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    pub endpoint: &'a EndpointName,
    /// The version that the path names, if it does.
    pub version: Option<&'a str>,
    pub bearer: Option<&'a str>,
    pub peer_is_local: bool,
    /// Where the request comes from, as far as it is known.
    pub address: Option<ClientAddress>,
    /// `X-Request-Id`.
    pub request_id: Option<String>,
    /// `X-Stemma-Unit`.
    pub unit: Option<String>,
    /// `X-Stemma-Revision`: no other revision may answer.
    pub revision: Option<u32>,
    pub body: Bytes,
}

/// The answer to a request, and what its headers say.
#[derive(Debug)]
pub(crate) struct Answered {
    pub body: Vec<u8>,
    pub prediction: Option<PredictionId>,
    pub target: Target,
    pub route: &'static str,
    pub variant: &'static str,
    pub revision: u32,
    /// Overrides that changed the answer.
    pub overrides: Vec<String>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error("there is no endpoint `{endpoint}`; {hint}")]
    NoEndpoint { endpoint: EndpointName, hint: String },
    #[error("endpoint `{endpoint}` has no live version `{version}`; live: {live}")]
    NoVersion { endpoint: EndpointName, version: String, live: String },
    #[error("revision {wanted} of endpoint `{endpoint}` is not served any more; revision {live} answers now")]
    RevisionGone { endpoint: EndpointName, wanted: u32, live: u32 },
    #[error("endpoint `{endpoint}` was taken down at {time}: {reason}")]
    TakenDown { endpoint: EndpointName, time: Timestamp, reason: String },
    #[error("endpoint `{0}` is not ready: its model could not be loaded")]
    NotReady(EndpointName),
    #[error(transparent)]
    Overloaded(#[from] NoTurn),
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Log(#[from] AppendError),
    #[error("{message}")]
    Failed { message: String, prediction: Option<PredictionId> },
    #[error("internal error")]
    Internal,
}

/// Answers one inference request.
pub(crate) async fn infer(gateway: &Gateway, ask: Ask<'_>) -> Result<Answered, Refused> {
    let (arrived, time) = (Instant::now(), gateway.clock.now());
    let table = gateway.table();
    let (caller, endpoint) = enter(&table, &ask, time)?;
    let answered = async {
        let work = Work { endpoint: Arc::clone(endpoint), caller: caller.principal, time, arrived };
        let computed = compute(gateway, work, ask).await?;
        let prediction = remember(gateway, endpoint.revision().log, computed.record).await?;
        respond(endpoint, computed.answer, prediction)
    }
    .await;
    endpoint.counters.count(ending(&answered), arrived.elapsed());
    answered
}

/// Finds out who calls and which endpoint they mean; checks the version if one is named.
pub(crate) fn enter<'a>(
    table: &'a RouteTable,
    ask: &Ask<'_>,
    now: Timestamp,
) -> Result<(Caller, &'a Arc<Endpoint>), Refused> {
    let caller = table.access.identify(ask.bearer, ask.peer_is_local, now)?;
    // whoever may not ask an endpoint is told the same as if there were none
    let may_ask = |project: &ProjectName| caller.projects.include(project);
    if table.routes.unavailable.get(ask.endpoint).is_some_and(may_ask) {
        return Err(Refused::NotReady(ask.endpoint.clone()));
    }
    let taken_down = table.routes.taken_down.get(ask.endpoint).filter(|taken_down| may_ask(&taken_down.project));
    if let Some(TakenDown { time, reason, project: _ }) = taken_down {
        return Err(Refused::TakenDown { endpoint: ask.endpoint.clone(), time: *time, reason: reason.clone() });
    }
    let known = table.routes.endpoints.get(ask.endpoint).filter(|endpoint| may_ask(&endpoint.revision().project));
    let Some(endpoint) = known else {
        return Err(no_endpoint(table, &caller, ask.endpoint));
    };
    let endpoint = match ask.revision {
        None => endpoint,
        Some(wanted) => table.routes.revision(ask.endpoint, wanted).ok_or_else(|| Refused::RevisionGone {
            endpoint: ask.endpoint.clone(),
            wanted,
            live: endpoint.revision().number,
        })?,
    };
    let live = endpoint.versions();
    match ask.version {
        Some(version) if !live.iter().any(|live| live == version) => Err(Refused::NoVersion {
            endpoint: ask.endpoint.clone(),
            version: version.chars().take(64).collect(),
            live: live.iter().map(|live| format!("`{live}`")).collect::<Vec<_>>().join(", "),
        }),
        _ => Ok((caller, endpoint)),
    }
}

/// Names only endpoints that the caller may ask.
fn no_endpoint(table: &RouteTable, caller: &Caller, wanted: &EndpointName) -> Refused {
    let visible = table
        .routes
        .endpoints
        .values()
        .map(|endpoint| endpoint.revision())
        .filter(|revision| caller.projects.include(&revision.project))
        .map(|revision| revision.endpoint.as_str());
    let hint = near::hint(wanted.as_str(), visible, "see `stemma deploy` for how to make one");
    Refused::NoEndpoint { endpoint: wanted.clone(), hint }
}

/// What the computing thread needs to know of a request.
struct Work {
    endpoint: Arc<Endpoint>,
    caller: PrincipalName,
    time: Timestamp,
    arrived: Instant,
}

/// What the computing thread gives back.
struct Computed {
    /// `None` if the endpoint keeps no log.
    record: Option<EncodedRecord>,
    answer: Computation,
}

struct Computation {
    id: String,
    target: Target,
    variant: &'static str,
    nodes: String,
    overrides: Vec<String>,
    outputs: Result<Box<RawValue>, String>,
}

/// Reads, computes and encodes on a thread that may take its time.
async fn compute(gateway: &Gateway, work: Work, ask: Ask<'_>) -> Result<Computed, Refused> {
    let turn = take_turn(gateway, &work.caller, &ask).await?;
    let Ask { request_id, unit, body, .. } = ask;
    let task = on_its_own_thread(async move {
        // held here, since a caller who goes away does not stop the computation
        let _turn = turn;
        let mut request = oip::parse(&body, &work.endpoint.revision().signature)?;
        request.id = request.id.or(request_id);
        request.unit = unit.or(request.unit);
        work.answer(request).await
    });
    task.await.unwrap_or_else(|panicked| {
        tracing::error!("a request panicked outside its model: {panicked}");
        Err(Refused::Internal)
    })
}

/// A turn of the caller; of a large request also one among its like, so that these never have all processors.
async fn take_turn(gateway: &Gateway, caller: &PrincipalName, ask: &Ask<'_>) -> Result<(Option<Turn>, Turn), NoTurn> {
    let client = match (&ask.address, ask.bearer) {
        (Some(ClientAddress(address)), None) => address,
        _ => caller.as_str(),
    };
    let large = match ask.body.len() >= LARGE_BODY_BYTES {
        true => Some(gateway.running_large.take(client).await?),
        false => None,
    };
    Ok((large, gateway.running.take(client).await?))
}

impl Work {
    async fn answer(self, request: InferRequest) -> Result<Computed, Refused> {
        let revision = self.endpoint.revision();
        // without a unit, each request is one of its own
        let unit = request.unit.clone().unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
        let (assigned, arm) = self.endpoint.assign(&unit);
        let mut ran = arm.program.run(&request.inputs, self.time).await;
        let Finished { outputs, printed } = finish(&mut ran, request.outputs.as_deref())?;
        let ending = if printed.is_ok() { Ending::Answered } else { Ending::Failed };
        arm.counters.count(ending, self.arrived.elapsed());
        let fired = fired(&ran);
        let answer = Computation {
            id: request.id.clone().unwrap_or_else(|| uuid::Uuid::now_v7().to_string()),
            target: arm.program.last_target().cloned().ok_or(Refused::Internal)?,
            variant: assigned.variant,
            nodes: name_nodes(&ran.steps),
            overrides: fired.clone(),
            outputs: printed,
        };
        let record = PredictionRecord {
            time: self.time,
            endpoint: revision.endpoint.clone(),
            revision: revision.number,
            revision_digest: self.endpoint.revision_digest(),
            request_id: request.id,
            caller: self.caller.clone(),
            unit: request.unit,
            variant: assigned.variant.to_owned(),
            propensity: assigned.share,
            outcome: match &answer.outputs {
                Ok(_) => Outcome::Answered,
                Err(message) => Outcome::Failed { message: message.clone() },
            },
            inputs: logged::from_tensors(&request.inputs),
            outputs,
            nodes: nodes(arm, ran.steps, !fired.is_empty()),
            overrides: ran.overrides,
            latency_us: micros_since(self.arrived),
        };
        Ok(Computed { record: encode(&self.endpoint, &record)?, answer })
    }
}

/// What is logged of the outputs, and what is answered.
struct Finished {
    outputs: Vec<LoggedTensor>,
    printed: Result<Box<RawValue>, String>,
}

/// Logs every output of the contract and prints those asked for. What a model does wrong is an outcome, what the
/// request does wrong is a refusal.
fn finish(ran: &mut Ran, wanted: Option<&[String]>) -> Result<Finished, Refused> {
    match std::mem::replace(&mut ran.result, Ok(Vec::new())) {
        Ok(given) => {
            let outputs = logged::from_tensors(&given);
            let printed = print_wanted(&given, &outputs, wanted);
            Ok(Finished { outputs, printed })
        }
        Err(Failure::Request(reason)) => Err(Invalid(reason).into()),
        Err(Failure::Model(message)) => Ok(Finished { outputs: Vec::new(), printed: Err(message) }),
    }
}

fn fired(ran: &Ran) -> Vec<String> {
    let changed = ran.overrides.iter().filter(|one| matches!(one.effect, OverrideEffect::Bounded { .. }));
    changed.map(|one| one.name.clone()).collect()
}

/// `score=credit-score@1.1.0,limit=credit-limit@1.0.0`; nothing for one model alone.
fn name_nodes(steps: &[StepRan]) -> String {
    if steps.len() < 2 {
        return String::new();
    }
    let named = steps.iter().map(|step| format!("{}={}@{}", step.name, step.target.model, step.target.version));
    named.collect::<Vec<_>>().join(",")
}

fn nodes(arm: &LoadedArm, steps: Vec<StepRan>, overridden: bool) -> Vec<NodeRecord> {
    let keep_outputs = arm.program.has_inner_values() || overridden;
    let node = |step: StepRan| NodeRecord {
        node: step.name,
        model: step.target.model,
        version: step.target.version,
        digest: step.target.digest,
        latency_us: step.latency_us,
        outputs: if keep_outputs { logged::from_tensors(&step.outputs) } else { Vec::new() },
    };
    steps.into_iter().map(node).collect()
}

fn print_wanted(
    given: &[(String, Tensor)],
    outputs: &[LoggedTensor],
    wanted: Option<&[String]>,
) -> Result<Box<RawValue>, String> {
    let find = |name: &String| {
        let at = given.iter().position(|(given, _)| given == name);
        at.ok_or_else(|| format!("the model gave no output `{name}`"))
    };
    let order: Vec<usize> = match wanted {
        None => (0..given.len()).collect(),
        Some(names) => names.iter().map(find).collect::<Result<_, _>>()?,
    };
    for at in &order {
        let (name, tensor) = &given[*at];
        if !logged::is_finite(tensor) {
            return Err(format!("output `{name}` is not finite, and JSON has no form for it"));
        }
    }
    let chosen: Vec<&LoggedTensor> = order.iter().map(|at| &outputs[*at]).collect();
    oip::print_outputs(&chosen).map_err(|error| format!("the outputs cannot be written as JSON: {error}"))
}

fn encode(endpoint: &Endpoint, record: &PredictionRecord) -> Result<Option<EncodedRecord>, AppendError> {
    let revision = endpoint.revision();
    if revision.log == LogMode::Off {
        return Ok(None);
    }
    let new = NewRecord { project: &revision.project, ordinal: revision.ordinal, record };
    new.encode().map(Some)
}

async fn remember(
    gateway: &Gateway,
    mode: LogMode,
    record: Option<EncodedRecord>,
) -> Result<Option<PredictionId>, AppendError> {
    match record {
        Some(record) => gateway.log().append(mode, record).await,
        None => Ok(None),
    }
}

fn respond(
    endpoint: &Endpoint,
    computation: Computation,
    prediction: Option<PredictionId>,
) -> Result<Answered, Refused> {
    let Computation { id, target, variant, nodes, overrides, outputs } = computation;
    let outputs = outputs.map_err(|message| Refused::Failed { message, prediction })?;
    let revision = endpoint.revision();
    let body = oip::print(&oip::Answer {
        endpoint: &revision.endpoint,
        id: &id,
        target: &target,
        revision: revision.number,
        variant,
        nodes: &nodes,
        overrides: &overrides.join(","),
        prediction,
        outputs: &outputs,
    })
    .map_err(|_| Refused::Internal)?;
    let route = revision.route.kind();
    Ok(Answered { body, prediction, target, route, variant, revision: revision.number, overrides })
}

fn ending(answered: &Result<Answered, Refused>) -> Ending {
    match answered {
        Ok(_) => Ending::Answered,
        Err(Refused::Failed { .. } | Refused::Internal) => Ending::Failed,
        Err(Refused::Overloaded(_) | Refused::NotReady(_)) => Ending::Unavailable,
        Err(Refused::Log(AppendError::TooLarge { .. })) => Ending::Refused,
        Err(Refused::Log(_)) => Ending::Unavailable,
        Err(_) => Ending::Refused,
    }
}

fn micros_since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}
