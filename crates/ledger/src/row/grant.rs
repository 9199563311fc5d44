//! Entries of rights to content: what was granted and withdrawn, act by act, to be sealed.
//!
//! An entry, version 1: the contents of one act, each as 32 bytes of its digest and 8 of its size, little-endian.

use std::collections::BTreeMap;

use stemma_core::{Digest, name::ProjectName};

use super::place::next_place;
use crate::{
    LedgerError,
    sql::{Session, Value},
};

/// Rows in one statement.
pub const CHUNK: usize = 5000;
const ONE_BYTES: usize = 40;
pub const GRANTED: &str = "granted";
/// From all projects.
pub const WITHDRAWN: &str = "withdrawn";

/// Lets a project read contents; those that it could read already make no entry.
pub async fn grant(
    session: &mut Session,
    project: &ProjectName,
    contents: &[(Digest, u64)],
) -> Result<(), LedgerError> {
    for chunk in contents.chunks(CHUNK) {
        if let_read(session, project.as_str(), chunk).await? > 0 {
            insert_entry(session, project.as_str(), GRANTED, chunk).await?;
        }
    }
    Ok(())
}

/// Takes contents from all projects.
pub async fn withdraw(session: &mut Session, digests: &[Digest]) -> Result<(), LedgerError> {
    let mut withdrawn = Vec::new();
    for digest in digests {
        if take_away(session, digest).await? > 0 {
            withdrawn.push((*digest, 0));
        }
    }
    for chunk in withdrawn.chunks(CHUNK) {
        insert_entry(session, "", WITHDRAWN, chunk).await?;
    }
    Ok(())
}

/// Does again what an entry says.
pub async fn apply(session: &mut Session, project: &str, act: &str, contents: &[u8]) -> Result<(), LedgerError> {
    let damaged = |what: String| LedgerError::Damaged(format!("table `grant_entry`: {what}"));
    let contents = decode(contents).ok_or_else(|| damaged("an entry is no list of contents".to_owned()))?;
    match act {
        GRANTED => let_read(session, project, &contents).await.map(drop),
        WITHDRAWN => {
            for (digest, _) in &contents {
                take_away(session, digest).await?;
            }
            Ok(())
        }
        other => Err(damaged(format!("an entry does `{other}`"))),
    }
}

async fn let_read(session: &mut Session, project: &str, contents: &[(Digest, u64)]) -> Result<u64, LedgerError> {
    let sql = format!(
        "INSERT INTO content_grant (project, digest, size) \
         SELECT $1, list.value->>0, CAST(list.value->>1 AS BIGINT) FROM {} WHERE true \
         ON CONFLICT (project, digest) DO NOTHING",
        session.list_at(2)
    );
    session.execute(&sql, &[project.into(), Value::list(contents)?]).await
}

async fn take_away(session: &mut Session, digest: &Digest) -> Result<u64, LedgerError> {
    let sql = "DELETE FROM content_grant WHERE digest = $1";
    session.execute(sql, &[Value::Text(digest.to_string())]).await
}

/// Writes entries for the grants of a ledger that had none.
pub async fn adopt_grants(session: &mut Session) -> Result<(), LedgerError> {
    let mut by_project: BTreeMap<String, Vec<(Digest, u64)>> = BTreeMap::new();
    for row in session.rows("SELECT project, digest, size FROM content_grant ORDER BY project, digest", &[]).await? {
        let content = (row.parsed("digest")?, row.int("size")?.max(0) as u64);
        by_project.entry(row.text("project")?).or_default().push(content);
    }
    for (project, contents) in by_project {
        for chunk in contents.chunks(CHUNK) {
            insert_entry(session, &project, GRANTED, chunk).await?;
        }
    }
    Ok(())
}

async fn insert_entry(
    session: &mut Session,
    project: &str,
    act: &str,
    contents: &[(Digest, u64)],
) -> Result<(), LedgerError> {
    let place = next_place(session, "grant_entry").await?;
    let sql = "INSERT INTO grant_entry (place, project, act, contents) VALUES ($1, $2, $3, $4)";
    let values = [Value::Int(place), project.into(), act.into(), Value::Blob(encode(contents))];
    session.execute(sql, &values).await.map(drop)
}

fn encode(contents: &[(Digest, u64)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(contents.len() * ONE_BYTES);
    for (digest, size) in contents {
        bytes.extend_from_slice(digest.as_bytes());
        bytes.extend_from_slice(&size.to_le_bytes());
    }
    bytes
}

/// Reads the contents of an entry; `None` if the bytes are none.
pub fn decode(bytes: &[u8]) -> Option<Vec<(Digest, u64)>> {
    let (all, rest) = bytes.as_chunks::<ONE_BYTES>();
    let one = |one: &[u8; ONE_BYTES]| {
        let (digest, size) = one.split_first_chunk::<32>()?;
        Some((Digest::from_bytes(*digest), u64::from_le_bytes(size.try_into().ok()?)))
    };
    if rest.is_empty() { all.iter().map(one).collect() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_of_version_1() {
        let contents = [(Digest::from_bytes([7; 32]), 258)];
        let mut bytes = vec![7; 32];
        bytes.extend([2, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(encode(&contents), bytes);
        assert_eq!(decode(&bytes).unwrap(), contents);
        assert_eq!(decode(&bytes[1..]), None);
    }
}
