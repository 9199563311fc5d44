//! The prediction log that is not sealed yet, against what was noted of it; and the key of prediction ids.
//!
//! A note is an event: so many records of a segment were on disk, and this is the digest of them. So a segment that was
//! removed, cut or altered is noticed, but for what came after the last note: at most half a minute of a process that
//! was killed. A cut there is known only to who holds an id.

use std::collections::{BTreeMap, BTreeSet};

use stemma_core::{
    Digest,
    audit::{Check, Fault},
};
use stemma_engine::Layout;
use stemma_gateway::{SegmentSeen, look_at_segments};
use stemma_ledger::{LedgerAtRest, LedgerError, PredictionNote};

pub async fn check(layout: &Layout, ledger: &LedgerAtRest) -> Check {
    match compare(layout, ledger).await {
        Ok(check) => check,
        Err(what) => Check::impossible("predictions", what),
    }
}

async fn compare(layout: &Layout, ledger: &LedgerAtRest) -> Result<Check, String> {
    let mut check = Check::new("predictions", "segments of the open log begin with what was noted of them");
    let notes: BTreeMap<u64, PredictionNote> =
        asked(ledger.prediction_notes().await)?.into_iter().map(|note| (note.segment, note)).collect();
    let seen = look(layout, &notes).await?;
    // after the files: a segment that was sealed meanwhile is gone, and its part is here
    let sealed = asked(ledger.sealed_predictions().await)?;
    check_key(layout, notes.values(), &mut check);
    let there: BTreeSet<u64> = seen.iter().map(|one| one.segment).collect();
    for note in notes.values().filter(|note| !there.contains(&note.segment)) {
        check.looked_at += 1;
        check_sealed(note, sealed.get(&note.segment).copied(), &mut check);
    }
    let mut unnoted = 0;
    for one in &seen {
        check.looked_at += 1;
        check_segment(one, notes.get(&one.segment), &mut check);
        if !sealed.contains_key(&one.segment) {
            unnoted += one.records.saturating_sub(notes.get(&one.segment).map_or(0, |note| note.records));
        }
    }
    if unnoted > 0 {
        check.leave_out(format!(
            "not yet noted: the newest {unnoted} records; they are noted every half minute and at the end"
        ));
    }
    Ok(check)
}

fn asked<T>(answer: Result<T, LedgerError>) -> Result<T, String> {
    answer.map_err(|error| format!("what was noted can't be read: {error}"))
}

async fn look(layout: &Layout, notes: &BTreeMap<u64, PredictionNote>) -> Result<Vec<SegmentSeen>, String> {
    let directory = layout.predictions();
    if !directory.is_dir() {
        return match notes.is_empty() {
            true => Ok(Vec::new()),
            false => Err(format!("`{}` is missing; bring it back from a backup", directory.display())),
        };
    }
    let lengths: BTreeMap<u64, u64> = notes.values().map(|note| (note.segment, note.bytes)).collect();
    let look = move || look_at_segments(&directory, |segment| lengths.get(&segment).copied());
    let seen = tokio::task::spawn_blocking(look).await.map_err(|error| error.to_string())?;
    seen.map_err(|error| error.to_string())
}

/// A segment that is not there any more must be sealed, with all that was noted of it.
fn check_sealed(note: &PredictionNote, sealed: Option<u64>, check: &mut Check) {
    let records = note.records;
    let what = match sealed {
        Some(sealed) if sealed >= records => return,
        Some(sealed) => format!("{records} records were noted of it, and only {sealed} were sealed"),
        None => format!("it is missing, and {records} records that were answered with it"),
    };
    check.fault(fault(note, what));
}

fn check_segment(one: &SegmentSeen, note: Option<&PredictionNote>, check: &mut Check) {
    let place = || format!("segment {:016x}", one.segment);
    if let Some(offset) = one.damage {
        check.fault(Fault::at(place(), format!("it is damaged at byte {offset}")));
    }
    let Some(note) = note else { return };
    let what = match one.beginning {
        Some(digest) if digest == note.digest => return,
        Some(_) => "its records are not what was noted of them".to_owned(),
        None => format!("it was cut: {} records were noted of it, {} are there", note.records, one.records),
    };
    check.fault(fault(note, what));
}

fn fault(note: &PredictionNote, what: String) -> Fault {
    Fault { seq: Some(note.seq), place: Some(format!("segment {:016x}", note.segment)), what }
}

/// Whether the key that ids were made with is there.
fn check_key<'a>(layout: &Layout, notes: impl Iterator<Item = &'a PredictionNote>, check: &mut Check) {
    let Some(note) = notes.max_by_key(|note| note.seq) else { return };
    let found = match std::fs::read(layout.prediction_key_path()) {
        Ok(bytes) if Digest::of(&bytes) == note.key => return,
        Ok(_) => "it is not the key that prediction ids were made with".to_owned(),
        Err(error) => error.to_string(),
    };
    let what = format!("{found}; bring it back from a backup: without it no prediction can be found by its id");
    check.fault(Fault { seq: Some(note.seq), place: Some("`prediction.key`".to_owned()), what });
}
