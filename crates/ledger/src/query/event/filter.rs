//! Which events are wanted.

use std::ops::Range;

use stemma_core::{
    Timestamp,
    event::about::About,
    id::RequestId,
    name::{PrincipalName, ProjectName},
};

use super::super::{moment::last_no_later, view::text};
use crate::{
    LedgerError,
    event::FACT,
    sql::{Session, Value},
};

/// Which events are wanted: those of which all that is said here is true.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// As in [`Event::kind`](stemma_core::event::Event::kind): one of these, if any are named.
    pub kinds: Vec<String>,
    /// As in [`Event::subject`](stemma_core::event::Event::subject).
    pub subject: Option<String>,
    /// What they are about; models and datasets are found in the project.
    pub about: Option<About>,
    pub project: Option<ProjectName>,
    pub actor: Option<PrincipalName>,
    pub request: Option<RequestId>,
    /// After all that was known just before this time.
    pub since: Option<Timestamp>,
    /// As long as it was known at this time: as in [`Ledger::at`](crate::Ledger::at), their order counts and not the clock.
    pub until: Option<Timestamp>,
}

/// Which end of a history is read first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    #[default]
    OldestFirst,
    NewestFirst,
}

impl EventFilter {
    /// The seqs among which they are, behind one in an order.
    pub(crate) async fn range(
        &self,
        session: &mut Session,
        order: Order,
        behind: Option<u64>,
    ) -> Result<Range<u64>, LedgerError> {
        let (mut first, mut end) = (1, i64::MAX as u64);
        if let Some(since) = self.since {
            first = last_no_later(session, Timestamp(since.micros().saturating_sub(1))).await? + 1;
        }
        if let Some(until) = self.until {
            end = last_no_later(session, until).await? + 1;
        }
        match (order, behind) {
            (_, None) => {}
            (Order::OldestFirst, Some(behind)) => first = first.max(behind.saturating_add(1)),
            (Order::NewestFirst, Some(behind)) => end = end.min(behind),
        }
        Ok(first.min(end)..end)
    }

    /// The seqs of the first of them in a range.
    pub(crate) async fn seqs(
        &self,
        session: &mut Session,
        range: Range<u64>,
        limit: u32,
    ) -> Result<Vec<u64>, LedgerError> {
        let (sql, values) = self.sql("event.seq AS seq", range, Order::OldestFirst, limit);
        session.rows(&sql, &values).await?.iter().map(|row| Ok(row.int("seq")? as u64)).collect()
    }

    /// Events with their bodies.
    pub(super) fn whole_sql(&self, range: Range<u64>, order: Order, limit: u32) -> (String, Vec<Value>) {
        self.sql(&format!("{FACT}, request, body"), range, order, limit)
    }

    /// Only what is asked for is in the condition, so that the database chooses the index.
    fn sql(&self, columns: &str, range: Range<u64>, order: Order, limit: u32) -> (String, Vec<Value>) {
        let mut values = vec![seq(range.start), seq(range.end), Value::Int(i64::from(limit))];
        let mut wheres = String::from("event.seq >= $1 AND event.seq < $2");
        let conditions = [
            ("subject", self.subject.clone().map(Value::Text)),
            ("project", self.project.as_ref().map(text)),
            ("actor", self.actor.as_ref().map(text)),
            ("request", self.request.map(text)),
        ];
        for (column, value) in conditions {
            if let Some(value) = value {
                wheres.push_str(&format!(" AND event.{column} = {}", bind(&mut values, value)));
            }
        }
        match self.kinds.as_slice() {
            [] => {}
            // so that it is read in the order of the index
            [kind] => wheres.push_str(&format!(" AND event.kind = {}", bind(&mut values, kind.clone().into()))),
            kinds => wheres.push_str(&format!(" AND event.kind IN ({})", bind_all(&mut values, kinds))),
        }
        let (with, from) = match &self.about {
            None => (String::new(), "event"),
            // what was found is joined, never the other way round: of many events few are about one thing
            Some(about) => {
                wheres.push_str(" AND event.seq = found.seq");
                let found = found_about(about, self.project.as_ref(), &mut values);
                (format!("WITH found(seq) AS MATERIALIZED ({found}) "), "found CROSS JOIN event")
            }
        };
        let direction = match order {
            Order::OldestFirst => "",
            Order::NewestFirst => " DESC",
        };
        let sql = format!(
            "{with}SELECT {columns} FROM {from} JOIN event_body ON event_body.seq = event.seq \
             WHERE {wheres} ORDER BY event.seq{direction} LIMIT $3"
        );
        (sql, values)
    }
}

