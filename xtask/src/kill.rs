//! Kills a server under requests, again and again, and looks for everything that it had acknowledged.
//!
//! An answer counts once its last byte has arrived. What was cut off in between is nobody's loss.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::{
    desk::Desk,
    http::{Answer, Connection},
    payload,
    random::Random,
    server::Server,
};

const ENDPOINT: &str = "credit-decision";
const INFER: &str = "/v2/models/credit-decision/infer";
const ENDPOINT_API: &str = "/api/v1/projects/default/endpoints/credit-decision";
const CLIENTS: usize = 4;
/// The server is killed a moment after a random number of answers below this: enough for some deployments as well.
const ANSWERS_MAX: u64 = 60;
const MOMENT_US_MAX: u64 = 5000;
/// How long the answers may take to come.
const PATIENCE: Duration = Duration::from_secs(60);
/// Predictions looked for after each kill, so that a loss is seen near its cause; in the end all are.
const NEWEST: usize = 6;

/// What callers were told, and will ask for again.
#[derive(Debug, Default)]
struct Acknowledged {
    predictions: Vec<String>,
    /// Prediction and comment.
    feedback: Vec<(String, String)>,
    /// Number and reason of a revision.
    revisions: Vec<(u64, String)>,
    /// Requests that were cut off.
    cut: usize,
}

impl Acknowledged {
    fn add(&mut self, other: Self) {
        self.predictions.extend(other.predictions);
        self.feedback.extend(other.feedback);
        self.revisions.extend(other.revisions);
        self.cut += other.cut;
    }

    fn facts(&self) -> usize {
        self.feedback.len() + self.revisions.len()
    }
}

/// Plays this many rounds in a desk whose endpoint is deployed.
pub fn rounds(desk: &Desk, count: u32) -> Result<()> {
    let began = Instant::now();
    let operator = desk.ask(&["user", "add", "olga@bank.example", "--role", "operator"])?;
    let token = operator["token"].as_str().context("the operator got no token")?;
    let mut random = Random::seeded();
    let (mut all, mut newest) = (Acknowledged::default(), Acknowledged::default());
    for round in 1..=count {
        let server = Server::start(desk, 0).with_context(|| format!("after {} kills", round - 1))?;
        look_for(server.address, &newest, NEWEST).with_context(|| format!("after kill {} of {count}", round - 1))?;
        all.add(std::mem::take(&mut newest));
        let known = all.predictions.last().cloned();
        let end =
            End { answers: random.below(ANSWERS_MAX), moment: Duration::from_micros(random.below(MOMENT_US_MAX)) };
        newest = ask_and_kill(desk, server, token, round, known.as_deref(), end)?;
    }
    let server = Server::start(desk, 0)?;
    all.add(newest);
    look_for(server.address, &all, usize::MAX).context("after the last kill")?;
    server.stop()?;
    let report = desk.ask(&["audit", "verify"])?;
    ensure!(report["passed"] == true, "the ledger does not verify after {count} kills: {report}");
    let (predictions, facts) = (all.predictions.len(), all.facts());
    ensure!(all.cut > 0 && predictions > 0 && facts > 0, "no kill came in the middle of anything: {} cut", all.cut);
    println!(
        "{count} kills: {predictions} answered predictions and {facts} acknowledged facts are all there; {} requests \
         were cut off ({:.1} s)",
        all.cut,
        began.elapsed().as_secs_f64()
    );
    Ok(())
}

/// When a server is killed: this long after so many answers.
struct End {
    answers: u64,
    moment: Duration,
}

