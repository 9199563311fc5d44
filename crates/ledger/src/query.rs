//! Typed reads of the tables. Every governed fact comes with the event that made it: who, when, under which number.

use stemma_core::{
    Digest, Timestamp,
    event::{Approved, DatasetVersionAdded, Event, EvidenceRecorded, Promoted, SegmentSealed, VersionRegistered},
    id::{RequestId, RunId, TokenId},
    name::{AliasName, DatasetName, EndpointName, ModelName, PrincipalName, ProjectName},
    policy::{ModelPolicy, Role, Stage},
    prediction::PredictionAddress,
    record::Actor,
    route::Revision,
    version::VersionNumber,
};

use crate::{
    Ledger, LedgerError,
    commit::Leaf,
    sql::{Row, Session, Value},
};

/// Most rows of one list; longer ones come in pages.
const ROWS_MAX: i64 = 100_000;
/// Contents named in one question to the database.
const DIGESTS_CHUNK: usize = 2000;

/// Who made a fact, when, under which number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    pub seq: u64,
    pub time: Timestamp,
    pub actor: Actor,
}

/// Something with the event that made it.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded<T> {
    pub value: T,
    pub fact: Fact,
}

/// A version as registered, and where it stands now.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionRow {
    pub version: VersionRegistered,
    pub stage: Stage,
    pub aliases: Vec<AliasName>,
}

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

/// One leaf with its body.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRow {
    pub seq: u64,
    pub time: Timestamp,
    pub actor: Actor,
    pub request: RequestId,
    pub event: Event,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRow {
    pub project: Option<ProjectName>,
    pub role: Role,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalRow {
    pub principal: PrincipalName,
    pub grants: Vec<GrantRow>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    pub token: TokenId,
    pub hash: [u8; 32],
    pub principal: PrincipalName,
    pub expires: Option<Timestamp>,
    pub label: String,
}

/// Size and root of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub size: u64,
    /// Base64.
    pub root: String,
}

/// A table joined with the leaves that made its rows. `$1…` are the conditions' values.
pub(crate) fn recorded_sql(columns: &str, table: &str, wheres: &str) -> String {
    format!(
        "SELECT {columns}, t.from_seq AS from_seq, leaf.entry AS entry FROM {table} t JOIN leaf ON leaf.seq = t.from_seq \
         WHERE {wheres} ORDER BY t.from_seq LIMIT {ROWS_MAX}"
    )
}

pub(crate) fn recorded<T>(row: &Row, value: T) -> Result<Recorded<T>, LedgerError> {
    let leaf: Leaf = row.json("entry")?;
    Ok(Recorded { value, fact: Fact { seq: leaf.seq, time: leaf.time, actor: leaf.actor } })
}

fn bodies<T: serde::de::DeserializeOwned>(rows: &[Row]) -> Result<Vec<Recorded<T>>, LedgerError> {
    rows.iter().map(|row| recorded(row, row.json("body")?)).collect()
}

fn text(value: impl std::fmt::Display) -> Value {
    Value::Text(value.to_string())
}

impl Ledger {
    pub async fn head(&self) -> Result<Head, LedgerError> {
        let row = self.read().await?.row("SELECT size, root FROM head WHERE id = 1", &[]).await?;
        let row = row.ok_or_else(|| LedgerError::Damaged("the ledger has no head".to_owned()))?;
        Ok(Head { size: row.int("size")? as u64, root: data_encoding::BASE64.encode(&row.blob("root")?) })
    }

    /// Events after a seq, in order.
    pub async fn events(&self, after: u64, limit: u32) -> Result<Vec<EventRow>, LedgerError> {
        let sql = "SELECT entry, body FROM leaf JOIN event_body ON event_body.seq = leaf.seq WHERE leaf.seq > $1 \
                   ORDER BY leaf.seq LIMIT $2";
        let values = [Value::Int(after as i64), Value::Int(i64::from(limit))];
        let rows = self.read().await?.rows(sql, &values).await?;
        rows.iter()
            .map(|row| {
                let leaf: Leaf = row.json("entry")?;
                let event = row.json("body")?;
                Ok(EventRow { seq: leaf.seq, time: leaf.time, actor: leaf.actor, request: leaf.request, event })
            })
            .collect()
    }

