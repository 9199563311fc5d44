//! The writer: one task that drains a bounded queue into one transaction after the other.
//!
//! Each piece of work has a savepoint of its own, so that one failure does not undo the others; and nobody is answered
//! before the transaction that holds their work was committed.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc};

use futures::{FutureExt as _, future::BoxFuture};
use stemma_core::Clock;
use tokio::sync::{mpsc, oneshot, watch};

use super::tx::Tx;
use crate::{LedgerError, sql::Database};

/// Work that waits at most; further callers wait to get into the queue.
const QUEUE_MAX: usize = 1024;
/// Pieces of work that share one transaction at most.
const GROUP_MAX: usize = 256;

enum Message {
    Work(Box<dyn Work>),
    Close(oneshot::Sender<()>),
}

/// The queue's end that callers hold.
pub struct Writer(mpsc::Sender<Message>);

/// A piece of work with somebody who waits for its result.
trait Work: Send {
    fn run<'t>(self: Box<Self>, tx: &'t mut Tx) -> BoxFuture<'t, Ran>;
    /// Answers without having run.
    fn fail(self: Box<Self>, error: LedgerError);
}

/// Work that was done, but is not committed yet.
struct Ran {
    /// What it wrote is undone.
    failed: bool,
    answer: Box<dyn FnOnce(Result<(), LedgerError>) + Send>,
}

struct Task<T, F> {
    work: F,
    reply: oneshot::Sender<Result<T, LedgerError>>,
}

impl<T, F> Work for Task<T, F>
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, LedgerError>> + Send,
{
    fn run<'t>(self: Box<Self>, tx: &'t mut Tx) -> BoxFuture<'t, Ran> {
        let Self { work, reply } = *self;
        // to make the future may panic, too
        let work = std::panic::catch_unwind(AssertUnwindSafe(|| work(tx)));
        Box::pin(async move {
            let outcome = match work {
                Ok(future) => AssertUnwindSafe(future).catch_unwind().await,
                Err(panic) => Err(panic),
            };
            let outcome = outcome.unwrap_or_else(|panic| Err(LedgerError::Panicked(words_of(panic.as_ref()))));
            Ran {
                failed: outcome.is_err(),
                answer: Box::new(move |committed| {
                    // whoever asked may not wait any more
                    let _ = reply.send(committed.and(outcome));
                }),
            }
        })
    }

    fn fail(self: Box<Self>, error: LedgerError) {
        let _ = self.reply.send(Err(error));
    }
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it does not say why".to_owned())
}

impl Writer {
    /// Does a piece of work in the writer's transaction; everything that changes the database goes through here. It is
    /// done to its end, whether or not anybody still waits for it. What it did is undone if it fails.
    pub async fn write<T, F>(&self, work: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, LedgerError>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let message = Message::Work(Box::new(Task { work, reply }));
        self.0.send(message).await.map_err(|_| LedgerError::Closed)?;
        answer.await.map_err(|_| LedgerError::Closed)?
    }

    pub fn start(database: Database, clock: Arc<dyn Clock>, newest: watch::Sender<u64>) -> Self {
        let (sender, queue) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(drain(queue, database, clock, newest));
        Self(sender)
    }

    /// Lets the writer finish what waits, and stop.
    pub async fn close(&self) {
        let (done, finished) = oneshot::channel();
        if self.0.send(Message::Close(done)).await.is_ok() {
            // nobody left to tell has stopped as well
            let _ = finished.await;
        }
    }
}

async fn drain(
    mut queue: mpsc::Receiver<Message>,
    database: Database,
    clock: Arc<dyn Clock>,
    newest: watch::Sender<u64>,
) {
    let (mut messages, mut closing) = (Vec::new(), Vec::new());
    while queue.recv_many(&mut messages, GROUP_MAX).await > 0 {
        let mut group = Vec::new();
        for message in messages.drain(..) {
            match message {
                Message::Work(work) => group.push(work),
                Message::Close(done) => {
                    // what is in the queue already is still done
                    queue.close();
                    closing.push(done);
                }
            }
        }
        if !group.is_empty() {
            write_group(&database, clock.as_ref(), &newest, group).await;
        }
    }
    for done in closing {
        let _ = done.send(());
    }
}

