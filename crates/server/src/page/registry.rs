//! All that is registered, searched.

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use stemma_api::{
    act::Nothing,
    types::{FacetValue, FoundThing, FoundThings, FoundValue, SearchRegistry},
};
use stemma_core::{
    ErrorKind, Problem,
    search::{Field, Key, Operator, Query, Realm, Term, TextOperator},
};
use stemma_engine::search;

use super::{filters, head::Head, paper::html};
use crate::{call::Call, href};

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage {
    head: Head,
    ask: SearchRegistry,
    found: Option<Drawn>,
    /// Why what is asked can't be read.
    problem: Option<Problem>,
}

/// What was found, with where each part of it leads.
struct Drawn {
    found: FoundThings,
    /// Names of values that things have a column for.
    values: Vec<String>,
    things: Vec<DrawnThing>,
    facets: Vec<DrawnFacet>,
    next: Option<String>,
}

struct DrawnFacet {
    field: String,
    /// Each with where the search goes on with it, unless it is asked for already.
    values: Vec<(FacetValue, Option<String>)>,
    more: u64,
}

struct DrawnThing {
    thing: FoundThing,
    href: Option<String>,
    values: Vec<String>,
}

pub async fn search(call: Call<(), Nothing, SearchRegistry>) -> Result<Response, Problem> {
    let known = call.app.known();
    // a page shows what there is at a glance
    let ask = SearchRegistry { counts: true, ..call.ask.clone() };
    let found = match search::search(known, &call.caller, &ask).await {
        Ok(found) => Ok(draw(found, &ask)),
        Err(problem) if problem.kind == ErrorKind::Invalid => Err(problem),
        Err(problem) => return Err(problem),
    };
    let head = match &ask.project {
        Some(project) => Head::in_project(&call, project).await?,
        None => Head::of_home(&call).await?,
    };
    match found {
        Ok(found) => html(SearchPage { head, ask, found: Some(found), problem: None }),
        Err(problem) => {
            let mut response = html(SearchPage { head, ask, found: None, problem: Some(problem) })?;
            *response.status_mut() = StatusCode::BAD_REQUEST;
            Ok(response)
        }
    }
}

fn draw(mut found: FoundThings, ask: &SearchRegistry) -> Drawn {
    let mut values: Vec<String> = found.items.iter().flat_map(|one| one.values.keys()).cloned().collect();
    values.sort();
    values.dedup();
    let facets = found.counts.iter_mut().flat_map(|counts| std::mem::take(&mut counts.facets)).map(|facet| {
        let led = |one: FacetValue| {
            let href = narrowed(ask, &facet.field, &one.value);
            (one, href)
        };
        DrawnFacet { field: facet.field.clone(), values: facet.values.into_iter().map(led).collect(), more: facet.more }
    });
    let facets = facets.collect();
    let things = std::mem::take(&mut found.items).into_iter().map(|thing| drawn(thing, &values)).collect();
    let further = |cursor: String| SearchRegistry { cursor: Some(cursor), ..ask.clone() };
    let next = found.next.clone().map(|cursor| href::found(&further(cursor)));
    Drawn { found, values, things, facets, next }
}

fn drawn(thing: FoundThing, names: &[String]) -> DrawnThing {
    let shown = |name: &String| match thing.values.get(name) {
        None => "–".to_owned(),
        Some(FoundValue::Number(number)) => format!("{number:.4}"),
        Some(FoundValue::Text(text)) => text.clone(),
    };
    DrawnThing { href: page_of(&thing), values: names.iter().map(shown).collect(), thing }
}

/// Where a thing has a page of its own; datasets stand in a list.
fn page_of(thing: &FoundThing) -> Option<String> {
    let project = &thing.project;
    match (&thing.version, &thing.stage, &thing.run) {
        (Some(version), Some(_), _) => Some(href::version(project, &thing.name.parse().ok()?, &version.parse().ok()?)),
        (Some(_), None, _) => Some(href::datasets(project)),
        (None, _, Some(run)) => Some(href::run(project, run)),
        (None, _, None) => None,
    }
}

/// The same search, with one condition more; none if that must hold already.
fn narrowed(ask: &SearchRegistry, field: &str, value: &str) -> Option<String> {
    let query = ask.query.as_deref().and_then(|query| Query::parse(query).ok());
    let further = Field::parse(field).map(|field| {
        let is = Operator::Text(TextOperator::Equal, value.to_owned());
        Query::Term(Term::Compare { key: Key::Field(field), is })
    });
    let query = match (query, further) {
        (Some(Query::And(all)), Some(further)) if all.contains(&further) => return None,
        (Some(query), Some(further)) if query == further => return None,
        (Some(Query::And(mut all)), Some(further)) => {
            all.push(further);
            Some(Query::And(all))
        }
        (Some(query), Some(further)) => Some(Query::And(vec![query, further])),
        (query, further) => further.or(query),
    };
    let query = query.map(|query| query.to_string());
    Some(href::found(&SearchRegistry { query, cursor: None, counts: false, ..ask.clone() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_facet_adds_a_condition_to_the_search() {
        let narrowed = |query: Option<&str>| {
            let ask =
                SearchRegistry { query: query.map(str::to_owned), cursor: Some("x".to_owned()), ..Default::default() };
            let address = narrowed(&ask, "by", "o'neil@example.org").unwrap();
            let query = address.split_once("?q=").and_then(|(_, rest)| rest.split_once("&in=versions")).unwrap().0;
            let query = query.replace('+', "%20");
            stemma_api::act::percent_decode(&query).unwrap()
        };
        assert_eq!(narrowed(None), "by = 'o''neil@example.org'");
        assert_eq!(narrowed(Some("auc > 0.8")), "auc > 0.8 and by = 'o''neil@example.org'");
        assert_eq!(narrowed(Some("a or b")), "('a' or 'b') and by = 'o''neil@example.org'");
        assert_eq!(narrowed(Some("a b")), "'a' and 'b' and by = 'o''neil@example.org'");
        for query in ["by = x", "auc > 0.8 and by = x"] {
            let ask = SearchRegistry { query: Some(query.to_owned()), ..Default::default() };
            assert_eq!(super::narrowed(&ask, "by", "x"), None, "it must hold already");
        }
    }
}
