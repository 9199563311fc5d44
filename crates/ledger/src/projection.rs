//! From events to tables. Rows are never changed but for `to_seq`: what ended stays, so any moment can be asked for.

mod adopt;
mod edges;
mod meaning;
mod names;
mod search;

pub use edges::key as edge_key;
pub use names::adopt as adopt_names;
pub use search::adopt as adopt_for_search;

use serde::Serialize;
use stemma_core::{
    event::Event,
    name::{EndpointName, ProjectName},
    rights::{Denial, Edition},
};

use crate::{
    LedgerError,
    event::Leaf,
    sql::{Session, Value},
};

/// Every table that events make, with its columns but `from_seq` and `to_seq`.
pub const TABLES: [(&str, &str); 44] = [
    ("home", "home"),
    ("signing_key", "verifier, body"),
    ("project", "project"),
    ("principal", "principal"),
    ("project_closed", "project, reason"),
    ("role_grant", "principal, project, role"),
    ("held_role", "principal, project, role, endpoint, edition"),
    ("denial", "principal, project, what"),
    ("token", "token, principal, label, expires, hash_check"),
    ("token_scope", "token, scope"),
    ("token_end", "token, expires"),
    ("password", "principal, hash_check"),
    ("dataset_version", "project, dataset, number, digest, body"),
    ("purged", "project, digest, reason"),
    ("model", "project, model"),
    ("policy", "project, model, body"),
    ("model_version", "project, model, number, digest, facts, run, body"),
    ("version_name", "project, model, name, scheme, number"),
    ("stage", "project, model, number, stage"),
    ("alias", "project, model, alias, number"),
    ("evidence", "project, model, number, evidence, kind, body"),
    ("approval", "project, model, number, approval, body"),
    ("promotion", "project, model, number, body"),
    ("quarantine", "project, model, number, reason"),
    ("promotion_request", "project, request, model, number, stage, body"),
    ("request_comment", "project, request, body"),
    ("request_closing", "project, request, body"),
    ("endpoint", "project, endpoint, ordinal"),
    ("revision", "project, endpoint, number, digest, body, reason"),
    ("live_revision", "project, endpoint, number"),
    ("log_part", "endpoint, ordinal, segment, first_row, last_row, body"),
    ("run_seal", "first_run, last_run, count, digest"),
    ("row_seal", "kind, first_row, last_row, count, digest"),
    ("prediction_note", "segment, records, bytes, digest, key_check"),
    ("feedback_part", "endpoint, ordinal, digest, body"),
    ("feedback_segment", "segment, ordinal, records"),
    ("feedback_note", "segment, records, bytes, digest"),
    ("fact_edge", "project, from_kind, from_key, kind, to_kind, to_key, certainty, why"),
    ("contract", "digest, body"),
    ("contract_field", "contract, direction, name, optional"),
    (
        "search_entry",
        "realm, id, project, name, version, number, stage, format, registrant, registered, run, digest, contract",
    ),
    ("search_fact", "id, kind, name, text, rank"),
    ("meaning", "project, kind, name, version, aspect, key, text"),
    ("meaning_word", "project, kind, name, version, aspect, key, word"),
];

/// Applies one event. The only code that writes these tables.
pub async fn apply(session: &mut Session, leaf: &Leaf, event: &Event) -> Result<(), LedgerError> {
    apply_to_tables(session, leaf.seq, event).await?;
    names::apply(session, leaf, event).await?;
    search::apply(session, leaf, event).await
}

