//! Verification: every table an answer rests on is derived anew and compared, one check for each kind of thing.
//!
//! Leaves are checked against their bodies and the signed head; the tables that events make against a replay of all
//! events; what runs brought against their sealed records. A check that damage keeps from being made has failed, and the
//! others go on: all that is wrong is named, and what was not looked at.

mod database;
mod edges;
mod events;
mod leaves;
mod listed;
mod passwords;
mod requests;
mod rows;
mod runs;
mod schema;
mod settled;
mod signature;
mod tables;
mod time;
mod tokens;
mod tree;

use std::collections::BTreeSet;

use stemma_core::{
    audit::{AuditReport, Check},
    history::SignedHead,
};

pub(crate) use self::{
    leaves::read_leaf,
    signature::{check_key, last_signed},
};
use self::{runs::Runs, settled::settled};
use crate::{
    Ledger, LedgerError,
    sql::{Database, Session},
};

/// Tables that no event makes, each with the check that compares it. The others are those of the projection.
#[cfg(test)]
const COMPARED: [(&str, &str); 17] = [
    ("migration", "schema"),
    ("leaf", "leaves"),
    ("event_body", "leaves"),
    ("head", "tree"),
    ("subtree", "tree"),
    ("event", "events"),
    ("token_hash", "tokens"),
    ("password_hash", "passwords"),
    ("run", "runs"),
    ("run_file", "files of runs"),
    ("search_run", "search of runs"),
    ("search_run_fact", "search of runs"),
    ("node", "edges"),
    ("edge", "edges"),
    ("feedback", "feedback"),
    ("grant_entry", "content grants"),
    ("content_grant", "content grants"),
];

impl Ledger {
    /// Verifies everything, reading the database at one moment.
    pub async fn verify(&self) -> AuditReport {
        // before the database: what is signed meanwhile is of a later moment
        let signed = self.signer().last();
        verify(self.database(), signed).await
    }
}

/// Verifies a database that nobody need have opened otherwise.
pub(crate) async fn verify(database: &Database, signed: Result<Option<SignedHead>, LedgerError>) -> AuditReport {
    let mut report = AuditReport::new();
    if let Err(error) = look(database, signed, &mut report).await {
        report.add(Check::impossible("ledger", error));
    }
    report
}

async fn look(
    database: &Database,
    signed: Result<Option<SignedHead>, LedgerError>,
    report: &mut AuditReport,
) -> Result<(), LedgerError> {
    let mut live = database.read().await?;
    let replay = Database::open_memory().await?;
    let mut replayed = replay.begin().await?;
    report.add(database::check(&mut live).await);
    let mut made = BTreeSet::new();
    report.add(settled("schema", schema::check(&mut live, &mut replayed, &mut made).await));

    let signed_sizes = signed.as_ref().ok().and_then(Option::as_ref).map(|signed| signed.size()).into_iter().collect();
    let (check, walk) = leaves::check(&mut live, &mut replayed, signed_sizes).await;
    report.events = walk.frontier.size();
    report.root = data_encoding::BASE64.encode(&walk.frontier.root());
    report.add(check);
    report.add(settled("tree", tree::check(&mut live, &walk).await));
    report.add(signature::check(signed, &walk));
    report.add(time::check(&walk));
    // homes that no command has opened since then have the earlier table
    report.add(match made.contains("event") {
        true => settled("events", events::check(&mut live, &walk).await),
        false => settled("requests", requests::check(&mut live, &walk).await),
    });
    report.add(settled("tables", tables::check(&mut live, &mut replayed, &made, &walk).await));
    report.add(settled("tokens", tokens::check(&mut live).await));
    if made.contains("password_hash") {
        report.add(settled("passwords", passwords::check(&mut live).await));
    }
    look_at_runs(&mut live, Runs::of(&made), report).await;
    if made.contains("row_seal") {
        report.add(settled("feedback", rows::check_feedback(&mut live).await));
        report.add(settled("content grants", rows::check_grants(&mut live).await));
    }
    replayed.rollback().await
}

async fn look_at_runs(live: &mut Session, mut runs: Runs, report: &mut AuditReport) {
    let walked = runs.walk(live).await;
    report.add(settled("runs", walked));
    report.add(settled("files of runs", runs.check_files(live).await));
    if runs.are_searched() {
        report.add(settled("search of runs", runs.check_search(live).await));
    }
    report.add(settled("edges", edges::check(live, &runs).await));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{migrate, projection};

    /// Tables that no check of the ledger compares, each with the reason.
    const ELSEWHERE: [(&str, &str); 1] =
        [("environment_package", "follows from documents of environments, which are content: the engine compares it")];

    #[tokio::test]
    async fn every_table_is_compared_or_said_why_not() {
        let database = Database::open_memory().await.unwrap();
        migrate::migrate(&database).await.unwrap();
        let mut session = database.read().await.unwrap();
        let rows = session.rows("SELECT name FROM sqlite_master WHERE type = 'table'", &[]).await.unwrap();
        let there: BTreeSet<String> = rows.iter().map(|row| row.text("name").unwrap()).collect();
        let named = projection::TABLES.iter().map(|(table, _)| *table);
        let named = named.chain(COMPARED.iter().chain(&ELSEWHERE).map(|(table, _)| *table));
        let named: BTreeSet<String> = named.map(str::to_owned).collect();
        assert_eq!(there, named);
        drop(session);
        let report = verify(&database, Ok(None)).await;
        for (table, check) in COMPARED {
            assert!(report.check(check).is_some(), "`{table}` is said to be compared by `{check}`, which is no check");
        }
    }
}
