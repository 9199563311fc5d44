//! The transaction in which the writer does one piece of work after the other, and how events are appended in it.

use std::ops::Range;

use stemma_core::{
    Timestamp,
    event::Event,
    history::merkle::{Subtree, complete_parts},
};

use super::change::{CLOCK_TOLERANCE_MICROS, Commit, Outcome, Secret};
use crate::{
    LedgerError,
    event::{self, Body, Leaf, commitment},
    projection,
    sql::{Database, Session, Value},
    tree::{Frontier, Hash, leaf_hash},
};

/// Most events in one commit.
const EVENTS_MAX: usize = 10_000;

/// An open transaction that is alone to write, in this process and in all others.
pub struct Tx {
    pub session: Session,
    pub(super) frontier: Frontier,
    /// What its events are stamped with.
    now: Timestamp,
}

impl Tx {
    /// Takes the head row, so that writers of all processes come one after the other.
    pub(super) async fn begin(database: &Database, now: Timestamp) -> Result<Self, LedgerError> {
        let mut session = database.begin().await?;
        let row = session.row("UPDATE head SET id = id WHERE id = 1 RETURNING size", &[]).await?;
        let size = row.ok_or_else(|| LedgerError::Damaged("the ledger has no head".to_owned()))?.int("size")? as u64;
        let frontier = read_frontier(&mut session, size).await?;
        let now = not_before_the_last(&mut session, size, now).await?;
        Ok(Self { session, frontier, now })
    }

    /// Commits if the head is the same; what it was before this transaction tells how large the tree was then.
    pub(super) async fn finish(mut self, before: u64) -> Result<u64, LedgerError> {
        let size = self.frontier.size();
        if size != before {
            let head = [Value::Int(size as i64), Value::Blob(self.frontier.root().to_vec())];
            self.session.execute("UPDATE head SET size = $1, root = $2 WHERE id = 1", &head).await?;
        }
        // nothing written needs no fsync
        match self.session.changed() {
            0 => self.session.rollback().await?,
            _ => self.session.commit().await?,
        }
        Ok(size)
    }

    /// Writes a change, or finds that nothing may be written.
    pub async fn commit(&mut self, commit: Commit) -> Result<Outcome, LedgerError> {
        if let Some(before) = self.committed_before(&commit).await? {
            return Ok(before);
        }
        if let Some(premises) = &commit.premises
            && let Some(premise) = premises.broken(&mut self.session, self.frontier.size()).await?
        {
            return Ok(Outcome::Moved(premise));
        }
        if commit.events.is_empty() || commit.events.len() > EVENTS_MAX {
            return Err(LedgerError::Size(commit.events.len()));
        }
        let first = self.frontier.size() + 1;
        for event in &commit.events {
            self.append(&commit, event).await?;
        }
        self.keep_secrets(&commit).await?;
        Ok(Outcome::Committed { first, events: commit.events, repeated: false })
    }

    /// Keeps the hash of what lets somebody in, and forgets those of passwords that don't any more.
    async fn keep_secrets(&mut self, commit: &Commit) -> Result<(), LedgerError> {
        for event in &commit.events {
            if let Event::PasswordSet { principal, .. } | Event::PasswordRemoved { principal } = event {
                let values = [Value::Text(principal.to_string())];
                self.session.execute("DELETE FROM password_hash WHERE principal = $1", &values).await?;
            }
        }
        match &commit.secret {
            None => Ok(()),
            Some(Secret::Token(token, hash)) => {
                let values = [Value::Text(token.to_string()), Value::Blob(hash.to_vec())];
                self.session.execute("INSERT INTO token_hash (token, hash) VALUES ($1, $2)", &values).await.map(drop)
            }
            Some(Secret::Password(principal, hash)) => {
                let values = [Value::Text(principal.to_string()), Value::Text(hash.clone())];
                let sql = "INSERT INTO password_hash (principal, hash) VALUES ($1, $2)";
                self.session.execute(sql, &values).await.map(drop)
            }
        }
    }