async fn apply_to_tables(session: &mut Session, seq: u64, event: &Event) -> Result<(), LedgerError> {
    let mut to = Tables { session, seq, event };
    for edge in edges::of(event) {
        to.insert("fact_edge", edge).await?;
    }
    match event {
        Event::HomeCreated { home, key } => {
            if let Some(key) = key {
                to.insert("signing_key", vec![text(key), text("")]).await?;
            }
            to.insert("home", vec![text(home)]).await
        }
        Event::SigningKeyRotated(step) => {
            // homes that were made before keys were named have none
            to.end_if_any("signing_key", &[("verifier", text(&step.from))]).await?;
            to.insert("signing_key", vec![text(&step.to), json(step)?]).await
        }
        // who compares heads, or reads the access log, reads the event
        Event::HistoryAccepted(_) | Event::AccessLogSealed(_) => Ok(()),
        Event::ProjectCreated { project } => to.insert("project", vec![text(project)]).await,
        Event::PrincipalAdded { principal } => to.insert("principal", vec![text(principal)]).await,
        Event::ProjectClosed { project, reason } => {
            to.insert("project_closed", vec![text(project), text(reason)]).await
        }
        Event::ProjectReopened { project, .. } => to.end("project_closed", &[("project", text(project))]).await,
        // as roles were before one could be of an endpoint
        Event::RoleGranted { principal, project, role, endpoint: None, edition: Edition::First } => {
            to.insert("role_grant", vec![text(principal), everywhere(project), text(role)]).await
        }
        Event::RoleGranted { principal, project, role, endpoint, edition } => {
            let row = vec![text(principal), everywhere(project), text(role), whole(endpoint)];
            let edition = Value::Int(i64::from(edition.number()));
            to.insert("held_role", row.into_iter().chain([edition]).collect()).await
        }
        Event::RoleRevoked { principal, project, role, endpoint } => {
            to.end_role([text(principal), everywhere(project), text(role)], whole(endpoint)).await
        }
        Event::Denied(Denial { principal, what, project }) => {
            to.insert("denial", vec![text(principal), everywhere(project), text(what)]).await
        }
        Event::DenialWithdrawn(Denial { principal, what, project }) => {
            let key = [("principal", text(principal)), ("project", everywhere(project)), ("what", text(what))];
            to.end("denial", &key).await
        }
        Event::TokenIssued { token, principal, label, expires, check, scope, replaces: _ } => {
            let expires = Value::from(expires.map(|time| time.micros()));
            to.insert("token", vec![text(token), text(principal), text(label), expires, text(check)]).await?;
            match scope.is_whole() {
                true => Ok(()),
                false => to.insert("token_scope", vec![text(token), json(scope)?]).await,
            }
        }
        Event::TokenExpirySet { token, expires } => {
            to.end_if_any("token_end", &[("token", text(token))]).await?;
            to.insert("token_end", vec![text(token), Value::Int(expires.micros())]).await
        }
        Event::TokenRevoked { token } => to.end("token", &[("token", text(token))]).await,
        Event::PasswordSet { principal, check } => {
            to.end_if_any("password", &[("principal", text(principal))]).await?;
            to.insert("password", vec![text(principal), text(check)]).await
        }
        Event::PasswordRemoved { principal } => to.end("password", &[("principal", text(principal))]).await,
        Event::DatasetVersionAdded(added) => {
            let number = Value::Int(i64::from(added.number));
            let row = vec![text(&added.project), text(&added.dataset), number, text(added.digest), json(added)?];
            to.insert("dataset_version", row).await
        }
        Event::ContentPurged { project, digest, reason } => {
            to.insert("purged", vec![text(project), text(digest), text(reason)]).await
        }
        // the event says it all, and a collection of garbage reads it there
        Event::ContentKept { .. } => Ok(()),
        // a row of `fact_edge`, made above
        Event::EdgeDeclared(_) => Ok(()),
        Event::EdgeWithdrawn(edge) => to.end("fact_edge", &edges::key(edge)).await,
        Event::ModelCreated { project, model } => to.insert("model", vec![text(project), text(model)]).await,
        Event::PolicySet { project, model, policy } => {
            to.end_if_any("policy", &[("project", text(project)), ("model", text(model))]).await?;
            to.insert("policy", vec![text(project), text(model), json(policy)?]).await
        }
        Event::ProjectDescribed { .. }
        | Event::ModelDescribed { .. }
        | Event::DatasetDescribed { .. }
        | Event::EndpointDescribed { .. } => to.say().await,
        Event::VersionRegistered(version) => {
            let key = [text(&version.project), text(&version.model), text(version.number)];
            let run = Value::from(version.run.map(|run| run.to_string()));
            let mut row = key.to_vec();
            row.extend([text(version.digest), text(version.facts), run, json(version)?]);
            to.insert("model_version", row).await?;
            let mut row = key.to_vec();
            row.push(text(stemma_core::policy::Stage::Development));
            to.insert("stage", row).await
        }
        // a row of `version_name`, made below
        Event::VersionNamed(_) => Ok(()),
        Event::EvidenceRecorded(one) => {
            let key = [text(&one.project), text(&one.model), text(one.version)];
            let mut row = key.to_vec();
            row.extend([text(one.evidence), text(one.kind.as_str()), json(one)?]);
            to.insert("evidence", row).await
        }
        Event::Approved(one) => {
            let mut row = vec![text(&one.project), text(&one.model), text(one.version)];
            row.extend([text(one.approval), json(one)?]);
            to.insert("approval", row).await
        }
        Event::Promoted(one) => {
            let key = [("project", text(&one.project)), ("model", text(&one.model)), ("number", text(one.version))];
            to.end("stage", &key).await?;
            let row = vec![text(&one.project), text(&one.model), text(one.version)];
            to.insert("stage", row.iter().cloned().chain([text(one.to)]).collect()).await?;
            to.insert("promotion", row.into_iter().chain([json(one)?]).collect()).await
        }
        Event::AliasMoved { project, model, alias, to: number, .. } => {
            let key = [("project", text(project)), ("model", text(model)), ("alias", text(alias))];
            to.end_if_any("alias", &key).await?;
            to.insert("alias", vec![text(project), text(model), text(alias), text(number)]).await
        }
        Event::AliasRemoved { project, model, alias, .. } => {
            to.end("alias", &[("project", text(project)), ("model", text(model)), ("alias", text(alias))]).await
        }
        Event::VersionQuarantined(one) => {
            let row = vec![text(&one.project), text(&one.model), text(one.version), text(&one.reason)];
            to.insert("quarantine", row).await
        }
        Event::QuarantineLifted(one) => {
            let key = [("project", text(&one.project)), ("model", text(&one.model)), ("number", text(one.version))];
            to.end("quarantine", &key).await
        }
        Event::PromotionRequested(one) => {
            let mut row = vec![text(&one.project), Value::Int(i64::from(one.request)), text(&one.model)];
            row.extend([text(one.version), text(one.stage), json(one)?]);
            to.insert("promotion_request", row).await
        }
        Event::RequestCommented(one) => {
            to.insert("request_comment", vec![text(&one.project), Value::Int(i64::from(one.request)), json(one)?]).await
        }
        Event::RequestClosed(one) => {
            let request = Value::Int(i64::from(one.request));
            to.end("promotion_request", &[("project", text(&one.project)), ("request", request.clone())]).await?;
            to.insert("request_closing", vec![text(&one.project), request, json(one)?]).await
        }
        Event::EndpointCreated { project, endpoint, ordinal } => {
            to.insert("endpoint", vec![text(project), text(endpoint), Value::Int(i64::from(*ordinal))]).await
        }
        Event::RevisionDeployed { revision, digest, reason } => {
            let key = [text(&revision.project), text(&revision.endpoint)];
            let mut row = key.to_vec();
            row.extend([Value::Int(i64::from(revision.number)), text(digest), json(revision)?, text(reason)]);
            to.insert("revision", row).await?;
            to.make_live(&revision.project, &revision.endpoint, revision.number).await
        }
        Event::RevisionActivated { project, endpoint, number, .. } => to.make_live(project, endpoint, *number).await,
        Event::EndpointTakenDown { endpoint, .. } => to.end("live_revision", &[("endpoint", text(endpoint))]).await,
        Event::SegmentSealed(part) => {
            let mut row = vec![text(&part.endpoint), Value::Int(i64::from(part.ordinal))];
            row.push(segment_text(part.segment));
            row.extend([Value::Int(i64::from(part.first_row)), Value::Int(i64::from(part.last_row)), json(part)?]);
            to.insert("log_part", row).await
        }
        Event::RunsSealed { first, last, count, digest } => {
            to.insert("run_seal", vec![Value::Int(*first), Value::Int(*last), Value::Int(*count as i64), text(digest)])
                .await
        }
        Event::RowsSealed { of, first, last, count, digest } => {
            let row = vec![of.as_str().into(), Value::Int(*first), Value::Int(*last), Value::Int(*count as i64)];
            to.insert("row_seal", row.into_iter().chain([text(digest)]).collect()).await
        }
        Event::PredictionsNoted { segment, records, bytes, digest, key } => {
            let row = vec![segment_text(*segment), Value::Int(*records as i64), Value::Int(*bytes as i64)];
            to.insert("prediction_note", row.into_iter().chain([text(digest), text(key)]).collect()).await
        }
        Event::FeedbackSealed(part) => {
            let ordinal = Value::Int(i64::from(part.ordinal));
            for one in &part.segments {
                let row = vec![segment_text(one.segment), ordinal.clone(), Value::Int(one.rows as i64)];
                to.insert("feedback_segment", row).await?;
            }
            to.insert("feedback_part", vec![text(&part.endpoint), ordinal, text(part.digest), json(part)?]).await
        }
        Event::FeedbackNoted { segment, records, bytes, digest } => {
            let row = vec![segment_text(*segment), Value::Int(*records as i64), Value::Int(*bytes as i64)];
            to.insert("feedback_note", row.into_iter().chain([text(digest)]).collect()).await
        }
    }
}

