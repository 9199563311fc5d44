//! An open ledger.

use std::{path::PathBuf, sync::Arc};

use stemma_core::{Clock, history::SignedHead};
use tokio::sync::watch;

use crate::{
    DatabaseUrl, LedgerError,
    checkpoint::{Signer, SignerOptions},
    head,
    key::KeyFile,
    migrate,
    sql::Database,
    writing::{Turns, Writer, read_frontier},
};

/// Where the ledger is kept.
#[derive(Debug, Clone)]
pub enum LedgerUrl {
    Sqlite(PathBuf),
    Postgres(DatabaseUrl),
}

/// How to open a ledger.
#[derive(Clone)]
pub struct LedgerOptions {
    pub url: LedgerUrl,
    /// Last signed head, and the signing key unless it lies elsewhere; not inside the database.
    pub checkpoints: PathBuf,
    /// The file of the signing key, where it lies outside of the home.
    pub signing_key: Option<PathBuf>,
    /// Names this ledger in its checkpoints, as in `stemma/<home id>`.
    pub origin: String,
    pub clock: Arc<dyn Clock>,
}

/// An open ledger. Cheap to clone.
#[derive(Clone)]
pub struct Ledger(Arc<Inner>);

struct Inner {
    database: Database,
    signer: Signer,
    /// One signature at a time: a later one must never be replaced by an earlier.
    signing: tokio::sync::Mutex<()>,
    writer: Writer,
    turns: Turns,
    head: watch::Receiver<u64>,
}

impl Ledger {
    /// Opens a ledger, migrating it if needed. A history that does not continue the last signed head is refused.
    pub async fn open(options: LedgerOptions) -> Result<Self, LedgerError> {
        let database = match &options.url {
            LedgerUrl::Sqlite(path) => Database::open_sqlite(path).await?,
            LedgerUrl::Postgres(at) => Database::open_postgres(at).await?,
        };
        Self::of(database, options).await
    }

    /// The same for a home's owner, who has the ledger for itself. In a file, the home's lock sees to that.
    pub async fn own(options: LedgerOptions) -> Result<Self, LedgerError> {
        let database = match &options.url {
            LedgerUrl::Sqlite(path) => Database::open_sqlite(path).await?,
            LedgerUrl::Postgres(at) => Database::own_postgres(at).await?,
        };
        Self::of(database, options).await
    }

    async fn of(database: Database, options: LedgerOptions) -> Result<Self, LedgerError> {
        migrate::migrate(&database).await?;
        let (named, events) = head::named_keys(&database).await?;
        let signer = Signer::open(signer_options(&options), named, events)?;
        let size = head::size(&database).await?;
        if let Some(signed) = signer.last()?
            && signed.size() > size
        {
            return Err(LedgerError::Rewound { signed: signed.size(), found: size });
        }
        let (newest, head) = watch::channel(size);
        let writer = Writer::start(database.clone(), options.clock, newest);
        Ok(Self(Arc::new(Inner {
            database,
            signer,
            signing: tokio::sync::Mutex::new(()),
            writer,
            turns: Turns::default(),
            head,
        })))
    }

    /// The newest seq that this process knows of; 0 in an empty ledger.
    pub fn head_seq(&self) -> u64 {
        *self.0.head.borrow()
    }

    /// Resolves whenever the ledger grew.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.0.head.clone()
    }

    /// Signs the head as it is now, after checking that it continues the last signed one.
    pub async fn checkpoint(&self) -> Result<SignedHead, LedgerError> {
        let _alone = self.0.signing.lock().await;
        // before the head: another process may sign a later one between the two readings
        let last_signed = self.0.signer.last()?;
        let mut session = self.0.database.read().await?;
        let row = session.row("SELECT size FROM head WHERE id = 1", &[]).await?;
        let size = row.ok_or_else(|| LedgerError::Damaged("the ledger has no head".to_owned()))?.int("size")? as u64;
        let root = read_frontier(&mut session, size).await?.root();
        if let Some(signed) = last_signed {
            if signed.size() > size {
                return Err(LedgerError::Rewound { signed: signed.size(), found: size });
            }
            let then = read_frontier(&mut session, signed.size()).await?.root();
            if then != *signed.root() {
                let what = format!("history up to event {} is not what was signed", signed.size());
                return Err(LedgerError::Checkpoint(what));
            }
            // a head that an earlier key signed is signed anew
            if signed.size() == size && *signed.key() == self.0.signer.verifier() {
                return Ok(signed);
            }
        }
        self.0.signer.sign(size, root)
    }

    /// Finishes what waits to be written, and closes the database.
    pub async fn close(&self) {
        self.0.writer.close().await;
        self.0.database.close().await;
    }

    pub(crate) fn database(&self) -> &Database {
        &self.0.database
    }

    pub(crate) fn writer(&self) -> &Writer {
        &self.0.writer
    }

    pub(crate) fn turns(&self) -> &Turns {
        &self.0.turns
    }

    /// Held while a head is signed, or the key that signs is changed.
    pub(crate) async fn signing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.0.signing.lock().await
    }

    pub(crate) fn signer(&self) -> &Signer {
        &self.0.signer
    }
}

fn signer_options(options: &LedgerOptions) -> SignerOptions {
    let key_file = match &options.signing_key {
        Some(path) => KeyFile::outside(path.clone()),
        None => KeyFile::inside(&options.checkpoints),
    };
    SignerOptions { folder: options.checkpoints.clone(), key_file, origin: options.origin.clone() }
}
