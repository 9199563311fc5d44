//! The one way to change governed state: events become leaves and table rows in one transaction, or nothing happens.
//!
//! Whoever decides does so on facts it read at some seq and hands the seq in: if the ledger moved since, the commit is
//! refused as [`Outcome::Moved`] and the caller decides anew. One writer drains a queue into one transaction, so that
//! many commits share one fsync; nobody is answered before the database has committed.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use stemma_core::{
    Timestamp, canonical,
    event::Event,
    history::merkle::{Place, complete_parts},
    id::{RequestId, TokenId},
    record::Actor,
};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    LedgerError, projection,
    sql::{Database, Session, Value},
    tree::{Frontier, Hash, leaf_hash},
};

/// Commits that share one transaction at most.
const GROUP_MAX: usize = 256;
/// How much earlier than an event the next one may seem to be: clocks are corrected by small steps all the time.
pub const CLOCK_TOLERANCE_MICROS: i64 = 2_000_000;
/// Commits that wait at most; further callers wait to get into the queue.
pub(crate) const QUEUE_MAX: usize = 1024;
/// Most events in one commit.
const EVENTS_MAX: usize = 10_000;

/// One change, asked for.
#[derive(Debug, Clone)]
pub struct Commit {
    pub actor: Actor,
    /// Done at most once.
    pub request: RequestId,
    /// The seq that the decision was made at; `None` commits whatever happened since.
    pub expected: Option<u64>,
    pub events: Vec<Event>,
    /// Hash of a token that one of the events issues; never part of a leaf.
    pub token_hash: Option<(TokenId, [u8; 32])>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Committed as these seqs, now or (`repeated`) by an earlier commit under the same request id.
    Committed { first: u64, events: Vec<Event>, repeated: bool },
    /// The ledger is not where the decision was made; nothing was written.
    Moved,
}

/// Format of a leaf, version 1. Canonical JSON; the tree is over these bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Leaf {
    pub v: u32,
    pub seq: u64,
    pub time: Timestamp,
    pub actor: Actor,
    pub kind: String,
    pub subject: String,
    pub request: RequestId,
    /// Base64 of SHA-256(salt ‖ body): the body can be forgotten and the proof stays.
    pub commitment: String,
}

/// A commit and who waits for it.
pub(crate) struct Job {
    pub commit: Commit,
    pub reply: oneshot::Sender<Result<Outcome, LedgerError>>,
}

/// Returns the commitment to a body.
pub fn commitment(salt: &[u8], body: &str) -> String {
    BASE64.encode(&Sha256::new().chain_update(salt).chain_update(body.as_bytes()).finalize())
}

/// Writes queued commits until the queue is closed.
pub(crate) async fn write_queue(
    database: Database,
    clock: std::sync::Arc<dyn stemma_core::Clock>,
    mut queue: mpsc::Receiver<Job>,
    head: watch::Sender<u64>,
) {
    let mut group = Vec::new();
    while queue.recv_many(&mut group, GROUP_MAX).await > 0 {
        let (commits, replies): (Vec<Commit>, Vec<_>) = group.drain(..).map(|job| (job.commit, job.reply)).unzip();
        match write_group(&database, clock.now(), &commits).await {
            Ok((outcomes, size)) => {
                head.send_replace(size);
                for (reply, outcome) in replies.into_iter().zip(outcomes) {
                    let _ = reply.send(outcome);
                }
            }
            Err(error) => {
                for reply in replies {
                    let _ = reply.send(Err(error.shared()));
                }
            }
        }
    }
}

type Outcomes = Vec<Result<Outcome, LedgerError>>;

async fn write_group(database: &Database, now: Timestamp, commits: &[Commit]) -> Result<(Outcomes, u64), LedgerError> {
    let mut session = database.begin().await?;
    let mut frontier = lock_head(&mut session).await?;
    let before = frontier.size();
    let now = not_before_the_last(&mut session, before, now).await?;
    let mut outcomes = Vec::with_capacity(commits.len());
    for commit in commits {
        outcomes.push(write_one(&mut session, now, &mut frontier, commit).await?);
    }
    if frontier.size() == before {
        session.rollback().await?;
    } else {
        let head = [Value::Int(frontier.size() as i64), Value::Blob(frontier.root().to_vec())];
        session.execute("UPDATE head SET size = $1, root = $2 WHERE id = 1", &head).await?;
        session.commit().await?;
    }
    Ok((outcomes, frontier.size()))
}

/// Takes the head row, so that commits of all processes come one after the other.
async fn lock_head(session: &mut Session) -> Result<Frontier, LedgerError> {
    let row = session.row("UPDATE head SET id = id WHERE id = 1 RETURNING size", &[]).await?;
    let size = row.ok_or_else(|| LedgerError::Damaged("the ledger has no head".to_owned()))?.int("size")? as u64;
    read_frontier(session, size).await
}

