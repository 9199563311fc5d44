//! In which order things are found, and where a page ends.

use stemma_core::search::{Direction, Field, Key, Realm, Section};

use super::{shelf::Whose, term::Statement};
use crate::{
    LedgerError,
    row::search::METRIC,
    sql::{Row, Value},
};

/// Where a page ended: the next one goes on behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// By what the last thing was in its place; nothing if it lacked that.
    pub key: Option<MarkKey>,
    pub id: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarkKey {
    Number(i64),
    Text(String),
}

/// By what things are ordered, as SQL.
pub struct Sorted {
    pub sql: String,
    /// Whether every thing has one.
    pub is_always: bool,
    pub direction: Direction,
}

impl Sorted {
    pub fn of(statement: &mut Statement<'_>) -> Result<Self, LedgerError> {
        let order = statement.search.order;
        let (sql, is_always) = match &order.by {
            Key::Field(Field::Version) => ("e.number".to_owned(), true),
            Key::Field(field) => {
                let column = statement.shelf.column(*field);
                let column =
                    column.ok_or_else(|| LedgerError::Damaged(format!("nothing is in order of `{}`", order.by)))?;
                match field {
                    Field::Project | Field::Name | Field::By | Field::Registered => (column.to_owned(), true),
                    _ => (format!("NULLIF({column}, '')"), false),
                }
            }
            Key::Of(section, name) => (fact(statement, *section, name), false),
            Key::Named(name) => (fact(statement, Section::Metrics, name), false),
        };
        Ok(Self { sql, is_always, direction: order.direction })
    }

    /// By what everything that is selected has.
    pub fn always(sql: &str, direction: Direction) -> Self {
        Self { sql: sql.to_owned(), is_always: true, direction }
    }

    /// `ORDER BY …` of things whose key is called so.
    pub fn order_by(&self, key: &str) -> String {
        let missing_last = if self.is_always { String::new() } else { format!("{key} IS NULL, ") };
        format!("ORDER BY {missing_last}{key} {}, id DESC", self.word())
    }

    pub const fn word(&self) -> &'static str {
        match self.direction {
            Direction::Ascending => "ASC",
            Direction::Descending => "DESC",
        }
    }

    /// A condition: a thing comes behind a mark. `id` and `key` are what those are called.
    pub fn is_behind(&self, mark: &Mark, key: &str, id: &str, statement: &mut Statement<'_>) -> String {
        let last_id = statement.bind(mark.id);
        let Some(last) = &mark.key else {
            return format!("({key} IS NULL AND {id} < {last_id})");
        };
        let last = match last {
            MarkKey::Number(number) => statement.bind(*number),
            MarkKey::Text(text) => statement.bind(text.as_str()),
        };
        let further = match self.direction {
            Direction::Ascending => ">",
            Direction::Descending => "<",
        };
        let behind = format!("({key} {further}= {last} AND ({key} {further} {last} OR {id} < {last_id}))");
        if self.is_always { behind } else { format!("({behind} OR {key} IS NULL)") }
    }
}

/// The number of a fact as it counts in an order: of the first place that has it.
fn fact(statement: &mut Statement<'_>, section: Section, name: &str) -> String {
    let shelf = statement.shelf;
    let name = statement.bind(name);
    let (facts, is_fact) = (shelf.facts, &shelf.is_fact_of_thing);
    let places = shelf.places(section).iter().map(|(whose, kind)| match whose {
        Whose::Own => format!(
            "(SELECT f.rank FROM {facts} WHERE f.id = e.id AND f.kind = '{kind}' AND f.name = {name} AND {is_fact} LIMIT 1)"
        ),
        Whose::Run => format!(
            "(SELECT f.rank FROM search_run r CROSS JOIN search_run_fact f WHERE r.run = e.run \
             AND r.project = e.project AND f.id = r.id AND f.kind = '{kind}' AND f.name = {name} LIMIT 1)"
        ),
    });
    let places: Vec<String> = places.collect();
    match places.as_slice() {
        [only] => only.clone(),
        places => format!("COALESCE({})", places.join(", ")),
    }
}

/// The metric by which versions or runs are ordered, if they are: an index has them in this order.
pub fn metric_of(realm: Realm, by: &Key) -> Option<(&'static str, &str)> {
    match by {
        Key::Named(name) | Key::Of(Section::Metrics, name) if realm != Realm::Datasets => Some((METRIC, name)),
        _ => None,
    }
}

/// The mark of the last row of a page.
pub fn mark_of(row: &Row) -> Result<Mark, LedgerError> {
    let key = match row.value("wanted")? {
        Value::Int(number) => Some(MarkKey::Number(*number)),
        Value::Text(text) => Some(MarkKey::Text(text.clone())),
        _ => None,
    };
    Ok(Mark { key, id: row.int("id")? })
}
