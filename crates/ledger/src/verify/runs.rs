//! Runs: every column from its record, every record from the seal over it, and the files that it lists.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use stemma_core::{
    Digest,
    audit::{Check, Fault},
    canonical,
    lineage::Edge,
    name::ProjectName,
    record::RunRecord,
};

use super::settled::count;
use crate::{
    LedgerError,
    row::{file, search},
    sql::{Row, Session, Value},
};

/// Runs read at a time.
const PAGE: i64 = 50;

/// A batch of runs that an event sealed.
struct Seal {
    seq: u64,
    first: i64,
    last: i64,
    count: i64,
    digest: String,
}

/// What the records of all runs say there must be.
#[derive(Default)]
pub struct Runs {
    seals: Vec<Seal>,
    /// By place: the digest that stands there, whatever the record says.
    digests: BTreeMap<i64, String>,
    /// By place and run: faults of the rows of files.
    file_faults: Vec<Fault>,
    files: u64,
    /// Of the rows by which runs are found; homes that no command has opened since there were such rows have none.
    search_faults: Option<Vec<Fault>>,
    /// The edges that the records prove, with the place of the run.
    pub edges: Vec<(ProjectName, Edge, i64)>,
}

impl Runs {
    /// Of a ledger that has these tables.
    pub fn of(tables: &BTreeSet<String>) -> Self {
        Self { search_faults: tables.contains("search_run").then(Vec::new), ..Self::default() }
    }

    pub const fn are_searched(&self) -> bool {
        self.search_faults.is_some()
    }

    /// Reads all runs; what they say is kept for the other checks.
    pub async fn walk(&mut self, live: &mut Session) -> Result<Check, LedgerError> {
        let mut check = Check::new("runs", "runs are what their records say, and the records what was sealed");
        self.read_seals(live).await?;
        let sql = "SELECT place, run, project, digest, record FROM run WHERE place > $1 ORDER BY place LIMIT $2";
        let mut last = i64::MIN;
        loop {
            let rows = live.rows(sql, &[Value::Int(last), Value::Int(PAGE)]).await?;
            let Some(row) = rows.last() else { break };
            last = row.int("place")?;
            for row in &rows {
                check.looked_at += 1;
                self.take(live, row, &mut check).await?;
            }
        }
        self.check_places(live, &mut check).await?;
        self.check_seals(&mut check);
        Ok(check)
    }

    async fn read_seals(&mut self, live: &mut Session) -> Result<(), LedgerError> {
        let sql = "SELECT first_run, last_run, count, digest, from_seq FROM run_seal ORDER BY from_seq";
        for row in live.rows(sql, &[]).await? {
            self.seals.push(Seal {
                seq: row.int("from_seq")?.max(0) as u64,
                first: row.int("first_run")?,
                last: row.int("last_run")?,
                count: row.int("count")?,
                digest: row.text("digest")?,
            });
        }
        Ok(())
    }

    /// The event that sealed the run at a place.
    pub fn sealed_by(&self, place: i64) -> Option<u64> {
        self.seals.iter().find(|seal| (seal.first..=seal.last).contains(&place)).map(|seal| seal.seq)
    }

    async fn take(&mut self, live: &mut Session, row: &Row, check: &mut Check) -> Result<(), LedgerError> {
        let place = row.int("place")?;
        let named = row.text("run").unwrap_or_else(|_| format!("at place {place}"));
        let seq = self.sealed_by(place);
        let fault = |what: String| Fault { seq, place: Some(format!("run {named}")), what };
        let record = match check_record(row) {
            Ok(record) => record,
            Err(what) => {
                check.fault(fault(what));
                self.digests.insert(place, row.text("digest").unwrap_or_default());
                return Ok(());
            }
        };
        for what in wrong_files(live, &record).await? {
            self.file_faults.push(fault(what));
        }
        if let Some(faults) = &mut self.search_faults {
            faults.extend(wrong_search(live, place, &record).await?.into_iter().map(fault));
        }
        self.files += (record.inputs.len() + record.outputs.len() + record.code.files.len()) as u64;
        self.edges.extend(record.edges().into_iter().map(|edge| (record.project.clone(), edge, place)));
        self.digests.insert(place, row.text("digest")?);
        Ok(())
    }

