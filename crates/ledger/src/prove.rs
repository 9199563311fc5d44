//! What somebody without us verifies: events with their paths to a root, and that one history is a beginning of another.

use stemma_core::history::{
    merkle::{self, Hash},
    proof::{BeginningProof, InclusionProof, ProvedEvent, ProvedHead, ProvedTree, write_hashes},
};

use crate::{
    EventFilter, Ledger, LedgerError, Order,
    sql::{Row, Session, Value},
    writing::{read_frontier, read_parts},
};

/// Which of its events a proof is asked of.
pub enum Asked<'a> {
    /// All: together they make the root.
    All,
    /// Some: each needs a path.
    Those(&'a EventFilter),
}

impl Ledger {
    /// Proves that an event is in the history as it is now; `None` if there is no such event.
    pub async fn prove(&self, seq: u64) -> Result<Option<InclusionProof>, LedgerError> {
        let (head, size) = self.proved_head().await?;
        if seq == 0 || seq > size {
            return Ok(None);
        }
        let mut session = self.database().read().await?;
        let mut event = kept_events(&mut session, seq - 1, seq, 1).await?;
        let event = event.pop().ok_or_else(|| LedgerError::Damaged(format!("event {seq} has no leaf")))?;
        Ok(Some(InclusionProof::new(with_path(&mut session, event, size).await?, head)))
    }

    /// Proves that the first `first` events are a beginning of the first `second` ones, or of all; `None` of what is not
    /// there.
    pub async fn prove_beginning(
        &self,
        first: u64,
        second: Option<u64>,
    ) -> Result<Option<BeginningProof>, LedgerError> {
        let (head, size) = self.proved_head().await?;
        let second = second.unwrap_or(size);
        if first > second || second > size {
            return Ok(None);
        }
        let mut session = self.database().read().await?;
        let first_tree = tree(&mut session, first).await?;
        let second_tree = tree(&mut session, second).await?;
        let path = hashes(&mut session, merkle::consistency_ranges(first, second)).await?;
        let path_to_head = hashes(&mut session, merkle::consistency_ranges(second, size)).await?;
        Ok(Some(BeginningProof::new(first_tree, second_tree, [&path, &path_to_head], head)))
    }

    /// Events behind one as they are hashed, in the tree of the first `size` ones.
    pub async fn proved_events(
        &self,
        asked: Asked<'_>,
        size: u64,
        after: u64,
        limit: u32,
    ) -> Result<Vec<ProvedEvent>, LedgerError> {
        let mut session = self.database().read().await?;
        let filter = match asked {
            Asked::All => return kept_events(&mut session, after, size, limit).await,
            Asked::Those(filter) => filter,
        };
        let mut range = filter.range(&mut session, Order::OldestFirst, Some(after)).await?;
        range.end = range.end.min(size + 1);
        let seqs = filter.seqs(&mut session, range, limit).await?;
        let mut events = Vec::with_capacity(seqs.len());
        for seq in seqs {
            for event in kept_events(&mut session, seq - 1, seq, 1).await? {
                events.push(with_path(&mut session, event, size).await?);
            }
        }
        Ok(events)
    }

    /// The head as it is now, signed, and how many events it has.
    async fn proved_head(&self) -> Result<(ProvedHead, u64), LedgerError> {
        let signed = self.checkpoint().await?;
        let (note, key) = (signed.note(), signed.key().to_string());
        Ok((ProvedHead { note, key, successions: self.signer().successions() }, signed.size()))
    }
}

/// Events after one and up to another, without paths.
async fn kept_events(
    session: &mut Session,
    after: u64,
    last: u64,
    limit: u32,
) -> Result<Vec<ProvedEvent>, LedgerError> {
    let sql = "SELECT leaf.seq AS seq, entry, salt, body FROM leaf LEFT JOIN event_body ON event_body.seq = leaf.seq \
               WHERE leaf.seq > $1 AND leaf.seq <= $2 ORDER BY leaf.seq LIMIT $3";
    let seq = |seq: u64| Value::Int(i64::try_from(seq).unwrap_or(i64::MAX));
    let rows = session.rows(sql, &[seq(after), seq(last), Value::Int(i64::from(limit))]).await?;
    rows.iter().map(kept_event).collect()
}

fn kept_event(row: &Row) -> Result<ProvedEvent, LedgerError> {
    let salt = row.optional_blob("salt")?.map(|salt| data_encoding::BASE64.encode(&salt));
    let (leaf, body) = (row.text("entry")?, row.optional_text("body")?);
    Ok(ProvedEvent { seq: row.int("seq")? as u64, leaf, salt, body, path: None })
}

async fn with_path(session: &mut Session, event: ProvedEvent, size: u64) -> Result<ProvedEvent, LedgerError> {
    let path = hashes(session, merkle::inclusion_ranges(event.seq - 1, size)).await?;
    Ok(ProvedEvent { path: Some(write_hashes(&path)), ..event })
}

async fn tree(session: &mut Session, size: u64) -> Result<ProvedTree, LedgerError> {
    Ok(ProvedTree::new(size, &read_frontier(session, size).await?.root()))
}

/// The hash of each range of leaves.
pub(crate) async fn hashes(session: &mut Session, ranges: Vec<std::ops::Range<u64>>) -> Result<Vec<Hash>, LedgerError> {
    let mut hashes = Vec::with_capacity(ranges.len());
    for range in ranges {
        hashes.extend(merkle::hash_of_parts(&read_parts(session, range).await?));
    }
    Ok(hashes)
}
