//! By what things are searched: facts of a thing as rows, and all that is known of a run.

use serde::Serialize;
use stemma_core::{
    record::{RunKind, RunRecord},
    search::words,
};

use super::rank::rank;
use crate::{
    LedgerError,
    sql::{Session, Value},
};

/// Rows in one statement.
const CHUNK: usize = 2000;
/// Records that are read at a time when runs are taken in anew.
const RECORDS: i64 = 50;
/// Longest name of a metric or parameter that is searched: an index takes no longer one.
pub const NAME_BYTES_MAX: usize = 256;
/// Letters of a command that are searched.
const COMMAND_CHARS_MAX: usize = 2000;
/// Different words of a thing that are searched.
const WORDS_MAX: usize = 1000;

pub const ALIAS: &str = "alias";
pub const CLAIMED: &str = "claimed";
/// Of a version: an evaluation is its newest one and did not tell its metrics.
pub const EVALUATED: &str = "evaluated";
pub const GATE: &str = "gate";
pub const METRIC: &str = "metric";
pub const PARAM: &str = "param";
pub const WORD: &str = "word";

/// A fact of a thing: kind, name, text, and the place of its number if it is one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fact(pub &'static str, pub String, pub String, pub Option<i64>);

impl Fact {
    pub fn text(kind: &'static str, name: impl Into<String>, text: impl Into<String>) -> Self {
        Self(kind, name.into(), text.into(), None)
    }

    /// The metrics of one kind that have a place in an order.
    pub fn numbers<'a>(
        kind: &'static str,
        numbers: impl IntoIterator<Item = (&'a String, &'a f64)>,
    ) -> impl Iterator<Item = Self> {
        let fact = move |(name, number): (&String, &f64)| {
            Some(Self(kind, searched(name)?, String::new(), Some(rank(*number)?)))
        };
        numbers.into_iter().filter_map(fact)
    }

    /// Parameters; one that reads as a number is compared as one too.
    pub fn params<'a>(params: impl IntoIterator<Item = (&'a String, &'a String)>) -> impl Iterator<Item = Self> {
        let number = |text: &str| text.trim().parse().ok().filter(|number: &f64| number.is_finite()).and_then(rank);
        let fact =
            move |(name, text): (&String, &String)| Some(Self(PARAM, searched(name)?, text.clone(), number(text)));
        params.into_iter().filter_map(fact)
    }

    /// The different words of some texts.
    pub fn words<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for word in texts.into_iter().flat_map(words) {
            if seen.len() < WORDS_MAX && seen.insert(word.clone()) {
                found.push(Self::text(WORD, "", word));
            }
        }
        found
    }
}

fn searched(name: &str) -> Option<String> {
    (name.len() <= NAME_BYTES_MAX).then(|| name.to_owned())
}

/// The columns of a run in `search_run` behind its place, and its facts.
pub fn rows_of(record: &RunRecord) -> ([Value; 8], Vec<Fact>) {
    let command: String = record.command.join(" ").chars().take(COMMAND_CHARS_MAX).collect();
    let kind = match record.kind {
        RunKind::Training => "training",
        RunKind::Evaluation => "evaluation",
        RunKind::Stage => "stage",
    };
    let status = if record.exit.is_success() { "ok" } else { "failed" };
    let mut facts: Vec<Fact> = Fact::params(&record.params).collect();
    facts.extend(Fact::numbers(METRIC, &record.claimed_metrics));
    facts.extend(Fact::words([command.as_str()]));
    let columns = [
        Value::Text(record.id.to_string()),
        Value::Text(record.project.to_string()),
        Value::Text(command),
        kind.into(),
        status.into(),
        Value::Text(record.actor.principal.to_string()),
        Value::Int(record.started.micros()),
        Value::Text(record.environment.to_string()),
    ];
    (columns, facts)
}

/// Makes a run findable.
pub async fn insert_for_search(session: &mut Session, place: i64, record: &RunRecord) -> Result<(), LedgerError> {
    let (columns, facts) = rows_of(record);
    let sql = "INSERT INTO search_run (id, run, project, name, kind, status, registrant, registered, environment) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let values: Vec<Value> = [Value::Int(place)].into_iter().chain(columns).collect();
    session.execute(sql, &values).await?;
    let sql = format!(
        "INSERT INTO search_run_fact (id, kind, name, text, rank) SELECT $1, list.value->>0, list.value->>1, \
         list.value->>2, CAST(list.value->>3 AS BIGINT) FROM {}",
        session.list_at(2)
    );
    for chunk in facts.chunks(CHUNK) {
        session.execute(&sql, &[Value::Int(place), Value::list(chunk)?]).await?;
    }
    Ok(())
}

/// Makes all runs findable, for tables that are new.
pub async fn insert_all_for_search(session: &mut Session) -> Result<(), LedgerError> {
    let sql = format!("SELECT place, record FROM run WHERE place > $1 ORDER BY place LIMIT {RECORDS}");
    let mut last = i64::MIN;
    loop {
        let rows = session.rows(&sql, &[Value::Int(last)]).await?;
        let Some(row) = rows.last() else { return Ok(()) };
        last = row.int("place")?;
        for row in &rows {
            insert_for_search(session, row.int("place")?, &row.json("record")?).await?;
        }
    }
}
