//! What is asked, read and looked up.

use serde_json::{Map, Value};
use stemma_api::types::SearchRegistry;
use stemma_core::{
    Digest, Problem, canonical,
    condition::ConditionError,
    name::ProjectName,
    rights::Action,
    search::{Order, Query, Realm, Term},
};
use stemma_ledger::Mark;

use super::cursor;
use crate::{Caller, Known, problem::internal, run::packages::package_name};

/// Longest row that is looked at.
const ROW_BYTES_MAX: usize = 16 << 10;

pub struct Question {
    pub realm: Realm,
    /// Those that the caller may read, or the one of them that is asked for.
    pub projects: Vec<ProjectName>,
    pub query: Option<Query>,
    pub row: Option<Map<String, Value>>,
    pub order: Order,
    pub after: Option<Mark>,
    /// Tells this question from others, whatever the page.
    pub fingerprint: Digest,
}

impl Question {
    pub async fn read(known: &Known, caller: &Caller, ask: &SearchRegistry) -> Result<Self, Problem> {
        let projects = projects(known, caller, ask)?;
        let query = ask.query.as_deref().map(Query::parse).transpose().map_err(no_query)?;
        let order = ask.order.as_deref().map(Order::parse).transpose().map_err(no_order)?.unwrap_or_default();
        let row = ask.accepts.as_deref().map(row).transpose()?;
        if let Some(query) = &query {
            query.check(ask.realm)?;
        }
        order.check(ask.realm)?;
        if row.is_some() && ask.realm != Realm::Versions {
            return Err(Problem::invalid(format!("{} accept no rows", ask.realm.as_str()))
                .hint("versions of models do: `--in versions`"));
        }
        let asked = (ask.realm, query.as_ref().map(ToString::to_string), order.to_string(), &ask.accepts, &ask.project);
        let fingerprint = canonical::digest(&asked).map_err(internal)?.0;
        let after = ask.cursor.as_deref().map(|cursor| cursor::read(cursor, &fingerprint)).transpose()?;
        let query = query.map(|query| query.map(&as_kept));
        Ok(Self { realm: ask.realm, projects, query, row, order, after, fingerprint })
    }
}

fn projects(known: &Known, caller: &Caller, ask: &SearchRegistry) -> Result<Vec<ProjectName>, Problem> {
    let Some(project) = &ask.project else { return Ok(known.readable_projects(caller)) };
    caller.may(Action::Read, Some(project))?;
    known.check_made(caller, project)?;
    Ok(vec![project.clone()])
}

/// Packages are kept under one spelling of their names.
fn as_kept(term: Term) -> Term {
    match term {
        Term::Package { name, version } => Term::Package { name: package_name(&name), version },
        other => other,
    }
}

fn row(text: &str) -> Result<Map<String, Value>, Problem> {
    if text.len() > ROW_BYTES_MAX {
        return Err(Problem::invalid(format!("the row is {} bytes long; {ROW_BYTES_MAX} are read", text.len())));
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(row)) if row.is_empty() => Err(Problem::invalid("the row has no values")),
        Ok(Value::Object(row)) => Ok(row),
        Ok(_) => Err(Problem::invalid("the row is no JSON object").hint("write one row as in `{\"age\": 30}`")),
        Err(error) => Err(Problem::invalid(format!("the row is no JSON: {error}"))
            .hint("write one row as in `{\"age\": 30}`, or name a file that holds one")),
    }
}

fn no_query(error: ConditionError) -> Problem {
    Problem::invalid(error.to_string()).hint(
        "write conditions as in `auc > 0.8 and stage = production and not has gate:NAME and input:age`; `and`, `or`, \
         `not` and parentheses join them, and a word by itself is looked for in names and reasons",
    )
}

fn no_order(error: ConditionError) -> Problem {
    Problem::invalid(error.to_string().replacen("the condition", "the order", 1))
        .hint("write it as in `auc desc`, `name` or `params.lr asc`")
}