/// Lets clients ask until the server is killed; returns what they were told.
fn ask_and_kill(
    desk: &Desk,
    server: Server,
    token: &str,
    round: u32,
    known: Option<&str>,
    end: End,
) -> Result<Acknowledged> {
    let address = server.address;
    let bodies = payload::bodies(&mut server.connect()?, ENDPOINT, &desk.work.join("data/test.csv"))?;
    let answered = AtomicU64::new(0);
    let told = thread::scope(|scope| {
        let mut clients = Vec::new();
        for client in 0..CLIENTS {
            let (bodies, answered) = (&bodies, &answered);
            clients.push(scope.spawn(move || predict(address, bodies.iter().cycle().skip(client), answered)));
        }
        clients.push(scope.spawn(|| change_facts(address, token, round, known)));
        let began = Instant::now();
        while answered.load(Ordering::Acquire) < end.answers && began.elapsed() < PATIENCE {
            thread::sleep(Duration::from_micros(100));
        }
        thread::sleep(end.moment);
        let killed = server.kill();
        let told = clients.into_iter().map(|client| client.join().unwrap_or_else(|_| bail!("a client")));
        let told: Vec<_> = told.collect();
        killed.map(|()| told)
    });
    let mut acknowledged = Acknowledged::default();
    for told in told? {
        acknowledged.add(told?);
    }
    Ok(acknowledged)
}

fn predict<'a>(
    address: SocketAddr,
    bodies: impl Iterator<Item = &'a String>,
    answered: &AtomicU64,
) -> Result<Acknowledged> {
    let mut told = Acknowledged::default();
    let Ok(mut connection) = Connection::open(address) else {
        return Ok(told);
    };
    for body in bodies {
        let Some(answer) = whole(connection.post(INFER, body), &mut told)? else {
            break;
        };
        let answer = answer.json();
        let id = payload::prediction_id(&answer).with_context(|| format!("no prediction id in {answer}"))?;
        told.predictions.push(id.to_owned());
        answered.fetch_add(1, Ordering::Release);
    }
    Ok(told)
}

/// Sends feedback and deploys, in turns.
fn change_facts(address: SocketAddr, token: &str, round: u32, known: Option<&str>) -> Result<Acknowledged> {
    let mut told = Acknowledged::default();
    let Ok(connection) = Connection::open(address) else {
        return Ok(told);
    };
    let mut connection = connection.with_token(token);
    for turn in 1u32.. {
        let text = format!("round {round}, turn {turn}");
        let deploy = json!({
            "spec": { "step": [{ "name": "score", "model": "credit-score@champion" }] },
            "reason": text,
        });
        let deploy = deploy.to_string();
        let Some(answer) = whole(connection.post(&format!("{ENDPOINT_API}/revisions"), &deploy), &mut told)? else {
            break;
        };
        let number = answer.json().pointer("/revision/number").and_then(Value::as_u64);
        told.revisions.push((number.context("a revision has no number")?, text.clone()));
        let Some(known) = known else {
            continue;
        };
        let feedback = json!({ "label": "good", "comment": text }).to_string();
        let path = format!("/api/v1/predictions/{known}/feedback");
        if whole(connection.post(&path, &feedback), &mut told)?.is_none() {
            break;
        }
        told.feedback.push((known.to_owned(), text));
    }
    Ok(told)
}

/// An answer that arrived whole; none if it was cut off. A server that lives must not refuse.
fn whole(answer: std::io::Result<Answer>, told: &mut Acknowledged) -> Result<Option<Answer>> {
    match answer {
        Ok(answer) if (200..300).contains(&answer.status) => Ok(Some(answer)),
        Ok(answer) => bail!("the server answered {}: {}", answer.status, answer.text()),
        Err(_) => {
            told.cut += 1;
            Ok(None)
        }
    }
}

/// Fails unless what was acknowledged is there: all facts, and of the predictions at most so many, from the last.
fn look_for(address: SocketAddr, told: &Acknowledged, predictions_max: usize) -> Result<()> {
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
    fn a_refusal_is_a_failure_and_a_cut_is_none() {
        let mut told = Acknowledged::default();
        let refused = Answer { status: 503, body: b"busy".to_vec() };
        assert!(whole(Ok(refused), &mut told).unwrap_err().to_string().contains("503: busy"));
        let cut = whole(Err(io::ErrorKind::UnexpectedEof.into()), &mut told).unwrap();
        assert!(cut.is_none());
        assert_eq!(told.cut, 1);
    }
}