async fn write_group(database: &Database, clock: &dyn Clock, newest: &watch::Sender<u64>, group: Vec<Box<dyn Work>>) {
    let mut tx = match Tx::begin(database, clock.now()).await {
        Ok(tx) => tx,
        Err(error) => return group.into_iter().for_each(|work| work.fail(error.clone())),
    };
    let before = tx.frontier.size();
    let (mut done, mut lost) = (Vec::with_capacity(group.len()), None);
    for work in group {
        match &lost {
            None => {
                let (ran, kept) = run_in_savepoint(&mut tx, work).await;
                done.push(ran);
                lost = kept.err();
            }
            Some(error) => work.fail(LedgerError::clone(error)),
        }
    }
    let committed = match lost {
        // dropped, it is rolled back
        Some(error) => Err(error),
        None => tx.finish(before).await,
    };
    if let Ok(size) = committed {
        newest.send_if_modified(|known| std::mem::replace(known, size.max(*known)) < size);
    }
    let committed = committed.map(drop);
    done.into_iter().for_each(|ran| (ran.answer)(committed.clone()));
}

/// Runs one piece of work, and undoes what it wrote if it failed. An error means that the whole transaction is lost, as
/// when a database that has no room has rolled it back by itself.
async fn run_in_savepoint(tx: &mut Tx, work: Box<dyn Work>) -> (Ran, Result<(), LedgerError>) {
    let frontier = tx.frontier.clone();
    if let Err(error) = tx.session.script("SAVEPOINT work").await {
        let told = error.clone();
        return (Ran { failed: true, answer: Box::new(move |_| work.fail(told)) }, Err(error));
    }
    let ran = work.run(tx).await;
    let end = if ran.failed {
        tx.frontier = frontier;
        "ROLLBACK TO SAVEPOINT work; RELEASE SAVEPOINT work"
    } else {
        "RELEASE SAVEPOINT work"
    };
    let ended = tx.session.script(end).await;
    (ran, ended)
}

#[cfg(test)]
mod tests {
    use stemma_core::SystemClock;

    use super::*;
    use crate::{Ledger, LedgerOptions, LedgerUrl};

    async fn ledger(folder: &tempfile::TempDir) -> Ledger {
        let options = LedgerOptions {
            url: LedgerUrl::Sqlite(folder.path().join("ledger.db")),
            checkpoints: folder.path().to_owned(),
            signing_key: None,
            origin: "stemma.example/test".to_owned(),
            clock: Arc::new(SystemClock),
        };
        Ledger::open(options).await.unwrap()
    }

    async fn feedback(ledger: &Ledger) -> usize {
        ledger.feedback_rows(&["p".to_owned()]).await.unwrap().len()
    }

    const INSERT: &str = "INSERT INTO feedback (place, project, prediction, body) VALUES (1, 'default', 'p', '{}')";

    #[tokio::test]
    async fn a_panic_undoes_its_own_work_and_harms_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(&folder).await;
        let panics = ledger.write(|tx| {
            Box::pin(async {
                tx.session.execute(INSERT, &[]).await?;
                assert!(feedback_is_none(tx), "on purpose");
                Ok(())
            })
        });
        let works = ledger.write(|tx| Box::pin(async { tx.session.execute(INSERT, &[]).await }));
        let (panicked, worked) = tokio::join!(panics, works);
        let error = panicked.unwrap_err();
        assert_eq!(error.to_string(), "a change to the ledger stopped half-way: on purpose");
        assert_eq!((worked.unwrap(), feedback(&ledger).await), (1, 1));
        let at_once = ledger.write::<(), _>(|_| panic!("before the first step")).await.unwrap_err();
        assert!(at_once.to_string().ends_with("before the first step"));
        ledger.try_to_write().await.unwrap();
    }

    fn feedback_is_none(tx: &Tx) -> bool {
        tx.session.changed() == 0
    }

    #[tokio::test]
    async fn what_failed_in_a_group_is_not_there_and_the_rest_is() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(&folder).await;
        let fails = ledger.write(|tx| {
            Box::pin(async {
                tx.session.execute(INSERT, &[]).await?;
                // the same place again
                tx.session.execute(INSERT, &[]).await
            })
        });
        let reads = ledger.write(|tx| {
            Box::pin(async {
                let row = tx.session.row("SELECT COUNT(*) AS n FROM feedback", &[]).await?;
                row.map(|row| row.int("n")).transpose()
            })
        });
        let (failed, read) = tokio::join!(fails, reads);
        assert_eq!(failed.unwrap_err().kind(), stemma_core::ErrorKind::Conflict);
        assert_eq!(read.unwrap(), Some(0));
        assert_eq!(feedback(&ledger).await, 0);
    }
}
