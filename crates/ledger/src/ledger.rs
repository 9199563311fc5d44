//! An open ledger: its database, its writer, and the keeper of its checkpoints.

use std::{path::PathBuf, sync::Arc};

use stemma_core::Clock;
use tokio::sync::watch;

use crate::{
    EventFilter, EventRow, LedgerError, LedgerUrl, Snapshot, View,
    checkpoint::Keeper,
    commit::{Head, Writer},
    sql::{Access, Connection, Database, Value},
    tree::TreeHash,
};

/// What is needed to open a ledger.
#[derive(Clone)]
pub struct LedgerOptions {
    pub url: LedgerUrl,
    /// Folder of the signing key and the last signed checkpoint. Must lie outside of the database and of its backups, or a
    /// restored old backup can't be noticed.
    pub checkpoint_dir: PathBuf,
    /// What the checkpoints call this ledger, for example `stemma.example/audit`; no spaces, no `+`.
    pub origin: String,
    pub clock: Arc<dyn Clock>,
}

/// An open ledger. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Ledger(Arc<Inner>);

struct Inner {
    database: Database,
    /// Absent when open for reading only.
    writer: Option<Writer>,
    newest: watch::Receiver<u64>,
    keeper: Keeper,
    clock: Arc<dyn Clock>,
}

impl Ledger {
    /// Opens a ledger, making it if there is none. Fails if it is not a continuation of what was last signed.
    pub async fn open(options: LedgerOptions) -> Result<Self, LedgerError> {
        let ledger = Self::open_database(options, Access::Write).await?;
        let mut view = ledger.read().await?;
        let head = view.head().await?;
        ledger.0.keeper.check_continuation(view.connection(), &head).await?;
        drop(view);
        Ok(ledger)
    }

    /// Opens a ledger to look at whatever is there, however damaged: it can be read and verified, and nothing is changed.
    pub async fn open_for_audit(options: LedgerOptions) -> Result<Self, LedgerError> {
        Self::open_database(options, Access::Audit).await
    }

    async fn open_database(options: LedgerOptions, access: Access) -> Result<Self, LedgerError> {
        let keeper = Keeper::open(options.checkpoint_dir, options.origin)?;
        let database = Database::open(&options.url, access).await?;
        if access == Access::Write {
            let mut connection = database.writer().await?;
            connection.migrate().await?;
            insert_empty_head(&mut connection).await?;
        }
        let size = match View::now(database.reader().await?).head().await {
            Ok(head) => head.size(),
            Err(_) if access == Access::Audit => 0,
            Err(error) => return Err(error),
        };
        let (sender, newest) = watch::channel(size);
        let writer = (access == Access::Write).then(|| Writer::start(database.clone(), options.clock.clone(), sender));
        Ok(Self(Arc::new(Inner { database, writer, newest, keeper, clock: options.clock })))
    }

    /// A view of what is current. Several reads on one view may see commits that happen between them; where that matters,
    /// use [`Self::read_at`] or [`Self::read_snapshot`].
    ///
    /// A view holds one of a few connections: take one at a time and let it go soon.
    pub async fn read(&self) -> Result<View, LedgerError> {
        Ok(View::now(self.0.database.reader().await?))
    }

    /// A view of the governed tables as they were after event `seq`.
    pub async fn read_at(&self, seq: u64) -> Result<View, LedgerError> {
        Ok(View::at(self.0.database.reader().await?, seq))
    }

    /// A view in which all reads see the same state, telemetry, too.
    pub async fn read_snapshot(&self) -> Result<Snapshot, LedgerError> {
        Snapshot::begin(self.0.database.reader().await?).await
    }

    /// The newest event that is known to this process; others on the same PostgreSQL may have added more.
    pub fn head_seq(&self) -> u64 {
        *self.0.newest.borrow()
    }

    /// Tells when the newest event changes.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.newest.clone()
    }

    pub async fn head(&self) -> Result<Head, LedgerError> {
        self.read().await?.head().await
    }

    /// Events after a number, oldest first.
    pub async fn events(&self, after: u64, limit: u32) -> Result<Vec<EventRow>, LedgerError> {
        self.read().await?.events(after, limit, &EventFilter::default()).await
    }

    /// Finishes what was queued and closes the database. Other clones can't be used afterwards.
    pub async fn close(&self) {
        if let Some(writer) = &self.0.writer {
            writer.close().await;
        }
        self.0.database.close().await;
    }

    pub(crate) fn writer(&self) -> Result<&Writer, LedgerError> {
        self.0.writer.as_ref().ok_or(LedgerError::ReadOnly)
    }

    pub(crate) fn keeper(&self) -> &Keeper {
        &self.0.keeper
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.0.clock.as_ref()
    }
}

/// A ledger without events has the head of the empty tree; one that lost its head gets no new one.
async fn insert_empty_head(connection: &mut Connection) -> Result<(), LedgerError> {
    let head = Head::empty();
    let values = [Value::Blob(TreeHash::empty().0.to_vec()), Value::Blob(Vec::new()), head.time.into()];
    connection
        .execute(
            "INSERT INTO ledger_head (id, size, root, frontier, time) SELECT 1, 0, $1, $2, $3
             WHERE NOT EXISTS (SELECT 1 FROM event) ON CONFLICT (id) DO NOTHING",
            &values,
        )
        .await?;
    Ok(())
}
