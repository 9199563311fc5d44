//! A thing that was found, with what was asked about it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use stemma_core::{
    Timestamp,
    meaning::Aspect,
    name::{PrincipalName, ProjectName},
    search::{Key, Realm, Section, Term},
};

use super::{
    said::{is_about, kinds},
    shelf::{Shelf, Whose},
    wanted::Search,
};
use crate::{
    LedgerError,
    query::view::Reading,
    row::{rank::number_at, search::ALIAS},
    sql::{Row, Value},
};

/// What was found. What things of its realm don't have is empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    pub id: i64,
    pub project: ProjectName,
    pub name: String,
    pub version: String,
    pub stage: String,
    pub format: String,
    pub by: PrincipalName,
    pub registered: Timestamp,
    pub run: String,
    pub digest: String,
    pub status: String,
    pub kind: String,
    pub aliases: Vec<String>,
    /// What the query or the order names, as `metrics.auc`.
    pub shown: BTreeMap<String, Shown>,
}

/// A metric, a parameter or a verdict.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
    Number(f64),
    Text(String),
}

/// The columns of a thing.
pub const fn columns(realm: Realm) -> &'static str {
    match realm {
        Realm::Versions | Realm::Datasets => {
            "e.id AS id, e.project AS project, e.name AS name, e.version AS version, e.stage AS stage, \
             e.format AS format, e.registrant AS registrant, e.registered AS registered, e.run AS run, e.digest AS digest"
        }
        Realm::Runs => {
            "e.id AS id, e.project AS project, e.name AS name, e.status AS status, e.kind AS kind, \
             e.registrant AS registrant, e.registered AS registered, e.run AS run"
        }
    }
}

pub fn found(realm: Realm, row: &Row) -> Result<Found, LedgerError> {
    let of_version = |column: &str| if realm == Realm::Runs { Ok(String::new()) } else { row.text(column) };
    let of_run = |column: &str| if realm == Realm::Runs { row.text(column) } else { Ok(String::new()) };
    Ok(Found {
        id: row.int("id")?,
        project: row.parsed("project")?,
        name: row.text("name")?,
        version: of_version("version")?,
        stage: of_version("stage")?,
        format: of_version("format")?,
        by: row.parsed("registrant")?,
        registered: Timestamp(row.int("registered")?),
        run: row.text("run")?,
        digest: of_version("digest")?,
        status: of_run("status")?,
        kind: of_run("kind")?,
        aliases: Vec::new(),
        shown: BTreeMap::new(),
    })
}

/// Sections and names that the query and the order name.
fn asked(search: &Search<'_>) -> BTreeSet<(Section, String)> {
    let mut asked = BTreeSet::new();
    let mut add = |section: Section, name: &str| {
        if section.is_in(search.realm) {
            asked.insert((section, name.to_owned()));
        }
    };
    let mut add_key = |key: &Key| match key {
        Key::Field(_) => {}
        Key::Of(section, name) => add(*section, name),
        Key::Named(name) => {
            add(Section::Metrics, name);
            add(Section::Params, name);
        }
    };
    for term in search.query.iter().flat_map(|query| query.terms()) {
        match term {
            Term::Compare { key, .. } => add_key(key),
            Term::Has { section, name } => add_key(&Key::Of(*section, name.clone())),
            _ => {}
        }
    }
    add_key(&search.order.by);
    asked
}

/// What is asked about that somebody says of things: aspect, key, and how that is called.
fn asked_said(search: &Search<'_>) -> BTreeSet<(Aspect, String, String)> {
    let of = |term: &Term| match term {
        Term::Compare { key: Key::Field(field), .. } => {
            Some((field.aspect()?, String::new(), field.as_str().to_owned()))
        }
        Term::Compare { key: Key::Of(Section::Tags, key), .. } | Term::Has { section: Section::Tags, name: key } => {
            Some((Aspect::Tag, key.clone(), format!("{}.{key}", Section::Tags.as_str())))
        }
        Term::Said(aspect) if !aspect.is_prose() => Some((*aspect, String::new(), aspect.to_string())),
        _ => None,
    };
    search.query.iter().flat_map(|query| query.terms()).filter_map(of).collect()
}