    pub async fn projects(&self) -> Result<Vec<ProjectName>, LedgerError> {
        let rows =
            self.read().await?.rows("SELECT project FROM project WHERE to_seq IS NULL ORDER BY project", &[]).await?;
        rows.iter().map(|row| row.parsed("project")).collect()
    }

    pub async fn principals(&self) -> Result<Vec<Recorded<PrincipalRow>>, LedgerError> {
        let mut session = self.read().await?;
        let rows = session.rows(&recorded_sql("principal", "principal", "t.to_seq IS NULL"), &[]).await?;
        let mut found = Vec::new();
        for row in rows {
            let principal: PrincipalName = row.parsed("principal")?;
            let grants = grants(&mut session, &principal).await?;
            found.push(recorded(&row, PrincipalRow { principal, grants })?);
        }
        Ok(found)
    }

    /// All tokens that were not revoked, with their hashes.
    pub async fn tokens(&self) -> Result<Vec<Recorded<TokenRow>>, LedgerError> {
        let sql = "SELECT t.token AS token, t.principal AS principal, t.expires AS expires, t.label AS label, \
                          token_hash.hash AS hash, t.from_seq AS from_seq, leaf.entry AS entry \
                   FROM token t JOIN token_hash ON token_hash.token = t.token JOIN leaf ON leaf.seq = t.from_seq \
                   WHERE t.to_seq IS NULL ORDER BY t.from_seq";
        let rows = self.read().await?.rows(sql, &[]).await?;
        rows.iter()
            .map(|row| {
                let hash = row.blob("hash")?.try_into().map_err(|_| LedgerError::Damaged("a token hash".to_owned()))?;
                let expires = row.optional_int("expires")?.map(Timestamp);
                let (token, principal, label) = (row.parsed("token")?, row.parsed("principal")?, row.text("label")?);
                recorded(row, TokenRow { token, hash, principal, expires, label })
            })
            .collect()
    }

    /// All versions of all datasets of a project, oldest first.
    pub async fn dataset_versions(
        &self,
        project: &ProjectName,
        dataset: Option<&DatasetName>,
    ) -> Result<Vec<Recorded<DatasetVersionAdded>>, LedgerError> {
        let mut wheres = "t.project = $1 AND t.to_seq IS NULL".to_owned();
        let mut values = vec![text(project)];
        if let Some(dataset) = dataset {
            wheres.push_str(" AND t.dataset = $2");
            values.push(text(dataset));
        }
        bodies(&self.read().await?.rows(&recorded_sql("t.body AS body", "dataset_version", &wheres), &values).await?)
    }

    pub async fn dataset_versions_of(
        &self,
        project: &ProjectName,
        digest: Digest,
    ) -> Result<Vec<Recorded<DatasetVersionAdded>>, LedgerError> {
        let sql =
            recorded_sql("t.body AS body", "dataset_version", "t.project = $1 AND t.digest = $2 AND t.to_seq IS NULL");
        bodies(&self.read().await?.rows(&sql, &[text(project), text(digest)]).await?)
    }

    /// Dataset versions that are any of these contents.
    pub async fn dataset_versions_with(
        &self,
        project: &ProjectName,
        digests: &[Digest],
    ) -> Result<Vec<Recorded<DatasetVersionAdded>>, LedgerError> {
        self.versions_with(project, "dataset_version", digests).await
    }

    /// Model versions that are any of these contents.
    pub async fn model_versions_with(
        &self,
        project: &ProjectName,
        digests: &[Digest],
    ) -> Result<Vec<Recorded<VersionRegistered>>, LedgerError> {
        self.versions_with(project, "model_version", digests).await
    }

    async fn versions_with<T: serde::de::DeserializeOwned>(
        &self,
        project: &ProjectName,
        table: &str,
        digests: &[Digest],
    ) -> Result<Vec<Recorded<T>>, LedgerError> {
        let mut session = self.read().await?;
        let wheres = format!(
            "t.project = $1 AND t.to_seq IS NULL AND t.digest IN (SELECT list.value->>0 FROM {})",
            session.list_at(2)
        );
        let sql = recorded_sql("t.body AS body", table, &wheres);
        let mut found = Vec::new();
        for chunk in digests.chunks(DIGESTS_CHUNK) {
            let list = Value::list(chunk.iter().map(|digest| [digest.to_string()]))?;
            found.extend(bodies(&session.rows(&sql, &[text(project), list]).await?)?);
        }
        Ok(found)
    }