/// The seqs of the events that are about a thing. Names of versions, aliases and revisions are taken from the tables, so
/// that each is found through the index: databases do not agree on the order of texts.
fn found_about(about: &About, project: Option<&ProjectName>, values: &mut Vec<Value>) -> String {
    let kinds: Vec<String> = about.kinds().iter().map(|kind| (*kind).to_owned()).collect();
    let kinds = bind_all(values, &kinds);
    let named = |subjects: &str, of: &str| {
        // a bare column would make the database choose its index, behind which there is much more
        format!("SELECT seq FROM event WHERE subject IN ({subjects}) AND COALESCE(kind, '') IN ({kinds}){of}")
    };
    match about {
        About::Model(model) => {
            let (project, of_project) = in_project(values, project);
            let model = bind(values, text(model));
            let of = format!("project = {project} AND model = {model}");
            let subjects = format!(
                "SELECT CAST({model} AS TEXT) UNION SELECT model || '@' || number FROM model_version WHERE {of} \
                 UNION SELECT model || '@' || alias FROM alias WHERE {of} \
                 UNION SELECT digest FROM model_version WHERE {of}"
            );
            named(&subjects, &of_project)
        }
        About::Version(model, number) => {
            let (project, of_project) = in_project(values, project);
            let model = bind(values, text(model));
            let number = bind(values, text(number));
            let of = format!("project = {project} AND model = {model} AND number = {number}");
            let subjects = format!(
                "SELECT model || '@' || number FROM model_version WHERE {of} UNION SELECT digest FROM model_version WHERE {of}"
            );
            format!(
                "{} UNION SELECT from_seq FROM alias WHERE {of} UNION SELECT to_seq FROM alias WHERE {of} AND to_seq > 0",
                named(&subjects, &of_project)
            )
        }
        About::Dataset(dataset) => {
            let (project, of_project) = in_project(values, project);
            let dataset = bind(values, text(dataset));
            let of = format!("project = {project} AND dataset = {dataset}");
            let subjects = format!(
                "SELECT CAST({dataset} AS TEXT) UNION \
                 SELECT dataset || '@' || CAST(number AS TEXT) FROM dataset_version WHERE {of} \
                 UNION SELECT digest FROM dataset_version WHERE {of}"
            );
            named(&subjects, &of_project)
        }
        About::Endpoint(endpoint) => {
            let endpoint = bind(values, text(endpoint));
            let subjects = format!(
                "SELECT CAST({endpoint} AS TEXT) UNION \
                 SELECT endpoint || '#' || CAST(number AS TEXT) FROM revision WHERE endpoint = {endpoint}"
            );
            named(&subjects, "")
        }
    }
}

/// Where the project is bound, and the condition that an event is of it.
fn in_project(values: &mut Vec<Value>, project: Option<&ProjectName>) -> (String, String) {
    let project = bind(values, Value::Text(project.map(ToString::to_string).unwrap_or_default()));
    let condition = format!(" AND COALESCE(project, '') = {project}");
    (project, condition)
}

/// Adds a value to those that are bound; returns its place.
fn bind(values: &mut Vec<Value>, value: Value) -> String {
    values.push(value);
    format!("${}", values.len())
}

fn bind_all(values: &mut Vec<Value>, texts: &[String]) -> String {
    let places: Vec<String> = texts.iter().map(|one| bind(values, one.clone().into())).collect();
    places.join(", ")
}

fn seq(seq: u64) -> Value {
    Value::Int(i64::try_from(seq).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{migrate, sql::Database};

    async fn plan(database: &Database, filter: &EventFilter, order: Order) -> String {
        let (sql, values) = filter.whole_sql(1..100, order, 10);
        let mut session = database.read().await.unwrap();
        let rows = session.rows(&format!("EXPLAIN QUERY PLAN {sql}"), &values).await.unwrap();
        let lines: Vec<String> = rows.iter().map(|row| row.text("detail").unwrap()).collect();
        lines.join("\n")
    }

    #[tokio::test]
    async fn events_are_found_through_an_index_by_whatever_is_said_of_them() {
        let database = Database::open_memory().await.unwrap();
        migrate::migrate(&database).await.unwrap();
        let all = EventFilter::default;
        for (filter, index) in [
            (EventFilter { kinds: vec!["approved".into()], ..all() }, "event_by_kind (kind=? AND seq>? AND seq<?)"),
            (
                EventFilter { subject: Some("m@1.0.0".into()), ..all() },
                "event_by_subject (subject=? AND seq>? AND seq<?)",
            ),
            (EventFilter { project: "p".parse().ok(), ..all() }, "event_by_project (project=? AND seq>? AND seq<?)"),
            (EventFilter { actor: "ada".parse().ok(), ..all() }, "event_by_actor (actor=? AND seq>? AND seq<?)"),
            (
                EventFilter { request: Some(RequestId::generate()), ..all() },
                "event_by_request (request=? AND seq>? AND seq<?)",
            ),
            (all(), "sqlite_autoindex_event_1 (seq>? AND seq<?)"),
        ] {
            for order in [Order::OldestFirst, Order::NewestFirst] {
                let plan = plan(&database, &filter, order).await;
                assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{index} is not in {plan}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_about_a_thing_is_found_by_its_names_and_nothing_else_is_read() {
        let database = Database::open_memory().await.unwrap();
        migrate::migrate(&database).await.unwrap();
        for about in [
            About::Model("m".parse().unwrap()),
            About::Version("m".parse().unwrap(), "1.0.0".parse().unwrap()),
            About::Dataset("d".parse().unwrap()),
            About::Endpoint("e".parse().unwrap()),
        ] {
            let filter = EventFilter { about: Some(about), project: "p".parse().ok(), ..EventFilter::default() };
            let plan = plan(&database, &filter, Order::NewestFirst).await;
            assert!(plan.contains("SEARCH event USING INDEX event_by_subject (subject=?)"), "{plan}");
            let whole = plan.lines().filter(|line| {
                line.starts_with("SCAN") && !line.contains("SCAN found") && !line.contains("CONSTANT ROW")
            });
            assert_eq!(whole.count(), 0, "{plan}");
        }
    }
}
