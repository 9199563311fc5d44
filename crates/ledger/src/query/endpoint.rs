//! Endpoints, revisions, and the sealed parts of prediction logs.

use stemma_core::{
    Digest,
    event::SegmentSealed,
    name::{EndpointName, ModelName, ProjectName},
    route::Revision,
    version::VersionNumber,
};

use super::{Fact, View, facts, history};
use crate::{
    LedgerError,
    projection::endpoint::segment_value,
    sql::{Row, Value},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub project: ProjectName,
    pub endpoint: EndpointName,
    pub ordinal: u16,
    /// How many revisions there are; also the number of the newest.
    pub revisions: u32,
    pub created: Fact,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployedRevision {
    pub revision: Revision,
    pub digest: Digest,
    pub reason: String,
    pub deployed: Fact,
}

#[derive(Debug, Clone, PartialEq)]
pub struct LogPart {
    pub part: SegmentSealed,
    pub sealed: Fact,
}

/// Endpoints `x` with the number of their revisions at `$1`.
macro_rules! endpoints {
    ($rest:literal) => {
        concat!(
            "SELECT x.*, e.time AS made_time, e.actor AS made_actor, e.auth AS made_auth,
                (SELECT COUNT(*) FROM revision r WHERE r.endpoint = x.endpoint AND r.from_seq <= $1) AS revisions
             FROM endpoint x JOIN event e ON e.seq = x.from_seq
             WHERE x.from_seq <= $1 AND (x.to_seq IS NULL OR x.to_seq > $1) ",
            $rest
        )
    };
}

impl View {
    /// All endpoints of a project, in the order in which they were made.
    pub async fn endpoints(&mut self, project: &ProjectName) -> Result<Vec<Endpoint>, LedgerError> {
        let sql = endpoints!("AND x.project = $2 ORDER BY x.from_seq");
        self.current(sql, [Value::text(project)], endpoint).await
    }

    /// Finds an endpoint by its name, which is unique in a home.
    pub async fn endpoint(&mut self, name: &EndpointName) -> Result<Option<Endpoint>, LedgerError> {
        self.current_one(endpoints!("AND x.endpoint = $2"), [Value::text(name)], endpoint).await
    }

    /// Finds an endpoint by its number, as prediction ids hold it.
    pub async fn endpoint_by_ordinal(&mut self, ordinal: u16) -> Result<Option<Endpoint>, LedgerError> {
        self.current_one(endpoints!("AND x.ordinal = $2"), [Value::Int(ordinal.into())], endpoint).await
    }

    /// The number that the next new endpoint gets; none if all are taken.
    pub async fn next_endpoint_ordinal(&mut self) -> Result<Option<u16>, LedgerError> {
        let sql = "SELECT COALESCE(MAX(ordinal), 0) + 1 AS next FROM endpoint WHERE from_seq <= $1";
        let next = self.current_one(sql, [], |row| row.int("next")).await?;
        Ok(u16::try_from(next.unwrap_or(1)).ok())
    }

    /// All revisions of an endpoint, oldest first; the last one answers.
    pub async fn revisions(&mut self, endpoint: &EndpointName) -> Result<Vec<DeployedRevision>, LedgerError> {
        let sql = history!("revision", "AND x.endpoint = $2 ORDER BY x.number");
        self.current(sql, [Value::text(endpoint)], revision).await
    }

    pub async fn revision(
        &mut self,
        endpoint: &EndpointName,
        number: u32,
    ) -> Result<Option<DeployedRevision>, LedgerError> {
        let sql = history!("revision", "AND x.endpoint = $2 AND x.number = $3");
        self.current_one(sql, [Value::text(endpoint), number.into()], revision).await
    }

    pub async fn revision_by_digest(&mut self, digest: Digest) -> Result<Option<DeployedRevision>, LedgerError> {
        let sql = history!("revision", "AND x.digest = $2 ORDER BY x.from_seq LIMIT 1");
        self.current_one(sql, [digest.into()], revision).await
    }

    /// The revision of every endpoint of the home that answers.
    pub async fn current_revisions(&mut self) -> Result<Vec<DeployedRevision>, LedgerError> {
        self.current(facts!("revision", "ORDER BY x.from_seq"), [], revision).await
    }

    /// Every revision that serves or served a version, in the order of deployment.
    pub async fn revisions_serving(
        &mut self,
        project: &ProjectName,
        model: &ModelName,
        version: VersionNumber,
    ) -> Result<Vec<DeployedRevision>, LedgerError> {
        let sql = history!(
            "revision",
            "AND EXISTS (SELECT 1 FROM revision_target t WHERE t.endpoint = x.endpoint AND t.number = x.number
                AND t.project = $2 AND t.model = $3 AND t.version = $4) ORDER BY x.from_seq"
        );
        self.current(sql, [Value::text(project), Value::text(model), Value::text(version)], revision).await
    }

    /// The sealed part that holds one row of the prediction log.
    pub async fn log_part(&mut self, segment: u64, ordinal: u16, row: u32) -> Result<Option<LogPart>, LedgerError> {
        let sql = facts!(
            "log_part",
            "AND x.segment = $2 AND x.ordinal = $3 AND x.first_row <= $4 AND x.last_row >= $4 LIMIT 1"
        );
        let values = [segment_value(segment), Value::Int(ordinal.into()), row.into()];
        self.current_one(sql, values, log_part).await
    }

    /// All sealed parts of an endpoint's prediction log, in the order of sealing.
    pub async fn log_parts(&mut self, endpoint: &EndpointName) -> Result<Vec<LogPart>, LedgerError> {
        let sql = facts!("log_part", "AND x.endpoint = $2 ORDER BY x.from_seq");
        self.current(sql, [Value::text(endpoint)], log_part).await
    }
}

fn endpoint(row: &Row) -> Result<Endpoint, LedgerError> {
    Ok(Endpoint {
        project: row.parse("project")?,
        endpoint: row.parse("endpoint")?,
        ordinal: row.number("ordinal")?,
        revisions: row.number("revisions")?,
        created: Fact::from_row(row)?,
    })
}

fn revision(row: &Row) -> Result<DeployedRevision, LedgerError> {
    Ok(DeployedRevision {
        revision: row.json("revision")?,
        digest: row.digest("digest")?,
        reason: row.text("reason")?.to_owned(),
        deployed: Fact::from_row(row)?,
    })
}

fn log_part(row: &Row) -> Result<LogPart, LedgerError> {
    let part = SegmentSealed {
        segment: row.int("segment")?.cast_unsigned(),
        project: row.parse("project")?,
        endpoint: row.parse("endpoint")?,
        ordinal: row.number("ordinal")?,
        day: row.number("day")?,
        first_row: row.number("first_row")?,
        last_row: row.number("last_row")?,
        rows: row.number("row_count")?,
        first_time: row.time("first_time")?,
        last_time: row.time("last_time")?,
        digest: row.digest("digest")?,
        size: row.number("size")?,
    };
    Ok(LogPart { part, sealed: Fact::from_row(row)? })
}
