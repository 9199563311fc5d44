//! From events to tables: what each event makes current, and what it ends.
//!
//! Pure replay: only the event and its number decide what is written, so replaying all events into an empty database
//! gives the same tables.

pub(crate) mod endpoint;
mod model;
mod rights;

use stemma_core::event::{DatasetVersionAdded, Event};

use crate::{
    LedgerError,
    sql::{Connection, Value},
};

/// Every table that events make, and that a replay therefore gives again.
pub(crate) const TABLES: &[&str] = &[
    "home",
    "project",
    "principal",
    "role_grant",
    "token",
    "dataset_version",
    "model",
    "model_policy",
    "model_version",
    "version_stage",
    "model_alias",
    "evidence",
    "approval",
    "promotion",
    "endpoint",
    "revision",
    "revision_target",
    "log_part",
    "run_seal",
];

/// Applies one event to the tables.
pub(crate) async fn apply(connection: &mut Connection, seq: u64, event: &Event) -> Result<(), LedgerError> {
    let mut rows = Rows { connection, seq: Value::count(seq)?, event };
    match event {
        Event::HomeCreated { home } => {
            rows.insert("INSERT INTO home (home, from_seq) VALUES ($2, $1)", [Value::text(home)]).await
        }
        Event::ProjectCreated { project } => {
            rows.insert("INSERT INTO project (project, from_seq) VALUES ($2, $1)", [Value::text(project)]).await
        }
        Event::PrincipalAdded { principal } => rights::added(&mut rows, principal).await,
        Event::RoleGranted { principal, project, role } => {
            rights::granted(&mut rows, principal, project.as_ref(), *role).await
        }
        Event::RoleRevoked { principal, project, role } => {
            rights::revoked(&mut rows, principal, project.as_ref(), *role).await
        }
        Event::TokenIssued { token, principal, label, expires } => {
            rights::issued(&mut rows, *token, principal, label, *expires).await
        }
        Event::TokenRevoked { token } => rights::token_revoked(&mut rows, *token).await,
        Event::DatasetVersionAdded(added) => dataset_version(&mut rows, added).await,
        Event::ModelCreated { project, model } => {
            let values = [Value::text(project), Value::text(model)];
            rows.insert("INSERT INTO model (project, model, from_seq) VALUES ($2, $3, $1)", values).await
        }
        Event::PolicySet { project, model, policy } => model::policy_set(&mut rows, project, model, policy).await,
        Event::VersionRegistered(registered) => model::registered(&mut rows, registered).await,
        Event::EvidenceRecorded(evidence) => model::evidence(&mut rows, evidence).await,
        Event::Approved(approved) => model::approved(&mut rows, approved).await,
        Event::Promoted(promoted) => model::promoted(&mut rows, promoted).await,
        Event::AliasMoved { project, model, alias, from, to } => {
            model::alias_moved(&mut rows, project, model, alias, *from, *to).await
        }
        Event::EndpointCreated { project, endpoint, ordinal } => {
            endpoint::created(&mut rows, project, endpoint, *ordinal).await
        }
        Event::RevisionDeployed { revision, digest, reason } => {
            endpoint::deployed(&mut rows, revision, *digest, reason).await
        }
        Event::SegmentSealed(sealed) => endpoint::sealed(&mut rows, sealed).await,
        Event::RunsSealed { first, last, count, digest } => {
            let values = [Value::Int(*first), Value::Int(*last), Value::count(*count)?, (*digest).into()];
            rows.insert(
                "INSERT INTO run_seal (first_run, last_run, run_count, digest, from_seq) VALUES ($2, $3, $4, $5, $1)",
                values,
            )
            .await
        }
    }
}

/// The tables as one event changes them; `$1` of every statement is the event's number.
struct Rows<'c> {
    connection: &'c mut Connection,
    seq: Value,
    event: &'c Event,
}

impl Rows<'_> {
    async fn insert<const N: usize>(&mut self, sql: &'static str, values: [Value; N]) -> Result<(), LedgerError> {
        self.run(sql, values).await.map(drop)
    }

    /// Ends exactly one current row; anything else means that the event does not follow from those before.
    async fn end<const N: usize>(&mut self, sql: &'static str, values: [Value; N]) -> Result<(), LedgerError> {
        match self.run(sql, values).await? {
            1 => Ok(()),
            ended => Err(LedgerError::Unstorable {
                place: format!("{} about `{}`", self.event.kind(), self.event.subject()),
                reason: format!("it ends {ended} rows instead of one"),
            }),
        }
    }

    async fn run<const N: usize>(&mut self, sql: &'static str, values: [Value; N]) -> Result<u64, LedgerError> {
        let mut all = Vec::with_capacity(N + 1);
        all.push(self.seq.clone());
        all.extend(values);
        self.connection.execute(sql, &all).await
    }
}

async fn dataset_version(rows: &mut Rows<'_>, added: &DatasetVersionAdded) -> Result<(), LedgerError> {
    let values = [
        Value::text(&added.project),
        Value::text(&added.dataset),
        added.number.into(),
        added.digest.into(),
        Value::opt_sha256(added.sha256),
        Value::count(added.size)?,
        Value::text(&added.path),
        Value::opt_text(added.source.as_ref()),
        Value::opt_text(added.why.as_ref()),
        json(&added.derived_from)?,
        Value::opt_text(added.run),
    ];
    rows.insert(
        "INSERT INTO dataset_version (project, dataset, number, digest, sha256, size, path, source, why, derived_from,
            run, from_seq) VALUES ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $1)",
        values,
    )
    .await
}

fn json(value: &impl serde::Serialize) -> Result<Value, LedgerError> {
    serde_json::to_string(value).map(Value::Text).map_err(|error| LedgerError::corrupt("an event", error))
}
