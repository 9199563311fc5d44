//! The main flow: a question is read, an arm computes, the record is kept, the answer is written.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use http::{HeaderMap, Response};
use stemma_core::{
    Timestamp,
    name::PrincipalName,
    prediction::{LoggedTensor, Outcome, PredictionId},
    target::Target,
};
use stemma_tensor::{Tensor, logged};

use crate::{
    admit::Admitted,
    gateway::{Gateway, LARGE_BODY_BYTES},
    log::{AppendError, EncodedRecord},
    protocol::{Answer, Output, Parsed, Printed, Printer, Protocol},
    question::Invalid,
    ran::{Failure, Ran},
    refused::Refused,
    remember::{self, Finished},
    runtime::on_its_own_thread,
    stats::Ending,
    table::Endpoint,
    turns::{NoTurn, Turn},
};

/// A question as it came in, and whose it is.
pub struct Asked {
    pub admitted: Admitted,
    /// For whom it counts instead of its caller: where it comes from, if no token was shown.
    pub address: Option<Arc<str>>,
    /// `X-Request-Id`, for a question that has no id of its own.
    pub request_id: Option<String>,
    /// `X-Stemma-Unit`, which goes before the question's own.
    pub unit: Option<String>,
    pub protocol: &'static dyn Protocol,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// The answer to a question, and what is said about it besides.
pub struct Answered {
    pub response: Response<Bytes>,
    pub prediction: Option<PredictionId>,
    pub target: Target,
    pub route: &'static str,
    pub variant: &'static str,
    pub revision: u32,
    /// Overrides that changed the answer.
    pub overrides: Vec<String>,
}

/// Answers one question.
pub async fn infer(gateway: &Gateway, asked: Asked) -> Result<Answered, Refused> {
    let (arrived, time) = (Instant::now(), gateway.clock.now());
    let endpoint = Arc::clone(&asked.admitted.endpoint);
    let answered = async {
        let computed = compute(gateway, asked, (arrived, time)).await?;
        let prediction = remember::append(gateway.log(), endpoint.revision().log, computed.record).await?;
        respond(&endpoint, computed.answer, prediction)
    }
    .await;
    endpoint.counters.count(ending(&answered), arrived.elapsed());
    answered
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
    outputs: Result<Box<dyn Printed>, String>,
}

/// Reads, computes and encodes on a thread that may take its time.
async fn compute(gateway: &Gateway, asked: Asked, (arrived, time): (Instant, Timestamp)) -> Result<Computed, Refused> {
    let turn = take_turn(gateway, &asked).await?;
    let Asked { admitted: Admitted { endpoint, caller }, request_id, unit, protocol, headers, body, .. } = asked;
    let work = Work { endpoint, caller, time, arrived };
    let task = on_its_own_thread(async move {
        // held here, since a caller who goes away does not stop the computation
        let _turn = turn;
        let mut parsed = protocol.parse(&headers, &body, &work.endpoint.revision().signature)?;
        parsed.question.id = parsed.question.id.or(request_id);
        parsed.question.unit = unit.or(parsed.question.unit);
        work.answer(parsed).await
    });
    task.await.unwrap_or_else(|panicked| {
        tracing::error!("a request panicked outside its model: {panicked}");
        Err(Refused::Internal)
    })
}

/// A turn of the caller; of a large request also one among its like, so that these never have all processors.
async fn take_turn(gateway: &Gateway, asked: &Asked) -> Result<(Option<Turn>, Turn), NoTurn> {
    let client = asked.address.as_deref().unwrap_or(asked.admitted.caller.as_str());
    let large = match asked.body.len() >= LARGE_BODY_BYTES {
        true => Some(gateway.running_large.take(client).await?),
        false => None,
    };
    Ok((large, gateway.running.take(client).await?))
}

/// What the computing thread needs to know of a request besides its question.
struct Work {
    endpoint: Arc<Endpoint>,
    caller: PrincipalName,
    time: Timestamp,
    arrived: Instant,
}

impl Work {
    async fn answer(self, Parsed { question, printer }: Parsed) -> Result<Computed, Refused> {
        // without a unit, each request is one of its own
        let unit = question.unit.clone().unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
        let (assigned, arm) = self.endpoint.assign(&unit);
        let mut ran = arm.program.run(&question.inputs, self.time).await;
        let Said { logged: outputs, printed } = say(&mut ran, question.outputs.as_deref(), printer)?;
        let (ending, outcome) = match &printed {
            Ok(_) => (Ending::Answered, Outcome::Answered),
            Err(message) => (Ending::Failed, Outcome::Failed { message: message.clone() }),
        };
        arm.counters.count(ending, self.arrived.elapsed());
        let answer = Computation {
            id: question.id.clone().unwrap_or_else(|| uuid::Uuid::now_v7().to_string()),
            target: arm.program.last_target().cloned().ok_or(Refused::Internal)?,
            variant: assigned.variant,
            nodes: ran.named_steps(),
            overrides: ran.fired(),
            outputs: printed,
        };
        let record = remember::encode(Finished {
            endpoint: &self.endpoint,
            arm: (assigned, arm),
            caller: self.caller,
            time: self.time,
            question,
            ran,
            outputs,
            outcome,
            latency_us: micros_since(self.arrived),
        })?;
        Ok(Computed { record, answer })
    }
}

/// What is logged of the outputs, and what is answered.
struct Said {
    logged: Vec<LoggedTensor>,
    printed: Result<Box<dyn Printed>, String>,
}

/// Logs every output of the contract and writes those asked for. What a model does wrong is an outcome, what the request
/// does wrong is a refusal.
fn say(ran: &mut Ran, wanted: Option<&[String]>, printer: Box<dyn Printer>) -> Result<Said, Refused> {
    match std::mem::replace(&mut ran.result, Ok(Vec::new())) {
        Ok(given) => {
            let logged = logged::from_tensors(&given);
            let printed = choose(&given, &logged, wanted).and_then(|chosen| printer.outputs(&chosen));
            Ok(Said { logged, printed })
        }
        Err(Failure::Request(reason)) => Err(Invalid(reason).into()),
        Err(Failure::Model(message)) => Ok(Said { logged: Vec::new(), printed: Err(message) }),
    }
}

/// The outputs in the order in which they were asked for, or all of them.
fn choose<'a>(
    given: &'a [(String, Tensor)],
    logged: &'a [LoggedTensor],
    wanted: Option<&[String]>,
) -> Result<Vec<Output<'a>>, String> {
    let all = given.iter().zip(logged).map(|((_, tensor), logged)| Output { tensor, logged });
    let Some(names) = wanted else {
        return Ok(all.collect());
    };
    let find = |name: &String| {
        let found = all.clone().find(|output| output.logged.name == *name);
        found.ok_or_else(|| format!("the model gave no output `{name}`"))
    };
    names.iter().map(find).collect()
}

fn respond(
    endpoint: &Endpoint,
    computation: Computation,
    prediction: Option<PredictionId>,
) -> Result<Answered, Refused> {
    let Computation { id, target, variant, nodes, overrides, outputs } = computation;
    let outputs = outputs.map_err(|message| Refused::Failed { message, prediction })?;
    let revision = endpoint.revision();
    let response = outputs.answer(&Answer {
        endpoint: &revision.endpoint,
        id: &id,
        target: &target,
        revision: revision.number,
        variant,
        nodes: &nodes,
        overrides: &overrides.join(","),
        prediction,
    });
    let response = response.map_err(|error| {
        tracing::error!(endpoint = %revision.endpoint, "an answer could not be written: {error}");
        Refused::Internal
    })?;
    let route = revision.route.kind();
    Ok(Answered { response, prediction, target, route, variant, revision: revision.number, overrides })
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