struct Tables<'a> {
    session: &'a mut Session,
    seq: u64,
    event: &'a Event,
}

impl Tables<'_> {
    async fn make_live(
        &mut self,
        project: &ProjectName,
        endpoint: &EndpointName,
        number: u32,
    ) -> Result<(), LedgerError> {
        self.end_if_any("live_revision", &[("endpoint", text(endpoint))]).await?;
        self.insert("live_revision", vec![text(project), text(endpoint), Value::Int(i64::from(number))]).await
    }

    /// Puts a statement in the place of the one that holds, with its words.
    async fn say(&mut self) -> Result<(), LedgerError> {
        let Some((project, thing, statement)) = self.event.said() else { return Ok(()) };
        let (row, key) = meaning::row(project, &thing, statement);
        self.end_if_any("meaning", &key).await?;
        self.end_all("meaning_word", &key).await?;
        self.insert("meaning", row).await?;
        meaning::insert_words(self.session, self.seq, (project, &thing), statement).await
    }

    /// Ends a role, whichever table has it.
    async fn end_role(&mut self, role: [Value; 3], endpoint: Value) -> Result<(), LedgerError> {
        let [principal, project, name] = role;
        let is_whole = endpoint == Value::Text(String::new());
        let key = [("principal", principal), ("project", project), ("role", name), ("endpoint", endpoint)];
        let mut ended = self.end_all("held_role", &key).await?;
        if is_whole {
            ended += self.end_all("role_grant", &key[..3]).await?;
        }
        match ended {
            1 => Ok(()),
            ended => Err(self.unfit(format!("it ends {ended} roles instead of one"))),
        }
    }

    /// Adds a row that holds from this event on.
    async fn insert(&mut self, table: &str, mut row: Vec<Value>) -> Result<(), LedgerError> {
        let columns = TABLES.iter().find(|(name, _)| *name == table).map(|(_, columns)| *columns);
        let columns = columns.ok_or_else(|| LedgerError::Damaged(format!("no table `{table}`")))?;
        row.push(Value::Int(self.seq as i64));
        let places: Vec<String> = (1..=row.len()).map(|n| format!("${n}")).collect();
        let sql = format!("INSERT INTO {table} ({columns}, from_seq) VALUES ({})", places.join(", "));
        match self.session.execute(&sql, &row).await {
            Err(error) if error.is_of_a_double() => Err(self.unfit(format!("table `{table}` says so already"))),
            inserted => inserted.map(drop),
        }
    }

    /// Ends the one row that holds under a key: the state as of before this event keeps it.
    async fn end(&mut self, table: &str, key: Key<'_>) -> Result<(), LedgerError> {
        match self.end_all(table, key).await? {
            1 => Ok(()),
            ended => Err(self.unfit(format!("it ends {ended} rows of table `{table}` instead of one"))),
        }
    }

    /// The same where there may be none yet.
    async fn end_if_any(&mut self, table: &str, key: Key<'_>) -> Result<(), LedgerError> {
        match self.end_all(table, key).await? {
            0 | 1 => Ok(()),
            ended => Err(self.unfit(format!("it ends {ended} rows of table `{table}` instead of one"))),
        }
    }

    async fn end_all(&mut self, table: &str, key: Key<'_>) -> Result<u64, LedgerError> {
        let wheres: Vec<String> = key.iter().enumerate().map(|(n, (name, _))| format!("{name} = ${}", n + 2)).collect();
        let sql = format!("UPDATE {table} SET to_seq = $1 WHERE {} AND to_seq IS NULL", wheres.join(" AND "));
        let mut values = vec![Value::Int(self.seq as i64)];
        values.extend(key.iter().map(|(_, value)| value.clone()));
        self.session.execute(&sql, &values).await
    }

    fn unfit(&self, reason: String) -> LedgerError {
        LedgerError::Unfollowing { event: format!("{} about {}", self.event.kind(), self.event.subject()), reason }
    }
}

/// Columns and what they must be.
type Key<'a> = &'a [(&'a str, Value)];

fn text(value: impl std::fmt::Display) -> Value {
    Value::Text(value.to_string())
}

/// As in the name of the segment's file.
fn segment_text(segment: u64) -> Value {
    Value::Text(format!("{segment:016x}"))
}

/// A grant in all projects has an empty one: equality works on both databases, NULL would not.
fn everywhere(project: &Option<ProjectName>) -> Value {
    Value::Text(project.as_ref().map_or(String::new(), |project| project.to_string()))
}

/// A role that is of no one endpoint alone has an empty one.
fn whole(endpoint: &Option<EndpointName>) -> Value {
    Value::Text(endpoint.as_ref().map_or(String::new(), |endpoint| endpoint.to_string()))
}

fn json(value: &impl Serialize) -> Result<Value, LedgerError> {
    Ok(Value::Text(serde_json::to_string(value)?))
}