    pub async fn models(&self, project: &ProjectName) -> Result<Vec<Recorded<ModelName>>, LedgerError> {
        let sql = recorded_sql("t.model AS model", "model", "t.project = $1 AND t.to_seq IS NULL");
        let rows = self.read().await?.rows(&sql, &[text(project)]).await?;
        rows.iter().map(|row| recorded(row, row.parsed("model")?)).collect()
    }

    pub async fn policy(&self, project: &ProjectName, model: &ModelName) -> Result<Option<ModelPolicy>, LedgerError> {
        let sql = "SELECT body FROM policy WHERE project = $1 AND model = $2 AND to_seq IS NULL";
        let row = self.read().await?.row(sql, &[text(project), text(model)]).await?;
        row.map(|row| row.json("body")).transpose()
    }

    /// All versions of a model, oldest first; `None` if there is no such model.
    pub async fn versions(
        &self,
        project: &ProjectName,
        model: &ModelName,
    ) -> Result<Option<Vec<Recorded<VersionRow>>>, LedgerError> {
        let mut session = self.read().await?;
        let key = [text(project), text(model)];
        let known = "SELECT model FROM model WHERE project = $1 AND model = $2 AND to_seq IS NULL";
        if session.row(known, &key).await?.is_none() {
            return Ok(None);
        }
        let sql =
            recorded_sql("t.body AS body", "model_version", "t.project = $1 AND t.model = $2 AND t.to_seq IS NULL");
        let versions: Vec<Recorded<VersionRegistered>> = bodies(&session.rows(&sql, &key).await?)?;
        let stages = "SELECT number, stage FROM stage WHERE project = $1 AND model = $2 AND to_seq IS NULL";
        let stages = session.rows(stages, &key).await?;
        let aliases =
            "SELECT alias, number FROM alias WHERE project = $1 AND model = $2 AND to_seq IS NULL ORDER BY alias";
        let aliases = session.rows(aliases, &key).await?;
        let mut found = Vec::with_capacity(versions.len());
        for Recorded { value: version, fact } in versions {
            let number = version.number.to_string();
            let mut stage = Stage::Development;
            for row in &stages {
                if row.text("number")? == number {
                    let name = row.text("stage")?;
                    stage = Stage::parse(&name).ok_or_else(|| LedgerError::Damaged(format!("stage `{name}`")))?;
                }
            }
            let mut names = Vec::new();
            for row in &aliases {
                if row.text("number")? == number {
                    names.push(row.parsed("alias")?);
                }
            }
            found.push(Recorded { value: VersionRow { version, stage, aliases: names }, fact });
        }
        Ok(Some(found))
    }

    /// Model versions that a run produced.
    pub async fn versions_of_run(
        &self,
        project: &ProjectName,
        run: RunId,
    ) -> Result<Vec<VersionRegistered>, LedgerError> {
        let sql = "SELECT body FROM model_version WHERE project = $1 AND run = $2 AND to_seq IS NULL ORDER BY from_seq";
        let rows = self.read().await?.rows(sql, &[text(project), text(run)]).await?;
        rows.iter().map(|row| row.json("body")).collect()
    }

    pub async fn evidence(
        &self,
        project: &ProjectName,
        model: &ModelName,
        number: VersionNumber,
    ) -> Result<Vec<Recorded<EvidenceRecorded>>, LedgerError> {
        self.of_version("evidence", project, model, number).await
    }

    pub async fn approvals(
        &self,
        project: &ProjectName,
        model: &ModelName,
        number: VersionNumber,
    ) -> Result<Vec<Recorded<Approved>>, LedgerError> {
        self.of_version("approval", project, model, number).await
    }

    pub async fn promotions(
        &self,
        project: &ProjectName,
        model: &ModelName,
        number: VersionNumber,
    ) -> Result<Vec<Recorded<Promoted>>, LedgerError> {
        self.of_version("promotion", project, model, number).await
    }

    async fn of_version<T: serde::de::DeserializeOwned>(
        &self,
        table: &str,
        project: &ProjectName,
        model: &ModelName,
        number: VersionNumber,
    ) -> Result<Vec<Recorded<T>>, LedgerError> {
        let wheres = "t.project = $1 AND t.model = $2 AND t.number = $3 AND t.to_seq IS NULL";
        let values = [text(project), text(model), text(number)];
        bodies(&self.read().await?.rows(&recorded_sql("t.body AS body", table, wheres), &values).await?)
    }

