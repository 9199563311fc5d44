//! Which content must be there for facts to be what they say, and whose it is.

use std::collections::{BTreeMap, BTreeSet};

use stemma_core::{Digest, event::Event, policy::GateSpec, record::RunRecord};

use crate::{
    LedgerError,
    sql::{Session, Value},
};

/// Rows read at a time.
const PAGE: i64 = 200;

type Needed = BTreeMap<Digest, BTreeSet<String>>;

/// What events name that is content. One that can't be read fails it all.
pub async fn of_events(session: &mut Session, needed: &mut Needed) -> Result<(), LedgerError> {
    each(session, "event_body", "seq", "body", &mut |event: Event| {
        for (digest, by) in of_event(&event) {
            needed.entry(digest).or_default().insert(by);
        }
    })
    .await
}

/// What the records of runs name: themselves, the files, code and environment.
pub async fn of_runs(session: &mut Session, needed: &mut Needed) -> Result<(), LedgerError> {
    let rows = session.rows("SELECT run, digest FROM run", &[]).await?;
    for row in &rows {
        needed.entry(row.parsed("digest")?).or_default().insert(format!("the record of run {}", row.text("run")?));
    }
    each(session, "run", "place", "record", &mut |record: RunRecord| {
        let files = record.inputs.iter().chain(&record.outputs).chain(&record.code.files);
        for file in files {
            needed.entry(file.digest).or_default().insert(format!("run {} ({})", record.id, file.path));
        }
        let environment = format!("the environment of run {}", record.id);
        needed.entry(record.environment).or_default().insert(environment);
        if let Some(diff) = record.code.diff {
            needed.entry(diff).or_default().insert(format!("the code of run {}", record.id));
        }
    })
    .await
}

fn of_event(event: &Event) -> Vec<(Digest, String)> {
    match event {
        Event::DatasetVersionAdded(added) => vec![(added.digest, format!("{}@{}", added.dataset, added.number))],
        Event::VersionRegistered(version) => vec![(version.digest, format!("{}@{}", version.model, version.number))],
        Event::EvidenceRecorded(one) => {
            vec![(one.report, format!("evidence {} of {}@{}", one.evidence, one.model, one.version))]
        }
        Event::RevisionDeployed { revision, digest, .. } => {
            vec![(*digest, format!("revision {}#{}", revision.endpoint, revision.number))]
        }
        Event::SegmentSealed(part) => {
            vec![(part.digest, format!("{} sealed predictions of {}", part.rows, part.endpoint))]
        }
        Event::ContentKept { list, .. } => vec![(*list, "the list of what was pushed to stay".to_owned())],
        Event::PolicySet { model, policy, .. } => {
            let cases = policy.gates.iter().filter_map(|(gate, spec)| match spec {
                GateSpec::RegressionCases { cases, .. } => {
                    Some(((*cases)?, format!("the cases of gate {gate} of {model}")))
                }
                _ => None,
            });
            cases.collect()
        }
        _ => Vec::new(),
    }
}

/// Reads all bodies of a table in order. One that can't be read fails it all: a part is not the whole.
pub async fn each<T: serde::de::DeserializeOwned>(
    session: &mut Session,
    table: &str,
    key: &str,
    column: &str,
    visit: &mut (impl FnMut(T) + Send),
) -> Result<(), LedgerError> {
    let sql =
        format!("SELECT {key} AS place, {column} AS body FROM {table} WHERE {key} > $1 ORDER BY {key} LIMIT {PAGE}");
    let mut last = i64::MIN;
    loop {
        let rows = session.rows(&sql, &[Value::Int(last)]).await?;
        let Some(row) = rows.last() else { return Ok(()) };
        last = row.int("place")?;
        for row in &rows {
            visit(row.json("body")?);
        }
    }
}
