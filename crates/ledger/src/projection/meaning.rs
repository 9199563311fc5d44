//! What is said of things: a row for each statement, also for one by which something is taken back, and one for each of its
//! words.

use stemma_core::{
    meaning::{Statement, Thing},
    name::ProjectName,
};

use crate::{
    LedgerError,
    row::search::Fact,
    sql::{Session, Value},
};

/// Rows in one statement.
const CHUNK: usize = 2000;
/// What tells a statement from others, in the order of [`key`].
const KEY: &str = "project, kind, name, version, aspect, key";

/// The row of a statement in `meaning`, and what it is found by.
pub fn row(project: &ProjectName, thing: &Thing, statement: &Statement) -> (Vec<Value>, [(&'static str, Value); 6]) {
    let key = key(project, thing, statement);
    let text = Value::from(statement.text.clone());
    (key.iter().map(|(_, value)| value.clone()).chain([text]).collect(), key)
}

fn key(project: &ProjectName, thing: &Thing, statement: &Statement) -> [(&'static str, Value); 6] {
    [
        ("project", project.as_str().into()),
        ("kind", thing.kind().into()),
        ("name", thing.name().into()),
        ("version", thing.version().into()),
        ("aspect", statement.aspect.as_str().into()),
        ("key", statement.key.clone().into()),
    ]
}

/// Adds the words by which a statement is found.
pub async fn insert_words(
    session: &mut Session,
    seq: u64,
    (project, thing): (&ProjectName, &Thing),
    statement: &Statement,
) -> Result<(), LedgerError> {
    let words: Vec<[String; 1]> = Fact::words(statement.text.as_deref()).into_iter().map(|word| [word.2]).collect();
    let sql = format!(
        "INSERT INTO meaning_word ({KEY}, word, from_seq) SELECT $1, $2, $3, $4, $5, $6, list.value->>0, $7 FROM {}",
        session.list_at(8)
    );
    let key = key(project, thing, statement).map(|(_, value)| value);
    for chunk in words.chunks(CHUNK) {
        let mut values = key.to_vec();
        values.extend([Value::Int(seq as i64), Value::list(chunk)?]);
        session.execute(&sql, &values).await?;
    }
    Ok(())
}