    pub async fn endpoint(&self, endpoint: &EndpointName) -> Result<Option<Recorded<EndpointRow>>, LedgerError> {
        let mut found = self.endpoints_where("t.endpoint = $1 AND t.to_seq IS NULL", &[text(endpoint)]).await?;
        Ok(found.pop())
    }

    pub async fn endpoints(&self, project: &ProjectName) -> Result<Vec<Recorded<EndpointRow>>, LedgerError> {
        self.endpoints_where("t.project = $1 AND t.to_seq IS NULL", &[text(project)]).await
    }

    pub async fn endpoint_by_ordinal(&self, ordinal: u16) -> Result<Option<Recorded<EndpointRow>>, LedgerError> {
        let values = [Value::Int(i64::from(ordinal))];
        Ok(self.endpoints_where("t.ordinal = $1 AND t.to_seq IS NULL", &values).await?.pop())
    }

    async fn endpoints_where(&self, wheres: &str, values: &[Value]) -> Result<Vec<Recorded<EndpointRow>>, LedgerError> {
        let columns = "t.project AS project, t.endpoint AS endpoint, t.ordinal AS ordinal, \
                       (SELECT COUNT(*) FROM revision r WHERE r.endpoint = t.endpoint) AS revisions";
        let rows = self.read().await?.rows(&recorded_sql(columns, "endpoint", wheres), values).await?;
        rows.iter()
            .map(|row| {
                let endpoint = EndpointRow {
                    project: row.parsed("project")?,
                    endpoint: row.parsed("endpoint")?,
                    ordinal: row.int("ordinal")? as u16,
                    revisions: row.int("revisions")? as u32,
                };
                recorded(row, endpoint)
            })
            .collect()
    }

    /// The number that the next endpoint of this home gets; `None` when all are given.
    pub async fn next_endpoint_ordinal(&self) -> Result<Option<u16>, LedgerError> {
        let row = self.read().await?.row("SELECT MAX(ordinal) AS newest FROM endpoint", &[]).await?;
        let newest = row.map(|row| row.optional_int("newest")).transpose()?.flatten();
        Ok(u16::try_from(newest.map_or(0, |newest| newest + 1)).ok())
    }

    /// What was committed under a request id, and by whom.
    pub async fn committed(&self, request: RequestId) -> Result<Option<Recorded<Vec<Event>>>, LedgerError> {
        let mut session = self.read().await?;
        let sql = "SELECT first_seq, last_seq, entry FROM request JOIN leaf ON leaf.seq = first_seq WHERE id = $1";
        let Some(row) = session.row(sql, &[text(request)]).await? else {
            return Ok(None);
        };
        let range = [Value::Int(row.int("first_seq")?), Value::Int(row.int("last_seq")?)];
        let bodies = "SELECT body FROM event_body WHERE seq BETWEEN $1 AND $2 ORDER BY seq";
        let bodies = session.rows(bodies, &range).await?;
        let events = bodies.iter().map(|row| row.json("body")).collect::<Result<_, _>>()?;
        recorded(&row, events).map(Some)
    }

    pub async fn revision(
        &self,
        endpoint: &EndpointName,
        number: u32,
    ) -> Result<Option<Recorded<RevisionRow>>, LedgerError> {
        let key = [text(endpoint), Value::Int(i64::from(number))];
        Ok(self.revisions_where("t.endpoint = $1 AND t.number = $2", &key).await?.pop())
    }

    /// The newest revisions of an endpoint, oldest first.
    pub async fn newest_revisions(
        &self,
        endpoint: &EndpointName,
        limit: u32,
    ) -> Result<Vec<Recorded<RevisionRow>>, LedgerError> {
        let newest = "t.endpoint = $1 AND t.number > (SELECT MAX(number) FROM revision WHERE endpoint = $1) - $2";
        self.revisions_where(newest, &[text(endpoint), Value::Int(i64::from(limit))]).await
    }

    /// All revisions of an endpoint, oldest first.
    pub async fn revisions(&self, endpoint: &EndpointName) -> Result<Vec<Recorded<RevisionRow>>, LedgerError> {
        self.revisions_where("t.endpoint = $1", &[text(endpoint)]).await
    }

