//! Rows that are sealed in batches, and the rights to read content that follow from such rows.

use std::collections::BTreeMap;

use stemma_core::{
    Digest,
    audit::{Check, Fault},
    event::SealedRows,
};

use super::settled::count;
use crate::{
    LedgerError,
    row::grant,
    sql::{Row, Session},
    telemetry::seal::{digest_of, page_of, table_of},
};

/// Sizes of contents by digest and project.
type Grants = BTreeMap<String, BTreeMap<String, i64>>;

/// The seals over rows of one kind, as far as they were gone through.
struct Seals {
    /// Event, first and last place, number, digest.
    all: Vec<(u64, i64, i64, i64, String)>,
    digests: BTreeMap<i64, Digest>,
}

/// What labels and rewards say.
pub async fn check_feedback(live: &mut Session) -> Result<Check, LedgerError> {
    let mut check = Check::new("feedback", "labels, rewards and comments are what was sealed");
    go_through(live, SealedRows::Feedback, &mut check, &mut |_, _| {}).await?;
    Ok(check)
}

/// Which project may read which content: as the sealed entries say, and no more.
pub async fn check_grants(live: &mut Session) -> Result<Check, LedgerError> {
    let mut check = Check::new("content grants", "rights to read content follow from what was sealed");
    let mut expected = Grants::new();
    let mut take = |row: &Row, check: &mut Check| {
        if let Err(what) = apply(row, &mut expected) {
            check.fault(Fault::at("table `grant_entry`", what));
        }
    };
    go_through(live, SealedRows::Grants, &mut check, &mut take).await?;
    let mut looked_at = 0;
    for row in live.rows("SELECT project, digest, size FROM content_grant", &[]).await? {
        looked_at += 1;
        let (project, digest, size) = (row.text("project")?, row.text("digest")?, row.int("size").ok());
        let place = format!("content {digest} of project {project}");
        match expected.get_mut(&digest).and_then(|projects| projects.remove(&project)) {
            None => check.fault(Fault::at(place, "it may be read, and nothing that was sealed lets it")),
            granted if granted != size => check.fault(Fault::at(place, "its size is another")),
            Some(_) => {}
        }
    }
    for (digest, projects) in expected {
        for project in projects.into_keys() {
            let place = format!("content {digest} of project {project}");
            check.fault(Fault::at(place, "the right to read it is gone, and nothing that was sealed took it away"));
        }
    }
    check.looked_at = looked_at;
    Ok(check)
}

/// Does what an entry says.
fn apply(row: &Row, grants: &mut Grants) -> Result<(), String> {
    let damaged = |error: LedgerError| error.to_string();
    let (project, act) = (row.text("project").map_err(damaged)?, row.text("act").map_err(damaged)?);
    let contents = grant::decode(&row.blob("contents").map_err(damaged)?).ok_or("an entry is no list of contents")?;
    match act.as_str() {
        grant::GRANTED => {
            for (digest, size) in contents {
                grants.entry(digest.to_string()).or_default().entry(project.clone()).or_insert(size as i64);
            }
        }
        grant::WITHDRAWN => {
            for (digest, _) in contents {
                grants.remove(&digest.to_string());
            }
        }
        other => return Err(format!("an entry does `{other}`")),
    }
    Ok(())
}

/// Reads all rows of a kind in order and compares them with the seals over them.
async fn go_through(
    live: &mut Session,
    rows: SealedRows,
    check: &mut Check,
    take: &mut impl FnMut(&Row, &mut Check),
) -> Result<(), LedgerError> {
    let (table, _) = table_of(rows);
    let mut seals = Seals { all: read_seals(live, rows).await?, digests: BTreeMap::new() };
    let mut last = i64::MIN;
    loop {
        let page = page_of(live, rows, last).await?;
        let Some(row) = page.last() else { break };
        last = row.int("place")?;
        for row in &page {
            check.looked_at += 1;
            seals.digests.insert(row.int("place")?, digest_of(row));
            take(row, check);
        }
    }
    let all =
        live.row(&format!("SELECT COUNT(*) AS n FROM {table}"), &[]).await?.map(|row| row.int("n")).transpose()?;
    if all != i64::try_from(seals.digests.len()).ok() {
        check.fault(Fault::at(format!("table `{table}`"), "there are rows that are in no order"));
    }
    seals.compare(table, check);
    Ok(())
}

async fn read_seals(live: &mut Session, rows: SealedRows) -> Result<Vec<(u64, i64, i64, i64, String)>, LedgerError> {
    let sql = "SELECT first_row, last_row, count, digest, from_seq FROM row_seal WHERE kind = $1 ORDER BY from_seq";
    let seals = live.rows(sql, &[rows.as_str().into()]).await?;
    let seal = |row: &Row| {
        let (first, last) = (row.int("first_row")?, row.int("last_row")?);
        Ok((row.int("from_seq")?.max(0) as u64, first, last, row.int("count")?, row.text("digest")?))
    };
    seals.iter().map(seal).collect()
}

impl Seals {
    fn compare(&self, table: &str, check: &mut Check) {
        let mut next = 1;
        for (seq, first, last, number, digest) in &self.all {
            let (mut bytes, mut found) = (Vec::new(), 0);
            for (_, row) in self.digests.range(*first.min(last)..=*last) {
                bytes.extend_from_slice(row.as_bytes());
                found += 1;
            }
            if *first != next || found != *number || Digest::of(&bytes).to_string() != *digest {
                let what =
                    format!("rows {first} to {last} of `{table}`, which this event sealed, are not what they were");
                check.fault(Fault::of_event(*seq, what));
            }
            next = last.saturating_add(1);
        }
        let unsealed: Vec<i64> = self.digests.range(next..).map(|(place, _)| *place).collect();
        for (place, expected) in unsealed.iter().zip(next..) {
            if *place != expected {
                check.fault(Fault::at(format!("table `{table}`"), format!("row {expected} is missing")));
                break;
            }
        }
        if self.digests.range(..1).next().is_some() {
            check.fault(Fault::at(format!("table `{table}`"), "there is a row before the first"));
        }
        if !unsealed.is_empty() {
            check.leave_out(format!("not yet sealed: {} of `{table}`", count(unsealed.len(), "row")));
        }
    }
}
