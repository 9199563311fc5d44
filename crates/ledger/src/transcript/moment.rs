//! A ledger held at one moment, whatever is written to it meanwhile.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{File, OpenOptions},
    io::{self, BufWriter, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use data_encoding::BASE64;
use stemma_core::{Digest, naming::NamedContent};

use super::form::{self, Header, KEPT, Mark, VERSION};
use crate::{
    LedgerAtRest, LedgerError, migrate, needs,
    sql::{Row, Session, Value},
};

/// Rows that are read at a time.
const PAGE: i64 = 500;

/// A moment of a ledger, in a transaction that sees nothing of what comes after it.
pub struct Moment {
    session: Session,
    header: Header,
}

impl LedgerAtRest {
    /// Holds the ledger as it is now. Nothing else can be asked of this view meanwhile.
    ///
    /// One that lacks migrations is refused: opening it by any command brings it up to date.
    pub async fn hold(&self) -> Result<Moment, LedgerError> {
        let mut session = self.read().await?;
        // the first question is what fixes the moment
        let head = session.row("SELECT size, root FROM head WHERE id = 1", &[]).await?;
        let head = head.ok_or_else(|| LedgerError::Damaged("the ledger has no head".to_owned()))?;
        let migrations = migrate::applied(&mut session).await?;
        if migrations < migrate::NEWEST {
            return Err(LedgerError::Older { has: migrations, newest: migrate::NEWEST });
        }
        let home = session.row("SELECT home FROM home ORDER BY from_seq LIMIT 1", &[]).await?;
        let home = home.ok_or_else(|| LedgerError::Damaged("no event made this home".to_owned()))?.parsed("home")?;
        let events = head.int("size")?.max(0) as u64;
        let header = Header { v: VERSION, home, events, root: BASE64.encode(&head.blob("root")?), migrations };
        Ok(Moment { session, header })
    }
}

impl Moment {
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Every content that a fact needs at this moment, with who needs it; what was removed for good is needed no more.
    pub async fn needed_content(&mut self) -> Result<BTreeMap<Digest, BTreeSet<String>>, LedgerError> {
        needs::of_all(&mut self.session).await
    }

    /// The same, each with its form: for whoever looks in it for what it names in turn.
    pub async fn named_content(&mut self) -> Result<Vec<NamedContent>, LedgerError> {
        needs::named(&mut self.session).await
    }

    /// Those of the digests that some project was granted by this moment: they have been here.
    pub async fn granted(&mut self, digests: &[Digest]) -> Result<BTreeSet<Digest>, LedgerError> {
        needs::granted(&mut self.session, digests).await
    }

    /// What was removed for good by this moment.
    pub async fn purged(&mut self) -> Result<BTreeSet<Digest>, LedgerError> {
        needs::purged(&mut self.session).await
    }

    /// Segments of the prediction log, and of the feedback log, of which something is sealed at this moment.
    pub async fn sealed_segments(&mut self) -> Result<[BTreeSet<u64>; 2], LedgerError> {
        let predictions = crate::predictions::sealed_predictions(&mut self.session).await?;
        let feedback = crate::predictions::sealed_feedback(&mut self.session).await?;
        Ok([predictions, feedback].map(|sealed| sealed.into_keys().collect()))
    }

    /// Writes the transcript into a file that must not be there yet (mode 0600).
    pub async fn write(&mut self, path: &Path) -> Result<(), LedgerError> {
        let failed = |source| LedgerError::file(path, source);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        let mut to = BufWriter::with_capacity(1 << 20, file);
        line(&mut to, &self.header).map_err(failed)?;
        let mut rows = 0;
        for (table, columns, key) in KEPT {
            let columns = columns.split(", ").map(str::to_owned).collect();
            line(&mut to, &Mark::Table { name: table.to_owned(), columns }).map_err(failed)?;
            rows += self.write_table(table, key, path, &mut to).await?;
        }
        line(&mut to, &Mark::End { rows }).map_err(failed)?;
        to.into_inner().map_err(|error| failed(error.into_error()))?.sync_all().map_err(failed)
    }

    async fn write_table(
        &mut self,
        table: &str,
        key: &str,
        path: &Path,
        to: &mut BufWriter<File>,
    ) -> Result<u64, LedgerError> {
        let (_, columns, _) = KEPT.iter().find(|(name, _, _)| *name == table).expect("it is one of them");
        let keys: Vec<&str> = key.split(", ").collect();
        let places: Vec<String> = (1..=keys.len()).map(|place| format!("${place}")).collect();
        let first = format!("SELECT {columns} FROM {table} ORDER BY {key} LIMIT {PAGE}");
        let places = places.join(", ");
        let next = format!("SELECT {columns} FROM {table} WHERE ({key}) > ({places}) ORDER BY {key} LIMIT {PAGE}");
        let mut page = self.session.rows(&first, &[]).await?;
        let mut rows = 0;
        while let Some(last) = page.last() {
            let after = keys.iter().map(|key| key_of(last, key)).collect::<Result<Vec<Value>, _>>()?;
            for row in &page {
                line(to, &form::row(row.values())?).map_err(|source| LedgerError::file(path, source))?;
            }
            rows += page.len() as u64;
            page = self.session.rows(&next, &after).await?;
        }
        Ok(rows)
    }
}

/// A column by which rows are ordered: a number, or a text.
fn key_of(row: &Row, column: &str) -> Result<Value, LedgerError> {
    row.int(column).map(Value::Int).or_else(|_| row.text(column).map(Value::Text))
}

fn line(to: &mut BufWriter<File>, value: &impl serde::Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *to, value)?;
    to.write_all(b"\n")
}
