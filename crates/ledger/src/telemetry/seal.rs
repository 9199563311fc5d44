//! Sealing runs: their digests, in the order in which they were recorded, become one event.

use stemma_core::{Digest, event::Event, id::RequestId, record::Actor};

use crate::{CommitError, Committed, Ledger, LedgerError, Tx, sql::Connection};

/// Most runs in one seal.
const RUNS_MAX: u32 = 10_000;

/// A batch of runs that was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunsSeal {
    pub first: i64,
    pub last: i64,
    pub count: u64,
    pub digest: Digest,
}

impl Ledger {
    /// Seals the oldest runs that are not sealed yet, up to 10,000; none if all are.
    pub async fn seal_runs(&self, actor: &Actor) -> Result<Option<RunsSeal>, CommitError> {
        let committed = self
            .commit(actor, RequestId::generate(), |tx| {
                Box::pin(async move {
                    let seal = next_seal(tx).await?;
                    let event = seal.map(|RunsSeal { first, last, count, digest }| Event::RunsSealed {
                        first,
                        last,
                        count,
                        digest,
                    });
                    Ok((event.into_iter().collect(), seal))
                })
            })
            .await?;
        Ok(Committed::value(committed).flatten())
    }
}

async fn next_seal(tx: &mut Tx) -> Result<Option<RunsSeal>, LedgerError> {
    let connection = tx.connection();
    let sealed = connection.row("SELECT COALESCE(MAX(last_run), 0) AS last FROM run_seal", &[]).await?;
    let sealed = sealed.map_or(Ok(0), |row| row.int("last"))?;
    seal_of(connection, sealed + 1, i64::MAX).await
}

/// The seal over recorded runs `first ..= last`; none if there is no such run.
pub(crate) async fn seal_of(
    connection: &mut Connection,
    first: i64,
    last: i64,
) -> Result<Option<RunsSeal>, LedgerError> {
    let sql = "SELECT ordinal, digest FROM run WHERE ordinal >= $1 AND ordinal <= $2 ORDER BY ordinal LIMIT $3";
    let rows = connection.rows(sql, &[first.into(), last.into(), RUNS_MAX.into()]).await?;
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Ok(None);
    };
    let mut digests = Vec::with_capacity(rows.len() * 32);
    for row in &rows {
        digests.extend(row.digest("digest")?.as_bytes());
    }
    Ok(Some(RunsSeal {
        first: first.int("ordinal")?,
        last: last.int("ordinal")?,
        count: rows.len() as u64,
        digest: Digest::of(&digests),
    }))
}
