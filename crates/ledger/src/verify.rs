//! Verification: the ledger recomputed from its own rows and compared with everything that is stored of it.

mod chain;
mod runs;
mod tables;

use crate::{
    Ledger, LedgerError,
    sql::{Connection, Database},
    tree::TreeHash,
};

/// The first event that is not what it was, or whose rows are not what it made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadEvent {
    pub seq: u64,
    pub what: String,
}

impl BadEvent {
    fn new(seq: u64, what: impl Into<String>) -> Self {
        Self { seq, what: what.into() }
    }
}

/// How the events stand to the last head that was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckpointState {
    /// Nothing was ever signed here, so only the database speaks for itself.
    Unsigned,
    /// The first `size` events are those that were signed.
    Consistent { size: u64 },
    /// They are not, or not all there.
    Inconsistent { size: u64 },
    /// The file of the last checkpoint can't be used.
    Unreadable { reason: String },
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    /// How many events were read and found good.
    pub events: u64,
    /// The root that follows from them.
    pub root: TreeHash,
    pub checkpoint: CheckpointState,
    pub first_bad: Option<BadEvent>,
    /// One line each: what was checked and found right.
    pub checks: Vec<String>,
}

impl VerifyReport {
    pub const fn passed(&self) -> bool {
        self.first_bad.is_none()
    }
}

impl Ledger {
    /// Recomputes every commitment, leaf and tree hash, compares the head and the last signed checkpoint with them, then
    /// replays all events into an empty database and compares every row.
    ///
    /// Fails only if the database can't be read; what is wrong in it is in the report. Memory grows with the tables.
    pub async fn verify(&self) -> Result<VerifyReport, LedgerError> {
        // one at a time with signing, so that the checkpoint is not newer than the snapshot
        let _alone = self.keeper().alone().await;
        let mut snapshot = self.read_snapshot().await?;
        let report = self.verify_snapshot(snapshot.connection()).await?;
        snapshot.end().await?;
        Ok(report)
    }

    async fn verify_snapshot(&self, connection: &mut Connection) -> Result<VerifyReport, LedgerError> {
        let signed = self.keeper().last();
        let signed_size = match &signed {
            Ok(Some(signed)) => Some(signed.checkpoint.size),
            _ => None,
        };
        let chain = chain::check(connection, signed_size).await?;
        let mut report = VerifyReport {
            events: chain.frontier.size(),
            root: chain.frontier.root(),
            checkpoint: CheckpointState::Unsigned,
            first_bad: chain.bad,
            checks: Vec::new(),
        };
        report.close("events match their bodies, leaves, tree hashes and head");
        match signed {
            Ok(None) => {}
            Ok(Some(signed)) => {
                let checkpoint = signed.checkpoint;
                report.check_signed(checkpoint.size, chain.signed_root == Some(checkpoint.root));
            }
            Err(error) => {
                let seq = report.events;
                report.checkpoint = CheckpointState::Unreadable { reason: error.to_string() };
                report.found(BadEvent::new(seq, format!("the last signed head can't be read: {error}")));
            }
        }
        if report.first_bad.is_some() {
            // a replay of altered events says nothing about the tables
            return Ok(report);
        }
        let replay = Database::memory().await?;
        let mut replayed = replay.writer().await?;
        let compared = tables::check(connection, &mut replayed, report.events).await;
        drop(replayed);
        replay.close().await;
        if let Some(bad) = compared? {
            report.found(bad);
        }
        report.close("events replayed give every row of every table");
        if let Some(bad) = runs::check(connection).await? {
            report.found(bad);
        }
        report.close("events with every sealed run as it was");
        Ok(report)
    }
}

impl VerifyReport {
    /// Ends one part of the verification.
    fn close(&mut self, what: &str) {
        if self.first_bad.is_none() {
            self.checks.push(format!("{} {what}", self.events));
        }
    }

    fn found(&mut self, bad: BadEvent) {
        if self.first_bad.as_ref().is_none_or(|known| bad.seq < known.seq) {
            self.first_bad = Some(bad);
        }
    }

    fn check_signed(&mut self, size: u64, equal: bool) {
        if equal {
            self.checkpoint = CheckpointState::Consistent { size };
            self.checks.push(format!("{size} events give the head that was signed last"));
            return;
        }
        self.checkpoint = CheckpointState::Inconsistent { size };
        if self.events < size {
            let what = format!("it is missing: a head of {size} events was signed");
            self.found(BadEvent::new(self.events + 1, what));
        } else {
            let what = format!("it or one before it was rewritten: the signed head of {size} events has another root");
            self.found(BadEvent::new(size, what));
        }
    }
}
