//! Callers of a server that may die or refuse: what they ask, what they were told, and whether it is there later.
//!
//! An answer counts once its last byte has arrived. What was cut off in between, or refused, is nobody's loss.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::{
    http::{Answer, Connection},
    payload,
};

pub const ENDPOINT: &str = "credit-decision";
pub const INFER: &str = "/v2/models/credit-decision/infer";
const CLIENTS: usize = 4;
const ENDPOINT_API: &str = "/api/v1/projects/default/endpoints/credit-decision";
/// How long a caller waits between predictions, once there are enough.
const AT_EASE: Duration = Duration::from_millis(50);
/// How long a caller waits who was refused.
const AFTER_REFUSAL: Duration = Duration::from_millis(5);

/// What a refusal means to a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The server has no reason to refuse anything.
    Fault,
    /// The server may be out of room: it says so, and is asked again.
    Expected,
}

/// What callers were told, and will ask for again.
#[derive(Debug, Default)]
pub struct Acknowledged {
    pub predictions: Vec<String>,
    /// Prediction and comment.
    pub feedback: Vec<(String, String)>,
    /// Number and reason of a revision.
    pub revisions: Vec<(u64, String)>,
    /// Requests that were cut off.
    pub cut: usize,
    /// Requests that were refused for want of room.
    pub refused: usize,
}

impl Acknowledged {
    fn and(mut self, other: Self) -> Self {
        self.add(other);
        self
    }

    pub fn add(&mut self, other: Self) {
        self.predictions.extend(other.predictions);
        self.feedback.extend(other.feedback);
        self.revisions.extend(other.revisions);
        self.cut += other.cut;
        self.refused += other.refused;
    }

    pub fn facts(&self) -> usize {
        self.feedback.len() + self.revisions.len()
    }
}

/// What is asked of one server while something happens to it.
pub struct Calls<'a> {
    pub address: SocketAddr,
    /// Requests of predictions, asked round and round.
    pub bodies: &'a [String],
    /// Of an operator.
    pub token: &'a str,
    /// Told in every reason, so that a lost fact says when it was acknowledged.
    pub round: u32,
    /// A prediction that is given feedback.
    pub known: Option<&'a str>,
    pub refusal: Refusal,
    /// Predictions after which callers take their time: each is looked for later.
    pub enough: u64,
    /// Predictions that were answered so far.
    pub answered: AtomicU64,
    /// Revisions and feedback that were acknowledged so far.
    pub facts: AtomicU64,
    /// What was to happen did not: nobody asks any more, although the server may listen.
    pub over: AtomicBool,
}

impl Calls<'_> {
    /// Lets clients ask until the server is gone, which `happening` brings about; returns what they were told.
    pub fn during(&self, happening: impl FnOnce() -> Result<()>) -> Result<Acknowledged> {
        let (told, happened) = thread::scope(|scope| {
            let predicting = (0..CLIENTS).map(|client| scope.spawn(move || self.predict(client)));
            let mut clients: Vec<_> = predicting.collect();
            clients.push(scope.spawn(|| self.change_facts()));
            let happened = happening();
            self.over.store(happened.is_err(), Ordering::Release);
            let told = clients.into_iter().map(|client| client.join().unwrap_or_else(|_| bail!("a client")));
            (told.collect::<Result<Vec<_>>>(), happened)
        });
        // what a client was told explains why nothing happened as it should, not the other way round
        let told = told?;
        happened?;
        Ok(told.into_iter().fold(Acknowledged::default(), Acknowledged::and))
    }

    fn predict(&self, client: usize) -> Result<Acknowledged> {
        let mut caller = Caller::new(self, None);
        for body in self.bodies.iter().cycle().skip(client) {
            match caller.post(INFER, body)? {
                Told::Done(answer) => {
                    let answer = answer.json();
                    let id =
                        payload::prediction_id(&answer).with_context(|| format!("no prediction id in {answer}"))?;
                    caller.told.predictions.push(id.to_owned());
                    if self.answered.fetch_add(1, Ordering::Release) >= self.enough {
                        thread::sleep(AT_EASE);
                    }
                }
                Told::Nothing => {}
                Told::Gone => break,
            }
        }
        Ok(caller.told)
    }

    /// Sends feedback and deploys, in turns.
    fn change_facts(&self) -> Result<Acknowledged> {
        let mut caller = Caller::new(self, Some(self.token));
        for turn in 1u32.. {
            let text = format!("round {}, turn {turn}", self.round);
            let step = json!({ "name": "score", "model": "credit-score@champion" });
            let deploy = json!({ "spec": { "step": [step] }, "reason": text }).to_string();
            match caller.post(&format!("{ENDPOINT_API}/revisions"), &deploy)? {
                Told::Done(answer) => {
                    let number = answer.json().pointer("/revision/number").and_then(Value::as_u64);
                    caller.told.revisions.push((number.context("a revision has no number")?, text.clone()));
                    self.facts.fetch_add(1, Ordering::Release);
                }
                Told::Nothing => {}
                Told::Gone => break,
            }
            let Some(known) = self.known else { continue };
            let feedback = json!({ "label": "good", "comment": text }).to_string();
            match caller.post(&format!("/api/v1/predictions/{known}/feedback"), &feedback)? {
                Told::Done(_) => {
                    caller.told.feedback.push((known.to_owned(), text));
                    self.facts.fetch_add(1, Ordering::Release);
                }
                Told::Nothing => {}
                Told::Gone => break,
            }
        }
        Ok(caller.told)
    }
}

