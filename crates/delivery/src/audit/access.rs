//! The access log: every sealed part is there, is what was sealed and holds as much as was said; and segments that are not
//! sealed yet are not damaged.

use stemma_core::{
    audit::{Check, Fault},
    event::AccessLogSealed,
};
use stemma_engine::Layout;
use stemma_gateway::{SealedAccess, look_at_segments};
use stemma_ledger::LedgerAtRest;
use stemma_store::Store;

use crate::access_log::PART_BYTES_MAX;

const NAME: &str = "access log";

pub async fn check(layout: &Layout, ledger: &LedgerAtRest) -> Check {
    let made = match ledger.sealed_access().await {
        Ok(parts) => {
            let layout = layout.clone();
            let look = tokio::task::spawn_blocking(move || look(&layout, &parts));
            look.await.map_err(|error| error.to_string()).and_then(|looked| looked)
        }
        Err(error) => Err(error.to_string()),
    };
    made.unwrap_or_else(|what| Check::impossible(NAME, what))
}

fn look(layout: &Layout, parts: &[AccessLogSealed]) -> Result<Check, String> {
    let mut check = Check::new(NAME, "its sealed parts are there and hold what was sealed");
    if !parts.is_empty() {
        let store = Store::open_to_look(&layout.content()).map_err(|error| error.to_string())?;
        for part in parts {
            check.looked_at += 1;
            if let Err(what) = check_part(&store, part) {
                check.fault(Fault::at(format!("part {}", part.digest), what));
            }
        }
    }
    look_at_open(layout, parts, &mut check)?;
    Ok(check)
}

/// The store reads nothing that is not what its digest says.
fn check_part(store: &Store, part: &AccessLogSealed) -> Result<(), String> {
    let lines = store.read(&part.digest, PART_BYTES_MAX).map_err(|error| error.to_string())?;
    let size = lines.len() as u64;
    let held = SealedAccess::of(lines)?;
    let is_as_sealed = (held.entries, held.not_written, held.first, held.last, size)
        == (part.entries, part.not_written, part.first, part.last, part.size);
    match is_as_sealed {
        true => Ok(()),
        false => Err(format!("it holds {} entries, and {} were sealed", held.entries, part.entries)),
    }
}

/// What is not sealed yet nobody has signed for: it is counted as not covered.
fn look_at_open(layout: &Layout, parts: &[AccessLogSealed], check: &mut Check) -> Result<(), String> {
    let folder = layout.access();
    if !folder.is_dir() {
        return Ok(());
    }
    let mut open = 0;
    for one in look_at_segments(&folder, |_| None).map_err(|error| error.to_string())? {
        check.looked_at += 1;
        if let Some(offset) = one.damage {
            let place = format!("segment {:016x}", one.segment);
            check.fault(Fault::at(place, format!("it is damaged at byte {offset}")));
        }
        if parts.iter().all(|part| part.segment != one.segment) {
            open += one.records;
        }
    }
    if open > 0 {
        check.leave_out(format!(
            "not yet sealed: the newest {open} entries; they are sealed each hour and when a server ends"
        ));
    }
    Ok(())
}
