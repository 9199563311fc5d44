//! The form, version 1: a line of JSON for everything. The first is the header; then for each table a line that names it and
//! its columns, followed by a line for each row, in order; the last says how many rows there were.
//!
//! Of a row, a number is a number, a text a string, and bytes are `{"b64": "…"}`.

use std::io::{BufRead, Read as _};

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use stemma_core::id::HomeId;

use crate::{LedgerError, sql::Value};

pub const VERSION: u32 = 1;
/// Longest line: a row of a database is shorter.
const LINE_MAX: u64 = 1 << 30;

/// Tables whose rows are written: name, columns, and those by which a row is found.
pub const KEPT: [(&str, &str, &str); 8] = [
    ("leaf", "seq, entry, hash", "seq"),
    ("event_body", "seq, salt, body", "seq"),
    ("token_hash", "token, hash", "token"),
    ("password_hash", "principal, hash", "principal"),
    ("run", "place, run, project, digest, record", "place"),
    ("environment_package", "project, name, version, environment", "project, name, version, environment"),
    ("grant_entry", "place, project, act, contents", "place"),
    ("feedback", "place, project, prediction, body", "place"),
];

/// What a transcript is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Version of the form.
    pub v: u32,
    pub home: HomeId,
    pub events: u64,
    /// Base64 of the tree's root.
    pub root: String,
    /// How many migrations the tables have had.
    pub migrations: usize,
}

/// A line that is no header and no row.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    Table { name: String, columns: Vec<String> },
    End { rows: u64 },
}

/// A line behind the header.
#[derive(Debug, PartialEq)]
pub enum Line {
    Mark(Mark),
    Row(Vec<Value>),
}

/// Writes a row as JSON.
pub fn row<'a>(values: impl Iterator<Item = &'a Value>) -> Result<Json, LedgerError> {
    let cell = |value: &Value| match value {
        Value::Text(text) => Ok(json!(text)),
        Value::Int(number) => Ok(json!(number)),
        Value::Blob(bytes) => Ok(json!({ "b64": BASE64.encode(bytes) })),
        Value::Real(_) | Value::NullText | Value::NullInt => {
            Err(LedgerError::Damaged(format!("a row has a column that is {value:?}, where none may be")))
        }
    };
    values.map(cell).collect::<Result<Vec<Json>, _>>().map(Json::Array)
}

/// Reads the next line; `None` behind the last.
pub fn next(from: &mut impl BufRead) -> Result<Option<String>, LedgerError> {
    let mut line = String::new();
    let read = from.take(LINE_MAX).read_line(&mut line);
    match read.map_err(|error| broken(format!("it can't be read: {error}")))? {
        0 => Ok(None),
        _ if !line.ends_with('\n') => Err(broken("it ends within a line".to_owned())),
        _ => Ok(Some(line)),
    }
}

pub fn header(line: &str) -> Result<Header, LedgerError> {
    #[derive(Deserialize)]
    struct Versioned {
        v: u32,
    }
    let damaged = |error| broken(format!("its first line: {error}"));
    match serde_json::from_str(line).map_err(damaged)? {
        Versioned { v: VERSION } => serde_json::from_str(line).map_err(damaged),
        Versioned { v } => Err(LedgerError::UnknownTranscript(v)),
    }
}

pub fn parse(line: &str) -> Result<Line, LedgerError> {
    if !line.starts_with('[') {
        let mark = serde_json::from_str(line).map_err(|error| broken(format!("a line of it: {error}")))?;
        return Ok(Line::Mark(mark));
    }
    let cells: Vec<Json> = serde_json::from_str(line).map_err(|error| broken(format!("a row of it: {error}")))?;
    cells.into_iter().map(cell).collect::<Option<_>>().map(Line::Row).ok_or_else(|| broken("a column of it".to_owned()))
}

