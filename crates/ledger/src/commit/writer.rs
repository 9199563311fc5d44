//! The writer: one task that drains a bounded queue into one transaction after the other.
//!
//! Each piece of work has a savepoint of its own, so that one refusal does not undo the others, and nobody is answered
//! before the COMMIT of the transaction that holds their work.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures::{FutureExt as _, future::BoxFuture};
use stemma_core::Clock;
use tokio::sync::{mpsc, oneshot, watch};

use super::{Head, Tx};
use crate::{
    CommitError, Ledger, LedgerError,
    sql::{Connection, Database, Value},
};

/// Work that waits; more wait in their own tasks.
const QUEUE: usize = 1024;
/// Most pieces of work in one transaction.
const BATCH: usize = 128;

/// What the ledger sends to its writer.
enum Message {
    Work(Box<dyn Work>),
    Close(oneshot::Sender<()>),
}

/// The queue's end that callers hold.
#[derive(Clone)]
pub(crate) struct Writer(mpsc::Sender<Message>);

/// A piece of work with somebody who waits for its result.
trait Work: Send {
    fn run<'t>(self: Box<Self>, tx: &'t mut Tx) -> BoxFuture<'t, Ran>;
    /// Answers without having run.
    fn fail(self: Box<Self>, error: LedgerError);
}

/// Work that was done but not committed.
struct Ran {
    keep: bool,
    answer: Box<dyn FnOnce(Result<(), LedgerError>) + Send>,
}

struct Task<T, F> {
    work: F,
    sender: oneshot::Sender<Result<T, CommitError>>,
}

impl<T, F> Work for Task<T, F>
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, CommitError>> + Send,
{
    fn run<'t>(self: Box<Self>, tx: &'t mut Tx) -> BoxFuture<'t, Ran> {
        let Self { work, sender } = *self;
        // a future that is made here may panic in making, too
        let work = std::panic::catch_unwind(AssertUnwindSafe(|| work(tx)));
        Box::pin(async move {
            let outcome = match work {
                Ok(future) => AssertUnwindSafe(future).catch_unwind().await,
                Err(panic) => Err(panic),
            };
            let outcome =
                outcome.unwrap_or_else(|panic| Err(LedgerError::Panicked(panic_message(panic.as_ref())).into()));
            Ran {
                keep: outcome.is_ok(),
                answer: Box::new(move |committed| {
                    let answer = match committed {
                        Ok(()) => outcome,
                        Err(error) => Err(error.into()),
                    };
                    // whoever asked may not wait any more
                    let _ = sender.send(answer);
                }),
            }
        })
    }

    fn fail(self: Box<Self>, error: LedgerError) {
        let _ = self.sender.send(Err(error.into()));
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

impl Ledger {
    /// Runs work in a write transaction; everything that changes the database goes through here.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, CommitError>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, CommitError>> + Send + 'static,
    {
        let writer = self.writer()?;
        let (sender, receiver) = oneshot::channel();
        let message = Message::Work(Box::new(Task { work, sender }));
        writer.0.send(message).await.map_err(|_| LedgerError::Closed)?;
        receiver.await.map_err(|_| LedgerError::Closed)?
    }
}

impl Writer {
    pub fn start(database: Database, clock: Arc<dyn Clock>, newest: watch::Sender<u64>) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(drain(receiver, database, clock, newest));
        Self(sender)
    }

    /// Lets the writer finish what waits and stop.
    pub async fn close(&self) {
        let (sender, receiver) = oneshot::channel();
        if self.0.send(Message::Close(sender)).await.is_ok() {
            let _ = receiver.await;
        }
    }
}

async fn drain(
    mut queue: mpsc::Receiver<Message>,
    database: Database,
    clock: Arc<dyn Clock>,
    newest: watch::Sender<u64>,
) {
    let mut closing = None;
    while closing.is_none() {
        let Some(first) = queue.recv().await else {
            return;
        };
        let mut batch = Vec::new();
        let mut message = Some(first);
        while let Some(next) = message.take() {
            match next {
                Message::Work(work) => batch.push(work),
                Message::Close(done) => {
                    closing = Some(done);
                    break;
                }
            }
            if batch.len() < BATCH {
                message = queue.try_recv().ok();
            }
        }
        if !batch.is_empty() {
            commit_batch(&database, clock.as_ref(), &newest, batch).await;
        }
    }
    queue.close();
    if let Some(done) = closing {
        let _ = done.send(());
    }
}

