//! The transaction that a decision is made in, and how events are appended in it.

use std::ops::{Deref, DerefMut};

use futures::future::BoxFuture;
use stemma_core::{
    ErrorKind, Problem, Timestamp,
    event::Event,
    id::{RequestId, TokenId},
    record::Actor,
};

use super::{Committed, Leaf, Sealed, project_of};
use crate::{
    CommitError, LedgerError, View, projection,
    sql::{Connection, Row, Value},
    tree::{Frontier, Subtree, TreeHash},
};

/// Most events in one commit.
const EVENTS_MAX: usize = 4096;

/// Where the ledger ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub(crate) frontier: Frontier,
    /// Time of the newest event.
    pub time: Timestamp,
}

impl Head {
    pub(crate) const fn empty() -> Self {
        Self { frontier: Frontier::empty(), time: Timestamp(i64::MIN) }
    }

    /// How many events there are; also the number of the newest.
    pub const fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub fn root(&self) -> TreeHash {
        self.frontier.root()
    }

    pub(crate) fn from_row(row: &Row) -> Result<Self, LedgerError> {
        let size = row.number("size")?;
        let frontier = Frontier::from_bytes(size, row.blob("frontier")?)
            .ok_or_else(|| LedgerError::corrupt("the head", "a frontier of another size"))?;
        Ok(Self { frontier, time: row.time("time")? })
    }
}

/// An open transaction: reads like a [`View`], and remembers what is to be written.
pub struct Tx {
    view: View,
    pub(super) head: Head,
    pub(super) now: Timestamp,
    pub(super) token_hashes: Vec<(TokenId, [u8; 32])>,
    /// Subtrees that the events completed; written once, at the end.
    pub(super) complete: Vec<Subtree>,
}

impl Deref for Tx {
    type Target = View;

    fn deref(&self) -> &View {
        &self.view
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut View {
        &mut self.view
    }
}

impl Tx {
    pub(super) fn new(connection: Connection, head: Head, now: Timestamp) -> Self {
        Self { view: View::now(connection), head, now, token_hashes: Vec::new(), complete: Vec::new() }
    }

    /// The number of the newest event, including those of this transaction.
    pub const fn head_seq(&self) -> u64 {
        self.head.size()
    }

    /// The time that events of this transaction get.
    pub fn time(&self) -> Timestamp {
        self.now.max(self.head.time)
    }

    /// Keeps the hash of a token that this commit issues. It is covered by the event's commitment and by no leaf.
    pub fn put_token_hash(&mut self, token: TokenId, hash: [u8; 32]) {
        self.token_hashes.push((token, hash));
    }

    pub(super) async fn commit<T, F>(
        &mut self,
        actor: &Actor,
        request: RequestId,
        decide: F,
    ) -> Result<Committed<T>, CommitError>
    where
        F: for<'t> FnOnce(&'t mut Self) -> BoxFuture<'t, Result<(Vec<Event>, T), CommitError>>,
    {
        if let Some(before) = self.committed_before(actor, request).await? {
            return Ok(before);
        }
        self.token_hashes.clear();
        let (events, value) = decide(self).await?;
        if events.len() > EVENTS_MAX {
            return Err(LedgerError::TooLarge(format!("more than {EVENTS_MAX} events in one commit")).into());
        }
        let first = self.head.size() + 1;
        for event in &events {
            self.append(actor, request, event).await?;
        }
        if let Some((token, _)) = self.token_hashes.first() {
            let message = format!("the hash of token `{token}` came without the event that issues it");
            return Err(Problem::new(ErrorKind::Internal, message).into());
        }
        Ok(Committed::New { seqs: first..self.head.size() + 1, value })
    }

    async fn committed_before<T>(
        &mut self,
        actor: &Actor,
        request: RequestId,
    ) -> Result<Option<Committed<T>>, CommitError> {
        let sql = "SELECT seq, actor FROM event WHERE request = $1 ORDER BY seq";
        let rows = self.view.connection().rows(sql, &[Value::text(request)]).await?;
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            return Ok(None);
        };
        if first.text("actor")? != actor.principal.as_str() {
            let message = format!("request id `{request}` was used by somebody else");
            return Err(Problem::new(ErrorKind::Conflict, message).hint("make a new request id").into());
        }
        let seqs = first.number("seq")?..last.number::<u64>("seq")? + 1;
        Ok(Some(Committed::Before { seqs }))
    }

    /// Appends one event: its leaf, its body, its place in the tree, and what follows from it in the tables.
    async fn append(&mut self, actor: &Actor, request: RequestId, event: &Event) -> Result<(), LedgerError> {
        let token = self.take_token_hash(event);
        let sealed = Sealed::new(event)?;
        let leaf = Leaf {
            v: 1,
            seq: self.head.size() + 1,
            time: self.time(),
            actor: actor.principal.clone(),
            auth: actor.auth,
            kind: event.kind().to_owned(),
            subject: event.subject(),
            project: project_of(event).cloned(),
            request,
            commitment: sealed.commitment(token.as_ref().map(|(_, hash)| hash)),
        };
        let text = leaf.text()?;
        self.complete.extend(self.head.frontier.push(TreeHash::leaf(text.as_bytes())));
        self.head.time = leaf.time;
        let seq = Value::count(leaf.seq)?;
        let connection = self.view.connection();
        let row = [
            seq.clone(),
            leaf.time.into(),
            Value::text(&leaf.actor),
            leaf.auth.as_str().into(),
            Value::Text(leaf.kind),
            Value::Text(leaf.subject),
            Value::opt_text(leaf.project),
            Value::text(request),
            Value::Text(text),
        ];
        connection
            .execute(
                "INSERT INTO event (seq, time, actor, auth, kind, subject, project, request, leaf)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                &row,
            )
            .await?;
        let body = [seq, Value::Blob(sealed.salt.to_vec()), Value::Text(sealed.body)];
        connection.execute("INSERT INTO event_body (seq, salt, body) VALUES ($1, $2, $3)", &body).await?;
        if let Some((token, hash)) = token {
            let row = [Value::text(token), Value::Blob(hash.to_vec())];
            connection.execute("INSERT INTO token_hash (token, hash) VALUES ($1, $2)", &row).await?;
        }
        projection::apply(connection, leaf.seq, event).await
    }

    fn take_token_hash(&mut self, event: &Event) -> Option<(TokenId, [u8; 32])> {
        let Event::TokenIssued { token, .. } = event else {
            return None;
        };
        let at = self.token_hashes.iter().position(|(issued, _)| issued == token)?;
        Some(self.token_hashes.swap_remove(at))
    }
}