    /// Places are given one after the other and never taken back.
    async fn check_places(&self, live: &mut Session, check: &mut Check) -> Result<(), LedgerError> {
        let all = live.row("SELECT COUNT(*) AS n FROM run", &[]).await?.map(|row| row.int("n")).transpose()?;
        if all != i64::try_from(self.digests.len()).ok() {
            check.fault(Fault::at("table `run`", "there are runs that are in no order"));
        }
        let mut next = 1;
        for place in self.digests.keys() {
            if *place != next {
                let what = format!("the run at place {next} is missing; the next one is at {place}");
                check.fault(Fault { seq: self.sealed_by(next), place: Some("table `run`".to_owned()), what });
            }
            next = place.saturating_add(1);
        }
        Ok(())
    }

    fn check_seals(&self, check: &mut Check) {
        let (mut next, mut unsealed) = (1, self.digests.len());
        for seal in &self.seals {
            let sealed: Vec<&String> = match seal.first <= seal.last {
                true => self.digests.range(seal.first..=seal.last).map(|(_, digest)| digest).collect(),
                false => Vec::new(),
            };
            unsealed = unsealed.saturating_sub(sealed.len());
            let mut bytes = Vec::with_capacity(sealed.len() * 32);
            let parsed = sealed.iter().filter_map(|digest| digest.parse::<Digest>().ok());
            parsed.for_each(|digest| bytes.extend_from_slice(digest.as_bytes()));
            let is_whole = i64::try_from(sealed.len()) == Ok(seal.count) && (seal.count == 0 || seal.first == next);
            if !is_whole || Digest::of(&bytes).to_string() != seal.digest {
                check.fault(Fault::of_event(seal.seq, "the runs that this event sealed are not those that are here"));
            }
            next = next.max(seal.last.saturating_add(1));
        }
        if unsealed > 0 {
            check.leave_out(format!(
                "{} not yet sealed: they are compared with their own records only",
                count(unsealed, "run is")
            ));
        }
    }

    /// The files that were found wrong while the records were read, and those of no run.
    pub async fn check_files(&mut self, live: &mut Session) -> Result<Check, LedgerError> {
        let mut check = Check::new("files of runs", "files are listed as the records of runs say");
        check.looked_at = self.files;
        self.file_faults.drain(..).for_each(|fault| check.fault(fault));
        let sql = "SELECT DISTINCT CAST(project AS TEXT) AS project, CAST(run AS TEXT) AS run FROM run_file f WHERE NOT EXISTS \
                   (SELECT 1 FROM run WHERE run.run = f.run AND run.project = f.project) LIMIT 100";
        for row in live.rows(sql, &[]).await? {
            let place = format!("run {}", row.optional_text("run")?.unwrap_or_default());
            check.fault(Fault::at(place, "files are listed for it, and there is no such run in their project"));
        }
        Ok(check)
    }

    /// The rows of search that were found wrong while the records were read, and those of no run.
    pub async fn check_search(&mut self, live: &mut Session) -> Result<Check, LedgerError> {
        let mut check = Check::new("search of runs", "runs are found by what their records say");
        check.looked_at = self.digests.len() as u64;
        self.search_faults.iter_mut().flat_map(|faults| faults.drain(..)).for_each(|fault| check.fault(fault));
        for table in ["search_run", "search_run_fact"] {
            let sql = format!(
                "SELECT DISTINCT CAST(id AS TEXT) AS id FROM {table} f \
                 WHERE NOT EXISTS (SELECT 1 FROM run WHERE run.place = f.id) LIMIT 100"
            );
            for row in live.rows(&sql, &[]).await? {
                let id = row.optional_text("id")?.unwrap_or_default();
                check.fault(Fault::at(format!("table `{table}`"), format!("there is no run at place {id}")));
            }
        }
        Ok(check)
    }
}

