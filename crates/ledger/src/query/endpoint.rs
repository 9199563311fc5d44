//! Endpoints and their revisions.

use std::collections::BTreeSet;

use stemma_core::{
    Digest,
    endpoint::revision::Revision,
    event::Event,
    name::{EndpointName, ProjectName},
};

use super::view::{Key, Reading, View, bodies, recorded, text};
use crate::{
    LedgerError, Recorded,
    event::FACT,
    sql::{Row, Value},
    writing::note,
};

/// Columns of a revision.
const REVISION: &str = "t.body AS body, t.digest AS digest, t.reason AS reason";

#[derive(Debug, Clone, PartialEq)]
pub struct EndpointRow {
    pub project: ProjectName,
    pub endpoint: EndpointName,
    pub ordinal: u16,
    /// How many revisions it has had.
    pub revisions: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub struct RevisionRow {
    pub revision: Revision,
    pub digest: Digest,
    pub reason: String,
}

impl View {
    pub async fn endpoint(&self, endpoint: &EndpointName) -> Result<Option<Recorded<EndpointRow>>, LedgerError> {
        note("revision", &[("endpoint", text(endpoint))]);
        Ok(self.endpoints_under(&[("endpoint", text(endpoint))]).await?.pop())
    }

    pub async fn endpoints(&self, project: &ProjectName) -> Result<Vec<Recorded<EndpointRow>>, LedgerError> {
        note("revision", &[("project", text(project))]);
        self.endpoints_under(&[("project", text(project))]).await
    }

    pub async fn endpoint_by_ordinal(&self, ordinal: u16) -> Result<Option<Recorded<EndpointRow>>, LedgerError> {
        let found = self.endpoints_under(&[("ordinal", Value::Int(i64::from(ordinal)))]).await?.pop();
        if let Some(endpoint) = &found {
            note("revision", &[("endpoint", text(&endpoint.value.endpoint))]);
        }
        Ok(found)
    }

    /// Those among some names.
    pub async fn endpoints_among(
        &self,
        project: &ProjectName,
        names: &BTreeSet<EndpointName>,
    ) -> Result<Vec<Recorded<EndpointRow>>, LedgerError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        note("endpoint", &[("project", text(project))]);
        note("revision", &[("project", text(project))]);
        let mut read = self.read().await?;
        let places: Vec<String> = (2..names.len() + 2).map(|n| format!("${n}")).collect();
        let wheres = format!("{} AND t.project = $1 AND t.endpoint IN ({})", read.holds("t"), places.join(", "));
        let values: Vec<Value> = [text(project)].into_iter().chain(names.iter().map(text)).collect();
        let rows = read.facts_where(&columns(&read), "endpoint", &wheres, &values).await?;
        rows.iter().map(endpoint).collect()
    }

    async fn endpoints_under(&self, key: Key<'_>) -> Result<Vec<Recorded<EndpointRow>>, LedgerError> {
        let mut read = self.read().await?;
        let rows = read.facts(&columns(&read), "endpoint", key).await?;
        rows.iter().map(endpoint).collect()
    }

    /// The number that the next endpoint of this home gets; `None` when all are given.
    pub async fn next_endpoint_ordinal(&self) -> Result<Option<u16>, LedgerError> {
        note("endpoint", &[]);
        let mut read = self.read().await?;
        let sql = format!("SELECT MAX(ordinal) AS newest FROM endpoint t WHERE {}", read.was_made("t"));
        let row = read.session.row(&sql, &[]).await?;
        let newest = row.map(|row| row.optional_int("newest")).transpose()?.flatten();
        Ok(u16::try_from(newest.map_or(0, |newest| newest + 1)).ok())
    }

    pub async fn revision(
        &self,
        endpoint: &EndpointName,
        number: u32,
    ) -> Result<Option<Recorded<RevisionRow>>, LedgerError> {
        let key = [("endpoint", text(endpoint)), ("number", Value::Int(i64::from(number)))];
        Ok(self.revisions_under(&key).await?.pop())
    }