/// One client, who comes back as long as anybody listens.
struct Caller<'a> {
    calls: &'a Calls<'a>,
    token: Option<&'a str>,
    connection: Option<Connection>,
    told: Acknowledged,
}

enum Told {
    Done(Answer),
    /// Refused, or cut off.
    Nothing,
    /// Nobody listens any more.
    Gone,
}

impl<'a> Caller<'a> {
    fn new(calls: &'a Calls<'a>, token: Option<&'a str>) -> Self {
        Self { calls, token, connection: None, told: Acknowledged::default() }
    }

    fn post(&mut self, path: &str, body: &str) -> Result<Told> {
        if self.calls.over.load(Ordering::Acquire) {
            return Ok(Told::Gone);
        }
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => match Connection::open(self.calls.address) {
                Ok(fresh) => self.token.into_iter().fold(fresh, Connection::with_token),
                Err(_) => return Ok(Told::Gone),
            },
        };
        let answer = whole(connection.post(path, body), self.calls.refusal, &mut self.told)?;
        match answer {
            Whole::Yes(answer) => {
                self.connection = Some(connection);
                Ok(Told::Done(answer))
            }
            Whole::Refused | Whole::Cut => {
                thread::sleep(AFTER_REFUSAL);
                Ok(Told::Nothing)
            }
        }
    }
}

#[derive(Debug)]
enum Whole {
    Yes(Answer),
    Refused,
    Cut,
}

/// Whether an answer arrived whole. A server that has no reason must not refuse.
fn whole(answer: std::io::Result<Answer>, refusal: Refusal, told: &mut Acknowledged) -> Result<Whole> {
    match answer {
        Ok(answer) if (200..300).contains(&answer.status) => Ok(Whole::Yes(answer)),
        Ok(answer) if refusal == Refusal::Expected && matches!(answer.status, 503 | 507) => {
            told.refused += 1;
            Ok(Whole::Refused)
        }
        Ok(answer) => bail!("the server answered {}: {}", answer.status, answer.text()),
        Err(_) => {
            told.cut += 1;
            Ok(Whole::Cut)
        }
    }
}

