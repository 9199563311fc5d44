//! Signed heads: C2SP tlog-checkpoints in signed notes, and the keeper that remembers the last one outside the database.

mod keeper;
mod note;

pub(crate) use self::keeper::Keeper;
pub use self::note::{Checkpoint, NoteError, SignedCheckpoint, VerifierKey};
use crate::{Ledger, LedgerError, sql::Value};

impl Ledger {
    /// Signs the head as it is now, after proving that it continues the last one that was signed.
    pub async fn checkpoint(&self) -> Result<SignedCheckpoint, LedgerError> {
        let _alone = self.keeper().alone().await;
        let mut snapshot = self.read_snapshot().await?;
        let head = snapshot.head().await?;
        let signed = self.keeper().sign(snapshot.connection(), &head).await?;
        snapshot.end().await?;
        Ok(signed)
    }

    /// The last signed head, if one was ever signed.
    pub fn last_checkpoint(&self) -> Result<Option<SignedCheckpoint>, LedgerError> {
        self.keeper().last()
    }

    /// The canonical JSON of an event that the tree's leaf is the hash of.
    pub async fn leaf(&self, seq: u64) -> Result<Option<String>, LedgerError> {
        let mut view = self.read().await?;
        let row = view.connection().row("SELECT leaf FROM event WHERE seq = $1", &[Value::count(seq)?]).await?;
        row.map(|row| row.text("leaf").map(str::to_owned)).transpose()
    }

    /// A C2SP `tlog-proof` that an event is in the ledger, checkable without it.
    pub async fn prove(&self, seq: u64) -> Result<String, LedgerError> {
        let signed = self.checkpoint().await?;
        let size = signed.checkpoint.size;
        if seq == 0 || seq > size {
            return Err(LedgerError::TooLarge(format!("there is no event {seq} among {size}")));
        }
        let mut view = self.read().await?;
        let hashes = view.connection().inclusion_proof(seq - 1, size).await?;
        let hashes: String = hashes.iter().map(|hash| format!("{hash}\n")).collect();
        Ok(format!("c2sp.org/tlog-proof@v1\nindex {}\n{hashes}\n{}", seq - 1, signed.note))
    }
}