fn cell(json: Json) -> Option<Value> {
    match json {
        Json::String(text) => Some(Value::Text(text)),
        Json::Number(number) => number.as_i64().map(Value::Int),
        Json::Object(bytes) => BASE64.decode(bytes.get("b64")?.as_str()?.as_bytes()).ok().map(Value::Blob),
        _ => None,
    }
}

pub fn broken(what: String) -> LedgerError {
    LedgerError::Damaged(format!("the transcript is no whole one: {what}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{migrate, projection, sql::Database, transcript::derive::FOLLOWING};

    #[test]
    fn the_form_is_frozen() {
        let text = r#"{"v":1,"home":"01922b23c4d57e6f8a9b0c1d2e3f4a5b","events":7,"root":"AQI=","migrations":6}"#;
        let home = "01922b23c4d57e6f8a9b0c1d2e3f4a5b".parse().unwrap();
        let of = Header { v: 1, home, events: 7, root: "AQI=".to_owned(), migrations: 6 };
        assert_eq!(serde_json::to_string(&of).unwrap(), text);
        assert_eq!(header(text).unwrap(), of);
        assert!(matches!(header(&text.replace("\"v\":1", "\"v\":2")), Err(LedgerError::UnknownTranscript(2))));

        let table = Mark::Table { name: "leaf".to_owned(), columns: vec!["seq".to_owned()] };
        let text = r#"{"table":{"name":"leaf","columns":["seq"]}}"#;
        assert_eq!(serde_json::to_string(&table).unwrap(), text);
        assert_eq!(parse(text).unwrap(), Line::Mark(table));
        assert_eq!(parse(r#"{"end":{"rows":3}}"#).unwrap(), Line::Mark(Mark::End { rows: 3 }));

        let values = [Value::Int(i64::MIN), Value::Text("é\n".to_owned()), Value::Blob(vec![0, 255])];
        let text = r#"[-9223372036854775808,"é\n",{"b64":"AP8="}]"#;
        assert_eq!(row(values.iter()).unwrap().to_string(), text);
        assert_eq!(parse(text).unwrap(), Line::Row(values.to_vec()));
    }

    #[test]
    fn what_is_no_line_is_refused() {
        for text in ["", "[1.5]", "[null]", "[[1]]", r#"[{"b64":"A"}]"#, "[18446744073709551615]", r#"{"what":1}"#] {
            assert!(matches!(parse(text), Err(LedgerError::Damaged(_))), "{text}");
        }
        assert!(row([Value::NullInt].iter()).is_err() && row([Value::Real(1.5)].iter()).is_err());
        let mut torn = &b"{}\n[1"[..];
        assert_eq!(next(&mut torn).unwrap().as_deref(), Some("{}\n"));
        assert!(next(&mut torn).is_err());
        assert_eq!(next(&mut &b""[..]).unwrap(), None);
    }

    #[tokio::test]
    async fn every_table_is_written_or_follows_from_those_that_are() {
        let database = Database::open_memory().await.unwrap();
        migrate::migrate(&database).await.unwrap();
        let sql = "SELECT name FROM sqlite_master WHERE type = 'table'";
        let tables = database.read().await.unwrap().rows(sql, &[]).await.unwrap();
        let tables: BTreeSet<String> = tables.iter().map(|row| row.text("name").unwrap()).collect();
        let kept = KEPT.iter().map(|(table, _, _)| *table);
        let made = projection::TABLES.iter().map(|(table, _)| *table);
        // the migrations are run again, and the head is moved to where the events end
        let known = kept.chain(made).chain(FOLLOWING).chain(["migration", "head"]);
        assert_eq!(tables, known.map(str::to_owned).collect());
        let mut session = database.read().await.unwrap();
        for (table, columns, _) in KEPT {
            let there = session.rows(&format!("SELECT name FROM pragma_table_info('{table}')"), &[]).await.unwrap();
            let there: Vec<String> = there.iter().map(|row| row.text("name").unwrap()).collect();
            assert_eq!(there.join(", "), columns, "{table}");
        }
    }
}