async fn commit_batch(database: &Database, clock: &dyn Clock, newest: &watch::Sender<u64>, batch: Vec<Box<dyn Work>>) {
    let (mut tx, before) = match begin(database, clock).await {
        Ok(begun) => begun,
        Err(error) => {
            batch.into_iter().for_each(|work| work.fail(error.clone()));
            return;
        }
    };
    advance(newest, before.size());
    let mut ran = Vec::with_capacity(batch.len());
    let mut failure = None;
    for work in batch {
        if let Some(error) = &failure {
            work.fail(LedgerError::clone(error));
            continue;
        }
        let (done, kept) = run_in_savepoint(&mut tx, work).await;
        ran.push(done);
        failure = kept.err();
    }
    let finished = match failure {
        Some(error) => Err(error),
        None => finish(&mut tx, &before).await,
    };
    if finished.is_err() {
        // the connection may be in any state
        let connection = tx.connection();
        if connection.script("ROLLBACK").await.is_err() {
            connection.discard();
        }
    } else {
        advance(newest, tx.head.size());
    }
    drop(tx);
    for done in ran {
        (done.answer)(finished.clone());
    }
}

/// Begins the transaction and locks the head, which on PostgreSQL keeps other processes' writers out until its end.
async fn begin(database: &Database, clock: &dyn Clock) -> Result<(Tx, Head), LedgerError> {
    let mut connection = database.writer().await?;
    let head = match lock_head(&mut connection).await {
        Ok(head) => head,
        Err(error) => {
            connection.discard();
            return Err(error);
        }
    };
    Ok((Tx::new(connection, head.clone(), clock.now()), head))
}

async fn lock_head(connection: &mut Connection) -> Result<Head, LedgerError> {
    connection.begin().await?;
    let sql = "UPDATE ledger_head SET size = size WHERE id = 1 RETURNING size, frontier, time";
    let row = connection.row(sql, &[]).await?;
    let head = Head::from_row(&row.ok_or_else(|| LedgerError::corrupt("the database", "no head of the ledger"))?)?;
    connection.script("SAVEPOINT work").await?;
    Ok(head)
}

/// Runs one piece of work and keeps or undoes what it wrote. An error means that the whole transaction is lost.
async fn run_in_savepoint(tx: &mut Tx, work: Box<dyn Work>) -> (Ran, Result<(), LedgerError>) {
    let (head, complete) = (tx.head.clone(), tx.complete.len());
    let ran = work.run(tx).await;
    tx.token_hashes.clear();
    let next = if ran.keep {
        "RELEASE SAVEPOINT work; SAVEPOINT work"
    } else {
        tx.head = head;
        tx.complete.truncate(complete);
        "ROLLBACK TO SAVEPOINT work"
    };
    let done = tx.connection().script(next).await;
    (ran, done)
}

async fn finish(tx: &mut Tx, before: &Head) -> Result<(), LedgerError> {
    let complete = std::mem::take(&mut tx.complete);
    tx.connection().insert_subtrees(&complete).await?;
    if tx.head != *before {
        let values = [
            Value::count(tx.head.size())?,
            Value::Blob(tx.head.root().0.to_vec()),
            Value::Blob(tx.head.frontier.to_bytes()),
            tx.head.time.into(),
        ];
        let sql = "UPDATE ledger_head SET size = $1, root = $2, frontier = $3, time = $4 WHERE id = 1";
        tx.connection().execute(sql, &values).await?;
    }
    tx.connection().script("COMMIT").await
}

/// The number of the newest event never goes back.
fn advance(newest: &watch::Sender<u64>, size: u64) {
    newest.send_if_modified(|known| {
        let newer = size > *known;
        if newer {
            *known = size;
        }
        newer
    });
}