/// What of the rows by which a run is found is not as its record says.
async fn wrong_search(live: &mut Session, place: i64, record: &RunRecord) -> Result<Vec<String>, LedgerError> {
    let (columns, facts) = search::rows_of(record);
    let sql =
        "SELECT run, project, name, kind, status, registrant, registered, environment FROM search_run WHERE id = $1";
    let mut wrong = Vec::new();
    match live.row(sql, &[Value::Int(place)]).await? {
        None => wrong.push("it is not found: its row of `search_run` is missing".to_owned()),
        Some(row) if text_of(row.values()) == text_of(columns.iter()) => {}
        Some(_) => wrong.push("its row of `search_run` says something else than its record".to_owned()),
    }
    let mut surplus: BTreeMap<String, i64> = BTreeMap::new();
    let sql = "SELECT kind, name, text, rank FROM search_run_fact WHERE id = $1";
    for row in live.rows(sql, &[Value::Int(place)]).await? {
        *surplus.entry(text_of(row.values())).or_default() += 1;
    }
    for search::Fact(kind, name, text, rank) in facts {
        // a number that is none is read as a text that is none
        let rank = rank.map_or(Value::NullText, Value::Int);
        let row = [Value::from(kind), name.into(), text.into(), rank];
        *surplus.entry(text_of(row.iter())).or_default() -= 1;
    }
    let told = |(fact, surplus): (String, i64)| match surplus > 0 {
        true => format!("it is found by what its record does not have: {fact}"),
        false => format!("it is not found by what its record has: {fact}"),
    };
    wrong.extend(surplus.into_iter().filter(|(_, surplus)| *surplus != 0).map(told));
    Ok(wrong)
}

/// Reads a record back and compares the columns beside it.
fn check_record(row: &Row) -> Result<RunRecord, String> {
    let damaged = |error: LedgerError| error.to_string();
    let text = row.text("record").map_err(damaged)?;
    let record: RunRecord =
        serde_json::from_str(&text).map_err(|error| format!("its record can't be read: {error}"))?;
    let json: Json = serde_json::from_str(&text).map_err(|error| format!("its record can't be read: {error}"))?;
    // read as JSON, so that a record keeps its digest whatever newer programs know of records
    let (digest, _) = canonical::digest(&json).map_err(|error| format!("its record has no digest: {error}"))?;
    let written = serde_json::to_string(&json).map_err(|error| format!("its record can't be written: {error}"))?;
    if digest.to_string() != row.text("digest").map_err(damaged)? || written != text {
        return Err("its record was altered".to_owned());
    }
    let is = |column: &str, said: String| -> Result<(), String> {
        let found = row.text(column).map_err(damaged)?;
        let altered = || format!("column `{column}` says `{found}`, its record `{said}`");
        if found == said { Ok(()) } else { Err(altered()) }
    };
    is("run", record.id.to_string())?;
    is("project", record.project.to_string())?;
    Ok(record)
}

/// What of the listed files is not as the record says.
async fn wrong_files(live: &mut Session, record: &RunRecord) -> Result<Vec<String>, LedgerError> {
    let sql = "SELECT direction, path, digest, workspace, started, ended, role, certainty FROM run_file \
               WHERE project = $1 AND run = $2";
    let of = [Value::Text(record.project.to_string()), Value::Text(record.id.to_string())];
    let mut surplus: BTreeMap<String, i64> = BTreeMap::new();
    for row in live.rows(sql, &of).await? {
        *surplus.entry(text_of(row.values())).or_default() += 1;
    }
    for values in file::rows_made_by(record) {
        *surplus.entry(text_of(values.iter())).or_default() -= 1;
    }
    let wrong = surplus.into_iter().filter(|(_, surplus)| *surplus != 0);
    let told = |(file, surplus): (String, i64)| match surplus > 0 {
        true => format!("a file is listed that its record does not have: {file}"),
        false => format!("a file of its record is not listed, or otherwise: {file}"),
    };
    Ok(wrong.map(told).collect())
}

/// Values as one comparable text.
pub fn text_of<'a>(values: impl Iterator<Item = &'a Value>) -> String {
    values.map(|value| format!("{value:?}")).collect::<Vec<_>>().join("|")
}
