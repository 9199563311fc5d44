//! The main flow: a question is read, an arm computes, the record is kept, the answer is written.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response, header};
use stemma_core::endpoint::{
    declaration::LogMode,
    prediction::{FailureKind, LoggedTensor, Outcome, PredictionId, RefusalKind},
    target::Target,
};
use stemma_tensor::{Tensor, logged};

use crate::{
    arrival::Arrival,
    gateway::{Gateway, LARGE_BODY_BYTES},
    log::{AppendError, Kept, PredictionLog},
    protocol::{Answer, Output, Parsed, Printed, Printer, Protocol},
    question::Invalid,
    ran::{Failure, Ran},
    refused::{Refused, Unanswered},
    remember::{self, Story},
    runtime::on_its_own_thread,
    stats::Ending,
    table::Endpoint,
    turns::{NoTurn, Turn},
};

/// Longest body of a request.
pub const BODY_BYTES_MAX: usize = 16 << 20;

/// A question as it came in, and whose it is.
pub struct Asked {
    pub arrival: Arc<Arrival>,
    /// For whom it counts instead of its caller: where it comes from, if no token was shown.
    pub address: Option<Arc<str>>,
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
    pub arm: String,
    pub revision: u32,
    /// Overrides that changed the answer.
    pub overrides: Vec<String>,
}

/// Answers one question, or keeps why it has no answer.
pub async fn infer(gateway: &Gateway, asked: Asked) -> Result<Answered, Unanswered> {
    let arrival = Arc::clone(&asked.arrival);
    let answered = match compute(gateway, asked).await {
        Ok(computed) => computed.respond(&arrival.endpoint).await,
        Err(refused) => Err(keep_refusal(gateway.log(), &arrival, refused).await),
    };
    arrival.endpoint.counters.count(ending(&answered), arrival.arrived.elapsed());
    answered
}

/// What the computing thread gives back.
struct Computed {
    /// `None` if the endpoint keeps no log.
    kept: Option<Kept>,
    answer: Computation,
}

struct Computation {
    id: String,
    target: Target,
    arm: String,
    nodes: String,
    overrides: Vec<String>,
    outputs: Result<Box<dyn Printed>, Refused>,
}

/// Reads, computes and encodes on a thread that may take its time. What was computed is handed to the log there, so that
/// it is kept also if its caller has gone away meanwhile.
async fn compute(gateway: &Gateway, asked: Asked) -> Result<Computed, Refused> {
    check(&asked)?;
    let turn = take_turn(gateway, &asked).await?;
    let Asked { arrival, protocol, headers, body, .. } = asked;
    let log = gateway.log().clone();
    let task = on_its_own_thread(async move {
        // held here, since a caller who goes away does not stop the computation
        let _turn = turn;
        let mut parsed = protocol.parse(&headers, &body, &arrival.endpoint.revision().signature)?;
        let question = &mut parsed.question;
        question.id = question.id.take().or_else(|| arrival.request_id.clone());
        question.unit = arrival.unit.clone().or_else(|| question.unit.take());
        answer(&log, &arrival, parsed).await
    });
    task.await.unwrap_or_else(|panicked| {
        tracing::error!("a request panicked outside its model: {panicked}");
        Err(Refused::Internal)
    })
}

/// Refuses bodies that are not worth a turn.
fn check(asked: &Asked) -> Result<(), Refused> {
    if asked.body.len() > BODY_BYTES_MAX {
        return Err(Refused::TooLong(BODY_BYTES_MAX));
    }
    asked.protocol.check_head(&asked.headers)?;
    let encoded = asked.headers.get(header::CONTENT_ENCODING);
    if encoded.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Refused::Compressed);
    }
    Ok(())
}

/// A turn of the caller; of a large request also one among its like, so that these never have all processors.
async fn take_turn(gateway: &Gateway, asked: &Asked) -> Result<(Option<Turn>, Turn), NoTurn> {
    let client = asked.address.as_deref().unwrap_or(asked.arrival.caller.as_str());
    let large = match asked.body.len() >= LARGE_BODY_BYTES {
        true => Some(gateway.running_large.take(client).await?),
        false => None,
    };
    Ok((large, gateway.running.take(client).await?))
}

async fn answer(
    log: &PredictionLog,
    arrival: &Arrival,
    Parsed { question, printer }: Parsed,
) -> Result<Computed, Refused> {
    let drawn = arrival.endpoint.draw(question.unit.clone());
    let arm = drawn.arm;
    let mut ran = arm.program.run(&question.inputs, arrival.time).await;
    let Said { logged: outputs, printed } = say(&mut ran, question.outputs.as_deref(), printer);
    if let Some(ending) = ending_of(&printed) {
        arm.counters.count(ending, arrival.arrived.elapsed());
    }
    let answer = Computation {
        id: question.id.clone().unwrap_or_else(|| uuid::Uuid::now_v7().to_string()),
        target: arm.program.last_target().cloned().ok_or(Refused::Internal)?,
        arm: drawn.taken.name.clone(),
        nodes: ran.named_steps(),
        overrides: ran.fired(),
        outputs: printed,
    };
    let outcome = match &answer.outputs {
        Ok(_) => Outcome::Answered,
        Err(refused) => refused.outcome().ok_or(Refused::Internal)?,
    };
    let story = Story { question, drawn, ran, outputs, outcome };
    let kept = remember::keep(log, arrival, story).await?;
    Ok(Computed { kept, answer })
}