/// The time to stamp events with: in the ledger it never runs backwards, even if the machine's clock was set back.
async fn not_before_the_last(session: &mut Session, size: u64, now: Timestamp) -> Result<Timestamp, LedgerError> {
    let Some(row) = session.row("SELECT entry FROM leaf WHERE seq = $1", &[Value::Int(size as i64)]).await? else {
        return Ok(now);
    };
    let last: Leaf = row.json("entry")?;
    let behind = last.time.micros().saturating_sub(now.micros());
    if behind > CLOCK_TOLERANCE_MICROS {
        tracing::warn!(
            seconds = behind / 1_000_000,
            "the clock is behind the ledger's last event, as if it was set back: new events are stamped {}",
            last.time
        );
    }
    Ok(now.max(last.time))
}

/// Reads the complete subtrees that leaves consist of, largest first.
pub(crate) async fn read_parts(session: &mut Session, leaves: std::ops::Range<u64>) -> Result<Vec<Hash>, LedgerError> {
    let mut parts = Vec::new();
    for Place { level, index } in complete_parts(leaves) {
        let at = [Value::Int(i64::from(level)), Value::Int(index as i64)];
        let row = session.row("SELECT hash FROM subtree WHERE level = $1 AND place = $2", &at).await?;
        let row = row.ok_or_else(|| LedgerError::Damaged(format!("subtree {level}/{index} is missing")))?;
        let hash = row.blob("hash")?.try_into();
        parts.push(hash.map_err(|_| LedgerError::Damaged("a subtree hash is not 32 bytes".to_owned()))?);
    }
    Ok(parts)
}

pub(crate) async fn read_frontier(session: &mut Session, size: u64) -> Result<Frontier, LedgerError> {
    let peaks = read_parts(session, 0..size).await?;
    Frontier::new(size, peaks).ok_or_else(|| LedgerError::Damaged("the ledger's frontier is not whole".to_owned()))
}

/// Writes one commit, or finds that nothing may be written. Database errors end the whole group.
async fn write_one(
    session: &mut Session,
    now: Timestamp,
    frontier: &mut Frontier,
    commit: &Commit,
) -> Result<Result<Outcome, LedgerError>, LedgerError> {
    let request = Value::Text(commit.request.to_string());
    let earlier =
        session.row("SELECT first_seq, last_seq FROM request WHERE id = $1", std::slice::from_ref(&request)).await?;
    if let Some(row) = earlier {
        let (first, last) = (row.int("first_seq")?, row.int("last_seq")?);
        let bodies = "SELECT body FROM event_body WHERE seq BETWEEN $1 AND $2 ORDER BY seq";
        let rows = session.rows(bodies, &[Value::Int(first), Value::Int(last)]).await?;
        let events = rows.iter().map(|row| row.json("body")).collect::<Result<_, _>>()?;
        return Ok(Ok(Outcome::Committed { first: first as u64, events, repeated: true }));
    }
    if commit.expected.is_some_and(|expected| expected != frontier.size()) {
        return Ok(Ok(Outcome::Moved));
    }
    if commit.events.is_empty() || commit.events.len() > EVENTS_MAX {
        return Ok(Err(LedgerError::Size(commit.events.len())));
    }
    let first = frontier.size() + 1;
    for event in &commit.events {
        append(session, now, frontier, commit, event).await?;
    }
    if let Some((token, hash)) = &commit.token_hash {
        let values = [Value::Text(token.to_string()), Value::Blob(hash.to_vec())];
        session.execute("INSERT INTO token_hash (token, hash) VALUES ($1, $2)", &values).await?;
    }
    let values = [request, Value::Int(first as i64), Value::Int(frontier.size() as i64)];
    session.execute("INSERT INTO request (id, first_seq, last_seq) VALUES ($1, $2, $3)", &values).await?;
    Ok(Ok(Outcome::Committed { first, events: commit.events.clone(), repeated: false }))
}

async fn append(
    session: &mut Session,
    now: Timestamp,
    frontier: &mut Frontier,
    commit: &Commit,
    event: &Event,
) -> Result<(), LedgerError> {
    let seq = frontier.size() + 1;
    let body = serde_json::to_string(event)?;
    let mut salt = [0u8; 16];
    getrandom::fill(&mut salt).map_err(|error| LedgerError::Database(format!("no random numbers: {error}")))?;
    let leaf = Leaf {
        v: 1,
        seq,
        time: now,
        actor: commit.actor.clone(),
        kind: event.kind().to_owned(),
        subject: event.subject(),
        request: commit.request,
        commitment: commitment(&salt, &body),
    };
    let entry = String::from_utf8(canonical::to_bytes(&leaf)?).expect("canonical JSON is UTF-8");
    let hash = leaf_hash(entry.as_bytes());
    let values = [Value::Int(seq as i64), Value::Text(entry), Value::Blob(hash.to_vec())];
    session.execute("INSERT INTO leaf (seq, entry, hash) VALUES ($1, $2, $3)", &values).await?;
    let values = [Value::Int(seq as i64), Value::Blob(salt.to_vec()), Value::Text(body)];
    session.execute("INSERT INTO event_body (seq, salt, body) VALUES ($1, $2, $3)", &values).await?;
    for subtree in frontier.append(hash) {
        let values = [
            Value::Int(i64::from(subtree.level)),
            Value::Int(subtree.index as i64),
            Value::Blob(subtree.hash.to_vec()),
        ];
        session.execute("INSERT INTO subtree (level, place, hash) VALUES ($1, $2, $3)", &values).await?;
    }
    projection::apply(session, seq, event).await
}