    pub async fn revision_by_digest(&self, digest: Digest) -> Result<Option<Recorded<RevisionRow>>, LedgerError> {
        Ok(self.revisions_where("t.digest = $1", &[text(digest)]).await?.pop())
    }

    /// The live revision of every endpoint of this home.
    pub async fn current_revisions(&self) -> Result<Vec<Recorded<RevisionRow>>, LedgerError> {
        let live = "EXISTS (SELECT 1 FROM live_revision l \
                    WHERE l.endpoint = t.endpoint AND l.number = t.number AND l.to_seq IS NULL)";
        self.revisions_where(live, &[]).await
    }

    /// The endpoints of this home for which nothing answers any more, each with the event that says so.
    pub async fn taken_down(&self) -> Result<Vec<Recorded<Event>>, LedgerError> {
        let sql = "SELECT b.body AS body, leaf.entry AS entry FROM live_revision l \
                   JOIN event_body b ON b.seq = l.to_seq JOIN leaf ON leaf.seq = l.to_seq \
                   WHERE NOT EXISTS (SELECT 1 FROM live_revision later \
                                     WHERE later.endpoint = l.endpoint AND later.from_seq > l.from_seq) \
                   ORDER BY l.to_seq";
        bodies(&self.read().await?.rows(sql, &[]).await?)
    }

    /// The numbers of the revisions of an endpoint that became live, one after the other, since nothing answered for it
    /// the last time; the last one answers unless the endpoint was taken down.
    pub async fn activated_revisions(&self, endpoint: &EndpointName) -> Result<Vec<u32>, LedgerError> {
        let sql = "SELECT number, from_seq, to_seq FROM live_revision WHERE endpoint = $1 ORDER BY from_seq";
        let (mut activated, mut until) = (Vec::new(), None);
        for row in &self.read().await?.rows(sql, &[text(endpoint)]).await? {
            if until != Some(row.int("from_seq")?) {
                activated.clear();
            }
            activated.push(row.int("number")? as u32);
            until = row.optional_int("to_seq")?;
        }
        Ok(activated)
    }

    async fn revisions_where(&self, wheres: &str, values: &[Value]) -> Result<Vec<Recorded<RevisionRow>>, LedgerError> {
        let columns = "t.body AS body, t.digest AS digest, t.reason AS reason";
        let rows = self.read().await?.rows(&recorded_sql(columns, "revision", wheres), values).await?;
        rows.iter()
            .map(|row| {
                let (revision, digest) = (row.json("body")?, row.parsed("digest")?);
                recorded(row, RevisionRow { revision, digest, reason: row.text("reason")? })
            })
            .collect()
    }

    /// The sealed file that holds a prediction.
    pub async fn log_part(&self, address: PredictionAddress) -> Result<Option<SegmentSealed>, LedgerError> {
        let sql =
            "SELECT body FROM log_part WHERE segment = $1 AND ordinal = $2 AND first_row <= $3 AND last_row >= $3";
        let segment = Value::Text(format!("{:016x}", address.segment));
        let values = [segment, Value::Int(i64::from(address.endpoint)), Value::Int(i64::from(address.row))];
        let row = self.read().await?.row(sql, &values).await?;
        row.map(|row| row.json("body")).transpose()
    }

    pub async fn log_parts(&self, endpoint: &EndpointName) -> Result<Vec<SegmentSealed>, LedgerError> {
        let sql = "SELECT body FROM log_part WHERE endpoint = $1 ORDER BY from_seq";
        let rows = self.read().await?.rows(sql, &[text(endpoint)]).await?;
        rows.iter().map(|row| row.json("body")).collect()
    }

    pub(crate) async fn read(&self) -> Result<Session, LedgerError> {
        self.database().read().await
    }
}

async fn grants(session: &mut Session, principal: &PrincipalName) -> Result<Vec<GrantRow>, LedgerError> {
    let sql = "SELECT project, role FROM role_grant WHERE principal = $1 AND to_seq IS NULL ORDER BY from_seq";
    let rows = session.rows(sql, &[text(principal)]).await?;
    rows.iter()
        .map(|row| {
            let project = row.text("project")?;
            let project = if project.is_empty() { None } else { Some(row.parsed("project")?) };
            let role = row.text("role")?;
            let role = Role::parse(&role).ok_or_else(|| LedgerError::Damaged(format!("role `{role}`")))?;
            Ok(GrantRow { project, role })
        })
        .collect()
}