/// What is logged of the outputs, and what is answered.
struct Said {
    logged: Vec<LoggedTensor>,
    printed: Result<Box<dyn Printed>, Refused>,
}

/// Logs every output of the contract and writes those asked for.
fn say(ran: &mut Ran, wanted: Option<&[String]>, printer: Box<dyn Printer>) -> Said {
    match std::mem::replace(&mut ran.result, Ok(Vec::new())) {
        Ok(given) => {
            let logged = logged::from_tensors(&given);
            let printed = choose(&given, &logged, wanted).and_then(|chosen| printer.outputs(&chosen));
            let printed = printed.map_err(|message| Refused::Failed { kind: FailureKind::Output, message });
            Said { logged, printed }
        }
        Err(failure) => Said { logged: Vec::new(), printed: Err(failure.into()) },
    }
}

impl From<Failure> for Refused {
    /// What a model does wrong is a failure, what the request does wrong is a refusal.
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Request(reason) => Self::Invalid(Invalid(reason)),
            Failure::Model(message) => Self::Failed { kind: FailureKind::Model, message },
        }
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

impl Computed {
    /// Waits until the record is kept, and writes the answer.
    async fn respond(self, endpoint: &Endpoint) -> Result<Answered, Unanswered> {
        let prediction = match self.kept {
            None => None,
            Some(kept) => Some(kept.on_disk().await.map_err(|error| Unanswered::unkept(error.into()))?),
        };
        self.answer.respond(endpoint, prediction).map_err(|refused| Unanswered { refused, prediction })
    }
}

impl Computation {
    fn respond(self, endpoint: &Endpoint, prediction: Option<PredictionId>) -> Result<Answered, Refused> {
        let Self { id, target, arm, nodes, overrides, outputs } = self;
        let revision = endpoint.revision();
        let response = outputs?.answer(&Answer {
            endpoint: &revision.endpoint,
            id: &id,
            target: &target,
            revision: revision.number,
            variant: &arm,
            nodes: &nodes,
            overrides: &overrides.join(","),
            prediction,
        });
        let response = response.map_err(|error| {
            tracing::error!(endpoint = %revision.endpoint, "an answer could not be written: {error}");
            Refused::Internal
        })?;
        let route = revision.route.kind.as_str();
        Ok(Answered { response, prediction, target, route, arm, revision: revision.number, overrides })
    }
}

/// Keeps why a request came to nothing; what there is no room for is not kept, and the caller is told the same.
async fn keep_refusal(log: &PredictionLog, arrival: &Arrival, refused: Refused) -> Unanswered {
    let Some(outcome) = refused.outcome() else {
        return Unanswered::unkept(refused);
    };
    let mode = match &outcome {
        // nobody waits for a disk to hear that there is no room
        Outcome::Refused { kind: RefusalKind::Overloaded, .. } => LogMode::Fast,
        _ => arrival.endpoint.revision().log,
    };
    let prediction = match remember::keep_record(log, arrival, mode, &arrival.refused(outcome)).await {
        Ok(None) => Ok(None),
        Ok(Some(kept)) => kept.on_disk().await.map(Some),
        Err(error) => Err(error),
    };
    let prediction = prediction.unwrap_or_else(|error: AppendError| {
        tracing::warn!(endpoint = %arrival.endpoint.revision().endpoint, "a refusal could not be logged: {error}");
        None
    });
    Unanswered { refused, prediction }
}

fn ending(answered: &Result<Answered, Unanswered>) -> Ending {
    match answered {
        Ok(_) => Ending::Answered,
        Err(unanswered) => ending_in(&unanswered.refused),
    }
}

/// How it ended for the arm; what the request itself did wrong says nothing of an arm.
fn ending_of(printed: &Result<Box<dyn Printed>, Refused>) -> Option<Ending> {
    match printed {
        Ok(_) => Some(Ending::Answered),
        Err(refused) => Some(ending_in(refused)).filter(|ending| *ending == Ending::Failed),
    }
}

fn ending_in(refused: &Refused) -> Ending {
    match refused {
        Refused::Failed { .. } | Refused::Internal => Ending::Failed,
        Refused::Log(AppendError::TooLarge { .. }) => Ending::Refused,
        Refused::Overloaded(_) | Refused::NotReady(_) | Refused::Log(_) => Ending::Unavailable,
        _ => Ending::Refused,
    }
}
