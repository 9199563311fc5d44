//! The names of versions beside their numbers: those that follow from a registration, and those that somebody gave.

use stemma_core::{
    event::Event,
    name::{ModelName, ProjectName},
    version::{Naming, VersionNumber, derived},
};

use super::adopt::adopt as adopt_events;
use crate::{
    LedgerError,
    event::Leaf,
    row::file::text,
    sql::{Session, Value},
};

/// Applies one event to the table of names.
pub async fn apply(session: &mut Session, leaf: &Leaf, event: &Event) -> Result<(), LedgerError> {
    match event {
        Event::VersionRegistered(version) => {
            let of = Of { project: &version.project, model: &version.model, number: version.number };
            for (naming, name) in derived(version.integer, &version.digest, version.run, leaf.time) {
                // the first that comes to a name has it
                insert(session, leaf.seq, of, naming, &name).await?;
            }
            Ok(())
        }
        Event::VersionNamed(named) => {
            let of = Of { project: &named.project, model: &named.model, number: named.version };
            match insert(session, leaf.seq, of, named.name.naming(), &named.name.to_string()).await? {
                0 => Err(LedgerError::Unfollowing {
                    event: format!("{} about {}", event.kind(), event.subject()),
                    reason: "table `version_name` says so already".to_owned(),
                }),
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// Takes in the versions of a ledger that had no such table.
pub async fn adopt(session: &mut Session) -> Result<(), LedgerError> {
    adopt_events(session, "'version_registered', 'version_named'", apply).await
}

#[derive(Clone, Copy)]
struct Of<'a> {
    project: &'a ProjectName,
    model: &'a ModelName,
    number: VersionNumber,
}

/// Returns how many rows were made: none if the name is taken, or the version has one of this kind.
async fn insert(session: &mut Session, seq: u64, of: Of<'_>, naming: Naming, name: &str) -> Result<u64, LedgerError> {
    let sql = "INSERT INTO version_name (project, model, name, scheme, number, from_seq) \
               VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    let row = [text(of.project), text(of.model), name.into(), text(naming), text(of.number), Value::Int(seq as i64)];
    session.execute(sql, &row).await
}
