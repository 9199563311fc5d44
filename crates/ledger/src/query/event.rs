//! Events themselves: in order, by what they are about, and by the request that asked for them.

use stemma_core::{
    Timestamp,
    event::Event,
    id::RequestId,
    name::{PrincipalName, ProjectName},
    record::Actor,
};

use super::view::text;
use crate::{
    Ledger, LedgerError, Recorded,
    event::{FACT, Fact, of_request},
    sql::{Row, Value},
};

/// One event, and who asked for it.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRow {
    pub seq: u64,
    pub time: Timestamp,
    pub actor: Actor,
    pub request: RequestId,
    pub event: Event,
}

/// Which events are wanted: those of which all that is said here is true.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// As in [`Event::kind`].
    pub kind: Option<String>,
    /// As in [`Event::subject`].
    pub subject: Option<String>,
    pub project: Option<ProjectName>,
    pub actor: Option<PrincipalName>,
    pub request: Option<RequestId>,
    /// Stamped no earlier.
    pub since: Option<Timestamp>,
    /// Stamped earlier.
    pub until: Option<Timestamp>,
}

/// Size and root of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub size: u64,
    /// Base64.
    pub root: String,
}

impl Ledger {
    pub async fn head(&self) -> Result<Head, LedgerError> {
        let row = self.read().await?.row("SELECT size, root FROM head WHERE id = 1", &[]).await?;
        let row = row.ok_or_else(|| LedgerError::Damaged("the ledger has no head".to_owned()))?;
        Ok(Head { size: row.int("size")? as u64, root: data_encoding::BASE64.encode(&row.blob("root")?) })
    }

    /// Events after a seq, in order.
    pub async fn events(&self, after: u64, limit: u32) -> Result<Vec<EventRow>, LedgerError> {
        self.events_that(&EventFilter::default(), after, limit).await
    }

    /// The wanted ones of the events after a seq, in order.
    pub async fn events_that(
        &self,
        filter: &EventFilter,
        after: u64,
        limit: u32,
    ) -> Result<Vec<EventRow>, LedgerError> {
        let (sql, values) = filter.sql(after, limit);
        self.read().await?.rows(&sql, &values).await?.iter().map(event).collect()
    }

    /// What was committed under a request id, and by whom.
    pub async fn committed(&self, request: RequestId) -> Result<Option<Recorded<Vec<Event>>>, LedgerError> {
        of_request(&mut self.read().await?, request).await
    }
}

impl EventFilter {
    /// Only what is asked for is in the condition, so that the database chooses the index.
    fn sql(&self, after: u64, limit: u32) -> (String, Vec<Value>) {
        let mut values = vec![Value::Int(after as i64), Value::Int(i64::from(limit))];
        let mut wheres = String::from("event.seq > $1");
        let conditions = [
            ("kind =", self.kind.clone().map(Value::Text)),
            ("subject =", self.subject.clone().map(Value::Text)),
            ("project =", self.project.as_ref().map(text)),
            ("actor =", self.actor.as_ref().map(text)),
            ("request =", self.request.map(text)),
            ("time >=", self.since.map(|time| Value::Int(time.micros()))),
            ("time <", self.until.map(|time| Value::Int(time.micros()))),
        ];
        for (condition, value) in conditions {
            if let Some(value) = value {
                values.push(value);
                wheres.push_str(&format!(" AND event.{condition} ${}", values.len()));
            }
        }
        let sql = format!(
            "SELECT {FACT}, request, body FROM event JOIN event_body ON event_body.seq = event.seq \
             WHERE {wheres} ORDER BY event.seq LIMIT $2"
        );
        (sql, values)
    }
}

fn event(row: &Row) -> Result<EventRow, LedgerError> {
    let Fact { seq, time, actor } = Fact::of(row)?;
    Ok(EventRow { seq, time, actor, request: row.parsed("request")?, event: row.json("body")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{migrate, sql::Database};

    #[tokio::test]
    async fn events_are_found_through_an_index_by_whatever_is_said_of_them() {
        let database = Database::open_memory().await.unwrap();
        migrate::migrate(&database).await.unwrap();
        let all = EventFilter::default;
        for (filter, index) in [
            (EventFilter { kind: Some("approved".into()), ..all() }, "event_by_kind (kind=? AND seq>?)"),
            (EventFilter { subject: Some("m@1.0.0".into()), ..all() }, "event_by_subject (subject=? AND seq>?)"),
            (EventFilter { project: "p".parse().ok(), ..all() }, "event_by_project (project=? AND seq>?)"),
            (EventFilter { actor: "ada".parse().ok(), ..all() }, "event_by_actor (actor=? AND seq>?)"),
            (EventFilter { request: Some(RequestId::generate()), ..all() }, "event_by_request (request=? AND seq>?)"),
            (
                EventFilter { since: Some(Timestamp(5)), until: Some(Timestamp(9)), ..all() },
                "event_by_time (time>? AND time<?)",
            ),
            (all(), "sqlite_autoindex_event_1 (seq>?)"),
        ] {
            let (sql, values) = filter.sql(0, 10);
            let mut session = database.read().await.unwrap();
            let rows = session.rows(&format!("EXPLAIN QUERY PLAN {sql}"), &values).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.text("detail").unwrap()).collect();
            assert!(plan.join("\n").contains(index), "{index} is not in {plan:#?}");
        }
    }
}
