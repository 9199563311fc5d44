//! A ledger out of its transcript, in one transaction: it is there whole, or nothing of it is.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use data_encoding::BASE64;

use super::{
    derive::derive,
    form::{self, Header, KEPT, Line, Mark, broken},
};
use crate::{
    LedgerError, LedgerUrl, migrate,
    sql::{Database, Session},
};

/// Takes a transcript into a database that holds no ledger yet, and makes what follows from it. One that holds this very
/// ledger already, event for event, is left as it is: an earlier attempt was cut short behind it.
pub async fn take_in(at: &LedgerUrl, transcript: &Path) -> Result<Header, LedgerError> {
    let file = File::open(transcript).map_err(|source| LedgerError::file(transcript, source))?;
    let mut lines = BufReader::with_capacity(1 << 20, file);
    let first = form::next(&mut lines)?.ok_or_else(|| broken("it is empty".to_owned()))?;
    let header = form::header(&first)?;
    if header.migrations > migrate::NEWEST {
        return Err(LedgerError::Newer(header.migrations as i64));
    }
    let database = match at {
        LedgerUrl::Sqlite(path) => Database::open_sqlite(path).await?,
        LedgerUrl::Postgres(at) => Database::own_postgres(at).await?,
    };
    let taken = fill(&database, &header, &mut lines).await;
    database.close().await;
    taken.map(|()| header)
}

async fn fill(database: &Database, header: &Header, lines: &mut impl BufRead) -> Result<(), LedgerError> {
    let mut session = database.begin().await?;
    if session.has_table("migration").await? {
        return is_the_same(&mut session, header).await;
    }
    migrate::migrate_to(&mut session, header.migrations).await?;
    insert_rows(&mut session, lines).await?;
    migrate::migrate_to(&mut session, migrate::NEWEST).await?;
    let frontier = derive(&mut session).await?;
    if frontier.size() != header.events || BASE64.encode(&frontier.root()) != header.root {
        let what = format!("its {} events are not the {} that its first line names", frontier.size(), header.events);
        return Err(broken(what));
    }
    session.commit().await
}

async fn is_the_same(session: &mut Session, header: &Header) -> Result<(), LedgerError> {
    let head = session.row("SELECT size, root FROM head WHERE id = 1", &[]).await?;
    let home = session.row("SELECT home FROM home ORDER BY from_seq LIMIT 1", &[]).await?;
    let (events, root) = match &head {
        Some(head) => (head.int("size")?.max(0) as u64, BASE64.encode(&head.blob("root")?)),
        None => (0, String::new()),
    };
    let home = home.map(|row| row.text("home")).transpose()?;
    match home == Some(header.home.to_string()) && events == header.events && root == header.root {
        true => Ok(()),
        false => Err(LedgerError::Occupied { home, events }),
    }
}

async fn insert_rows(session: &mut Session, lines: &mut impl BufRead) -> Result<(), LedgerError> {
    let mut insert: Option<(String, usize)> = None;
    let mut rows = 0;
    while let Some(line) = form::next(lines)? {
        match form::parse(&line)? {
            Line::Mark(Mark::Table { name, columns }) => insert = Some(statement(&name, &columns)?),
            Line::Mark(Mark::End { rows: told }) if told == rows => return Ok(()),
            Line::Mark(Mark::End { rows: told }) => {
                return Err(broken(format!("it has {rows} rows instead of {told}")));
            }
            Line::Row(values) => {
                let fits = insert.as_ref().filter(|(_, columns)| *columns == values.len());
                let (sql, _) = fits.ok_or_else(|| broken("a row is of no table".to_owned()))?;
                session.execute(sql, &values).await?;
                rows += 1;
            }
        }
    }
    Err(broken("its end is missing".to_owned()))
}

/// The statement that inserts a row, and how many columns it has. Names come from a file: only those of ours go into SQL.
fn statement(table: &str, columns: &[String]) -> Result<(String, usize), LedgerError> {
    let is_name =
        |name: &String| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if !KEPT.iter().any(|(kept, _, _)| *kept == table) || columns.is_empty() || !columns.iter().all(is_name) {
        return Err(broken(format!("it has a table `{table}` that is none of a ledger")));
    }
    let places: Vec<String> = (1..=columns.len()).map(|place| format!("${place}")).collect();
    let sql = format!("INSERT INTO {table} ({}) VALUES ({})", columns.join(", "), places.join(", "));
    Ok((sql, columns.len()))
}