/// Fails unless what was acknowledged is there: all facts, and of the predictions at most so many, from the last.
pub fn look_for(address: SocketAddr, told: &Acknowledged, predictions_max: usize) -> Result<()> {
    let predictions = &told.predictions[told.predictions.len().saturating_sub(predictions_max)..];
    let share = predictions.len().div_ceil(2).max(1);
    thread::scope(|scope| {
        let shares = predictions.chunks(share).map(|share| scope.spawn(move || look_for_predictions(address, share)));
        let shares: Vec<_> = shares.collect();
        shares.into_iter().try_for_each(|share| share.join().unwrap_or_else(|_| bail!("a client")))
    })?;
    let mut connection = Connection::open(address)?;
    for (prediction, comment) in &told.feedback {
        let why = get(&mut connection, &format!("/api/v1/predictions/{prediction}"))?;
        let known = why["feedback"].as_array().context("there is no list of feedback")?;
        ensure!(
            known.iter().any(|one| one["comment"] == **comment),
            "the feedback `{comment}` was acknowledged and is lost"
        );
    }
    for (number, reason) in &told.revisions {
        let one = get(&mut connection, &format!("{ENDPOINT_API}/revisions/{number}"))?;
        let is_known = one["revision"]["number"] == *number && one["reason"] == **reason;
        ensure!(is_known, "revision {number} ({reason}) was acknowledged and is lost");
    }
    Ok(())
}

fn look_for_predictions(address: SocketAddr, predictions: &[String]) -> Result<()> {
    let mut connection = Connection::open(address)?;
    for prediction in predictions {
        let why = get(&mut connection, &format!("/api/v1/predictions/{prediction}"))?;
        ensure!(why["prediction"] == **prediction, "prediction {prediction} was answered and is not explained");
    }
    Ok(())
}

fn get(connection: &mut Connection, path: &str) -> Result<Value> {
    let answer = connection.get(path)?;
    ensure!(answer.status == 200, "{path} was acknowledged and answers {}: {}", answer.status, answer.text());
    Ok(answer.json())
}

#[cfg(test)]
mod tests {
    use std::{io, net::TcpListener};

    use super::*;

    /// A server that answers the same to every request of one connection at a time.
    fn answering(answer: &'static str) -> SocketAddr {
        use std::io::{BufRead as _, BufReader, Write as _};
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let mut line = String::new();
                while stream.read_line(&mut line).is_ok_and(|read| read > 0) {
                    if line == "\r\n" {
                        let length = answer.len();
                        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{answer}");
                        stream.get_mut().write_all(head.as_bytes()).unwrap();
                    }
                    line.clear();
                }
            }
        });
        address
    }

    #[test]
    fn what_is_lost_is_seen() {
        let address = answering(
            r#"{"prediction": "p1", "feedback": [{"comment": "a"}], "revision": {"number": 3}, "reason": "r"}"#,
        );
        let told = |prediction: &str, comment: &str, revision: (u64, &str)| {
            let told = Acknowledged {
                predictions: vec![prediction.into()],
                feedback: vec![("p1".into(), comment.into())],
                revisions: vec![(revision.0, revision.1.into())],
                cut: 0,
                refused: 0,
            };
            look_for(address, &told, usize::MAX).map_err(|error| error.to_string())
        };
        assert_eq!(told("p1", "a", (3, "r")), Ok(()));
        assert_eq!(told("p2", "a", (3, "r")).unwrap_err(), "prediction p2 was answered and is not explained");
        assert_eq!(told("p1", "b", (3, "r")).unwrap_err(), "the feedback `b` was acknowledged and is lost");
        assert_eq!(told("p1", "a", (4, "r")).unwrap_err(), "revision 4 (r) was acknowledged and is lost");
        assert_eq!(told("p1", "a", (3, "other")).unwrap_err(), "revision 3 (other) was acknowledged and is lost");
    }

    #[test]
    fn a_refusal_is_a_failure_where_there_is_no_reason_and_a_cut_is_none() {
        let mut told = Acknowledged::default();
        let refused = || Ok(Answer { status: 507, body: b"full".to_vec() });
        assert!(whole(refused(), Refusal::Fault, &mut told).unwrap_err().to_string().contains("507: full"));
        assert!(matches!(whole(refused(), Refusal::Expected, &mut told).unwrap(), Whole::Refused));
        let broken = Answer { status: 500, body: b"oh".to_vec() };
        assert!(whole(Ok(broken), Refusal::Expected, &mut told).unwrap_err().to_string().contains("500: oh"));
        let cut = whole(Err(io::ErrorKind::UnexpectedEof.into()), Refusal::Fault, &mut told).unwrap();
        assert!(matches!(cut, Whole::Cut));
        assert_eq!((told.cut, told.refused), (1, 1));
    }
}
