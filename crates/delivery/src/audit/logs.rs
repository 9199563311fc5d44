//! The logs of predictions and feedback that are not sealed yet, against what was noted of them; and the key of prediction
//! ids.
//!
//! A note is an event: so many records of a segment were on disk, and this is the digest of them. So a segment that was
//! removed, cut or altered is noticed, but for what came after the last note: at most half a minute of a process that
//! was killed. A cut there is known only to who holds an id.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use stemma_core::{
    Digest,
    audit::{Check, Fault},
};
use stemma_engine::Layout;
use stemma_gateway::{SegmentSeen, look_at_segments};
use stemma_ledger::{LedgerAtRest, LedgerError, SegmentNote};

/// What was noted of a log and is sealed of it.
struct Told {
    notes: BTreeMap<u64, SegmentNote>,
    /// Each segment's records, in whichever files.
    sealed: BTreeMap<u64, u64>,
}

/// Checks the prediction log and its key.
pub async fn check_predictions(layout: &Layout, ledger: &LedgerAtRest) -> Check {
    match predictions(layout, ledger).await {
        Ok(check) => check,
        Err(what) => Check::impossible("predictions", what),
    }
}

/// Checks the feedback log.
pub async fn check_feedback(layout: &Layout, ledger: &LedgerAtRest) -> Check {
    match feedback(layout, ledger).await {
        Ok(check) => check,
        Err(what) => Check::impossible("feedback log", what),
    }
}

async fn predictions(layout: &Layout, ledger: &LedgerAtRest) -> Result<Check, String> {
    let mut check = Check::new("predictions", "segments of the open log begin with what was noted of them");
    let notes = asked(ledger.prediction_notes().await)?;
    check_key(layout, &notes, &mut check);
    let (notes, seen) = look(layout.predictions(), notes).await?;
    // after the files: a segment that was sealed meanwhile is gone, and its part is here
    let sealed = asked(ledger.sealed_predictions().await)?;
    compare(&Told { notes, sealed }, &seen, &mut check);
    Ok(check)
}

async fn feedback(layout: &Layout, ledger: &LedgerAtRest) -> Result<Check, String> {
    let mut check = Check::new("feedback log", "its open segments begin with what was noted of them");
    let (notes, seen) = look(layout.feedback(), asked(ledger.feedback_notes().await)?).await?;
    let sealed = asked(ledger.sealed_feedback().await)?;
    compare(&Told { notes, sealed }, &seen, &mut check);
    Ok(check)
}

fn compare(told: &Told, seen: &[SegmentSeen], check: &mut Check) {
    let there: BTreeSet<u64> = seen.iter().map(|one| one.segment).collect();
    for note in told.notes.values().filter(|note| !there.contains(&note.segment)) {
        check.looked_at += 1;
        check_sealed(note, told.sealed.get(&note.segment).copied(), check);
    }
    let mut unnoted = 0;
    for one in seen {
        check.looked_at += 1;
        check_segment(one, told.notes.get(&one.segment), check);
        if !told.sealed.contains_key(&one.segment) {
            unnoted += one.records.saturating_sub(told.notes.get(&one.segment).map_or(0, |note| note.records));
        }
    }
    if unnoted > 0 {
        check.leave_out(format!(
            "not yet noted: the newest {unnoted} records; they are noted every half minute and at the end"
        ));
    }
}

fn asked<T>(answer: Result<T, LedgerError>) -> Result<T, String> {
    answer.map_err(|error| format!("what was noted can't be read: {error}"))
}

/// The notes by segment, and what lies there of all segments.
async fn look(
    directory: PathBuf,
    notes: Vec<SegmentNote>,
) -> Result<(BTreeMap<u64, SegmentNote>, Vec<SegmentSeen>), String> {
    let notes: BTreeMap<u64, SegmentNote> = notes.into_iter().map(|note| (note.segment, note)).collect();
    if !directory.is_dir() {
        return match notes.is_empty() {
            true => Ok((notes, Vec::new())),
            false => Err(format!("`{}` is missing; bring it back from a backup", directory.display())),
        };
    }
    let lengths: BTreeMap<u64, u64> = notes.values().map(|note| (note.segment, note.bytes)).collect();
    let look = move || look_at_segments(&directory, |segment| lengths.get(&segment).copied());
    let seen = tokio::task::spawn_blocking(look).await.map_err(|error| error.to_string())?;
    Ok((notes, seen.map_err(|error| error.to_string())?))
}

/// A segment that is not there any more must be sealed, with all that was noted of it.
fn check_sealed(note: &SegmentNote, sealed: Option<u64>, check: &mut Check) {
    let records = note.records;
    let what = match sealed {
        Some(sealed) if sealed >= records => return,
        Some(sealed) => format!("{records} records were noted of it, and only {sealed} were sealed"),
        None => format!("it is missing, and {records} records of it"),
    };
    check.fault(fault(note, what));
}

fn check_segment(one: &SegmentSeen, note: Option<&SegmentNote>, check: &mut Check) {
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

fn fault(note: &SegmentNote, what: String) -> Fault {
    Fault { seq: Some(note.seq), place: Some(format!("segment {:016x}", note.segment)), what }
}

/// Whether the key that ids were made with is there.
fn check_key(layout: &Layout, notes: &[SegmentNote], check: &mut Check) {
    let newest = notes.iter().max_by_key(|note| note.seq);
    let Some((note, key)) = newest.and_then(|note| Some((note, note.key?))) else { return };
    let found = match std::fs::read(layout.prediction_key_path()) {
        Ok(bytes) if Digest::of(&bytes) == key => return,
        Ok(_) => "it is not the key that prediction ids were made with".to_owned(),
        Err(error) => error.to_string(),
    };
    let what = format!("{found}; bring it back from a backup: without it no prediction can be found by its id");
    check.fault(Fault { seq: Some(note.seq), place: Some("`prediction.key`".to_owned()), what });
}
