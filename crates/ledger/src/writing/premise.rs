//! What a decision stands on: the rows that it read, and when.
//!
//! Reads of tables that events make note by themselves what they asked for, so that no decision can forget to name a
//! fact that it used. A premise is a table and a key; it fails if an event since then made a row under that key, or ended
//! one. So decisions about different things don't keep each other from being committed.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    LedgerError,
    sql::{Session, Value},
};

/// Premises in one question to the database.
const CHUNK: usize = 40;

/// What a decision stands on.
#[derive(Debug, Clone, PartialEq)]
pub struct Premises {
    /// The newest event that the decision surely knew of.
    at: u64,
    read: Vec<Premise>,
}

/// Rows of a table that events make: those whose columns have these values.
#[derive(Debug, Clone, PartialEq)]
pub struct Premise {
    table: &'static str,
    key: Vec<(&'static str, Value)>,
}

tokio::task_local! {
    /// What the decision that is being made has read so far.
    static READ: Arc<Mutex<Vec<Premise>>>;
}

/// Notes that rows of a table are read, if somebody is deciding.
pub fn note(table: &'static str, key: &[(&'static str, Value)]) {
    // outside of a decision nobody asks
    let _ = READ.try_with(|read| {
        let mut read = read.lock().unwrap_or_else(PoisonError::into_inner);
        let premise = Premise { table, key: key.to_vec() };
        if !read.contains(&premise) {
            read.push(premise);
        }
    });
}

impl Premises {
    /// What a decision reads that is made now, in a ledger with so many events; and what it comes to.
    pub(crate) async fn of<T>(at: u64, decision: impl Future<Output = T>) -> (Self, T) {
        let read = Arc::new(Mutex::new(Vec::new()));
        let decided = READ.scope(read.clone(), decision).await;
        let read = std::mem::take(&mut *read.lock().unwrap_or_else(PoisonError::into_inner));
        (Self { at, read }, decided)
    }

    /// What is not as it was when it was read, if anything. Asked where nobody else writes.
    pub(super) async fn broken(&self, session: &mut Session, size: u64) -> Result<Option<Premise>, LedgerError> {
        if self.at >= size {
            return Ok(None);
        }
        for chunk in self.read.chunks(CHUNK) {
            let mut values = vec![Value::Int(self.at as i64)];
            let cases = chunk.iter().enumerate();
            let cases: String =
                cases.map(|(n, premise)| format!("WHEN {} THEN {n} ", premise.changed_sql(&mut values))).collect();
            let row = session.row(&format!("SELECT CASE {cases}ELSE -1 END AS changed"), &values).await?;
            let changed = row.map(|row| row.int("changed")).transpose()?.unwrap_or(-1);
            if let Some(premise) = usize::try_from(changed).ok().and_then(|n| chunk.get(n)) {
                return Ok(Some(premise.clone()));
            }
        }
        Ok(None)
    }
}

impl Premise {
    /// A condition: since the event `$1`, a row was made or ended. The key's values are added to those that are bound.
    fn changed_sql(&self, values: &mut Vec<Value>) -> String {
        let mut key = String::new();
        for (column, value) in &self.key {
            values.push(value.clone());
            key.push_str(&format!("{column} = ${} AND ", values.len()));
        }
        format!("EXISTS (SELECT 1 FROM {} WHERE {key}(from_seq > $1 OR to_seq > $1))", self.table)
    }
}