/// Adds to things of a page what is said of them, or else of their model.
async fn show_said(
    search: &Search<'_>,
    shelf: &Shelf,
    things: &mut [Found],
    read: &mut Reading,
) -> Result<(), LedgerError> {
    let at: HashMap<i64, usize> = things.iter().enumerate().map(|(at, thing)| (thing.id, at)).collect();
    let ids = Value::list(things.iter().map(|thing| [thing.id]))?;
    for (aspect, key, called) in asked_said(search) {
        for kind in kinds(search.realm) {
            let sql = format!(
                "SELECT e.id AS id, m.text AS text FROM {} CROSS JOIN {} CROSS JOIN meaning m \
                 WHERE e.id = CAST(list.value->>0 AS BIGINT) AND {} AND {} AND m.aspect = $2 AND m.key = $3 AND {} \
                 AND m.text IS NOT NULL",
                read.session.list_at(1),
                shelf.things,
                shelf.is_thing,
                is_about("m", kind),
                read.holds("m"),
            );
            for row in read.session.rows(&sql, &[ids.clone(), aspect.as_str().into(), key.as_str().into()]).await? {
                let Some(thing) = at.get(&row.int("id")?).and_then(|at| things.get_mut(*at)) else { continue };
                let text = row.text("text")?;
                thing.shown.entry(called.clone()).or_insert(Shown::Text(text));
            }
        }
    }
    Ok(())
}

/// Adds to things of a page their aliases and what was asked about them.
pub async fn show(
    search: &Search<'_>,
    shelf: &Shelf,
    things: &mut [Found],
    read: &mut Reading,
) -> Result<(), LedgerError> {
    show_said(search, shelf, things, read).await?;
    let asked = asked(search);
    let mut of_things = Vec::new();
    if search.realm == Realm::Versions {
        of_things.push((Whose::Own, ALIAS, "", None));
    }
    for (section, name) in &asked {
        let places = shelf.places(*section).iter();
        of_things.extend(places.map(|(whose, kind)| (*whose, *kind, name.as_str(), Some(*section))));
    }
    let at: HashMap<i64, usize> = things.iter().enumerate().map(|(at, thing)| (thing.id, at)).collect();
    let ids = Value::list(things.iter().map(|thing| [thing.id]))?;
    for (whose, kind, name, section) in of_things {
        let list = read.session.list_at(1);
        let (facts, is_fact) = (shelf.facts, &shelf.is_fact_of_thing);
        let sql = match whose {
            Whose::Own => format!(
                "SELECT f.id AS id, f.text AS text, f.rank AS rank FROM {list} CROSS JOIN {facts} \
                 WHERE f.id = CAST(list.value->>0 AS BIGINT) AND f.kind = $2 AND f.name = $3 AND {is_fact} ORDER BY f.text"
            ),
            Whose::Run => format!(
                "SELECT e.id AS id, f.text AS text, f.rank AS rank FROM {list} CROSS JOIN {} CROSS JOIN search_run r \
                 CROSS JOIN search_run_fact f WHERE e.id = CAST(list.value->>0 AS BIGINT) AND {} AND r.run = e.run \
                 AND r.project = e.project AND f.id = r.id AND f.kind = $2 AND f.name = $3 ORDER BY f.text",
                shelf.things, shelf.is_thing,
            ),
        };
        for row in read.session.rows(&sql, &[ids.clone(), kind.into(), name.into()]).await? {
            let Some(thing) = at.get(&row.int("id")?).and_then(|at| things.get_mut(*at)) else { continue };
            match section {
                None => thing.aliases.push(row.text("text")?),
                Some(section) => {
                    thing.shown.entry(format!("{}.{name}", section.as_str())).or_insert(shown(&row)?);
                }
            }
        }
    }
    Ok(())
}

/// A parameter is shown as it was written, whether or not it is a number.
fn shown(row: &Row) -> Result<Shown, LedgerError> {
    let text = row.text("text")?;
    Ok(match row.optional_int("rank")? {
        Some(rank) if text.is_empty() => Shown::Number(number_at(rank)),
        _ => Shown::Text(text),
    })
}
