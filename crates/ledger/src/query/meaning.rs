//! What is said of things.

use stemma_core::{
    meaning::{Aspect, Statement, Thing},
    name::ProjectName,
};

use super::view::{Key, View, recorded, text};
use crate::{
    LedgerError, Recorded,
    sql::{Row, Value},
};

/// A statement, with what was said in its place before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementRow {
    pub statement: Statement,
    pub before: Option<String>,
}

impl View {
    /// What is said of a thing, by aspect and key.
    pub async fn meaning(&self, project: &ProjectName, thing: &Thing) -> Result<Vec<Recorded<Statement>>, LedgerError> {
        let rows = self.read().await?.facts(COLUMNS, "meaning", &key(project, thing)).await?;
        let statements = rows.iter().map(|row| recorded(row, statement(row)?)).collect::<Result<Vec<_>, _>>()?;
        let mut said: Vec<_> = statements.into_iter().filter(|row| row.value.text.is_some()).collect();
        said.sort_by(|a, b| (a.value.aspect, &a.value.key).cmp(&(b.value.aspect, &b.value.key)));
        Ok(said)
    }

    /// All owners that are named in a project, each once, but for one thing's.
    pub async fn owners(&self, project: &ProjectName, except: &Thing) -> Result<Vec<String>, LedgerError> {
        let key: Key = &[("project", text(project)), ("aspect", Aspect::Owner.as_str().into())];
        let columns = "t.kind AS kind, t.name AS name, t.version AS version, t.text AS text";
        let mut owners = Vec::new();
        for row in self.read().await?.facts(columns, "meaning", key).await? {
            let thing = (row.text("kind")?, row.text("name")?, row.text("version")?);
            let is_other = thing != (except.kind().to_owned(), except.name().to_owned(), except.version());
            owners.extend(row.optional_text("text")?.filter(|_| is_other));
        }
        owners.sort();
        owners.dedup();
        Ok(owners)
    }

    /// All that was ever said of a thing, the newest first, behind one event.
    pub async fn statements(
        &self,
        project: &ProjectName,
        thing: &Thing,
        behind: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Recorded<StatementRow>>, LedgerError> {
        let mut read = self.read().await?;
        let key = key(project, thing);
        let behind = behind.map_or(i64::MAX, |seq| i64::try_from(seq).unwrap_or(i64::MAX));
        let wheres = format!(
            "{} AND t.project = $1 AND t.kind = $2 AND t.name = $3 AND t.version = $4 AND t.from_seq < $5",
            read.was_made("t")
        );
        let columns = format!(
            "{COLUMNS}, (SELECT b.text FROM meaning b WHERE b.project = t.project AND b.kind = t.kind AND b.name = t.name \
             AND b.version = t.version AND b.aspect = t.aspect AND b.key = t.key AND b.to_seq = t.from_seq) AS former"
        );
        let values: Vec<Value> = key.into_iter().map(|(_, value)| value).chain([Value::Int(behind)]).collect();
        let rows = read.facts_page(&columns, "meaning", &wheres, "t.from_seq DESC", limit as usize, &values).await?;
        let row = |row: &Row| {
            let before = row.optional_text("former")?;
            recorded(row, StatementRow { statement: statement(row)?, before })
        };
        rows.iter().map(row).collect()
    }
}

const COLUMNS: &str = "t.aspect AS aspect, t.key AS key, t.text AS text";

fn key(project: &ProjectName, thing: &Thing) -> [(&'static str, Value); 4] {
    [
        ("project", text(project)),
        ("kind", thing.kind().into()),
        ("name", thing.name().into()),
        ("version", thing.version().into()),
    ]
}

fn statement(row: &Row) -> Result<Statement, LedgerError> {
    let aspect = row.text("aspect")?;
    let aspect =
        Aspect::parse(&aspect).ok_or_else(|| LedgerError::Damaged(format!("nothing is said by `{aspect}`")))?;
    Ok(Statement { aspect, key: row.text("key")?, text: row.optional_text("text")? })
}
