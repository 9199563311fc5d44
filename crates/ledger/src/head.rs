//! How far the ledger goes, and the keys that it names, as the database says.

use crate::{
    LedgerError, NamedKeys,
    sql::{Database, Session},
};

/// The keys that the ledger names, and how many events it has.
pub(crate) async fn named_keys(database: &Database) -> Result<(NamedKeys, u64), LedgerError> {
    let mut session = database.read().await?;
    let mut named = NamedKeys::default();
    for row in session.rows("SELECT verifier, body FROM signing_key ORDER BY from_seq", &[]).await? {
        match row.text("body")?.as_str() {
            "" => named.first = Some(row.parsed("verifier")?),
            _ => named.successions.push(row.json("body")?),
        }
    }
    Ok((named, size_in(&mut session).await?))
}

/// How many events there are.
pub(crate) async fn size(database: &Database) -> Result<u64, LedgerError> {
    size_in(&mut database.read().await?).await
}

pub(crate) async fn size_in(session: &mut Session) -> Result<u64, LedgerError> {
    let head = session.row("SELECT size FROM head WHERE id = 1", &[]).await?;
    let head = head.ok_or_else(|| LedgerError::Damaged("the ledger has no head".to_owned()))?;
    Ok(head.int("size")? as u64)
}