    async fn committed_before(&mut self, commit: &Commit) -> Result<Option<Outcome>, LedgerError> {
        let earlier = event::of_request(&mut self.session, commit.request).await?;
        Ok(earlier.map(|earlier| Outcome::Committed { first: earlier.fact.seq, events: earlier.value, repeated: true }))
    }

    /// Appends one event: its leaf, its body, its place in the tree, and what follows from it in the tables.
    async fn append(&mut self, commit: &Commit, event: &Event) -> Result<(), LedgerError> {
        let seq = self.frontier.size() + 1;
        let body = Body::of(event)?;
        let leaf = Leaf {
            v: 1,
            seq,
            time: self.now,
            actor: commit.actor.clone(),
            kind: event.kind().to_owned(),
            subject: event.subject(),
            request: commit.request,
            commitment: commitment(&body.salt, &body.text),
        };
        let entry = leaf.text()?;
        let hash = leaf_hash(entry.as_bytes());
        let values = [Value::Int(seq as i64), Value::Text(entry), Value::Blob(hash.to_vec())];
        self.session.execute("INSERT INTO leaf (seq, entry, hash) VALUES ($1, $2, $3)", &values).await?;
        let values = [Value::Int(seq as i64), Value::Blob(body.salt.to_vec()), Value::Text(body.text)];
        self.session.execute("INSERT INTO event_body (seq, salt, body) VALUES ($1, $2, $3)", &values).await?;
        follow(&mut self.session, &mut self.frontier, &leaf, hash, event).await
    }
}

/// Writes what follows from an event: by what it is found, its place in the tree, and its rows.
pub async fn follow(
    session: &mut Session,
    frontier: &mut Frontier,
    leaf: &Leaf,
    hash: Hash,
    event: &Event,
) -> Result<(), LedgerError> {
    event::insert(session, leaf, event.project()).await?;
    for subtree in frontier.append(hash) {
        let (level, place) = (Value::Int(i64::from(subtree.level)), Value::Int(subtree.index as i64));
        let values = [level, place, Value::Blob(subtree.hash.to_vec())];
        session.execute("INSERT INTO subtree (level, place, hash) VALUES ($1, $2, $3)", &values).await?;
    }
    projection::apply(session, leaf, event).await
}

/// The time to stamp events with: in the ledger it never runs backwards, even if the machine's clock was set back.
async fn not_before_the_last(session: &mut Session, size: u64, now: Timestamp) -> Result<Timestamp, LedgerError> {
    let Some(row) = session.row("SELECT time FROM event WHERE seq = $1", &[Value::Int(size as i64)]).await? else {
        return Ok(now);
    };
    let last = Timestamp(row.int("time")?);
    let behind = last.micros().saturating_sub(now.micros());
    if behind > CLOCK_TOLERANCE_MICROS {
        tracing::warn!(
            seconds = behind / 1_000_000,
            "the clock is behind the ledger's last event, as if it was set back: new events are stamped {}",
            last
        );
    }
    Ok(now.max(last))
}

/// Reads the complete subtrees that leaves consist of, largest first.
pub async fn read_parts(session: &mut Session, leaves: Range<u64>) -> Result<Vec<Hash>, LedgerError> {
    let mut parts = Vec::new();
    for Subtree { level, index } in complete_parts(leaves) {
        let at = [Value::Int(i64::from(level)), Value::Int(index as i64)];
        let row = session.row("SELECT hash FROM subtree WHERE level = $1 AND place = $2", &at).await?;
        let row = row.ok_or_else(|| LedgerError::Damaged(format!("subtree {level}/{index} is missing")))?;
        let hash = row.blob("hash")?.try_into();
        parts.push(hash.map_err(|_| LedgerError::Damaged("a subtree hash is not 32 bytes".to_owned()))?);
    }
    Ok(parts)
}

pub async fn read_frontier(session: &mut Session, size: u64) -> Result<Frontier, LedgerError> {
    let peaks = read_parts(session, 0..size).await?;
    Frontier::new(size, peaks).ok_or_else(|| LedgerError::Damaged("the ledger's frontier is not whole".to_owned()))
}