    /// Some revisions of an endpoint, newest first: those below a number, if one is given.
    pub async fn revisions_below(
        &self,
        endpoint: &EndpointName,
        below: Option<u32>,
        limit: usize,
    ) -> Result<Vec<Recorded<RevisionRow>>, LedgerError> {
        note("revision", &[("endpoint", text(endpoint))]);
        let mut read = self.read().await?;
        let wheres = format!("t.endpoint = $1 AND t.number < $2 AND {}", read.holds("t"));
        let values = [text(endpoint), Value::Int(below.map_or(i64::MAX, i64::from))];
        let rows = read.facts_page(REVISION, "revision", &wheres, "t.number DESC", limit, &values).await?;
        rows.iter().map(revision).collect()
    }

    /// All revisions of an endpoint, oldest first.
    pub async fn revisions(&self, endpoint: &EndpointName) -> Result<Vec<Recorded<RevisionRow>>, LedgerError> {
        self.revisions_under(&[("endpoint", text(endpoint))]).await
    }

    pub async fn revision_by_digest(&self, digest: Digest) -> Result<Option<Recorded<RevisionRow>>, LedgerError> {
        Ok(self.revisions_under(&[("digest", text(digest))]).await?.pop())
    }

    async fn revisions_under(&self, key: Key<'_>) -> Result<Vec<Recorded<RevisionRow>>, LedgerError> {
        self.read().await?.facts(REVISION, "revision", key).await?.iter().map(revision).collect()
    }

    /// The live revision of every endpoint of this home.
    pub async fn current_revisions(&self) -> Result<Vec<Recorded<RevisionRow>>, LedgerError> {
        note("live_revision", &[]);
        note("revision", &[]);
        let mut read = self.read().await?;
        let live = format!(
            "{} AND EXISTS (SELECT 1 FROM live_revision l WHERE l.endpoint = t.endpoint AND l.number = t.number AND {})",
            read.holds("t"),
            read.holds("l")
        );
        read.facts_where(REVISION, "revision", &live, &[]).await?.iter().map(revision).collect()
    }

    /// The endpoints of this home for which nothing answers any more, each with the event that says so.
    pub async fn taken_down(&self) -> Result<Vec<Recorded<Event>>, LedgerError> {
        note("live_revision", &[]);
        let mut read = self.read().await?;
        let sql = format!(
            "SELECT b.body AS body, {FACT} FROM live_revision l \
             JOIN event_body b ON b.seq = l.to_seq JOIN event ON event.seq = l.to_seq \
             WHERE {} AND NOT ({}) AND NOT EXISTS (SELECT 1 FROM live_revision later \
             WHERE later.endpoint = l.endpoint AND later.from_seq > l.from_seq AND {}) ORDER BY l.to_seq",
            read.was_made("l"),
            read.holds("l"),
            read.was_made("later")
        );
        bodies(&read.session.rows(&sql, &[]).await?)
    }

    /// The numbers of the revisions of an endpoint that became live, one after the other, since nothing answered for it
    /// the last time; the last one answers unless the endpoint was taken down.
    pub async fn activated_revisions(&self, endpoint: &EndpointName) -> Result<Vec<u32>, LedgerError> {
        note("live_revision", &[("endpoint", text(endpoint))]);
        let mut read = self.read().await?;
        let sql = format!(
            "SELECT number, from_seq, to_seq FROM live_revision l WHERE endpoint = $1 AND {} ORDER BY from_seq",
            read.was_made("l")
        );
        let (mut activated, mut until) = (Vec::new(), None);
        for row in &read.session.rows(&sql, &[text(endpoint)]).await? {
            if until != Some(row.int("from_seq")?) {
                activated.clear();
            }
            activated.push(row.int("number")? as u32);
            until = read.end(row)?;
        }
        Ok(activated)
    }
}

fn revision(row: &Row) -> Result<Recorded<RevisionRow>, LedgerError> {
    let (revision, digest) = (row.json("body")?, row.parsed("digest")?);
    recorded(row, RevisionRow { revision, digest, reason: row.text("reason")? })
}

fn columns(read: &Reading) -> String {
    format!(
        "t.project AS project, t.endpoint AS endpoint, t.ordinal AS ordinal, \
         (SELECT COUNT(*) FROM revision r WHERE r.endpoint = t.endpoint AND {}) AS revisions",
        read.was_made("r")
    )
}

fn endpoint(row: &Row) -> Result<Recorded<EndpointRow>, LedgerError> {
    let endpoint = EndpointRow {
        project: row.parsed("project")?,
        endpoint: row.parsed("endpoint")?,
        ordinal: row.int("ordinal")? as u16,
        revisions: row.int("revisions")? as u32,
    };
    recorded(row, endpoint)
}
